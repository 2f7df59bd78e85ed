// What the charts show: one point a second for ten minutes, and before that one a minute for a day.

import type { HealthReport, Series, WallTime } from "./report.ts";

/** Points that are kept of each: ten minutes of seconds… */
const SECONDS_KEPT = 600;
/** …and a day of minutes; the oldest go. */
const MINUTES_KEPT = 1_440;
const SECONDS_IN_A_MINUTE = 60;

type Value = number | null;
type Point = readonly [at: WallTime, value: Value];

interface Measure {
  readonly name: Series["name"];
  readonly label: string;
  readonly unit: string;
  readonly of: (report: HealthReport) => Value;
}

const factOf = (report: HealthReport, name: string): Value => {
  const value = report.facts.find((fact) => fact.name === name)?.value;
  return typeof value === "number" ? value : null;
};

/** Of the trial calls that this box made through its own sockets and that came about; `null`: none lately. */
function callLatency({ proofs }: HealthReport): Value {
  const took = proofs.flatMap(({ what, outside, verdict, tookMs }) => (what === "call" && !outside && verdict === "works" && tookMs !== null ? [tookMs] : []));
  return mean(took);
}

const MEASURES: readonly Measure[] = [
  { name: "latency", label: "A trial call takes", unit: "ms", of: callLatency },
  { name: "registrations", label: "Phones registered", unit: "", of: ({ peer, phones }) => (peer.state === "answering" ? phones.registered : null) },
  { name: "calls", label: "Calls under way", unit: "", of: ({ peer, callsUnderWay }) => (peer.state === "answering" ? callsUnderWay : null) },
  { name: "cpu", label: "Processor", unit: "%", of: (report) => factOf(report, "cpu") },
  { name: "temperature", label: "Temperature", unit: "°C", of: (report) => factOf(report, "temperature") },
];

/** The past of one measure. BOUNDED: SECONDS_KEPT and MINUTES_KEPT points. */
class Past {
  readonly #seconds: Point[] = [];
  readonly #minutes: Point[] = [];
  /** Points of `#seconds` that are not yet in a minute. */
  #loose = 0;

  add(at: WallTime, value: Value): void {
    this.#seconds.push([at, value]);
    this.#loose += 1;
    if (this.#loose === SECONDS_IN_A_MINUTE) this.#closeMinute(at);
    if (this.#seconds.length > SECONDS_KEPT) this.#seconds.shift();
  }

  #closeMinute(at: WallTime): void {
    this.#loose = 0;
    this.#minutes.push([at, mean(this.#seconds.slice(-SECONDS_IN_A_MINUTE).flatMap(([, value]) => value ?? []))]);
    if (this.#minutes.length > MINUTES_KEPT) this.#minutes.shift();
  }

  points(): readonly Point[] {
    const [first] = this.#seconds;
    return first === undefined ? [] : [...this.#minutes.filter(([at]) => at < first[0]), ...this.#seconds];
  }
}

export class SeriesBook {
  readonly #pasts: readonly Past[] = MEASURES.map(() => new Past());

  /** Once a second. */
  record(report: HealthReport): void {
    MEASURES.forEach(({ of }, index) => this.#pasts[index]?.add(report.at, of(report)));
  }

  /** The last `most` points of each; what this machine did not tell in all of them is left out. */
  series(most = Number.POSITIVE_INFINITY): readonly Series[] {
    return MEASURES.map(({ name, label, unit }, index) => ({ name, label, unit, points: this.#pasts[index]?.points().slice(-most) ?? [] })).filter(({ points }) => points.some(([, value]) => value !== null));
  }
}

const mean = (values: readonly number[]): Value => (values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length);
