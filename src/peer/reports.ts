// What a box says of itself over its control socket: plain data that survives JSON as it is (`null` where
// there is nothing to say, never `undefined`). docs/json.md documents it; src/cli/schemas.ts holds it to a schema.

import type { Address } from "../base/address.ts";
import type { Phase } from "../overlay/ports.ts";
import type { TransportName } from "../sip/ports.ts";

/** Something that is not as it should be, as the operator is to read it. */
export interface ConditionReport {
  /** Stable, for programs: `copies-missing`, `alone`, `disk-full`… */
  readonly code: string;
  readonly severity: "notice" | "warning" | "alarm";
  /** One sentence in plain words. */
  readonly text: string;
  /** What to do next; empty if nothing. */
  readonly next: string;
}

export interface StatusReport {
  readonly phase: Phase;
  readonly fleet: string;
  /** The SIP domain that the fleet serves. */
  readonly domain: string;
  /** 32 hex digits. */
  readonly nodeId: string;
  readonly zone: string;
  readonly software: string;
  readonly sip: Address;
  /** Every transport on which phones are served here at this moment; nothing else listens for SIP. */
  readonly transports: readonly { readonly transport: TransportName; readonly port: number }[];
  /** Addresses that move to another box when theirs is dead, as far as this box knows them; empty for a box without one of its own. */
  readonly serviceAddresses: readonly ServiceAddressReport[];
  readonly overlay: Address;
  /** The part of the ring this box is responsible for, 0 to 1. */
  readonly share: number;
  /** How many boxes hold each of this box's entries now, this box included. */
  readonly copies: number;
  /** How many should. */
  readonly copiesWanted: number;
  /** All copies of this box's entries were equal at the last comparison and on disk where they must be, and no write has missed one since. */
  readonly inSync: boolean;
  /** Since the last comparison with all copies; `null`: none yet. */
  readonly comparedSecondsAgo: number | null;
  /** Entries of its share that have come, while it joins; `null` otherwise. */
  readonly receiving: { readonly received: number; readonly expected: number } | null;
  /** This box included. */
  readonly boxes: { readonly serving: number; readonly known: number };
  /** Entries for which this box is the responsible peer; all entries it holds, those included. */
  readonly entries: { readonly owned: number; readonly held: number };
  readonly uptimeSeconds: number;
  /** When this box's certificate ends, milliseconds since 1970; it is renewed long before. `null`: not known. */
  readonly certificateEndsAt: number | null;
  readonly conditions: readonly ConditionReport[];
  readonly counters: Readonly<Record<string, number>>;
}

export interface ServiceAddressReport {
  readonly address: string;
  /** Whether it belongs to the box that answers. */
  readonly own: boolean;
  /** Whether phones reach the box that answers by it now. */
  readonly held: boolean;
}

export interface PeerReport {
  readonly nodeId: string;
  /** Whether it is the box that answers. */
  readonly self: boolean;
  readonly state: "linked" | "joining" | "serving" | "silent" | "gone" | "left" | "seeking" | "withdrawing" | "aside" | "leaving" | "revoked";
  readonly overlay: Address;
  readonly sip: Address;
  readonly zone: string;
  readonly software: string;
  readonly share: number;
  /** `null` for this box itself, and before the first answer. */
  readonly roundTripMs: number | null;
}

/** What the fleet's key holder has decided, and who is believed no more. */
export interface ConfigurationReport {
  /** Number of the document in force. */
  readonly sequence: number;
  /** Whether this box has a document that the fleet's key has signed; without one it goes by its usual settings. */
  readonly signed: boolean;
  readonly registration: {
    readonly minimumSeconds: number;
    readonly standardSeconds: number;
    readonly maximumSeconds: number;
    /** Whether whoever can reach a box may register as anybody. */
    readonly open: boolean;
  };
  /** When the document ends, as it says: `2046-01-01T00:00:00Z`; `null` without one. */
  readonly expiration: string | null;
  /** Links that a message may go over; bytes of one; what one place of the ring holds of each kind. `null` without a document. */
  readonly limits: {
    readonly initialTtl: number;
    readonly maxMessageSize: number;
    readonly kinds: readonly { readonly name: string; readonly maxCount: number; readonly maxSize: number }[];
  } | null;
  /** Rises with each revocation. */
  readonly revocationEpoch: number;
  /** `revokedAt`: milliseconds since 1970, `null` if only the document names the box. */
  readonly revoked: readonly { readonly nodeId: string; readonly revokedAt: number | null }[];
  /** SHA-256 of the certificate that issues, hex. */
  readonly issuing: string | null;
  /** SHA-256 of certificates that issued before, hex. */
  readonly retired: readonly string[];
  /** Serials of tickets that admit nobody any more. */
  readonly refusedTickets: readonly string[];
  /** The whole text, signature included. */
  readonly document: string | null;
}

export interface SubscriberReport {
  readonly username: string;
  readonly aor: string;
  /** May be empty. */
  readonly displayName: string;
}

/** A box as another one names it; the addresses are `null` when the ring no longer knows the box. */
export interface BoxReference {
  readonly nodeId: string;
  readonly sip: Address | null;
  readonly overlay: Address | null;
}

export interface BindingReport {
  readonly contact: string;
  readonly transport: TransportName;
  /** The phone's address as the box that holds its flow saw it. */
  readonly received: Address;
  readonly flowOwner: BoxReference;
  /** 0 to 1000: the q parameter times 1000. */
  readonly preference: number;
  /** Milliseconds since 1970, UTC. */
  readonly expiresAt: number;
  readonly userAgent: string;
  /** +sip.instance; empty if the phone has none. */
  readonly instance: string;
  readonly path: readonly string[];
  /** `rewritten`: something between phone and box (a SIP ALG) changes its SIP. `not-known`: its Contact is a name. */
  readonly nat: "none" | "translated" | "rewritten" | "not-known";
}

/** A phone's contact of which the box that answers holds the flow. */
export interface FlowReport extends BindingReport {
  readonly aor: string;
  /** In the user part of a Route with this box's address, it leads to the phone. Empty: the contact itself does. */
  readonly token: string;
}

export interface RegistrationReport {
  readonly aor: string;
  readonly bindings: readonly BindingReport[];
}

/** A subscriber that was changed by boxes that did not know of each other's change. */
export interface ConflictReport {
  readonly username: string;
  readonly aor: string;
  /** The one in force first, then the others, the latest first. */
  readonly versions: readonly ConflictVersion[];
}

export interface ConflictVersion {
  /** Names the version, for `conflicts resolve`. */
  readonly version: string;
  readonly inForce: boolean;
  /** The change was a removal. */
  readonly removed: boolean;
  /** Empty if there is none, or the subscriber was removed. */
  readonly displayName: string;
  /** Versions with the same number have the same password; `null` for a removal. */
  readonly password: number | null;
  /** Milliseconds since 1970, UTC, as the ring counts them; `null` if nobody remembers. */
  readonly writtenAt: number | null;
  /** The box that wrote it; `null` if nobody remembers. */
  readonly box: BoxReference | null;
}

/** Where an AoR is. Nothing in it depends on which box was asked. */
export interface WhereReport {
  readonly aor: string;
  readonly resourceId: string;
  readonly subscriber: boolean;
  /** The responsible peer of the AoR's place on the ring. */
  readonly storageOwner: BoxReference;
  /** The replica set in ring order, the storage owner first. */
  readonly replicas: readonly ReplicaReport[];
  readonly bindings: readonly BindingReport[];
}

export interface ReplicaReport extends BoxReference {
  /** Whether the box itself said so when asked; `unknown` if it did not answer. */
  readonly holds: "yes" | "no" | "unknown";
}
