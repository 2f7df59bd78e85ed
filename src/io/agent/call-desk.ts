// Recent calls as the peer tells them, and one call as all boxes that carried it remember it.

import type { Duration } from "../../base/time.ts";
import { boxesMet, ladderOf, type Leg } from "../../health/calls/ladder.ts";
import type { HealthInput, MessageView } from "../../health/ports.ts";
import type { CallLadder } from "../../health/report.ts";
import type { PeerReport } from "../../peer/reports.ts";
import { systemClock } from "../clock.ts";
import type { CallLeg } from "./call-exchange.ts";
import type { ControlLink } from "./control-link.ts";

/** Boxes that are asked for one call: a call goes through two, and more only when they die under it. */
const BOXES_ASKED_MAX = 6;

export interface CallDeskSettings {
  readonly control: Pick<ControlLink, "ask">;
  readonly patience: Duration;
  readonly peers: () => readonly PeerReport[];
  readonly askBox: (nodeId: string, name: string) => Promise<CallLeg | null | undefined>;
  readonly tell: (input: HealthInput) => void;
}

export class CallDesk {
  readonly #settings: CallDeskSettings;
  #life = "";
  #revision = 0;

  constructor(settings: CallDeskSettings) {
    this.#settings = settings;
  }

  /** What is new. */
  async look(): Promise<void> {
    const { control, patience, tell } = this.#settings;
    const asked = await control.ask<"calls">({ op: "calls", life: this.#life, revision: this.#revision }, patience);
    if (asked.outcome !== "answered") return;
    const { life, revision, calls } = asked.answer;
    if (life === this.#life && calls.length === 0) return;
    this.#life = life;
    this.#revision = revision;
    tell({ type: "calls", life, calls: calls.map(readable) });
  }

  /** What this box remembers of a call; `null`: nothing, or its peer does not answer. */
  async leg(name: string): Promise<CallLeg | null> {
    const { control, patience } = this.#settings;
    const asked = await control.ask<"call-messages">({ op: "call-messages", name: name.slice(0, 1_024) }, patience);
    if (asked.outcome !== "answered" || asked.answer.found === null) return null;
    const { call, messages } = asked.answer.found;
    return { call: readable(call), messages: messages.map((message): MessageView => ({ ...message, startLine: utf8(message.startLine), text: utf8(message.text) })) };
  }

  /** By id or Call-ID, also of a call that only other boxes carried; `undefined`: nobody remembers it. */
  async ladder(name: string): Promise<CallLadder | undefined> {
    const boxes = this.#settings.peers();
    const self = boxes.find((box) => box.self);
    if (self === undefined) return undefined;
    const own = await this.leg(name);
    const legs: Leg[] = own === null ? [] : [{ nodeId: self.nodeId, ...own }];
    const silent: string[] = []; // BOUNDED: by BOXES_ASKED_MAX
    const asked = new Set([self.nodeId]);
    // One that only the others carried is asked of those at hand.
    let next = own === null ? boxes.filter(({ state }) => state === "serving").map(({ nodeId }) => nodeId) : legs.flatMap((leg) => boxesMet(leg, boxes));
    for (;;) {
      next = [...new Set(next)].filter((nodeId) => !asked.has(nodeId)).slice(0, BOXES_ASKED_MAX + 1 - asked.size);
      if (next.length === 0) break;
      for (const nodeId of next) asked.add(nodeId);
      const told = await Promise.all(next.map(async (nodeId) => ({ nodeId, leg: await this.#settings.askBox(nodeId, name) })));
      if (own !== null) silent.push(...told.filter(({ leg }) => leg === undefined).map(({ nodeId }) => nodeId));
      const found = told.flatMap(({ nodeId, leg }): Leg[] => (leg === undefined || leg === null ? [] : [{ nodeId, ...leg }]));
      legs.push(...found);
      next = found.flatMap((leg) => boxesMet(leg, boxes));
    }
    const [first, ...others] = legs;
    return first === undefined ? undefined : ladderOf([first, ...others], boxes, silent, systemClock.wall());
  }
}

/** SIP is UTF-8, and travels as octets. */
const utf8 = (octets: string): string => Buffer.from(octets, "latin1").toString("utf8");
const readable = <Call extends { readonly from: string; readonly to: string; readonly reason: string }>(call: Call): Call => ({ ...call, from: utf8(call.from), to: utf8(call.to), reason: utf8(call.reason) });
