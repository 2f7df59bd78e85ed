// The health agent of one box: asks, tries and measures on its own clock, tells the core, and hands out the report.

import { type Duration, milliseconds, seconds } from "../../base/time.ts";
import type { ControlRequest } from "../../peer/control.ts";
import { Health } from "../../health/health.ts";
import type { HealthEffect, HealthInput } from "../../health/ports.ts";
import type { HealthReport, Phone, Severity } from "../../health/report.ts";
import { systemClock } from "../clock.ts";
import type { Report } from "../journal.ts";
import { type AnswerReader, ControlLink } from "./control-link.ts";

/** The core judges this often: it bounds how long a wrong verdict stands beside its silence limits. */
const JUDGED_EVERY = milliseconds(500);
const HEARTBEAT_EVERY = seconds(1);
const STATUS_EVERY = seconds(2);
const PHONES_EVERY = seconds(15);
/** A question that the peer answers out of its head. */
const QUICK = milliseconds(2_500);
/** One that goes over the ring. */
const SLOW = seconds(20);

export interface BoxAgentSettings {
  /** The data directory of the box; it need not be there. */
  readonly directory: string;
  readonly readAnswer: AnswerReader;
  readonly software: string;
  /** `http://host:port/` of the page; empty if there is none. */
  readonly page: string;
  readonly onReport: Report;
}

export class BoxAgent {
  readonly #settings: BoxAgentSettings;
  readonly #health: Health;
  readonly #control: ControlLink;
  /** Names this run of the agent in the events of the time line. */
  readonly #run: string;
  #recorded = 0;
  /** BOUNDED: by the loops below. */
  readonly #timers: NodeJS.Timeout[] = [];

  constructor(settings: BoxAgentSettings) {
    this.#settings = settings;
    this.#run = Date.now().toString(36);
    this.#health = new Health({ software: settings.software, run: this.#run });
    this.#control = new ControlLink(settings.directory, settings.readAnswer);
  }

  start(): void {
    this.#tell({ type: "clock", wall: systemClock.wall() });
    this.#every(JUDGED_EVERY, () => this.#judge());
    this.#every(HEARTBEAT_EVERY, () => this.#beat());
    this.#every(STATUS_EVERY, () => this.#askStatus());
    this.#every(PHONES_EVERY, () => this.#askPhones());
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#control.close();
  }

  report(): HealthReport {
    return this.#health.report(systemClock.now());
  }

  phones(query: string): readonly Phone[] {
    return this.#health.phones(query);
  }

  /** Something that was done here by a person: for the journal and the time line. */
  record(text: string, severity: Severity = "notice"): void {
    this.#settings.onReport(severity === "notice" ? "info" : "warning", text);
    const { box } = this.report();
    this.#recorded += 1;
    this.#tell({ type: "event", event: { id: `${box.nodeId ?? ""}/${this.#run}/page-${this.#recorded}`, at: systemClock.wall(), box, severity, text } });
  }

  /** What the peer answers to a question of the page, as the control socket does. */
  ask<Op extends ControlRequest["op"]>(request: Extract<ControlRequest, { op: Op }>, patience: Duration = SLOW) {
    return this.#control.ask<Op>(request, patience);
  }

  /** Does `act` now and then, never twice at once. */
  #every(interval: Duration, act: () => unknown): void {
    let busy = false;
    const turn = async (): Promise<void> => {
      if (busy) return;
      busy = true;
      try {
        await act();
      } finally {
        busy = false;
      }
    };
    const start = (): void => void turn().catch((error: unknown) => this.#fail(error));
    this.#timers.push(setInterval(start, interval));
    start();
  }

  /** Our own fault: the supervisor starts the agent afresh. */
  #fail(error: unknown): void {
    setImmediate(() => {
      throw error;
    });
  }

  #tell(input: HealthInput): void {
    for (const effect of this.#health.step(systemClock.now(), input)) this.#perform(effect);
  }

  #perform(effect: HealthEffect): void {
    if (effect.type === "report") return this.#settings.onReport(effect.level, effect.text);
    const { appeared, words } = effect;
    this.#settings.onReport(appeared && words.severity !== "notice" ? "warning" : "info", appeared ? words.text : `Over: ${words.text}`);
  }

  #judge(): void {
    this.#tell({ type: "clock", wall: systemClock.wall() });
    this.#tell({ type: "tick" });
  }

  async #beat(): Promise<void> {
    const verdict = this.#health.callVerdict();
    const proofs = verdict === "impaired" ? "works" : verdict;
    const asked = await this.#control.ask<"heartbeat">({ op: "heartbeat", proofs, page: this.#settings.page }, QUICK);
    if (asked.outcome === "absent") this.#tell({ type: "peer-absent" });
    if (asked.outcome === "answered") this.#tell({ type: "heartbeat", ...asked.answer });
  }

  async #askStatus(): Promise<void> {
    const status = await this.#control.ask<"status">({ op: "status" }, QUICK);
    const peers = await this.#control.ask<"peers">({ op: "peers" }, QUICK);
    if (status.outcome !== "answered" || peers.outcome !== "answered") return;
    this.#tell({ type: "status", status: status.answer.status, boxes: peers.answer.peers });
  }

  async #askPhones(): Promise<void> {
    const asked = await this.#control.ask<"registration-list">({ op: "registration-list", aor: null }, SLOW);
    if (asked.outcome === "answered") this.#tell({ type: "phones", phones: asked.answer.registrations });
  }
}
