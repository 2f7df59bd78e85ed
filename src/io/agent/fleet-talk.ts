// Agents tell one another how their boxes are. Each asks its two neighbors on the ring, whose boxes it also tries, and
// two others by luck; what one knows the others know some rounds later. Load does not grow with the fleet but for the
// cards themselves.

import { randomBytes } from "node:crypto";
import { request as httpRequest } from "node:http";
import { BoundedMap } from "../../base/bounded-map.ts";
import { type Duration, minutes, milliseconds } from "../../base/time.ts";
import { SlotBook } from "../../health/slots.ts";
import { systemClock } from "../clock.ts";
import { parseJson } from "../control-frames.ts";
import { ENVELOPE_MAX_BYTES, seal, type SignedText, unseal } from "./envelope.ts";
import { Card, Question, type Receipt, Reply } from "./fleet-words.ts";
import type { OwnIdentity } from "./own-identity.ts";

const PATIENCE = milliseconds(2_000);
/** Boxes of which cards are kept; above it the one heard of longest ago is forgotten. */
const CARDS_MAX = 512;
/** No box is out of service longer by our leave. */
const LONGEST_SLOT = minutes(30);
export const EXCHANGE_PATH = "/fleet/exchange";

export interface FleetTalkEvents {
  /** Whether a box is of the ring as it is now: one that was revoked has a certificate still. */
  readonly isMember: (nodeId: string) => boolean;
  readonly card: (nodeId: string, card: Card) => void;
  readonly receipt: (by: string, receipt: Receipt, signature: string) => void;
  /** Whether all copies of what this box answers for are there, so that one may go for a while. */
  readonly isWhole: () => boolean;
  /** Whether this box may let another go: not while it is on its way to another version itself. */
  readonly mayLend: () => boolean;
}

/** What is asked when a box wants to go out of service. */
export interface SlotWish {
  /** Zero: it is back. */
  readonly length: Duration;
  /** Not while a neighbor's copies are incomplete. */
  readonly whole: boolean;
}

export interface Partner {
  readonly nodeId: string;
  /** `http://host:port/` */
  readonly page: string;
}

export class FleetTalk {
  readonly #events: FleetTalkEvents;
  readonly #run = randomBytes(12).toString("hex");
  readonly #slots = new SlotBook();
  /** By Node-ID. */
  readonly #cards = new BoundedMap<string, { readonly at: number; readonly envelope: SignedText }>(CARDS_MAX, "evict");
  /** What the others' runs are, and how far they have counted. By Node-ID. */
  readonly #runs = new BoundedMap<string, string>(CARDS_MAX, "evict");
  readonly #heard = new BoundedMap<string, number>(CARDS_MAX, "evict");
  #count = Date.now();

  constructor(events: FleetTalkEvents) {
    this.#events = events;
  }

  /** A slot for this box itself: while it has one, nobody else is given one here. */
  takeSlot(self: string, length: Duration): boolean {
    return this.#slots.ask(systemClock.now(), self, length);
  }
  giveSlotBack(self: string): void {
    this.#slots.giveBack(self);
  }

  /** Tells and asks one other agent. `undefined`: it did not answer, or not as one of the fleet. */
  async exchange(identity: OwnIdentity, partner: Partner, card: Card, receipts: readonly Receipt[], slot: SlotWish | null = null): Promise<Reply | undefined> {
    const first = await this.#ask(identity, partner, card, receipts, slot);
    return first?.again === true ? await this.#ask(identity, partner, card, receipts, slot) : first;
  }

  /** Answers another agent; `undefined`: it is none, or the words are not for this box. */
  answer(identity: OwnIdentity, envelope: unknown): SignedText | undefined {
    const said = unseal(identity, envelope);
    const parsed = said === undefined ? undefined : Question.safeParse(said.content);
    if (said === undefined || parsed?.success !== true || parsed.data.to !== identity.nodeId || !this.#events.isMember(said.nodeId)) return undefined;
    const question = parsed.data;
    const isFresh = question.run === this.#run && question.count > (this.#heard.get(said.nodeId) ?? 0);
    let granted: boolean | null = null;
    if (isFresh) {
      this.#heard.set(said.nodeId, question.count);
      for (const receipt of question.receipts) this.#events.receipt(said.nodeId, receipt, signatureOf(envelope));
      this.#takeCard(identity, question.card);
      granted = this.#grant(said.nodeId, question);
    }
    const cards = [...this.#cards.entries()].filter(([nodeId, { at }]) => nodeId !== said.nodeId && at > (question.have[nodeId] ?? 0));
    const reply: Reply = {
      kind: "reply", to: said.nodeId, run: this.#run, count: question.count, again: !isFresh, granted,
      cards: cards.map(([, { envelope: known }]) => known),
    };
    return seal(identity, JSON.stringify(reply));
  }

  /** Own card, so that others are told. */
  keepOwn(identity: OwnIdentity, card: Card): SignedText {
    const envelope = seal(identity, JSON.stringify(card));
    this.#cards.set(identity.nodeId, { at: card.at, envelope });
    return envelope;
  }

  async #ask(identity: OwnIdentity, partner: Partner, card: Card, receipts: readonly Receipt[], slot: SlotWish | null): Promise<Reply | undefined> {
    this.#count += 1;
    const have = Object.fromEntries([...this.#cards.entries()].map(([nodeId, { at }]) => [nodeId, at]));
    const count = this.#count;
    const question: Question = {
      kind: "exchange", to: partner.nodeId, run: this.#runs.get(partner.nodeId) ?? "", count, receipts: [...receipts],
      card: this.keepOwn(identity, card), have, slot: slot?.length ?? null, whole: slot?.whole ?? false,
    };
    const body = await postEnvelope(`${partner.page.slice(0, -1)}${EXCHANGE_PATH}`, JSON.stringify(seal(identity, JSON.stringify(question))));
    const said = body === undefined ? undefined : unseal(identity, parseJson(body));
    const parsed = said === undefined ? undefined : Reply.safeParse(said.content);
    if (said?.nodeId !== partner.nodeId || parsed?.success !== true || parsed.data.to !== identity.nodeId || parsed.data.count !== count) return undefined;
    this.#runs.set(partner.nodeId, parsed.data.run);
    for (const envelope of parsed.data.cards) this.#takeCard(identity, envelope);
    return parsed.data;
  }

  #takeCard(identity: OwnIdentity, envelope: SignedText): void {
    const said = unseal(identity, envelope);
    const parsed = said === undefined ? undefined : Card.safeParse(said.content);
    if (said === undefined || said.nodeId === identity.nodeId || parsed?.success !== true || !this.#events.isMember(said.nodeId)) return;
    const known = this.#cards.get(said.nodeId);
    if (known !== undefined && known.at >= parsed.data.at) return;
    this.#cards.delete(said.nodeId);
    this.#cards.set(said.nodeId, { at: parsed.data.at, envelope });
    this.#events.card(said.nodeId, parsed.data);
  }

  #grant(by: string, { slot, whole }: Question): boolean | null {
    if (slot === null) return null;
    if (slot > 0 && !this.#events.mayLend()) return false;
    if (slot > 0 && whole === true && !this.#events.isWhole()) return false;
    if (slot > 0) return this.#slots.ask(systemClock.now(), by, milliseconds(Math.min(slot, LONGEST_SLOT)));
    this.#slots.giveBack(by);
    return true;
  }
}

const signatureOf = (envelope: unknown): string =>
  typeof envelope === "object" && envelope !== null && "signature" in envelope && typeof envelope.signature === "string" ? envelope.signature : "";

/** What another agent answers to an envelope; `undefined`: nothing, or too much. */
export function postEnvelope(url: string, body: string): Promise<string | undefined> {
  return new Promise((settle) => {
    if (!URL.canParse(url)) return settle(undefined);
    const request = httpRequest(url, { method: "POST", headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body) }, signal: AbortSignal.timeout(PATIENCE), agent: false });
    request.on("error", () => settle(undefined));
    request.on("response", (response) => {
      const chunks: Buffer[] = []; // BOUNDED: by ENVELOPE_MAX_BYTES
      let bytes = 0;
      response.on("error", () => settle(undefined));
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > ENVELOPE_MAX_BYTES) request.destroy();
        else chunks.push(chunk);
      });
      response.on("end", () => settle(response.statusCode === 200 ? Buffer.concat(chunks).toString("utf8") : undefined));
      response.on("close", () => settle(undefined));
    });
    request.end(body);
  });
}
