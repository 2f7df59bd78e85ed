// What the answers of a box and the `--json` output look like: checked when an answer arrives, printed as
// JSON Schema into docs/schema. Fields are only ever added.

import * as z from "zod/mini";
import type { ControlAnswers, ControlOperation } from "../peer/control.ts";
import { ladderSchema } from "./ladder-schema.ts";
import type { RecordedCall, RecordedMessage } from "../sip/recorder/call-recorder.ts";
import { updateSchema } from "./update-commands.ts";
import type {
  BindingReport,
  BoxReference,
  ConditionReport,
  ConfigurationReport,
  ConflictReport,
  PeerReport,
  RegistrationReport,
  ReplicaReport,
  StatusReport,
  SubscriberReport,
  WhereReport,
} from "../peer/reports.ts";

const described = <Schema extends z.ZodMiniType>(schema: Schema, description: string): Schema =>
  schema.check(z.describe(description));

const address = z.object({ host: z.string(), port: z.int().check(z.gte(0), z.lte(65_535)) });
const nodeId = z.string().check(z.regex(/^[0-9a-f]{32}$/), z.describe("Node-ID: a place on the ring, 32 hex digits"));
const aor = described(z.string(), "address of record, `user@domain`");
const share = z.number().check(z.gte(0), z.lte(1), z.describe("part of the ring the box is responsible for"));
const transportName = z.enum(["udp", "tcp", "tls", "ws", "wss"]);
const count = z.int().check(z.gte(0));

const condition = z.object({
  code: described(z.string(), "stable name of the condition, for programs"),
  severity: z.enum(["notice", "warning", "alarm"]),
  text: described(z.string(), "what is the matter, in a sentence"),
  next: described(z.string(), "what to do about it; empty if nothing"),
}) satisfies z.ZodMiniType<ConditionReport>;

export const statusSchema = z.object({
  phase: z.enum(["seeking", "joining", "serving", "withdrawing", "aside", "leaving", "left", "revoked"]),
  fleet: z.string(),
  domain: described(z.string(), "SIP domain that the fleet serves"),
  nodeId,
  zone: z.string(),
  software: z.string(),
  sip: address,
  transports: described(z.array(z.object({ transport: transportName, port: z.int().check(z.gte(1), z.lte(65_535)) })), "where phones are served now; nothing else listens for SIP"),
  serviceAddresses: described(
    z.array(z.object({ address: z.string(), own: z.boolean(), held: z.boolean() })),
    "addresses that move to another box when theirs is dead: whether one belongs to this box, and whether phones reach this box by it now",
  ),
  overlay: address,
  share,
  copies: described(count, "boxes that hold each of this box's entries now, this box included"),
  copiesWanted: count,
  inSync: described(z.boolean(), "all copies were equal when last compared and on disk where they must be, and no write has missed one since"),
  comparedSecondsAgo: described(z.nullable(count), "since all copies were compared last; null: not yet"),
  receiving: described(z.nullable(z.object({ received: count, expected: count })), "entries of its share that have come while it joins; null otherwise"),
  boxes: z.object({ serving: count, known: count }),
  entries: z.object({ owned: count, held: count }),
  uptimeSeconds: count,
  certificateEndsAt: described(z.nullable(z.number()), "when this box's certificate ends, milliseconds since 1970; null: not known"),
  conditions: z.array(condition),
  counters: z.record(z.string(), z.number()),
}) satisfies z.ZodMiniType<StatusReport>;

const peer = z.object({
  nodeId,
  self: described(z.boolean(), "whether it is the box that answers"),
  state: z.enum(["linked", "joining", "serving", "silent", "gone", "left", "seeking", "withdrawing", "aside", "leaving", "revoked"]),
  overlay: address,
  sip: address,
  zone: z.string(),
  software: z.string(),
  share,
  roundTripMs: z.nullable(z.number()),
}) satisfies z.ZodMiniType<PeerReport>;
export const peersSchema = z.array(peer);

const subscriber = z.object({ username: z.string(), aor, displayName: z.string() }) satisfies z.ZodMiniType<SubscriberReport>;
export const subscribersSchema = z.array(subscriber);

const boxFields = { nodeId, sip: z.nullable(address), overlay: z.nullable(address) };
const boxReference = z.object(boxFields) satisfies z.ZodMiniType<BoxReference>;

const conflict = z.object({
  username: z.string(),
  aor,
  versions: described(
    z.array(
      z.object({
        version: described(z.string(), "names the version"),
        inForce: described(z.boolean(), "whether phones are judged by it now"),
        removed: described(z.boolean(), "whether the change was a removal"),
        displayName: z.string(),
        password: described(z.nullable(count), "versions with the same number have the same password; `null` for a removal"),
        writtenAt: described(z.nullable(z.number()), "milliseconds since 1970, UTC; `null` if nobody remembers"),
        box: described(z.nullable(boxReference), "the box that wrote it"),
      }),
    ),
    "the one in force first, then the others, the latest first",
  ),
}) satisfies z.ZodMiniType<ConflictReport>;
export const conflictsSchema = z.array(conflict);

const binding = z.object({
  contact: described(z.string(), "URI under which the phone registered"),
  transport: transportName,
  received: described(address, "the phone's address as its box saw it"),
  flowOwner: described(boxReference, "the box that holds the phone's flow"),
  preference: described(count, "the q parameter times 1000"),
  expiresAt: described(z.number(), "milliseconds since 1970, UTC"),
  userAgent: z.string(),
  instance: z.string(),
  path: z.array(z.string()),
  nat: described(z.enum(["none", "translated", "rewritten", "not-known"]), "`rewritten`: something between phone and box (a SIP ALG) changes its SIP; `not-known`: its Contact is a name"),
}) satisfies z.ZodMiniType<BindingReport>;

const registration = z.object({ aor, bindings: z.array(binding) }) satisfies z.ZodMiniType<RegistrationReport>;
export const registrationsSchema = z.array(registration);

const replica = z.object({
  ...boxFields,
  holds: described(z.enum(["yes", "no", "unknown"]), "what the box itself said; `unknown`: it did not answer"),
}) satisfies z.ZodMiniType<ReplicaReport>;

export const whereSchema = z.object({
  aor,
  resourceId: described(z.string(), "the AoR's place on the ring, 32 hex digits"),
  subscriber: described(z.boolean(), "whether there is a subscriber of that name"),
  storageOwner: described(boxReference, "the box responsible for the AoR's place on the ring"),
  replicas: described(z.array(replica), "the boxes that should hold copies, in ring order, the storage owner first"),
  bindings: z.array(binding),
}) satisfies z.ZodMiniType<WhereReport>;

const hash = z.string().check(z.regex(/^[0-9a-f]{64}$/));
export const configurationSchema = z.object({
  sequence: described(count, "number of the document in force"),
  signed: described(z.boolean(), "whether the box has a document signed by the fleet's key"),
  registration: z.object({
    minimumSeconds: count,
    standardSeconds: count,
    maximumSeconds: count,
    open: described(z.boolean(), "whether whoever can reach a box may register as anybody"),
  }),
  expiration: described(z.nullable(z.string()), "when the document ends, as it says it"),
  limits: described(
    z.nullable(z.object({ initialTtl: count, maxMessageSize: count, kinds: z.array(z.object({ name: z.string(), maxCount: count, maxSize: count })) })),
    "links a message may go over, its bytes, and values and their bytes at one place of the ring, by kind",
  ),
  revocationEpoch: described(count, "rises with each revocation"),
  revoked: z.array(z.object({ nodeId, revokedAt: described(z.nullable(z.number()), "milliseconds since 1970, UTC") })),
  issuing: described(z.nullable(hash), "SHA-256 of the certificate that issues"),
  retired: described(z.array(hash), "SHA-256 of certificates that issued before"),
  refusedTickets: described(z.array(z.string()), "serials of tickets that admit nobody any more"),
  document: described(z.nullable(z.string()), "the whole document, signature included"),
}) satisfies z.ZodMiniType<ConfigurationReport>;

const moment = described(z.nullable(z.number()), "milliseconds since 1970 by the ring's clock, UTC; null: it did not happen");
const callFields = {
  kind: described(z.enum(["call", "registration"]), "`registration`: how a phone registered last"),
  id: described(z.string(), "names the call at every box, 16 hex digits"),
  callId: described(z.string(), "the Call-ID of its messages"),
  from: described(z.string(), "who calls or registers, `user@host`"),
  to: z.string(),
  startedAt: z.number(),
  ringingAt: moment,
  answeredAt: moment,
  endedAt: moment,
  status: described(z.nullable(count), "final answer to the INVITE or REGISTER; null: none yet"),
  reason: z.string(),
  endedBy: described(z.nullable(z.enum(["caller", "callee"])), "who hung up or gave up"),
  leftOut: described(count, "messages that there was no room for"),
};
const recordedCall = z.object({ ...callFields, revision: count }) satisfies z.ZodMiniType<RecordedCall>;
const recordedMessage = z.object({
  at: z.number(), direction: z.enum(["in", "out"]), remote: address, transport: transportName, startLine: z.string(), text: z.string(),
}) satisfies z.ZodMiniType<RecordedMessage>;
const callsSchema = z.array(z.object({ ...callFields, outcome: described(z.string(), "how it stands or ended, in words") }));

/** The `--json` output of each command, by the name of its schema file. */
export const OUTPUT_SCHEMAS = {
  status: statusSchema,
  peers: peersSchema,
  "subscriber-list": subscribersSchema,
  conflicts: conflictsSchema,
  "registration-list": registrationsSchema,
  where: whereSchema,
  calls: callsSchema,
  call: ladderSchema,
  "config-show": configurationSchema,
  update: updateSchema,
} as const;

/** The answers of a box, by the question. */
export const ANSWER_SCHEMAS: { readonly [Op in ControlOperation]: z.ZodMiniType<ControlAnswers[Op]> } = {
  heartbeat: z.object({
    phase: z.enum(["seeking", "joining", "serving", "withdrawing", "aside", "leaving", "left", "revoked", "waiting-for-admission"]),
    code: z.nullable(z.string()),
    processId: count,
  }),
  status: z.object({ status: statusSchema }),
  peers: z.object({ peers: peersSchema }),
  drain: z.object({ on: z.boolean(), underWay: count, phones: count }),
  restart: z.object({}),
  leave: z.object({}),
  "subscriber-add": z.object({ aor, replaced: z.boolean(), copies: count }),
  "subscriber-remove": z.object({ aor, copies: count }),
  "conflict-list": z.object({ conflicts: conflictsSchema }),
  "conflict-resolve": z.object({ aor, copies: count }),
  "subscriber-list": z.object({ subscribers: subscribersSchema }),
  flows: z.object({ flows: z.array(z.extend(binding, { aor, token: z.string() })) }),
  calls: z.object({ life: z.string(), revision: count, calls: z.array(recordedCall) }),
  "call-messages": z.object({ found: z.nullable(z.object({ call: recordedCall, messages: z.array(recordedMessage) })) }),
  "registration-list": z.object({ registrations: registrationsSchema }),
  where: z.object({ where: whereSchema }),
  configuration: z.object({ configuration: configurationSchema }),
  configure: z.object({ sequence: count, told: count, linked: count }),
  published: z.object({ certificates: z.array(z.string()) }),
  "known-boxes": z.object({ boxes: z.array(z.object({ nodeId, key: hash })) }),
  rotate: z.object({ sequence: count, told: count, linked: count }),
  revoke: z.object({ nodeId, told: count, linked: count }),
  admit: z.object({ nodeId: z.nullable(nodeId) }),
};
