// Feeds systemd's watchdog with proof of service, and tells it in a line how the box is. A box that cannot prove
// itself says so in its status and is not fed: systemd ends it and starts it afresh.

import { servesPhones } from "../overlay/members/phases.ts";
import type { Result } from "../base/result.ts";
import { type Duration, seconds } from "../base/time.ts";
import type { StatusReport } from "../peer/reports.ts";
import type { Report } from "./journal.ts";
import type { ServiceManager } from "./service-manager.ts";

/** Without a watchdog the line is still renewed. */
const USUAL_INTERVAL = seconds(60);
/** Proofs within the time that systemd grants, so that one that fails is not the last word. */
const PROOFS = 3;
/** While the box is on its way into the ring its line changes often. */
const QUICK = seconds(1);

export interface WatchdogSettings {
  readonly tell: ServiceManager["tell"];
  /** What systemd grants; `undefined`: it does not watch. */
  readonly granted: Duration | undefined;
  readonly prove: () => Promise<Result<StatusReport, string>>;
  readonly isStopping: () => boolean;
  readonly report: Report;
}

export class Watchdog {
  readonly #settings: WatchdogSettings;
  readonly #interval: number;

  constructor(settings: WatchdogSettings) {
    this.#settings = settings;
    this.#interval = intervalOf(settings.granted);
  }

  /** Goes on until the box stops. */
  start(): void {
    void this.#prove();
  }

  async #prove(): Promise<void> {
    const { prove, tell, report, isStopping } = this.#settings;
    const proof = await prove();
    if (isStopping()) return;
    if (proof.ok) tell({ READY: "1", WATCHDOG: "1", STATUS: statusLine(proof.value) });
    else {
      tell({ STATUS: `Not working: ${proof.fault}.` });
      report("warning", `this box does not prove that it works: ${proof.fault}`);
    }
    const settled = proof.ok && servesPhones(proof.value.phase);
    setTimeout(() => void this.#prove(), settled ? this.#interval : Math.min(QUICK, this.#interval)).unref();
  }
}

/** A box that waits, for a network or for somebody to let it in, has been started well; the line says what it waits for. */
export async function feedWhile<Value>(work: Promise<Value>, { tell, watchdog }: ServiceManager, line: () => string): Promise<Value> {
  let told = "";
  let fedAt = Number.NEGATIVE_INFINITY;
  const feed = (): void => {
    const now = performance.now();
    if (line() === told && now - fedAt < intervalOf(watchdog)) return;
    told = line();
    fedAt = now;
    tell({ READY: "1", WATCHDOG: "1", STATUS: told });
  };
  const timer = setInterval(feed, QUICK);
  try {
    return await work;
  } finally {
    clearInterval(timer);
  }
}

/** Between two proofs, ms. */
export const intervalOf = (granted: Duration | undefined): number => (granted ?? USUAL_INTERVAL) / PROOFS;

/** `systemctl status ringboxd` shows it. */
function statusLine({ phase, domain, boxes, conditions }: StatusReport): string {
  const head = servesPhones(phase) ? `Serving ${domain}: ${boxes.serving} of ${boxes.known} boxes.` : `Not serving yet (${phase}).`;
  return [head, ...conditions.map(({ text }) => text)].join(" ");
}
