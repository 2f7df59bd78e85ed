// What kind of machine this is, asked once. In a thread of its own: systeminformation runs other programs, and waits for them.

import { parentPort } from "node:worker_threads";
import { baseboard, cpu, diskLayout, osInfo, system } from "systeminformation";

export interface Inventory {
  readonly model: string;
  readonly processor: string;
  readonly system: string;
  /** What the disks say of themselves (SMART); empty where nobody can ask them. */
  readonly disks: readonly { readonly name: string; readonly smart: string }[];
}

/** One line of what is told at all: machines leave fields empty, or fill them with "Default string". */
const line = (...parts: readonly string[]): string => parts.map((part) => part.trim()).filter((part) => part !== "" && part !== "Default string" && part !== "To Be Filled By O.E.M.").join(" ");

const [machine, board, processor, os, disks] = await Promise.all([system(), baseboard(), cpu(), osInfo(), diskLayout()]);
const inventory: Inventory = {
  model: line(machine.manufacturer, machine.model) || line(board.manufacturer, board.model),
  processor: line(processor.manufacturer, processor.brand, processor.cores > 0 ? `× ${processor.cores}` : ""),
  system: line(os.distro, os.release, os.arch),
  disks: disks.filter(({ smartStatus }) => smartStatus !== "" && smartStatus !== "unknown").map(({ name, smartStatus }) => ({ name, smart: smartStatus })),
};
parentPort?.postMessage(inventory);
