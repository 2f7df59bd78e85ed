// Questions and answers over a box's control socket. The socket itself is io's; what is asked and answered
// is plain data, so that a whole box can be asked in simulation too.

import type {
  ConflictReport,
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

export type ControlRequest =
  | { readonly op: "status" }
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
  /** `aor`: `null` for all. */
  | { readonly op: "registration-list"; readonly aor: string | null }
  | { readonly op: "where"; readonly aor: string };

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
  readonly status: { readonly status: StatusReport };
  readonly peers: { readonly peers: readonly PeerReport[] };
  readonly leave: Readonly<Record<never, never>>;
  /** `copies`: boxes that have it on disk now. */
  readonly "subscriber-add": { readonly aor: string; readonly replaced: boolean; readonly copies: number };
  readonly "subscriber-remove": { readonly aor: string; readonly copies: number };
  readonly "subscriber-list": { readonly subscribers: readonly SubscriberReport[] };
  readonly "conflict-list": { readonly conflicts: readonly ConflictReport[] };
  readonly "conflict-resolve": { readonly aor: string; readonly copies: number };
  readonly "registration-list": { readonly registrations: readonly RegistrationReport[] };
  readonly where: { readonly where: WhereReport };
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
