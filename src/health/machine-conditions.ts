// What the machine's own measures say is the matter.

import type { ConditionCode, Values } from "./catalogue.ts";
import type { MachineView } from "./ports.ts";

const MEGABYTE = 1_048_576;
/** Less than a database needs to go on. */
const DISK_FULL_BYTES = 1 * MEGABYTE;
const DISK_LOW_BYTES = 200 * MEGABYTE;
const MEMORY_LOW_BYTES = 64 * MEGABYTE;
const HOT_CELSIUS = 85;
/** Of a disk's life, percent. */
const DISK_WORN_PERCENT = 90;

export function machineConditions(machine: MachineView | undefined): [ConditionCode, Values][] {
  if (machine === undefined) return [];
  const { diskFree, diskReadOnly, diskUsedUp, diskPredictsFailure, linkDown, memoryFree, temperature, powerLow, battery } = machine;
  const found: [ConditionCode, Values][] = [];
  if (diskReadOnly) found.push(["disk-read-only", {}]);
  if (diskFree !== undefined && diskFree < DISK_FULL_BYTES) found.push(["disk-full", {}]);
  if (diskFree !== undefined && diskFree < DISK_LOW_BYTES) found.push(["disk-low", { megabytes: Math.floor(diskFree / MEGABYTE) }]);
  if (diskPredictsFailure) found.push(["disk-predicts-failure", {}]);
  if (diskUsedUp !== undefined && diskUsedUp >= DISK_WORN_PERCENT) found.push(["disk-worn", { percent: Math.min(100, diskUsedUp) }]);
  if (linkDown !== undefined) found.push(["link-down", { interface: linkDown }]);
  if (memoryFree !== undefined && memoryFree < MEMORY_LOW_BYTES) found.push(["memory-low", { megabytes: Math.floor(memoryFree / MEGABYTE) }]);
  if (temperature !== undefined && temperature >= HOT_CELSIUS) found.push(["hot", { degrees: Math.round(temperature) }]);
  if (powerLow) found.push(["power-low", {}]);
  if (battery !== undefined) found.push(["on-battery", { percent: battery }]);
  return found;
}
