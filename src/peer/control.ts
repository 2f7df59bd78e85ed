// Questions and answers over a box's control socket. The socket itself is io's; what is asked and answered
// is plain data, so that a whole box can be asked in simulation too.

import type { Phase } from "../overlay/ports.ts";
import type { RecordedCall, RecordedMessage } from "../sip/recorder/call-recorder.ts";
import type {
  ConditionReport,
  ConfigurationReport,
  ConflictReport,
  FlowReport,
  PeerReport,
  RegistrationReport,
  StatusReport,
  SubscriberReport,
  WhereReport,
} from "./reports.ts";

/** A subscriber to be written. The A1 hashes are made where the password was typed; the password goes nowhere. */
export interface NewSubscriber {
  readonly username: string;
  /** The fleet's domain; a box refuses any other. */
  readonly realm: string;
  readonly displayName: string;
  /** Lower-case hex, RFC 7616 A1 of username, realm and password. */
  readonly ha1Md5: string;
  readonly ha1Sha256: string;
}

/** The agent asks every second; what it tells counts for `TOLD_HOLDS`, for an agent may die too. */
export interface HeartbeatRequest {
  readonly op: "heartbeat";
  /** What the agent's proofs say of this box: with `broken`, OPTIONS is answered 503. */
  readonly proofs: "works" | "broken" | "not-known";
  /** `http://host:port/` of the agent's page, for Call-Info; empty if there is none. */
  readonly page: string;
  /** What the agent found, for the box's status. */
  readonly conditions: readonly ConditionReport[];
}

/** What the control desk answers. */
export type DeskRequest =
  | HeartbeatRequest
  | { readonly op: "status" }
  /** Take no new calls and registrations, for a quarter of an hour at most; or take them again. */
  | { readonly op: "drain"; readonly on: boolean }
  | { readonly op: "peers" }
  /** Answered once everything is handed over; the process then ends. */
  | { readonly op: "leave" }
  | {
      readonly op: "subscriber-add";
      readonly subscriber: NewSubscriber;
      /** What to do with a subscriber of that name that is there already. */
      readonly existing: "refuse" | "replace";
    }
  | { readonly op: "subscriber-remove"; readonly username: string }
  | { readonly op: "subscriber-list" }
  | { readonly op: "conflict-list" }
  /** `version` as the list has it: it becomes the only one. */
  | { readonly op: "conflict-resolve"; readonly username: string; readonly version: string }
  /** The phones that hang on this very box. */
  | { readonly op: "flows" }
  /** Recent calls and registrations to which something happened after `revision`, in this `life` of the box; all, in another one. */
  | { readonly op: "calls"; readonly life: string; readonly revision: number }
  /** One of them with its messages; `name`: its id or its Call-ID. */
  | { readonly op: "call-messages"; readonly name: string }
  /** `aor`: `null` for all. */
  | { readonly op: "registration-list"; readonly aor: string | null }
  | { readonly op: "where"; readonly aor: string }
  | { readonly op: "configuration" }
  /** The certificates that boxes have published in the ring, also those that are gone. */
  | { readonly op: "published" }
  /** `document`: whole, signed by the fleet's key. */
  | { readonly op: "configure"; readonly document: string }
  /** `statement`: that a box is believed no more, signed by the fleet's key; octets. */
  | { readonly op: "revoke"; readonly nodeId: string; readonly statement: string };

/** What a box answers that needs the ring. */
export type PeerRequest =
  | DeskRequest
  /** Admit the box that shows this code (its eight characters, no dash). Asked again, says whether it has come. */
  | { readonly op: "admit"; readonly code: string };

export type ControlRequest =
  | PeerRequest
  /** Stop as at the end of the service, and start again from the program that is installed now. */
  | { readonly op: "restart" }
  /** Which boxes may go on while the issuing credential is renewed. */
  | { readonly op: "known-boxes" }
  /** A new issuing credential, and the signed document that says so. */
  | { readonly op: "rotate"; readonly document: string; readonly issuingKeyPem: string };

export type ControlOperation = ControlRequest["op"];

export type ControlFault =
  /** Not in a ring, or leaving it. */
  | "not-serving"
  /** The ring did not answer in time. */
  | "unavailable"
  /** Too few boxes could put it on disk. */
  | "not-durable"
  /** A subscriber of that name is there already. */
  | "exists"
  /** No such subscriber. */
  | "absent"
  /** The request is not one that a box accepts. */
  | "invalid";

/** The answer to each question, by its `op`. */
export interface ControlAnswers {
  /** `code`: that admits this box, while it waits. `processId`: of `ringboxd`. */
  readonly heartbeat: {
    readonly phase: Phase | "waiting-for-admission";
    readonly code: string | null;
    readonly processId: number;
  };
  readonly status: { readonly status: StatusReport };
  readonly peers: { readonly peers: readonly PeerReport[] };
  /** `underWay`: requests that are being answered through this box; `phones`: whose flow it holds. */
  readonly drain: { readonly on: boolean; readonly underWay: number; readonly phones: number };
  readonly restart: Readonly<Record<never, never>>;
  readonly leave: Readonly<Record<never, never>>;
  /** `copies`: boxes that have it on disk now. */
  readonly "subscriber-add": { readonly aor: string; readonly replaced: boolean; readonly copies: number };
  readonly "subscriber-remove": { readonly aor: string; readonly copies: number };
  readonly "subscriber-list": { readonly subscribers: readonly SubscriberReport[] };
  readonly "conflict-list": { readonly conflicts: readonly ConflictReport[] };
  readonly "conflict-resolve": { readonly aor: string; readonly copies: number };
  readonly flows: { readonly flows: readonly FlowReport[] };
  readonly calls: { readonly life: string; readonly revision: number; readonly calls: readonly RecordedCall[] };
  /** `null`: this box remembers no such call. `startLine` and `text` are octets, secrets removed. */
  readonly "call-messages": { readonly found: { readonly call: RecordedCall; readonly messages: readonly RecordedMessage[] } | null };
  readonly "registration-list": { readonly registrations: readonly RegistrationReport[] };
  readonly where: { readonly where: WhereReport };
  readonly configuration: { readonly configuration: ConfigurationReport };
  /** `told` of the `linked` boxes have said that they know. */
  readonly configure: { readonly sequence: number; readonly told: number; readonly linked: number };
  /** DER, as octets. */
  readonly published: { readonly certificates: readonly string[] };
  /** `key`: SHA-256 of the box's public key, hex. */
  readonly "known-boxes": { readonly boxes: readonly { readonly nodeId: string; readonly key: string }[] };
  readonly rotate: { readonly sequence: number; readonly told: number; readonly linked: number };
  readonly revoke: { readonly nodeId: string; readonly told: number; readonly linked: number };
  /** The Node-ID of the box that was admitted; `null`: it has not come yet, and the code waits for it. */
  readonly admit: { readonly nodeId: string | null };
}

export interface ControlRefusal {
  readonly ok: false;
  readonly fault: ControlFault;
  /** One sentence in plain words, without the words "error" or "failed to" in front. */
  readonly text: string;
}

export type ControlReply =
  | ControlRefusal
  | { readonly [Op in ControlOperation]: { readonly ok: true; readonly op: Op } & ControlAnswers[Op] }[ControlOperation];
