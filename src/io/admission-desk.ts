// Takes a blank box to an enrolled one: drives the admission machine with what mDNS and the hints bring,
// carries out its enrollments and foundings, and returns what the box then has.

import { Admission, type AdmissionEffect, type AdmissionInput, type Announcement } from "../provision/admission.ts";
import type { Hint } from "../provision/hint.ts";
import type { ApprovalAnswer, FleetDescription } from "./approval.ts";
import type { Clock } from "./clock.ts";
import type { Enrolled } from "./enrolled.ts";
import type { EnrollmentAnswer } from "./enrollment.ts";
import type { Random } from "../base/random.ts";

export interface AdmissionDeskSettings {
  readonly kind: "fleet" | "join" | "code";
  readonly fleetHash: string;
  readonly instance: string;
  /** Whether anything may be heard by multicast. */
  readonly listening: boolean;
  readonly hints: readonly Hint[];
  readonly enroll: (address: Hint) => Promise<EnrollmentAnswer | ApprovalAnswer>;
  /** Issues the box's own certificate. */
  readonly found: () => Promise<Enrolled>;
  readonly clock: Clock;
  readonly random: Random;
  readonly onReport: (level: "debug" | "info" | "warning", text: string) => void;
}

/** How a box came into its fleet. */
export interface Admitted {
  readonly enrolled: Enrolled;
  /** The member that admitted it; `undefined`: it founded the fleet itself. */
  readonly by: Hint | undefined;
  /** What fleet that is, if the box had no ticket that says it. */
  readonly fleet: FleetDescription | undefined;
}

export class AdmissionDesk {
  readonly #settings: AdmissionDeskSettings;
  readonly #machine: Admission;
  #timer: NodeJS.Timeout | undefined;
  #admitted: ((admitted: Admitted) => void) | undefined;
  #failed: ((reason: Error) => void) | undefined;

  constructor(settings: AdmissionDeskSettings) {
    this.#settings = settings;
    const { kind, fleetHash, instance, listening, random } = settings;
    this.#machine = new Admission({ ticket: kind, fleetHash, instance, listening, random });
  }

  /** Resolves when the box has its certificate; it looks for members for as long as that takes. */
  run(): Promise<Admitted> {
    return new Promise((resolve, reject) => {
      this.#admitted = resolve;
      this.#failed = reject;
      for (const address of this.#settings.hints) this.#take({ type: "hint", address });
      this.#take({ type: "start" });
    });
  }

  readonly heard = (address: Hint, announcement: Announcement): void => {
    this.#take({ type: "heard", address, announcement });
  };

  readonly unheard = (instance: string): void => {
    this.#take({ type: "unheard", instance });
  };

  close(): void {
    clearTimeout(this.#timer);
    this.#admitted = undefined;
    this.#failed = undefined;
  }

  #take(input: AdmissionInput): void {
    if (this.#admitted === undefined) return;
    for (const effect of this.#machine.step(this.#settings.clock.now(), input)) this.#perform(effect);
    this.#arm();
  }

  #perform(effect: AdmissionEffect): void {
    switch (effect.type) {
      case "enroll":
        this.#enroll(effect.address).catch((error: unknown) => this.#fail(error));
        return;
      case "found":
        this.#found().catch((error: unknown) => this.#fail(error));
        return;
      case "report":
        this.#settings.onReport(effect.level, effect.text);
        return;
      case "phase-changed":
        this.#settings.onReport("debug", `admission: ${effect.phase}`);
        return;
    }
  }

  async #enroll(address: Hint): Promise<void> {
    const answer = await this.#settings.enroll(address);
    if (answer.outcome === "granted") {
      this.#take({ type: "granted", address });
      this.#admitted?.({ enrolled: answer.enrolled, by: address, fleet: "fleet" in answer ? answer.fleet : undefined });
      return this.close();
    }
    this.#take({ type: answer.outcome, address, reason: answer.reason });
  }

  async #found(): Promise<void> {
    const enrolled = await this.#settings.found();
    this.#take({ type: "founded" });
    this.#admitted?.({ enrolled, by: undefined, fleet: undefined });
    this.close();
  }

  #fail(error: unknown): void {
    this.#failed?.(error instanceof Error ? error : new Error(String(error)));
    this.close();
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const deadline = this.#machine.nextDeadline();
    if (deadline === undefined || this.#admitted === undefined) return;
    this.#timer = setTimeout(() => this.#take({ type: "tick" }), Math.max(0, Math.ceil(deadline - this.#settings.clock.now())));
  }
}
