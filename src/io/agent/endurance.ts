// How long disk and power will last, as far as the kernel says so in /sys: the wear of an eMMC (JEDEC EMMC 5.0, EXT_CSD
// registers 267 to 269), the power supplies, and the voltage that a Raspberry Pi's firmware watches.

import { readdirSync, readFileSync } from "node:fs";

export interface Endurance {
  /** Of the life of its disk, percent that are used up: in steps of ten, the upper end of each; above 100 when it is over. */
  readonly diskUsedUp: number | undefined;
  /** Its voltage is, or was since it started, lower than it needs. */
  readonly powerLow: boolean;
  /** It runs on a battery that has so many percent left. */
  readonly battery: number | undefined;
}

/** `sys`: where sysfs is mounted. `device`: of the data directory's file system, as /proc/self/mountinfo has it ("179:2"). */
export function readEndurance(sys: string, device: string | undefined): Endurance {
  return { diskUsedUp: usedUp(sys, device), powerLow: isPowerLow(sys), battery: batteryOf(sys) };
}

/** Both kinds of cells are told; the worse one counts. A life of 0x0b is over. */
function usedUp(sys: string, device: string | undefined): number | undefined {
  if (device === undefined) return undefined;
  // A partition lies in the directory of its disk. Not joined: `..` is to be taken behind the link.
  const text = textOf(`${sys}/dev/block/${device}/device/life_time`) ?? textOf(`${sys}/dev/block/${device}/../device/life_time`);
  const steps = (text ?? "").split(/\s+/).map(Number).filter((step) => step >= 1 && step <= 11);
  return steps.length === 0 ? undefined : 10 * Math.max(...steps);
}

function isPowerLow(sys: string): boolean {
  const watched = entriesOf(`${sys}/class/hwmon`).filter((name) => textOf(`${sys}/class/hwmon/${name}/name`) === "rpi_volt");
  return watched.some((name) => textOf(`${sys}/class/hwmon/${name}/in0_lcrit_alarm`) === "1");
}

/** Only where no other supply is connected: a charging battery is none to speak of. */
function batteryOf(sys: string): number | undefined {
  const supplies = entriesOf(`${sys}/class/power_supply`).map((name) => `${sys}/class/power_supply/${name}`);
  const batteries = supplies.filter((path) => textOf(`${path}/type`) === "Battery" && textOf(`${path}/scope`) !== "Device");
  const isConnected = supplies.some((path) => textOf(`${path}/online`) === "1");
  const left = batteries.map((path) => Number(textOf(`${path}/capacity`) ?? Number.NaN)).filter(Number.isFinite);
  return isConnected || left.length === 0 ? undefined : Math.min(...left);
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "latin1").trim();
  } catch {
    return undefined; // this machine does not tell it
  }
}

function entriesOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
