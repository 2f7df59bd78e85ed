// The health agent of one box: asks, tries and measures on its own clock, tells the core, and hands out the report.

import { servesPhones } from "../../overlay/members/phases.ts";
import { randomInt } from "node:crypto";
import { type Duration, milliseconds, minutes, seconds } from "../../base/time.ts";
import { Health } from "../../health/health.ts";
import type { HealthEffect, HealthInput, Listen } from "../../health/ports.ts";
import type { Remedy } from "../../health/remedies.ts";
import type { SlotHands } from "../updates/slot-hands.ts";
import { UpdateDesk } from "../updates/update-desk.ts";
import type { CallEntry, CallLadder, HealthReport, Phone, Series, Severity, SipTransport } from "../../health/report.ts";
import { SeriesBook } from "../../health/series.ts";
import type { ControlRequest } from "../../peer/control.ts";
import type { FlowReport, PeerReport, StatusReport } from "../../peer/reports.ts";
import { systemClock } from "../clock.ts";
import type { Report } from "../journal.ts";
import { CallDesk } from "./call-desk.ts";
import { type AnswerReader, ControlLink } from "./control-link.ts";
import type { SignedText } from "./envelope.ts";
import { drainPeer } from "./drain-peer.ts";
import { FactReader } from "./facts.ts";
import { FleetRound } from "./fleet-round.ts";
import type { Heralds } from "./heralds.ts";
import { MachineInventory } from "./inventory.ts";
import { IdentityReader } from "./own-identity.ts";
import { stopPeer } from "./peer-process.ts";
import { PhoneWatch } from "./phone-watch.ts";
import { Prober } from "./prober.ts";
import { SipWatch } from "./sip-watch.ts";
import { TimeLineFile } from "./time-line-file.ts";

/** The core judges this often: it bounds how long a wrong verdict stands beside its silence limits. */
const JUDGED_EVERY = milliseconds(500);
const HEARTBEAT_EVERY = seconds(1);
const SIP_ASKED_EVERY = seconds(1);
const TIME_LINE_EVERY = seconds(2);
const FACTS_EVERY = seconds(1);
const SERIES_EVERY = seconds(1);
const PHONES_ASKED_EVERY = seconds(1);
const STATUS_EVERY = seconds(2);
const PHONES_EVERY = seconds(10);
const CALLS_EVERY = seconds(1);
const UPDATES_LOOKED_EVERY = seconds(1);
/** A question that the peer answers out of its head. */
const QUICK = milliseconds(2_500);
/** One that goes over the ring. */
const SLOW = seconds(20);
/** A box that may go out of service is back by then, or its neighbors forget that it asked. */
const SLOT = minutes(2);
/** Two boxes that asked at once ask again at different times, milliseconds. */
const ASK_AGAIN_FIRST = 20_000;
const ASK_AGAIN_LAST = 60_000;

export interface BoxAgentSettings {
  /** The data directory of the box; it need not be there. */
  readonly directory: string;
  readonly readAnswer: AnswerReader;
  readonly software: string;
  /** `http://host:port/` of the page; empty if there is none. */
  readonly page: string;
  readonly heralds: Heralds;
  /** Somebody starts the peer again when it ends. */
  readonly supervised: boolean;
  readonly slots: SlotHands;
  readonly onReport: Report;
}

export class BoxAgent {
  readonly #settings: BoxAgentSettings;
  readonly #health: Health;
  readonly #series = new SeriesBook();
  readonly #control: ControlLink;
  /** Names this run of the agent in the events of the time line. */
  readonly #run: string;
  #recorded = 0;
  readonly #identity: IdentityReader;
  readonly #prober = new Prober();
  readonly #phoneWatch = new PhoneWatch();
  readonly #facts: FactReader;
  readonly #inventory = new MachineInventory(() => Math.round(systemClock.wall()));
  readonly #timeLine: TimeLineFile;
  readonly #fleet: FleetRound;
  readonly #calls: CallDesk;
  /** Brings the box to another version, and its neighbors with it. */
  readonly updates: UpdateDesk;
  /** One for each transport. BOUNDED: by the transports. */
  readonly #sipWatches = new Map<SipTransport, SipWatch>();
  /** BOUNDED: by the loops below. */
  readonly #timers: NodeJS.Timeout[] = [];
  #status: StatusReport | undefined;
  #peers: readonly PeerReport[] = [];
  #listens: readonly Listen[] = [];
  #flows: readonly FlowReport[] = [];
  #processId: number | undefined;
  #toldVerdict: HealthReport["verdict"] = "not-known";

  constructor(settings: BoxAgentSettings) {
    this.#settings = settings;
    this.#run = Date.now().toString(36);
    this.#health = new Health({ software: settings.software, run: this.#run, remedies: settings.supervised });
    this.#timeLine = new TimeLineFile(settings.directory);
    this.#health.restoreTimeLine(this.#timeLine.read());
    this.#control = new ControlLink(settings.directory, settings.readAnswer);
    this.#identity = new IdentityReader(settings.directory);
    this.#facts = new FactReader(settings.directory);
    this.updates = new UpdateDesk({
      directory: settings.directory, hands: settings.slots,
      identity: () => this.#identity.read(),
      peers: () => this.#peers,
      takeSlot: (length) => this.takeSlot(length),
      giveSlotBack: () => this.giveSlotBack(),
      tellNow: () => this.#fleet.tellNow(),
      drain: () => drainPeer((request) => this.#control.ask<"drain">(request, QUICK)).then(() => undefined),
      record: (text, severity) => this.record(text, severity),
      onFault: (error) => this.#fail(error),
    });
    this.#fleet = new FleetRound({
      page: settings.page,
      identity: () => this.#identity.read(),
      peers: () => this.#peers,
      report: () => this.report(),
      answers: () => this.#health.phoneAnswers(systemClock.now()),
      listens: () => this.#listens,
      tell: this.#tell,
      updates: { own: () => this.updates.own, heard: (nodeId, updates) => this.updates.heard(nodeId, updates), mayLend: () => this.updates.mayLend },
    });
    this.#calls = new CallDesk({
      control: this.#control, patience: QUICK, tell: this.#tell,
      peers: () => this.#peers,
      askBox: (nodeId, name) => this.#fleet.askLeg(nodeId, name),
    });
  }

  start(): void {
    this.#tell({ type: "clock", wall: systemClock.wall() });
    this.#every(JUDGED_EVERY, () => this.#judge());
    this.#every(HEARTBEAT_EVERY, () => this.#beat());
    this.#every(STATUS_EVERY, () => this.#askStatus());
    this.#every(SIP_ASKED_EVERY, () => this.#askSip());
    this.#every(SIP_ASKED_EVERY, () => this.#prove());
    this.#every(TIME_LINE_EVERY, () => this.#timeLine.keep(systemClock.now(), this.#health.freshEvents(), () => this.#health.allEvents()));
    this.#every(FACTS_EVERY, () => this.#measure());
    this.#every(SERIES_EVERY, () => this.#series.record(this.report()));
    this.#every(PHONES_EVERY, () => this.#listPhones());
    this.#every(CALLS_EVERY, () => this.#calls.look());
    this.#every(PHONES_ASKED_EVERY, () => this.#askPhones());
    this.#every(UPDATES_LOOKED_EVERY, () => this.updates.look());
    for (const { interval, act } of this.#fleet.rounds) this.#every(interval, act);
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
    for (const watch of this.#sipWatches.values()) watch.close();
    this.#phoneWatch.close();
    this.#fleet.close();
    this.updates.close();
    this.#inventory.close();
    this.#timeLine.keep(systemClock.now(), this.#health.freshEvents(), () => this.#health.allEvents());
    this.#timeLine.close(() => this.#health.allEvents());
    this.#control.close();
  }

  report(): HealthReport {
    return this.#health.report(systemClock.now());
  }

  series(most?: number): readonly Series[] {
    return this.#series.series(most);
  }

  phones(query: string): readonly Phone[] {
    return this.#health.phones(query);
  }

  /** Recent calls and registrations with full names: for who is signed in. */
  callEntries(): readonly CallEntry[] {
    return this.#health.callEntries(systemClock.now());
  }

  /** A call by id or Call-ID, merged over the boxes that carried it; `undefined`: nobody remembers it. */
  ladder(name: string): Promise<CallLadder | undefined> {
    return this.#calls.ladder(name);
  }

  /** What the peer says of itself now, for the evidence pack; what it does not answer is left out. */
  async peerSays(): Promise<Readonly<Record<string, unknown>>> {
    const status = await this.#control.ask<"status">({ op: "status" }, QUICK);
    const peers = await this.#control.ask<"peers">({ op: "peers" }, QUICK);
    const configuration = await this.#control.ask<"configuration">({ op: "configuration" }, QUICK);
    const registrations = await this.#control.ask<"registration-list">({ op: "registration-list", aor: null }, SLOW);
    return {
      ...(status.outcome === "answered" ? { status: status.answer.status } : {}),
      ...(peers.outcome === "answered" ? { peers: peers.answer.peers } : {}),
      // Its document is signed, long, and says the same.
      ...(configuration.outcome === "answered" ? { configuration: { ...configuration.answer.configuration, document: null } } : {}),
      ...(registrations.outcome === "answered" ? { registrations: registrations.answer.registrations } : {}),
    };
  }

  /** Another agent asks what this box remembers of a call. */
  answerCall(envelope: unknown): Promise<SignedText | undefined> {
    return this.#fleet.answerLeg(envelope, (name) => this.#calls.leg(name));
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

  /** The next look makes a trial call, whenever the last one was. */
  proveNow(): void {
    this.#prober.proveNow();
  }

  /** Before this box may go out of service; `giveSlotBack` when it is back. */
  takeSlot(length: Duration): Promise<{ readonly granted: boolean; readonly why: string }> {
    return this.#fleet.takeSlot(length, true);
  }
  giveSlotBack(): Promise<void> {
    return this.#fleet.giveSlotBack();
  }

  /** Whether this box works as far as it can be tried from here: phones, ring and page. `why` not is in plain words. */
  proof(): { readonly proved: boolean; readonly why: string } {
    const { proofs, listens, boxes } = this.report();
    const unproved = listens.filter(({ transport }) => !proofs.some((proof) => proof.transport === transport && !proof.outside && proof.verdict === "works"));
    const self = boxes.find((box) => box.self);
    if (self === undefined || listens.length === 0) return { proved: false, why: "ringboxd has not said where it serves phones" };
    if (self.state !== "serving") return { proved: false, why: `its place in the ring: ${self.state}` };
    if (unproved.length > 0) return { proved: false, why: `no trial call has succeeded over ${unproved.map(({ transport }) => transport).join(", ")}` };
    const others = boxes.filter(({ state }) => state !== "left" && state !== "revoked").length - 1;
    if (others > 0 && !boxes.some((box) => !box.self && box.state === "serving")) return { proved: false, why: "it has found none of the other boxes" };
    return { proved: true, why: "" };
  }

  /** What another agent said; `undefined`: it is none of this fleet. */
  answerAgent(envelope: unknown): SignedText | undefined {
    return this.#fleet.answer(envelope);
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

  readonly #tell = (input: HealthInput): void => {
    for (const effect of this.#health.step(systemClock.now(), input)) this.#perform(effect);
  };

  #perform(effect: HealthEffect): void {
    if (effect.type === "remedy") {
      this.#settings.onReport("warning", effect.remedy.text);
      this.#take(effect.remedy).catch((error: unknown) => this.#fail(error));
      return;
    }
    const { appeared, words } = effect;
    this.#settings.onReport(appeared && words.severity !== "notice" ? "warning" : "info", appeared ? words.text : `Over: ${words.text}`);
    const { at, fleet, box } = this.report();
    this.#settings.heralds.tell({ at, fleet, box, appeared, condition: words });
  }

  async #take({ name, needsSlot }: Remedy): Promise<void> {
    const slot = needsSlot ? await this.#fleet.takeSlot(SLOT, true) : { granted: true, why: "" };
    if (!slot.granted) {
      this.#settings.onReport("info", `Not now: ${slot.why}.`);
      return this.#tell({ type: "remedy-refused", pause: milliseconds(randomInt(ASK_AGAIN_FIRST, ASK_AGAIN_LAST)) });
    }
    if (this.#processId !== undefined) await stopPeer(this.#processId, this.#health.peerState === "answering");
    this.#tell({ type: "remedy-done", name });
  }

  #judge(): void {
    this.#tell({ type: "clock", wall: systemClock.wall() });
    this.#tell({ type: "tick" });
    const verdict = this.#health.verdict();
    if (verdict === this.#toldVerdict) return;
    this.#toldVerdict = verdict;
    this.#fleet.tellNow().catch((error: unknown) => this.#fail(error));
  }

  async #beat(): Promise<void> {
    const verdict = this.#health.callVerdict();
    const proofs = verdict === "impaired" ? "works" : verdict;
    const asked = await this.#control.ask<"heartbeat">({ op: "heartbeat", proofs, page: this.#settings.page, conditions: this.#health.findings() }, QUICK);
    if (asked.outcome === "absent") this.#tell({ type: "peer-absent" });
    if (asked.outcome !== "answered") return;
    this.#processId = asked.answer.processId;
    this.#tell({ type: "heartbeat", ...asked.answer });
  }

  async #askStatus(): Promise<void> {
    const status = await this.#control.ask<"status">({ op: "status" }, QUICK);
    const peers = await this.#control.ask<"peers">({ op: "peers" }, QUICK);
    if (status.outcome !== "answered" || peers.outcome !== "answered") return;
    this.#status = status.answer.status;
    this.#peers = peers.answer.peers;
    this.#tell({ type: "status", status: this.#status, boxes: this.#peers });
    const listens = listensOf(this.#status);
    if (JSON.stringify(listens) === JSON.stringify(this.#listens)) return;
    this.#listens = listens;
    this.#tell({ type: "listens", listens });
    for (const watch of this.#sipWatches.values()) watch.close();
    this.#sipWatches.clear();
  }

  async #askSip(): Promise<void> {
    const domain = this.#status?.domain;
    if (domain === undefined) return;
    await Promise.all(
      this.#listens.map(async ({ transport, host, port }) => {
        let watch = this.#sipWatches.get(transport);
        if (watch === undefined) {
          watch = new SipWatch({ transport, box: { host, port }, domain, user: "ringbox-agent" });
          this.#sipWatches.set(transport, watch);
        }
        if ((await watch.ask()) !== undefined) this.#tell({ type: "sip-answered", transport });
      }),
    );
  }

  async #prove(): Promise<void> {
    const identity = this.#identity.read();
    if (identity === undefined || this.#status === undefined || !servesPhones(this.#status.phase)) return;
    await this.#prober.proveSelf(identity, this.#listens, (receipt) => {
      this.#tell({ type: "trial", trial: { what: "call", by: identity.nodeId, outside: false, signature: null, ...receipt } });
    });
  }

  #measure(): void {
    const { facts, machine } = this.#facts.read(Math.round(systemClock.wall()), this.#status?.sip.host);
    this.#tell({ type: "facts", facts: [...facts, ...this.#inventory.facts], machine: { ...machine, diskPredictsFailure: this.#inventory.predictsFailure } });
  }

  /** Both are long where there are many phones: neither is asked for each second. */
  async #listPhones(): Promise<void> {
    const flows = await this.#control.ask<"flows">({ op: "flows" }, QUICK);
    if (flows.outcome === "answered") this.#flows = flows.answer.flows;
    const asked = await this.#control.ask<"registration-list">({ op: "registration-list", aor: null }, SLOW);
    if (asked.outcome === "answered") this.#tell({ type: "phones", phones: asked.answer.registrations });
  }

  async #askPhones(): Promise<void> {
    const status = this.#status;
    if (status === undefined) return;
    const due = this.#health.duePhones(systemClock.now(), this.#flows);
    await Promise.all(
      due.map(async (flow) => {
        const roundTripMs = await this.#phoneWatch.ask(flow, status.sip, status.domain);
        this.#tell({ type: "phone-asked", aor: flow.aor, contact: flow.contact, roundTripMs, by: status.nodeId, ago: milliseconds(0) });
      }),
    );
  }
}

/** Where the box serves SIP, as its status says. */
function listensOf({ sip, transports }: StatusReport): readonly Listen[] {
  return transports.map(({ transport, port }) => ({ transport: NAMES[transport], host: sip.host, port }));
}

const NAMES = { udp: "UDP", tcp: "TCP", tls: "TLS", ws: "WS", wss: "WSS" } as const;
