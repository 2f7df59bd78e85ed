// How a box comes into a fleet: from blank, by its ticket, to enrolled. Whoever drives it hears rumors
// (multicast), knows hints, and carries out the dialing; this machine decides whom to ask, when to ask
// again, and when a box with a fleet ticket may begin a ring by itself. Two boxes that begin apart
// merge when they meet, so a wrong guess here costs a merge, never a registration.

import type { Machine } from "../base/machine.ts";
import type { Random } from "../base/random.ts";
import { type Duration, type Instant, milliseconds, seconds } from "../base/time.ts";
import { TimerTable } from "../base/timer-table.ts";
import { CandidateList } from "./candidate-list.ts";
import { formatHint, type Hint } from "./hint.ts";

export type AdmissionPhase = "blank" | "seeking" | "enrolling" | "founding" | "enrolled" | "refused";

/** What a box says of itself by multicast. A rumor: never trusted. */
export interface Announcement {
  /** `fleetHash` of the root certificate; empty if the box has no ticket. */
  readonly fleetHash: string;
  readonly state: "serving" | "blank";
  /** Random per start of a box, lower-case hex; orders the blank boxes that may found. */
  readonly instance: string;
}

export type AdmissionInput =
  | { readonly type: "start" }
  | { readonly type: "hint"; readonly address: Hint }
  | { readonly type: "heard"; readonly address: Hint; readonly announcement: Announcement }
  | { readonly type: "unheard"; readonly instance: string }
  | { readonly type: "granted"; readonly address: Hint }
  | { readonly type: "declined"; readonly address: Hint; readonly reason: string }
  | { readonly type: "unreachable"; readonly address: Hint; readonly reason: string }
  | { readonly type: "founded" }
  | { readonly type: "tick" };

export type AdmissionEffect =
  /** Answered by `granted`, `declined` or `unreachable` with the same address. */
  | { readonly type: "enroll"; readonly address: Hint }
  /** Issue this box's certificate here; answered by `founded`. */
  | { readonly type: "found" }
  | { readonly type: "phase-changed"; readonly phase: AdmissionPhase }
  | { readonly type: "report"; readonly level: "info" | "warning"; readonly text: string };

export interface AdmissionSettings {
  /** `code`: none, but it shows a code, and waits for it at members of whatever fleet. `undefined`: the box stays blank. */
  readonly ticket: "fleet" | "join" | "code" | undefined;
  readonly fleetHash: string;
  readonly instance: string;
  /** Whether anything may be heard by multicast at all. */
  readonly listening: boolean;
  readonly random: Random;
}

export const ADMISSION_TIMING: {
  /** A box with a fleet ticket listens so long before it may found. */
  readonly listen: Duration;
  /** It waits so long for another blank box that comes first, or for hints that do not answer. */
  readonly patience: Duration;
  /** And so long for boxes that are said to serve but do not answer: rumors must not keep it out for ever. */
  readonly rumor: Duration;
  /** Between two dials, unless the one before has failed: usually the first answers. */
  readonly stagger: Duration;
} = { listen: milliseconds(1_500), patience: seconds(6), rumor: seconds(15), stagger: seconds(1) };

const MAX_DIALS = 4;
/** Members at which a box with a code waits at once. */
const MAX_WAITS = 16;

type Trigger = AdmissionInput["type"];
type Action = "begin" | "learn" | "forget" | "refusal" | "failure" | "enrolled" | "advance";
type Cell = { readonly act: readonly Action[] } | "ignore";
const act = (...actions: readonly Action[]): Cell => ({ act: actions });

/** `advance` decides what follows: dial, found, wait; it also moves between seeking and enrolling. */
export const ADMISSION_TABLE = {
  blank: {
    start: act("begin", "advance"), hint: act("learn"), heard: act("learn"), unheard: act("forget"),
    granted: "ignore", declined: "ignore", unreachable: "ignore", founded: "ignore", tick: "ignore",
  },
  seeking: {
    start: "ignore", hint: act("learn", "advance"), heard: act("learn", "advance"), unheard: act("forget", "advance"),
    granted: "ignore", declined: "ignore", unreachable: "ignore", founded: "ignore", tick: act("advance"),
  },
  enrolling: {
    start: "ignore", hint: act("learn", "advance"), heard: act("learn", "advance"), unheard: act("forget", "advance"),
    granted: act("enrolled"), declined: act("refusal", "advance"), unreachable: act("failure", "advance"),
    founded: "ignore", tick: act("advance"),
  },
  founding: {
    start: "ignore", hint: "ignore", heard: "ignore", unheard: "ignore",
    granted: "ignore", declined: "ignore", unreachable: "ignore", founded: act("enrolled"), tick: "ignore",
  },
  /** A member said no. It is asked again, seldom: its clock may have been wrong. */
  refused: {
    start: "ignore", hint: act("learn", "advance"), heard: act("learn", "advance"), unheard: act("forget", "advance"),
    granted: act("enrolled"), declined: act("refusal", "advance"), unreachable: act("failure", "advance"),
    founded: "ignore", tick: act("advance"),
  },
  enrolled: {
    start: "ignore", hint: "ignore", heard: "ignore", unheard: "ignore",
    granted: "ignore", declined: "ignore", unreachable: "ignore", founded: "ignore", tick: "ignore",
  },
} as const satisfies Record<AdmissionPhase, Record<Trigger, Cell>>;

export class Admission implements Machine<AdmissionInput, AdmissionEffect> {
  readonly #settings: AdmissionSettings;
  readonly #candidates: CandidateList;
  readonly #timers = new TimerTable<"listen" | "patience" | "rumor" | "stagger">();
  #phase: AdmissionPhase = "blank";
  #effects: AdmissionEffect[] = [];

  constructor(settings: AdmissionSettings) {
    this.#settings = settings;
    this.#candidates = new CandidateList(settings.random);
  }

  get phase(): AdmissionPhase {
    return this.#phase;
  }

  step(now: Instant, input: AdmissionInput): readonly AdmissionEffect[] {
    this.#effects = [];
    while (this.#timers.takeDue(now) !== undefined); // a timer that no longer runs has had its effect
    const cell: Cell = ADMISSION_TABLE[this.#phase][input.type];
    if (cell !== "ignore") for (const action of cell.act) this.#carryOut(action, now, input);
    return this.#effects;
  }

  nextDeadline(): Instant | undefined {
    if (this.#phase === "blank" || this.#phase === "founding" || this.#phase === "enrolled") return undefined;
    const deadlines = [this.#timers.next(), this.#mayDialMore() ? this.#candidates.nextAttempt() : undefined];
    return deadlines.reduce<Instant | undefined>((a, b) => (a === undefined || (b !== undefined && b < a) ? b : a), undefined);
  }

  #carryOut(action: Action, now: Instant, input: AdmissionInput): void {
    switch (action) {
      case "begin":
        return this.#begin(now);
      case "learn":
        return this.#learn(now, input);
      case "forget":
        if (input.type === "unheard") this.#candidates.forget(input.instance);
        return;
      case "refusal":
        return this.#refusal(now, input);
      case "failure":
        return this.#failure(now, input);
      case "enrolled":
        return this.#enter("enrolled");
      case "advance":
        return this.#advance(now);
    }
  }

  #begin(now: Instant): void {
    const { ticket, listening } = this.#settings;
    if (ticket === undefined) return this.#report("info", "no ticket: this box waits to be given one");
    this.#enter("seeking");
    if (ticket !== "fleet") return;
    if (listening) this.#timers.start("listen", now, ADMISSION_TIMING.listen);
    this.#timers.start("patience", now, ADMISSION_TIMING.patience);
    this.#timers.start("rumor", now, ADMISSION_TIMING.rumor);
  }

  #learn(now: Instant, input: AdmissionInput): void {
    if (input.type === "hint") return this.#candidates.addHint(now, input.address);
    if (input.type !== "heard") return;
    const { fleetHash, instance, state } = input.announcement;
    if (instance === this.#settings.instance) return;
    if (this.#settings.ticket !== "code" && fleetHash !== this.#settings.fleetHash) return;
    this.#candidates.addRumor(now, input.address, instance, state === "serving");
  }

  #refusal(now: Instant, input: AdmissionInput): void {
    if (input.type !== "declined") return;
    this.#candidates.declined(now, input.address);
    if (this.#phase === "refused") return;
    this.#report("warning", `${formatHint(input.address)} refused this box: ${input.reason}`);
    this.#enter("refused");
  }

  #failure(now: Instant, input: AdmissionInput): void {
    if (input.type !== "unreachable") return;
    const first = this.#candidates.failed(now, input.address);
    if (first) this.#report("info", `${formatHint(input.address)} did not enroll this box: ${input.reason}`);
    this.#timers.stop("stagger");
  }

  #advance(now: Instant): void {
    if (this.#settings.ticket === undefined) return;
    if (this.#mayFound()) {
      this.#enter("founding");
      this.#effects.push({ type: "found" });
      return;
    }
    this.#dial(now);
    if (this.#phase !== "refused") this.#enter(this.#candidates.dialing > 0 ? "enrolling" : "seeking");
  }

  #dial(now: Instant): void {
    if (!this.#mayDialMore()) return;
    const address = this.#candidates.takeDue(now);
    if (address === undefined) return;
    this.#effects.push({ type: "enroll", address });
    this.#timers.start("stagger", now, ADMISSION_TIMING.stagger);
  }

  #mayDialMore(): boolean {
    const most = this.#settings.ticket === "code" ? MAX_WAITS : MAX_DIALS;
    return this.#candidates.dialing < most && !this.#timers.isRunning("stagger");
  }

  /** With a fleet ticket: when nobody serves, as far as this box can know without waiting for ever. */
  #mayFound(): boolean {
    if (this.#settings.ticket !== "fleet" || this.#phase === "refused") return false;
    if (this.#timers.isRunning("listen")) return false;
    const { served, untried, comesBefore } = this.#candidates.outlook(this.#settings.instance);
    if ((served || this.#candidates.dialing > 0) && this.#timers.isRunning("rumor")) return false;
    return !((untried || comesBefore) && this.#timers.isRunning("patience"));
  }

  #enter(phase: AdmissionPhase): void {
    if (phase === this.#phase) return;
    this.#phase = phase;
    if (phase === "enrolled" || phase === "founding") this.#timers.stopAll();
    this.#effects.push({ type: "phase-changed", phase });
  }

  #report(level: "info" | "warning", text: string): void {
    this.#effects.push({ type: "report", level, text });
  }
}

