// What an agent does with the other boxes, round after round: tries its two neighbors on the ring, tells their agents,
// and hears from all how their boxes are.

import { randomInt } from "node:crypto";
import type { Address } from "../../base/address.ts";
import { BoundedMap } from "../../base/bounded-map.ts";
import { type Duration, milliseconds, minutes, seconds } from "../../base/time.ts";
import { boxName } from "../../health/box-words.ts";
import type { HealthInput, Listen } from "../../health/ports.ts";
import type { HealthReport } from "../../health/report.ts";
import type { PeerReport } from "../../peer/reports.ts";
import type { BoxUpdate } from "../../provision/roll-out.ts";
import { systemClock } from "../clock.ts";
import { answerLeg, askLeg, type CallLeg } from "./call-exchange.ts";
import type { SignedText } from "./envelope.ts";
import { FleetTalk, type Partner, type SlotWish } from "./fleet-talk.ts";
import type { Card, Receipt, Reply } from "./fleet-words.ts";
import type { OwnIdentity } from "./own-identity.ts";
import { type Neighbor, NeighborWatch } from "./prober.ts";

/** The next boxes on the ring, which this one tries: each box is tried by two others, however many there are. */
const NEIGHBORS = 2;
const LOOK_EVERY = seconds(1);
const TALK_EVERY = seconds(5);
/** Boxes asked at each round beside the neighbors. */
const OTHERS_ASKED = 2;
const CARDS_MAX = 512;
const EVENTS_TOLD = 20;

export interface FleetRoundSettings {
  readonly page: string;
  readonly identity: () => OwnIdentity | undefined;
  readonly peers: () => readonly PeerReport[];
  readonly report: () => HealthReport;
  readonly answers: () => readonly { readonly key: string; readonly ago: Duration; readonly roundTripMs: number | null }[];
  readonly listens: () => readonly Listen[];
  readonly tell: (input: HealthInput) => void;
  readonly updates: UpdateSide;
}

/** The part of a card that is about the way to another version. */
export interface UpdateSide {
  readonly own: () => readonly BoxUpdate[];
  readonly heard: (nodeId: string, updates: readonly BoxUpdate[]) => void;
  readonly mayLend: () => boolean;
}

export class FleetRound {
  readonly #settings: FleetRoundSettings;
  readonly #talk: FleetTalk;
  /** By Node-ID. BOUNDED: by NEIGHBORS. */
  readonly #neighbors = new Map<string, NeighborWatch>();
  /** By Node-ID. */
  readonly #cards = new BoundedMap<string, Card>(CARDS_MAX, "evict");
  #cardCount = 0;
  readonly rounds: readonly { readonly interval: Duration; readonly act: () => Promise<void> }[] = [
    { interval: LOOK_EVERY, act: () => this.#withNeighbors((watch, neighbor, identity) => watch.look(identity, neighbor, this.#passOn(identity, watch))) },
    { interval: LOOK_EVERY, act: () => this.#withNeighbors((watch, neighbor, identity) => watch.prove(identity, neighbor, this.#passOn(identity, watch))) },
    { interval: TALK_EVERY, act: () => this.#talkAround() },
  ];

  constructor(settings: FleetRoundSettings) {
    this.#settings = settings;
    this.#talk = new FleetTalk({
      isMember: (nodeId) => this.#isMember(nodeId),
      mayLend: settings.updates.mayLend,
      card: (nodeId, card) => this.#heard(nodeId, card),
      isWhole: () => {
        const { inSync, copies, copiesWanted } = settings.report().ring;
        const serving = settings.peers().filter(({ state }) => state === "serving").length;
        return serving <= 1 || (inSync && copies >= Math.min(copiesWanted, serving));
      },
      receipt: (by, receipt, signature) => settings.tell({ type: "trial", trial: { what: "call", by, outside: true, signature, ...receipt } }),
    });
  }

  /** What another box remembers of a call; `undefined`: its agent does not answer. `null`: nothing. */
  async askLeg(nodeId: string, name: string): Promise<CallLeg | null | undefined> {
    const identity = this.#settings.identity();
    const page = this.#pageOf(nodeId);
    return identity === undefined || page === undefined ? undefined : await askLeg(identity, { nodeId, page }, name);
  }

  /** Another agent asks what this box remembers of a call, and is told; `undefined`: it is none of the fleet. */
  async answerLeg(envelope: unknown, find: (name: string) => Promise<CallLeg | null>): Promise<SignedText | undefined> {
    const identity = this.#settings.identity();
    return identity === undefined ? undefined : await answerLeg(identity, envelope, (nodeId) => this.#isMember(nodeId), find);
  }

  #isMember(nodeId: string): boolean {
    return this.#settings.peers().some((peer) => peer.nodeId === nodeId && peer.state !== "revoked");
  }

  answer(envelope: unknown): SignedText | undefined {
    const identity = this.#settings.identity();
    return identity === undefined ? undefined : this.#talk.answer(identity, envelope);
  }

  /**
   * Whether the boxes that hold copies with this one let it go out of service for so long, all of them: the two before
   * it on the ring and the two behind. `whole`: only while the copies of each of them are complete. `why` not is in plain words.
   */
  async takeSlot(length: Duration, whole: boolean): Promise<{ readonly granted: boolean; readonly why: string }> {
    const identity = this.#settings.identity();
    if (identity === undefined) return { granted: false, why: "this box is in no fleet yet" };
    // While this box has its own word, it gives it to nobody else.
    if (!this.#talk.takeSlot(identity.nodeId, length)) return { granted: false, why: "another box that holds the same copies is out of service now" };
    const answers = await Promise.all(this.#around(identity.nodeId).map(async (nodeId) => ({ nodeId, reply: await this.#askSlot(identity, nodeId, { length, whole }) })));
    const refusal = answers.find(({ reply }) => reply?.granted !== true);
    if (refusal === undefined) return { granted: true, why: "" };
    await this.giveSlotBack();
    const name = boxName(refusal.nodeId).words;
    return { granted: false, why: refusal.reply === undefined ? `the agent of ${name} does not answer` : `${name} has let another box go out of service, or its copies are not complete` };
  }

  async giveSlotBack(): Promise<void> {
    const identity = this.#settings.identity();
    if (identity === undefined) return;
    this.#talk.giveSlotBack(identity.nodeId);
    await Promise.all(this.#around(identity.nodeId).map((nodeId) => this.#askSlot(identity, nodeId, { length: milliseconds(0), whole: false })));
  }

  async #askSlot(identity: OwnIdentity, nodeId: string, wish: SlotWish): Promise<Reply | undefined> {
    const page = this.#pageOf(nodeId);
    return page === undefined ? undefined : await this.#talk.exchange(identity, { nodeId, page }, this.#ownCard(), [], wish);
  }

  /** Boxes that share a replica set with this one. */
  #around(self: string): string[] {
    const others = this.#settings.peers().filter(({ state, nodeId }) => state === "serving" && nodeId !== self).map(({ nodeId }) => nodeId).sort();
    const at = others.filter((nodeId) => nodeId < self).length;
    const turned = [...others.slice(at), ...others.slice(0, at)];
    return [...new Set([...turned.slice(0, NEIGHBORS), ...turned.slice(-NEIGHBORS)])];
  }

  close(): void {
    for (const watch of this.#neighbors.values()) watch.close();
  }

  /** How this box stands has changed: the others are told before the next round. */
  tellNow(): Promise<void> {
    return this.#talkAround();
  }

  async #withNeighbors(act: (watch: NeighborWatch, neighbor: Neighbor, identity: OwnIdentity) => Promise<void>): Promise<void> {
    const identity = this.#settings.identity();
    if (identity === undefined) return;
    const neighbors = this.#nextOnRing(identity.nodeId);
    for (const [nodeId, watch] of this.#neighbors) {
      if (neighbors.some((neighbor) => neighbor.nodeId === nodeId)) continue;
      watch.close();
      this.#neighbors.delete(nodeId);
    }
    await Promise.all(
      neighbors.map(async (neighbor) => {
        let watch = this.#neighbors.get(neighbor.nodeId);
        if (watch === undefined) this.#neighbors.set(neighbor.nodeId, (watch = new NeighborWatch(neighbor.nodeId)));
        await act(watch, neighbor, identity);
      }),
    );
  }

  #nextOnRing(self: string): Neighbor[] {
    const serving = this.#settings.peers().filter(({ state }) => state === "serving" || state === "silent");
    if (!serving.some(({ nodeId }) => nodeId === self)) return [];
    const others = serving.filter(({ nodeId }) => nodeId !== self).sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
    const behind = others.filter(({ nodeId }) => nodeId > self);
    return [...behind, ...others.filter(({ nodeId }) => nodeId < self)].slice(0, NEIGHBORS).map(({ nodeId, sip }) => ({
      nodeId, listens: this.#listensOf(nodeId, sip),
    }));
  }

  /** Before its agent has told, a box is known to serve UDP and TCP at the address that the ring has of it. */
  #listensOf(nodeId: string, sip: Address): readonly Listen[] {
    const told = this.#cards.get(nodeId)?.listens ?? (["UDP", "TCP"] as const).map((transport) => ({ transport, port: sip.port }));
    return told.map(({ transport, port }) => ({ transport, host: sip.host, port }));
  }

  /** A receipt goes to the agent of the box it is about, at once. */
  #passOn(identity: OwnIdentity, watch: NeighborWatch): (receipt: Receipt) => void {
    return (receipt) => {
      const page = this.#pageOf(watch.nodeId);
      if (page !== undefined) void this.#talk.exchange(identity, { nodeId: watch.nodeId, page }, this.#ownCard(), [receipt]);
    };
  }

  async #talkAround(): Promise<void> {
    const identity = this.#settings.identity();
    if (identity === undefined) return;
    const neighbors = [...this.#neighbors.keys()];
    const others = [...this.#cards.keys()].filter((nodeId) => !neighbors.includes(nodeId));
    const chosen = [...neighbors, ...someOf(others, OTHERS_ASKED)].flatMap((nodeId): Partner[] => {
      const page = this.#pageOf(nodeId);
      return page === undefined ? [] : [{ nodeId, page }];
    });
    await Promise.all(chosen.map((partner) => this.#talk.exchange(identity, partner, this.#ownCard(), [])));
  }

  #pageOf(nodeId: string): string | undefined {
    const page = this.#cards.get(nodeId)?.page;
    return page === undefined || page === "" ? this.#neighbors.get(nodeId)?.page : page;
  }

  #heard(nodeId: string, card: Card): void {
    this.#cards.delete(nodeId);
    this.#cards.set(nodeId, card);
    const { tell, updates } = this.#settings;
    updates.heard(nodeId, card.updates ?? []);
    const wall = systemClock.wall();
    const { verdict, provedAgo, firstLine, page } = card;
    const provedAt = provedAgo === null ? null : Math.round(wall - provedAgo);
    tell({ type: "other-box", box: { nodeId, verdict, provedAt, firstLine, page: page === "" ? null : page, heardAt: wall } });
    for (const event of card.events) tell({ type: "event", event: { ...event, at: event.at + clockGap(wall, card.at), box: boxName(nodeId) } });
    for (const [key, ago, roundTripMs] of card.answers) {
      const space = key.indexOf(" ");
      tell({ type: "phone-asked", aor: key.slice(0, space), contact: key.slice(space + 1), roundTripMs: roundTripMs ?? 0, by: nodeId, ago: milliseconds(Math.max(0, ago)) });
    }
  }

  #ownCard(): Card {
    const { at: wall, verdict, firstLine, box, boxes, phones, timeLine } = this.#settings.report();
    this.#cardCount = Math.max(this.#cardCount + 1, wall); // rises also when the clock is set back
    const provedAt = boxes.find(({ self }) => self)?.provedAt ?? null;
    const events = timeLine.filter((event) => event.box.nodeId === box.nodeId).slice(0, EVENTS_TOLD);
    return {
      kind: "card", at: this.#cardCount, verdict, firstLine: firstLine.slice(0, 300),
      provedAgo: provedAt === null ? null : wall - provedAt,
      page: this.#settings.page,
      listens: this.#settings.listens().map(({ transport, port }) => ({ transport, port })),
      phones: { registered: phones.registered, proved: phones.proved },
      answers: this.#settings.answers().map(({ key, ago, roundTripMs }) => [key, Math.round(ago), roundTripMs]),
      events: events.map(({ id, at: when, severity, text }) => ({ id, at: when, severity, text: text.slice(0, 300) })),
      updates: [...this.#settings.updates.own()],
    };
  }
}

/** A card may be minutes old when it comes; more than that is a clock that is wrong, and the time line is in this box's. */
const CLOCK_GAP = minutes(10);
const clockGap = (wall: number, cardAt: number): number => (Math.abs(wall - cardAt) < CLOCK_GAP ? 0 : Math.round(wall - cardAt));

function someOf(all: readonly string[], count: number): string[] {
  const rest = [...all];
  const chosen: string[] = []; // BOUNDED: by count
  while (chosen.length < count && rest.length > 0) chosen.push(...rest.splice(randomInt(rest.length), 1));
  return chosen;
}
