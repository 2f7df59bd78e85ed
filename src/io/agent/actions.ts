// What people may do to a box from its page and its console. Nothing here can hurt: what takes the box out of service
// asks the boxes that hold the same copies first, and puts it back by itself. Each says what happened.

import { randomInt } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { between, type Duration, type Instant, minutes, seconds } from "../../base/time.ts";
import { shownText } from "../../health/access/shown-text.ts";
import { boxWords } from "../../health/box-words.ts";
import type { HealthReport, Proof } from "../../health/report.ts";
import type { ControlOperation, ControlRequest } from "../../peer/control.ts";
import { systemClock } from "../clock.ts";
import type { Asked } from "./control-link.ts";
import { drainPeer } from "./drain-peer.ts";
import { ringPhone } from "./line-test.ts";
import { locateBox } from "./locate.ts";

export interface Done {
  readonly ok: boolean;
  /** What happened, in plain words. */
  readonly text: string;
}

export interface ActionPorts {
  readonly report: () => HealthReport;
  readonly ask: <Op extends ControlOperation>(request: Extract<ControlRequest, { op: Op }>, patience?: Duration) => Promise<Asked<Op>>;
  readonly proveNow: () => void;
  readonly takeSlot: (length: Duration) => Promise<{ readonly granted: boolean; readonly why: string }>;
  readonly giveSlotBack: () => Promise<void>;
  /** For the journal and the time line. */
  readonly record: (text: string) => void;
}

export const ACTIONS = ["ring-phone", "prove-now", "locate", "drain", "undrain", "restart", "admit", "revoke"] as const;
export type Action = (typeof ACTIONS)[number];

/** What is asked beside the action: a phone, a box, a code; and whether a warning was read. */
export interface Wish {
  readonly target: string;
  readonly confirmed: boolean;
}

/** To the first receipt after it was asked for. */
const PROVED_WITHIN = seconds(12);
const BACK_WITHIN = seconds(60);
const OUT_FOR = minutes(3);
/** Longer than a restart of another box and what its copies need afterwards. */
const TURN_WITHIN = seconds(90);
/** Two that asked at once stand in each other's way, and ask again at different times, milliseconds. */
const ASK_AGAIN_FIRST = 300;
const ASK_AGAIN_LAST = 2_000;
const LOOKED_EVERY = seconds(0.25);
const ADMITTED_WITHIN = seconds(20);

export class Actions {
  readonly #ports: ActionPorts;
  /** One restart at a time. */
  #restarting = false;

  constructor(ports: ActionPorts) {
    this.#ports = ports;
  }

  async perform(action: Action, wish: Wish, who: string): Promise<Done> {
    const done = await this.#perform(action, wish);
    this.#ports.record(`${who}: ${WORDS[action]}${wish.target === "" ? "" : ` ${shownText(wish.target, 80)}`}. ${done.text}`);
    return done;
  }

  #perform(action: Action, wish: Wish): Promise<Done> | Done {
    switch (action) {
      case "ring-phone":
        return this.#ring(wish.target);
      case "prove-now":
        return this.#prove();
      case "locate":
        return this.#locate();
      case "drain":
        return this.#drain(wish.confirmed);
      case "undrain":
        return this.#undrain();
      case "restart":
        return this.#restart(wish.confirmed);
      case "admit":
        return this.#admit(wish.target);
      case "revoke":
        return revoked(wish.target);
    }
  }

  /** `target`: an AoR, or its user. */
  async #ring(target: string): Promise<Done> {
    const flows = await this.#ports.ask<"flows">({ op: "flows" });
    const status = await this.#ports.ask<"status">({ op: "status" });
    if (flows.outcome !== "answered" || status.outcome !== "answered") return notDone("The box does not answer; no phone was rung.");
    const { domain, sip } = status.answer.status;
    const aor = target.includes("@") ? target : `${target}@${domain}`;
    const mine = flows.answer.flows.filter((flow) => flow.aor === aor);
    if (mine.length === 0) return notDone(await this.#whereElse(aor));
    const results = await Promise.all(mine.slice(0, RUNG_AT_ONCE).map((flow) => ringPhone(flow, sip, domain)));
    return { ok: results.some(({ rang }) => rang), text: `${shownText(aor)}: ${results.map(({ detail }) => shownText(detail)).join("; ")}.` };
  }

  async #whereElse(aor: string): Promise<string> {
    const found = await this.#ports.ask<"registration-list">({ op: "registration-list", aor });
    const [binding] = found.outcome === "answered" ? (found.answer.registrations[0]?.bindings ?? []) : [];
    if (binding === undefined) return `${shownText(aor)} is not registered.`;
    return `${shownText(aor)} hangs on the box ${boxWords(binding.flowOwner.nodeId)}; ring it from that box's page.`;
  }

  async #prove(): Promise<Done> {
    const asked = systemClock.wall();
    this.#ports.proveNow();
    const end = systemClock.now() + PROVED_WITHIN;
    for (;;) {
      const own = this.#ports.report().proofs.filter(({ what, outside }) => what === "call" && !outside);
      const fresh = own.filter(({ at }) => at !== null && at >= asked);
      const isOver = systemClock.now() >= end;
      // Each transport ends its call by itself: all are waited for, and told together.
      if (fresh.length > 0 && (isOver || fresh.length === own.length)) {
        const words = own.map((proof) => `${proof.transport}: ${fresh.includes(proof) ? endOf(proof) : "no trial call ended yet"}`);
        return { ok: own.every((proof) => fresh.includes(proof) && proof.verdict === "works"), text: `${words.join("; ")}.` };
      }
      if (isOver) break;
      await pause(LOOKED_EVERY);
    }
    return notDone(`No trial call ended within ${PROVED_WITHIN / 1_000} seconds.`);
  }

  #locate(): Done {
    const { box } = this.#ports.report();
    const { shown } = locateBox(box.words);
    if (shown.length === 0) return notDone(`This machine has nothing that this program may blink or write to. The box is ${box.words}.`);
    return { ok: true, text: `The box ${box.words} shows itself: ${shown.join(", and ")}.` };
  }

  async #drain(confirmed: boolean): Promise<Done> {
    const { boxes } = this.#ports.report();
    const others = boxes.filter(({ self, state }) => !self && state === "serving").length;
    if (others === 0 && !confirmed) return notDone("No other box serves: phones could neither register nor call. Confirm to do it all the same.");
    const asked = await this.#ports.ask<"drain">({ op: "drain", on: true });
    if (asked.outcome !== "answered") return unanswered(asked);
    const { underWay, phones } = asked.answer;
    return { ok: true, text: `This box takes no new calls and registrations now, for 15 minutes at most. ${phones} phones hang on it, and ${underWay} requests are under way; ${this.#talking()}` };
  }

  async #undrain(): Promise<Done> {
    const asked = await this.#ports.ask<"drain">({ op: "drain", on: false });
    return asked.outcome === "answered" ? { ok: true, text: "This box takes calls and registrations." } : unanswered(asked);
  }

  /** Media does not run through a box: who talks goes on talking. */
  #talking(): string {
    const talking = this.#ports.report().calls.filter(({ endedAt }) => endedAt === null).length;
    return talking === 0 ? "nobody talks by way of it." : `this box carries ${talking} talking calls, which go on without it.`;
  }

  async #restart(confirmed: boolean): Promise<Done> {
    if (this.#restarting) return notDone("This box is restarting already.");
    const { boxes } = this.#ports.report();
    const others = boxes.filter(({ self, state }) => !self && state === "serving").length;
    if (others === 0 && !confirmed) return notDone(`No other box serves: phones do not work for some seconds; ${this.#talking()} Confirm to do it all the same.`);
    const talking = this.#ports.report().calls.some(({ endedAt }) => endedAt === null);
    if (talking && !confirmed) return notDone(`${this.#talking().replace(/^t/, "T")} Confirm to restart.`);
    this.#restarting = true;
    try {
      const refusal = await this.#waitForTurn();
      if (refusal !== undefined) return notDone(`Not now: ${refusal}.`);
      try {
        return await this.#outAndBack();
      } finally {
        await this.#ports.giveSlotBack();
      }
    } finally {
      this.#restarting = false;
    }
  }

  /** Boxes that are told to restart together go one after another. What stood in the way at last; `undefined`: this box has its slot. */
  async #waitForTurn(): Promise<string | undefined> {
    const end = systemClock.now() + TURN_WITHIN;
    for (;;) {
      const slot = await this.#ports.takeSlot(OUT_FOR);
      const { ring, boxes } = this.#ports.report();
      if (slot.granted && (ring.canLose > 0 || !boxes.some(({ self, state }) => !self && state === "serving"))) return undefined;
      if (slot.granted) await this.#ports.giveSlotBack();
      if (systemClock.now() >= end) return slot.granted ? "the ring cannot spare a box; wait until its copies are complete" : slot.why;
      await pause(randomInt(ASK_AGAIN_FIRST, ASK_AGAIN_LAST));
    }
  }

  async #outAndBack(): Promise<Done> {
    const started = systemClock.now();
    const drained = await drainPeer((request) => this.#ports.ask<"drain">(request));
    const asked = await this.#ports.ask<"restart">({ op: "restart" });
    const askedAt = systemClock.now();
    if (asked.outcome === "refused") return unanswered(asked);
    const isBack = await this.#until(BACK_WITHIN, () => this.#servesSince(askedAt));
    const took = ((systemClock.now() - started) / 1_000).toFixed(1);
    if (!isBack) return notDone(`The box was told to restart, and does not serve again after ${BACK_WITHIN / 1_000} seconds.`);
    return { ok: true, text: `The box restarted and serves again after ${took} s${drained ? "" : "; not everything that was under way had ended"}.` };
  }

  /** Whether a peer serves that began after `start`. */
  async #servesSince(start: Instant): Promise<boolean> {
    const asked = await this.#ports.ask<"status">({ op: "status" }, seconds(1));
    if (asked.outcome !== "answered") return false;
    const { phase, uptimeSeconds } = asked.answer.status;
    return phase === "serving" && uptimeSeconds * 1_000 <= between(start, systemClock.now());
  }

  async #until(length: Duration, holds: () => Promise<boolean>): Promise<boolean> {
    const end = systemClock.now() + length;
    while (systemClock.now() < end) {
      if (await holds()) return true;
      await pause(LOOKED_EVERY);
    }
    return false;
  }

  /** `target`: the code that the waiting box shows. */
  async #admit(target: string): Promise<Done> {
    const code = target.toUpperCase().replaceAll("-", "").replaceAll(" ", "");
    if (!/^[2-9A-HJ-NP-Z]{8}$/.test(code)) return notDone("This is not a code; a code looks like ABCD-EFGH.");
    let nodeId: string | null = null;
    let last: Asked<"admit"> | undefined;
    await this.#until(ADMITTED_WITHIN, async () => {
      last = await this.#ports.ask<"admit">({ op: "admit", code });
      nodeId = last.outcome === "answered" ? last.answer.nodeId : null;
      return last.outcome !== "answered" || nodeId !== null;
    });
    if (nodeId !== null) return { ok: true, text: `The box ${boxWords(nodeId)} is admitted.` };
    if (last !== undefined && last.outcome !== "answered") return unanswered(last);
    return { ok: true, text: "No box has shown this code yet; the code waits for it for ten minutes." };
  }
}

/** Only the fleet's key revokes, and no box has it: whoever steals a box could throw out all the others. `target`: a Node-ID. */
function revoked(target: string): Done {
  if (!/^[0-9a-f]{32}$/.test(target)) return notDone("This is not a Node-ID.");
  return notDone(`Only the fleet's key can revoke ${boxWords(target)}. Where that key is kept, type: ringbox revoke ${target.slice(0, 8)} --fleet DIRECTORY`);
}

/** Phones of one AoR that ring at once. */
const RUNG_AT_ONCE = 8;

const WORDS: Readonly<Record<Action, string>> = {
  "ring-phone": "ring a phone,",
  "prove-now": "prove now",
  locate: "locate this box",
  drain: "drain this box",
  undrain: "take calls again",
  restart: "restart this box",
  admit: "admit a box,",
  revoke: "revoke the box",
};

const endOf = ({ verdict, tookMs, detail }: Proof): string => (verdict === "works" ? `works, ${tookMs} ms` : detail);

const notDone = (text: string): Done => ({ ok: false, text });

function unanswered<Op extends ControlOperation>(asked: Exclude<Asked<Op>, { outcome: "answered" }>): Done {
  if (asked.outcome === "refused") return notDone(shownText(asked.text));
  return notDone(asked.outcome === "absent" ? "The program that serves phones, ringboxd, is not running." : "The program that serves phones, ringboxd, does not answer.");
}

