// The machine's inventory as facts: asked once, and never waited for.

import { Worker } from "node:worker_threads";
import { seconds } from "../../base/time.ts";
import type { Fact } from "../../health/report.ts";
import type { Inventory } from "./inventory-worker.ts";

/** The start belongs to the box. */
const ASKED_AFTER = seconds(10);
/** It runs other programs, and one may hang. */
const PATIENCE = seconds(60);
/** systeminformation's word for it. */
const PREDICTED = "Predicted Failure";

export class MachineInventory {
  #facts: readonly Fact[] = [];
  #predictsFailure = false;
  #worker: Worker | undefined;
  readonly #timers: readonly NodeJS.Timeout[];

  constructor(wall: () => number) {
    this.#timers = [setTimeout(() => this.#ask(wall), ASKED_AFTER), setTimeout(() => this.close(), ASKED_AFTER + PATIENCE)];
  }

  /** Empty until it is known, and of a machine that tells nothing. */
  get facts(): readonly Fact[] {
    return this.#facts;
  }

  /** A disk of this machine expects to fail. */
  get predictsFailure(): boolean {
    return this.#predictsFailure;
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    void this.#worker?.terminate();
  }

  #ask(wall: () => number): void {
    this.#worker = new Worker(new URL(import.meta.url.endsWith(".ts") ? "./inventory-worker.ts" : "./inventory-worker.mjs", import.meta.url));
    this.#worker.on("error", () => undefined); // then it is not known what machine this is
    this.#worker.on("message", ({ model, processor, system, disks }: Inventory) => {
      const at = wall();
      const fact = (name: string, label: string, value: string): readonly Fact[] => (value === "" ? [] : [{ name, label, value, unit: "", at }]);
      this.#facts = [...fact("model", "Machine", model), ...fact("processor", "Processor type", processor), ...fact("system", "System", system), ...fact("smart", "Disks say (SMART)", disks.map(({ name, smart }) => `${name}: ${smart}`).join(", "))];
      this.#predictsFailure = disks.some(({ smart }) => smart === PREDICTED);
      this.close();
    });
  }
}
