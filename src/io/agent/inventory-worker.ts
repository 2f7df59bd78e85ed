// What kind of machine this is, asked once. In a thread of its own: systeminformation runs other programs, and waits for them.

import { parentPort } from "node:worker_threads";
import { baseboard, cpu, osInfo, system } from "systeminformation";

export interface Inventory {
  readonly model: string;
  readonly processor: string;
  readonly system: string;
}

/** One line of what is told at all: machines leave fields empty, or fill them with "Default string". */
const line = (...parts: readonly string[]): string => parts.map((part) => part.trim()).filter((part) => part !== "" && part !== "Default string" && part !== "To Be Filled By O.E.M.").join(" ");

const [machine, board, processor, os] = await Promise.all([system(), baseboard(), cpu(), osInfo()]);
const inventory: Inventory = {
  model: line(machine.manufacturer, machine.model) || line(board.manufacturer, board.model),
  processor: line(processor.manufacturer, processor.brand, processor.cores > 0 ? `× ${processor.cores}` : ""),
  system: line(os.distro, os.release, os.arch),
};
parentPort?.postMessage(inventory);
