import { hours } from "../base/time.ts";
import type { KindDefinition } from "../overlay/ports.ts";
import { KIND } from "../overlay/wire/code-points.ts";

// Private kinds (RFC 6940 section 14.6: 0xF0000001 and up). All live at the Resource-ID of the AoR,
// so that one Fetch brings the credentials of a subscriber and the bindings of its phones.

/** Where the phones of an AoR are: one entry a binding, written by the box that took the REGISTER. */
export const EDGE_BINDING: KindDefinition = {
  id: 0xf0000001,
  name: "EDGE-BINDING",
  model: "dictionary",
  durability: "soft",
  signed: false,
  maxEntries: 64,
  maxValueBytes: 8_192,
};

/** Who may register as an AoR: one value, the subscriber's digest credentials. */
export const SUBSCRIBER: KindDefinition = {
  id: 0xf0000002,
  name: "SUBSCRIBER",
  model: "single",
  durability: "durable",
  signed: true,
  boxesOnly: true,
  maxEntries: 1,
  maxValueBytes: 2_048,
  siblings: 0xf0000003,
};

/** Versions of a subscriber that were written without knowledge of the one that stands. */
export const SUBSCRIBER_SIBLING: KindDefinition = {
  id: 0xf0000003,
  name: "SUBSCRIBER-SIBLING",
  model: "dictionary",
  durability: "durable",
  signed: false,
  boxesOnly: true,
  maxEntries: 16,
  maxValueBytes: 4_096,
  siblingsOf: SUBSCRIBER.id,
};

/** Who watches an AoR (RFC 6665): one entry a subscription, written by the box that sends its NOTIFYs. */
export const EVENT_SUBSCRIPTION: KindDefinition = {
  id: 0xf0000006,
  name: "EVENT-SUBSCRIPTION",
  model: "dictionary",
  durability: "soft",
  signed: false,
  boxesOnly: true,
  maxEntries: 128,
  maxValueBytes: 1_536,
};

/** What the watchers are told: one entry a dialog (RFC 4235) or publication (RFC 3903), written by the box that saw it. */
export const EVENT_STATE: KindDefinition = {
  id: 0xf0000007,
  name: "EVENT-STATE",
  model: "dictionary",
  durability: "soft",
  signed: false,
  boxesOnly: true,
  maxEntries: 64,
  maxValueBytes: 4_096,
};

/** MESSAGEs (RFC 3428) that wait for their user, and for a while those that were delivered. A Fetch brings all of a user's. */
export const KEPT_MESSAGE: KindDefinition = {
  id: 0xf0000008,
  name: "KEPT-MESSAGE",
  model: "dictionary",
  durability: "durable",
  signed: false,
  boxesOnly: true,
  maxEntries: 64,
  maxValueBytes: 3_072,
};

/** Who used which ticket, and which codes operators typed: what the boxes of a ring must know together to admit others. */
export const ADMISSION: KindDefinition = {
  id: 0xf0000005,
  name: "ADMISSION",
  model: "dictionary",
  durability: "durable",
  signed: true,
  boxesOnly: true,
  maxEntries: 256,
  maxValueBytes: 64,
};

/** Service addresses of the boxes on one link, and whose they are: one entry an address, written by its owner. */
export const SERVICE_ADDRESS: KindDefinition = {
  id: 0xf0000009,
  name: "SERVICE-ADDRESS",
  model: "dictionary",
  durability: "soft",
  signed: false,
  boxesOnly: true,
  maxEntries: 256,
  maxValueBytes: 128,
};
/** A box may be dead for so long before its phones must be set up anew; the living ones write theirs every day. */
export const SERVICE_LIFETIME = hours(24 * 30);

/**
 * Certificates by the Node-ID and by the user name in them (RFC 6940 section 8): each box publishes its own. There is
 * a new one every twenty days, and what was signed with an old one stays: these are of three and a half years.
 */
export const CERTIFICATE_BY_NODE: KindDefinition = {
  id: KIND.CERTIFICATE_BY_NODE,
  name: "CERTIFICATE_BY_NODE",
  model: "array",
  durability: "durable",
  signed: true,
  access: "NODE-MATCH",
  maxEntries: 64,
  maxValueBytes: 2_048,
};
export const CERTIFICATE_BY_USER: KindDefinition = { ...CERTIFICATE_BY_NODE, id: KIND.CERTIFICATE_BY_USER, name: "CERTIFICATE_BY_USER", access: "USER-MATCH" };

export const KINDS: readonly KindDefinition[] = [CERTIFICATE_BY_NODE, CERTIFICATE_BY_USER, EDGE_BINDING, SUBSCRIBER, SUBSCRIBER_SIBLING, ADMISSION, EVENT_SUBSCRIPTION, EVENT_STATE, KEPT_MESSAGE, SERVICE_ADDRESS];

/** How long a removed subscriber is remembered as removed: longer than any box may be away and come back. */
export const SUBSCRIBER_TOMBSTONE = hours(24 * 30);
/** A subscriber does not expire; RELOAD's lifetime is 32 bits of seconds, and this is one hundred years. */
export const SUBSCRIBER_LIFETIME = hours(24 * 365 * 100);
/** As long as what is signed with them. */
export const CERTIFICATE_LIFETIME = SUBSCRIBER_LIFETIME;
