// What the boxes of a ring must know together to admit others: how often a ticket was used, and which codes
// operators have typed. Both lie in the ring as durable entries, so that a second box with the same
// ticket is refused at any member, and a code may be typed at any.
//
// A use is claimed, looked at, and then taken. Of two claims that are written at the same time, whoever
// reads last sees both, so that never more are taken than the ticket has; it may be that both
// step back, and try again at another moment. In a cut ring each part counts for itself.

import { BoundedMap } from "../base/bounded-map.ts";
import { ByteReader, ByteWriter, DecodeError, fromHex, fromOctets, toHex, toOctets } from "../base/bytes.ts";
import type { Crypto } from "../base/crypto.ts";
import { after, type Duration, type Instant, minutes, seconds } from "../base/time.ts";
import type { Entry, EntryChange, FetchOutcome, NodeId, OverlayInput, ResourceId, StoreOutcome } from "../overlay/ports.ts";
import type { ControlReply } from "./control.ts";
import { ADMISSION } from "./kinds.ts";

export type AdmissionRequest =
  /** May the applicant use what bears this name, of which there are so many uses? Once allowed, always allowed. */
  | {
      readonly op: "use";
      readonly name: string;
      readonly uses: number;
      /** Hex, at most 64 digits: whoever asks again is the same. */
      readonly applicant: string;
      /** How long the use must be remembered. */
      readonly remember: Duration;
    }
  /** Codes that operators typed and no box has shown yet. */
  | { readonly op: "codes" }
  /** A box has shown a code and is enrolled. */
  | { readonly op: "admitted"; readonly code: string; readonly nodeId: NodeId };

export type AdmissionAnswer =
  | { readonly outcome: "allowed" }
  /** All uses belong to others. */
  | { readonly outcome: "used-up" }
  /** The ring could not say, or others ask at this moment: worth another try. */
  | { readonly outcome: "unknown" }
  | { readonly outcome: "codes"; readonly codes: readonly string[] };

export interface OfficeStep {
  readonly operations: readonly OverlayInput[];
  readonly answers: readonly { readonly ticket: number; readonly answer: AdmissionAnswer }[];
  readonly replies: readonly { readonly ticket: number; readonly reply: ControlReply }[];
}

type Waiting =
  | { readonly of: "fetch"; readonly then: (entries: readonly Entry[] | undefined) => OfficeStep }
  | { readonly of: "store"; readonly then: (stored: boolean) => OfficeStep };

/** At the bound the next question is answered `unknown`. */
const QUESTIONS_MAX = 256;
/** A claim that its member does not follow up, because it died, is over by itself. */
const CLAIM_LIFETIME = seconds(30);
/** How long a code that was typed waits for its box, and how long the ring remembers which box that was. */
const CODE_LIFETIME = minutes(10);
/** Codes that may be typed at one box in a minute: a code is forty bits, and nobody shall guess one. */
const CODES_A_MINUTE = 5;
const CODES = "admission-codes";

export class AdmissionOffice {
  readonly #crypto: Crypto;
  readonly #newTicket: () => number;
  readonly #waiting = new BoundedMap<number, Waiting>(QUESTIONS_MAX, "refuse");
  /** When the last codes were typed here. BOUNDED: by CODES_A_MINUTE. */
  #typed: readonly Instant[] = [];

  constructor(crypto: Crypto, newTicket: () => number) {
    this.#crypto = crypto;
    this.#newTicket = newTicket;
  }

  /** From the enrollment desk of this box. */
  ask(ticket: number, request: AdmissionRequest): OfficeStep {
    switch (request.op) {
      case "use":
        return this.#use(ticket, request);
      case "codes":
        return this.#fetch(CODES, (entries) => {
          const codes = entries?.filter(({ value }) => decodeEntry(value)?.state === "claimed").map(({ key }) => toOctets(fromHex(key)));
          return answer(ticket, codes === undefined ? { outcome: "unknown" } : { outcome: "codes", codes });
        });
      case "admitted":
        return this.#store(CODES, codeEntry(request.code, { state: "taken", nodeId: request.nodeId }), (stored) =>
          answer(ticket, { outcome: stored ? "allowed" : "unknown" }),
        );
    }
  }

  /** An operator types a code, or asks again what became of it. */
  admit(now: Instant, ticket: number, code: string): OfficeStep {
    return this.#fetch(CODES, (entries) => {
      if (entries === undefined) return refuse(ticket, "The ring did not answer in time.");
      const known = entries.find(({ key }) => key === keyOf(code));
      const entry = known === undefined ? undefined : decodeEntry(known.value);
      if (entry !== undefined) return replyAdmit(ticket, entry.state === "taken" ? entry.nodeId : null);
      this.#typed = this.#typed.filter((at) => after(at, minutes(1)) > now);
      if (this.#typed.length >= CODES_A_MINUTE) return refuse(ticket, `${CODES_A_MINUTE} codes were typed here within a minute; wait a moment.`);
      this.#typed = [...this.#typed, now];
      return this.#store(CODES, codeEntry(code, { state: "claimed", nodeId: null }), (stored) =>
        stored ? replyAdmit(ticket, null) : refuse(ticket, "The ring could not keep the code."),
      );
    });
  }

  /** `undefined`: the ticket is not one of the office's. */
  fetched(ticket: number, outcome: FetchOutcome): OfficeStep | undefined {
    const waiting = this.#take(ticket);
    return waiting?.of === "fetch" ? waiting.then(outcome.ok ? (outcome.kinds[0]?.entries ?? []) : undefined) : undefined;
  }

  stored(ticket: number, outcome: StoreOutcome): OfficeStep | undefined {
    const waiting = this.#take(ticket);
    return waiting?.of === "store" ? waiting.then(outcome.ok) : undefined;
  }

  #use(ticket: number, { name, uses, applicant, remember }: Extract<AdmissionRequest, { op: "use" }>): OfficeStep {
    const resource = `ticket:${name}`;
    const change = (state: State, lifetime: Duration): EntryChange => ({ key: applicant, value: encodeEntry({ state, nodeId: null }), lifetime });
    const verdict = (entries: readonly Entry[]): "mine" | "free" | "busy" | "used-up" => {
      const states = entries.map(({ key, value }) => ({ mine: key === applicant, state: decodeEntry(value)?.state }));
      const others = states.filter(({ mine }) => !mine);
      if (states.some(({ mine, state }) => mine && state === "taken")) return "mine";
      if (others.filter(({ state }) => state === "taken").length >= uses) return "used-up";
      return others.length >= uses ? "busy" : "free";
    };
    const refused = (why: "busy" | "used-up"): OfficeStep => answer(ticket, { outcome: why === "busy" ? "unknown" : why });
    const unknown = answer(ticket, { outcome: "unknown" });
    const take = (): OfficeStep =>
      this.#store(resource, change("taken", remember), (stored) => (stored ? answer(ticket, { outcome: "allowed" }) : unknown));
    const lookAgain = (): OfficeStep =>
      this.#fetch(resource, (entries) => {
        if (entries === undefined) return unknown;
        const now = verdict(entries);
        if (now === "mine" || now === "free") return take();
        return this.#store(resource, { key: applicant, value: undefined, lifetime: CLAIM_LIFETIME }, () => refused(now));
      });
    return this.#fetch(resource, (entries) => {
      if (entries === undefined) return unknown;
      const now = verdict(entries);
      if (now === "mine") return answer(ticket, { outcome: "allowed" });
      if (now !== "free") return refused(now);
      return this.#store(resource, change("claimed", CLAIM_LIFETIME), (stored) => (stored ? lookAgain() : unknown));
    });
  }

  #fetch(name: string, then: (entries: readonly Entry[] | undefined) => OfficeStep): OfficeStep {
    const ticket = this.#newTicket();
    if (!this.#waiting.set(ticket, { of: "fetch", then })) return then(undefined);
    return operation({ type: "fetch", ticket, resource: this.#resource(name), kinds: [ADMISSION.id] });
  }

  #store(name: string, change: EntryChange, then: (stored: boolean) => OfficeStep): OfficeStep {
    const ticket = this.#newTicket();
    if (!this.#waiting.set(ticket, { of: "store", then })) return then(false);
    return operation({ type: "store", ticket, resource: this.#resource(name), kind: ADMISSION.id, changes: [change] });
  }

  #take(ticket: number): Waiting | undefined {
    const waiting = this.#waiting.get(ticket);
    this.#waiting.delete(ticket);
    return waiting;
  }

  #resource(name: string): ResourceId {
    return toHex(this.#crypto.sha1(fromOctets(name)).subarray(0, 16)) as ResourceId;
  }
}

const operation = (input: OverlayInput): OfficeStep => ({ operations: [input], answers: [], replies: [] });
const answer = (ticket: number, given: AdmissionAnswer): OfficeStep => ({ operations: [], answers: [{ ticket, answer: given }], replies: [] });
const reply = (ticket: number, given: ControlReply): OfficeStep => ({ operations: [], answers: [], replies: [{ ticket, reply: given }] });
const refuse = (ticket: number, text: string): OfficeStep => reply(ticket, { ok: false, fault: "unavailable", text });
const replyAdmit = (ticket: number, nodeId: NodeId | null): OfficeStep => reply(ticket, { ok: true, op: "admit", nodeId });

type State = "claimed" | "taken";

interface AdmissionEntry {
  readonly state: State;
  /** The box that a code admitted. */
  readonly nodeId: NodeId | null;
}

const VERSION = 1;
const keyOf = (code: string): string => toHex(fromOctets(code));
const codeEntry = (code: string, entry: AdmissionEntry): EntryChange => ({ key: keyOf(code), value: encodeEntry(entry), lifetime: CODE_LIFETIME });

function encodeEntry({ state, nodeId }: AdmissionEntry): Uint8Array {
  const writer = new ByteWriter(18);
  writer.u8(VERSION).u8(state === "taken" ? 1 : 0);
  if (nodeId !== null) writer.bytes(fromHex(nodeId));
  return writer.finish();
}

/** `undefined` if it is not one that this version understands; it then counts as a claim. */
function decodeEntry(value: Uint8Array): AdmissionEntry | undefined {
  try {
    const reader = new ByteReader(value);
    if (reader.u8() !== VERSION) return undefined;
    const state = reader.u8() === 1 ? "taken" : "claimed";
    const nodeId = reader.remaining === 16 ? (toHex(reader.bytes(16)) as NodeId) : null;
    reader.end();
    return { state, nodeId };
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}
