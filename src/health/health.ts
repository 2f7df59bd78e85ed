// What is true of a box: everything that was heard, asked, tried and measured comes in here, and the report is what
// can be said of it at this moment. Nothing is believed longer than it was proved for.

import { between, type Instant, instant, seconds, wallTime, type WallTime } from "../base/time.ts";
import { boxName } from "./box-words.ts";
import { CONDITION_CODES, conditionOf, type ConditionCode, isConditionCode, TOLD_BY_PEER, type Values } from "./catalogue.ts";
import { ConditionBoard, type ConditionWords } from "./condition-board.ts";
import { firstLine } from "./first-line.ts";
import { machineConditions } from "./machine-conditions.ts";
import { ASKED_PER_SECOND, PhoneBook } from "./phone-book.ts";
import type { BoxView, HealthEffect, HealthInput, Listen, MachineView, OtherBox, StatusView } from "./ports.ts";
import { ProofBook, type Trial } from "./proof-book.ts";
import { RemedyPlanner } from "./remedies.ts";
import type { BoxHealth, CallEntry, Fact, HealthReport, PeerProcess, Phone, SipTransport, TimeLineEvent, Verdict } from "./report.ts";
import { TimeLine } from "./time-line.ts";
import { BoundedMap } from "../base/bounded-map.ts";
import { CallBook } from "./calls/call-book.ts";

/** The peer is asked every second; silent for so long, it is not believed to work any more. */
export const PEER_SILENCE = seconds(3);
/** The box's SIP port is asked every second, each transport. */
export const SIP_SILENCE = seconds(3);
/** After its start an agent has not asked long enough to say that nobody answers. */
const FIRST_LOOK = seconds(3);
/** What another box's agent said is shown for so long. */
const WORD_HOLDS = seconds(60);
/** A wall clock that differs by less is taken to be as it was, milliseconds. */
const CLOCK_STEP = 50;
const ANSWERS_TOLD = 500;
const EVENTS_SHOWN = 200;
const EVENTS_KEPT = 500;
const OTHER_BOXES_MAX = 512;

export interface HealthSettings {
  readonly software: string;
  /** Makes the ids of this agent's events unique over its restarts. */
  readonly run: string;
  /** Whether remedies may be taken: somebody starts the peer again when it ends. */
  readonly remedies: boolean;
}

export class Health {
  readonly #settings: HealthSettings;
  readonly #board = new ConditionBoard();
  readonly #proofs = new ProofBook();
  readonly #phones = new PhoneBook();
  readonly #calls = new CallBook();
  readonly #remedies = new RemedyPlanner();
  readonly #timeLine = new TimeLine();
  readonly #others = new BoundedMap<string, OtherBox>(OTHER_BOXES_MAX, "evict");
  /** BOUNDED: by the transports. */
  readonly #sipAnsweredAt = new Map<SipTransport, Instant>();
  #sipAskedSince: Instant | undefined;
  #listens: readonly Listen[] = [];
  #startedAt: Instant | undefined;
  #now: Instant = instant(0);
  #wallOffset = 0;
  #peer: { readonly phase: string; readonly code: string | null; readonly at: Instant } | undefined;
  #peerAbsent = false;
  #status: { readonly status: StatusView; readonly boxes: readonly BoxView[]; readonly at: Instant } | undefined;
  #facts: readonly Fact[] = [];
  #machine: MachineView | undefined;
  #events = 0;

  constructor(settings: HealthSettings) {
    this.#settings = settings;
  }

  step(now: Instant, input: HealthInput): readonly HealthEffect[] {
    this.#now = now;
    this.#startedAt ??= now;
    this.#take(input);
    return input.type === "tick" ? this.#judge() : [];
  }

  #take(input: HealthInput): void {
    const now = this.#now;
    switch (input.type) {
      case "clock":
        // Read a moment later each time: not worth a new time for everything that is shown.
        if (Math.abs(input.wall - now - this.#wallOffset) > CLOCK_STEP) this.#wallOffset = Math.round(input.wall - now);
        return;
      case "heartbeat":
        this.#peer = { phase: input.phase, code: input.code, at: now };
        this.#peerAbsent = false;
        return;
      case "peer-absent":
        this.#peerAbsent = true;
        return;
      case "status":
        this.#status = { status: input.status, boxes: input.boxes, at: now };
        return;
      case "listens":
        this.#listenOn(input.listens);
        return;
      case "phones":
        return this.#phones.registered(input.phones);
      case "calls":
        return this.#calls.heard(this.#wall(), input.life, input.calls);
      case "phone-asked":
        return this.#phones.asked(instant(now - input.ago), input);
      case "sip-answered":
        this.#sipAnsweredAt.set(input.transport, now);
        return;
      case "trial":
        return this.#proofs.record(now, input.trial);
      case "facts":
        this.#facts = input.facts;
        this.#machine = input.machine;
        return;
      case "event":
        this.#timeLine.add(input.event);
        return;
      case "other-box":
        this.#others.set(input.box.nodeId, input.box);
        return;
      case "remedy-done":
        return this.#remedies.done(now, input.name);
      case "remedy-refused":
        return this.#remedies.refused(now, input.pause);
      case "tick":
        return;
    }
  }

  #listenOn(listens: readonly Listen[]): void {
    this.#listens = listens;
    this.#sipAskedSince ??= this.#now;
    const served = listens.map(({ transport }) => transport);
    for (const transport of [...this.#sipAnsweredAt.keys()]) if (!served.includes(transport)) this.#sipAnsweredAt.delete(transport);
    this.#proofs.forget(({ transport }) => transport !== null && !served.includes(transport));
  }

  /** The time line of an earlier run. */
  restoreTimeLine(events: readonly TimeLineEvent[]): void {
    this.#timeLine.restore(events);
  }

  /** What happened since this was asked last, for the next run. */
  freshEvents(): TimeLineEvent[] {
    return this.#timeLine.fresh();
  }

  /** The whole time line, newest first. */
  allEvents(): TimeLineEvent[] {
    return this.#timeLine.list(EVENTS_KEPT);
  }

  // What is the matter

  #judge(): HealthEffect[] {
    const present = new Map<ConditionCode, ConditionWords>(); // BOUNDED: by the catalogue
    const note = (code: ConditionCode, values: Values = {}): void => void present.set(code, conditionOf(code, values));
    this.#judgePeer(note);
    if (this.peerState === "answering") this.#ownConditions(present);
    this.#judgeSip(note);
    this.#judgeCalls(note);
    for (const [code, values] of machineConditions(this.#machine)) note(code, values);
    const silent = this.#phones.silent(this.#now);
    if (silent > 0) note("phones-silent", { count: silent });
    const rewritten = this.#phones.rewritten();
    if (rewritten !== undefined) note("sip-rewritten", rewritten);
    return [...this.#settle(present), ...this.#remedy()];
  }

  #remedy(): HealthEffect[] {
    if (!this.#settings.remedies) return [];
    const shown = new Map(this.#board.shown().flatMap(({ words, since }) => (isConditionCode(words.code) ? [[words.code, since] as const] : [])));
    const remedy = this.#remedies.plan(this.#now, { shown });
    if (remedy === undefined) return [];
    this.#happened("warning", remedy.text);
    return [{ type: "remedy", remedy }];
  }

  #judgePeer(note: (code: ConditionCode, values?: Values) => void): void {
    const state = this.peerState;
    if (state === "waiting-for-admission") note("waiting-for-admission", { code: this.#peer?.code ?? "" });
    if (!this.#hasLooked) return;
    if (state === "not-running") note("peer-not-running");
    if (state === "silent") note("peer-silent");
  }

  /** What the box says of itself; its words are as old as its status, which it has told a moment ago. */
  #ownConditions(present: Map<ConditionCode, ConditionWords>): void {
    for (const words of this.#status?.status.conditions ?? []) {
      if (isConditionCode(words.code) && TOLD_BY_PEER.includes(words.code)) present.set(words.code, words);
    }
  }

  #judgeSip(note: (code: ConditionCode, values?: Values) => void): void {
    const silent = this.silentTransports();
    if (silent.length > 0) note("sip-silent", { transports: silent.join(" and ") });
  }

  #judgeCalls(note: (code: ConditionCode, values?: Values) => void): void {
    const own = this.#proofs.failure(this.#now, isOwn);
    if (own !== undefined) note("calls-fail", { transport: own.transport ?? "SIP", detail: own.detail });
    const outside = this.#proofs.failure(this.#now, isOutside);
    if (outside !== undefined) note("calls-fail-from-outside", { box: boxName(outside.by).words, detail: outside.detail });
    if (this.callVerdict() === "not-known") note("not-proved");
    const others = (this.#status?.status.boxes.serving ?? 0) > 1;
    if (others && this.#proofs.verdict(this.#now, this.#transports, isOutside) === "not-known") note("not-proved-from-outside");
  }

  #settle(present: ReadonlyMap<ConditionCode, ConditionWords>): HealthEffect[] {
    for (const code of CONDITION_CODES) this.#board.set(this.#now, code, present.get(code));
    return this.#board.settle(this.#now).map(({ appeared, words }) => {
      this.#happened(appeared ? words.severity : "notice", appeared ? words.text : `Over: ${words.text}`);
      return { type: "condition-changed", appeared, words };
    });
  }

  #happened(severity: "notice" | "warning" | "alarm", text: string): void {
    this.#events += 1;
    const id = `${this.#ownId ?? "new"}-${this.#settings.run}-${this.#events}`;
    this.#timeLine.add({ id, at: this.#wall(), box: boxName(this.#ownId), severity, text });
  }

  // What is so

  get peerState(): PeerProcess["state"] {
    if (this.#peerAbsent || this.#peer === undefined) return "not-running";
    if (between(this.#peer.at, this.#now) > PEER_SILENCE) return "silent";
    return this.#peer.phase === "waiting-for-admission" ? "waiting-for-admission" : "answering";
  }

  get #hasLooked(): boolean {
    return this.#startedAt !== undefined && between(this.#startedAt, this.#now) >= FIRST_LOOK;
  }

  get #ownId(): string | null {
    return this.#status?.status.nodeId ?? null;
  }

  get #transports(): readonly SipTransport[] {
    return [...new Set(this.#listens.map(({ transport }) => transport))];
  }

  /** Transports on which the box's SIP port has not answered for a while. */
  silentTransports(): readonly SipTransport[] {
    const asked = this.#sipAskedSince;
    if (asked === undefined) return [];
    return this.#transports.filter((transport) => {
      const answered = this.#sipAnsweredAt.get(transport) ?? asked;
      return between(answered, this.#now) > SIP_SILENCE;
    });
  }

  /** What the agent found and the peer cannot know of itself, for the peer to tell. */
  findings(): readonly ConditionWords[] {
    return this.#board.shown().flatMap(({ words }) => (isConditionCode(words.code) && TOLD_BY_PEER.includes(words.code) ? [] : [words]));
  }

  /** What trial calls through this box's own sockets say. */
  callVerdict(): Verdict {
    return this.#proofs.verdict(this.#now, this.#transports, isOwn);
  }

  verdict(): Verdict {
    const shown = this.#board.shown();
    if (shown.some(({ stopsCalls }) => stopsCalls)) return "broken";
    if (!this.#hasLooked || this.peerState !== "answering" || this.callVerdict() !== "works") return "not-known";
    return shown.some(({ words }) => words.severity !== "notice") ? "impaired" : "works";
  }

  /** What stops calls is of some transports only, and over another one they were proved. */
  #isServedInPart(): boolean {
    if (this.#board.shown().some(({ words, stopsCalls }) => stopsCalls && !MAY_BE_OF_ONE_TRANSPORT.includes(words.code))) return false;
    const silent = this.silentTransports();
    return this.#proofs.isProvedOverOne(this.#now, this.#transports.filter((transport) => !silent.includes(transport)), isOwn);
  }

  report(now: Instant): HealthReport {
    this.#now = now;
    const status = this.#status?.status;
    const shown = this.#board.shown();
    const verdict = this.verdict();
    const canLose = Math.max(0, Math.min((status?.copies ?? 1) - 1, (status?.boxes.serving ?? 1) - 1));
    const phones = this.#phones.count(now);
    return {
      at: this.#wall(),
      firstLine: firstLine({
        verdict, phones, canLose,
        partly: this.#isServedInPart(),
        reason: shown.find(({ words }) => words.severity !== "notice")?.words.text,
        window: this.#phones.window / 1_000,
        boxes: status === undefined || this.peerState !== "answering" ? NOBODY : status.boxes,
      }),
      verdict,
      box: boxName(this.#ownId),
      fleet: status?.fleet ?? "",
      domain: status?.domain ?? "",
      software: status?.software ?? this.#settings.software,
      listens: this.#listens,
      peer: {
        state: this.peerState,
        answeredAt: this.#peer === undefined ? null : this.#wallOf(this.#peer.at),
        code: this.peerState === "waiting-for-admission" ? (this.#peer?.code ?? null) : null,
      },
      conditions: shown.map(({ words, since }) => ({ ...words, since: this.#wallOf(since) })),
      proofs: this.#proofs.list(now, (at) => this.#wallOf(at)),
      ring: this.#ring(canLose),
      boxes: this.#boxes(verdict),
      phones: { ...phones, list: this.phones("") },
      facts: this.#facts,
      timeLine: this.#timeLine.list(EVENTS_SHOWN),
      calls: this.#calls.recent(this.#wall(), (aor) => this.#phones.isRegistered(aor)),
      callsUnderWay: this.#calls.underWay(this.#wall()),
    };
  }

  /** Registered phones of which something contains `query`. */
  phones(query: string): readonly Phone[] {
    return this.#phones.list(this.#now, (at) => this.#wallOf(at), query);
  }

  /** Recent calls and registrations with full names: for who is signed in. */
  callEntries(now: Instant): readonly CallEntry[] {
    this.#now = now;
    return this.#calls.all(this.#wall());
  }

  /** Of the phones that hang on this box those that are to be asked now. */
  duePhones<Flow extends { readonly aor: string; readonly contact: string }>(now: Instant, flows: readonly Flow[]): Flow[] {
    return this.#phones.due(now, flows, ASKED_PER_SECOND);
  }

  /** Which contacts answered this box lately, for the other boxes to know. */
  phoneAnswers(now: Instant): ReturnType<PhoneBook["answers"]> {
    return this.#phones.answers(now, this.#ownId ?? "", ANSWERS_TOLD);
  }

  #ring(canLose: number): HealthReport["ring"] {
    const status = this.#status?.status;
    const compared = status?.comparedSecondsAgo ?? null;
    return {
      canLose,
      copies: status?.copies ?? 0,
      copiesWanted: status?.copiesWanted ?? 0,
      inSync: status?.inSync ?? false,
      comparedAt: compared === null || this.#status === undefined ? null : this.#wallOf(instant(this.#status.at - seconds(compared))),
      moving: status?.receiving ?? null,
    };
  }

  #boxes(own: Verdict): BoxHealth[] {
    return (this.#status?.boxes ?? []).map((box) => {
      const word = box.self ? undefined : this.#word(box.nodeId);
      const provedAt = this.#proofs.provedAt(isOwn);
      return {
        ...boxName(box.nodeId),
        self: box.self,
        state: box.state,
        verdict: box.self ? own : this.#verdictOf(box, word),
        provedAt: box.self ? (provedAt === undefined ? null : this.#wallOf(provedAt)) : (word?.provedAt ?? null),
        share: box.share,
        zone: box.zone,
        software: box.software,
        sip: `${box.sip.host}:${box.sip.port}`,
        page: word?.page ?? null,
        roundTripMs: box.roundTripMs,
      };
    });
  }

  #word(nodeId: string): OtherBox | undefined {
    const word = this.#others.get(nodeId);
    return word !== undefined && this.#wall() - word.heardAt <= WORD_HOLDS ? word : undefined;
  }

  /** The ring's verdict that a box is gone needs no proof; that it serves does. */
  #verdictOf(box: BoxView, word: OtherBox | undefined): Verdict {
    if (box.state === "gone" || box.state === "silent") return "broken";
    return word?.verdict ?? "not-known";
  }

  #wall(): WallTime {
    return this.#wallOf(this.#now);
  }
  #wallOf(at: Instant): WallTime {
    return wallTime(Math.round(at + this.#wallOffset));
  }
}

/** Of a ring that nobody can be asked about. */
const NOBODY = { serving: 0, known: 0 } as const;

/** What may be so over one transport while phones on the others are served. */
const MAY_BE_OF_ONE_TRANSPORT: readonly string[] = ["sip-silent", "calls-fail"] satisfies readonly ConditionCode[];
const isOwn = (trial: Trial): boolean => trial.what === "call" && !trial.outside;
const isOutside = (trial: Trial): boolean => trial.what === "call" && trial.outside;
