// What the machine says of itself, read from /proc and /sys once a second: files that the kernel makes up while they
// are read, and no other program. What a machine does not tell is not known, and not zero.

import { readdirSync, readFileSync, statfs } from "node:fs";
import { networkInterfaces } from "node:os";
import { resolve } from "node:path";
import type { MachineView } from "../../health/ports.ts";
import type { Fact } from "../../health/report.ts";
import { readEndurance } from "./endurance.ts";

export class FactReader {
  readonly #directory: string;
  #cpu: { readonly busy: number; readonly total: number } | undefined;
  #hottest: readonly string[] | undefined;
  readonly #link = new LinkReader();
  #space: { readonly free: number; readonly used: number } | undefined;
  #asking = false;

  /** `directory`: whose disk is measured. */
  constructor(directory: string) {
    this.#directory = resolve(directory);
  }

  /** `address`: under which phones reach this box. */
  read(at: number, address: string | undefined): { readonly facts: readonly Fact[]; readonly machine: Omit<MachineView, "diskPredictsFailure"> } {
    const cpu = this.#cpuShare();
    const memory = memoryOf(textOf("/proc/meminfo"));
    const disk = this.#disk();
    const temperature = this.#temperature();
    const link = this.#link.of(address);
    const mount = mountOf(textOf("/proc/self/mountinfo"), this.#directory);
    const endurance = readEndurance("/sys", mount?.device);
    const uptime = firstNumber(textOf("/proc/uptime"));
    const fact = (name: string, label: string, value: Fact["value"] | undefined, unit: string): Fact => ({ name, label, value: value ?? null, unit, at });
    return {
      facts: [
        fact("cpu", "Processor", cpu, "%"),
        fact("load", "Load", firstNumber(textOf("/proc/loadavg")), ""),
        fact("memory", "Memory in use", memory?.used, "%"),
        fact("memory-free", "Memory free", memory?.free, "bytes"),
        fact("temperature", "Temperature", temperature, "°C"),
        fact("disk-free", "Disk free", disk?.free, "bytes"),
        fact("disk", "Disk in use", disk?.used, "%"),
        ...(endurance.diskUsedUp === undefined ? [] : [fact("disk-life", "Disk life used up", Math.min(100, endurance.diskUsedUp), "%")]),
        ...(endurance.battery === undefined ? [] : [fact("battery", "Battery left", endurance.battery, "%")]),
        fact("pressure", "Waiting for the disk", pressureOf(textOf("/proc/pressure/io")), "%"),
        fact("link", "Network", link?.words, ""),
        fact("uptime", "Running for", uptime === undefined ? undefined : Math.floor(uptime), "s"),
      ],
      machine: {
        diskFree: disk?.free,
        diskReadOnly: mount?.readOnly === true,
        ...endurance,
        linkDown: link?.down === true ? link.name : undefined,
        memoryFree: memory?.free,
        temperature,
      },
    };
  }

  /** Of all processors since the last look, percent. */
  #cpuShare(): number | undefined {
    const fields = textOf("/proc/stat")?.split("\n", 1)[0]?.trim().split(/ +/).slice(1, 9).map(Number);
    if (fields === undefined || fields.some(Number.isNaN)) return undefined;
    const total = fields.reduce((sum, value) => sum + value, 0);
    const busy = total - (fields[3] ?? 0) - (fields[4] ?? 0);
    const before = this.#cpu;
    this.#cpu = { busy, total };
    if (before === undefined || total <= before.total) return undefined;
    return Math.round((100 * (busy - before.busy)) / (total - before.total));
  }

  /** As of the last look that came back: a disk that hangs must not hold the agent. */
  #disk(): { readonly free: number; readonly used: number } | undefined {
    if (!this.#asking) {
      this.#asking = true;
      statfs(this.#directory, (error, found) => {
        this.#asking = false;
        if (error !== null) return void (this.#space = undefined); // there is no such directory yet
        const { bsize, blocks, bavail, bfree } = found;
        this.#space = { free: bavail * bsize, used: blocks === 0 ? 0 : Math.round((100 * (blocks - bfree)) / blocks) };
      });
    }
    return this.#space;
  }

  /** The hottest of what the machine measures. */
  #temperature(): number | undefined {
    this.#hottest ??= temperatureFiles();
    const found = this.#hottest.flatMap((file) => firstNumber(textOf(file)) ?? []);
    return found.length === 0 ? undefined : Math.round(Math.max(...found) / 100) / 10;
  }
}

/** The network interface that phones reach. A box on the loopback has no cable to lose. */
class LinkReader {
  #name: string | undefined;

  of(address: string | undefined): { readonly name: string; readonly words: string; readonly down: boolean } | undefined {
    // Without a link an interface is not listed any more: it is remembered which one it was.
    const named = Object.entries(networkInterfaces()).find(([, addresses]) => addresses?.some((one) => one.address === address))?.[0];
    this.#name = named ?? this.#name ?? onlyInterface();
    const name = this.#name;
    if (name === undefined || name === "lo") return undefined;
    const down = textOf(`/sys/class/net/${name}/carrier`)?.trim() !== "1";
    const speed = firstNumber(textOf(`/sys/class/net/${name}/speed`));
    const words = down ? `${name}, no link` : speed === undefined || speed <= 0 ? name : `${name}, ${speed} Mbit/s`;
    return { name, words, down };
  }
}

/** Of a machine that has but one beside the loopback. */
function onlyInterface(): string | undefined {
  const names = entriesOf("/sys/class/net").filter((name) => name !== "lo");
  return names.length === 1 ? names[0] : undefined;
}

function temperatureFiles(): string[] {
  const zones = entriesOf("/sys/class/thermal").filter((name) => name.startsWith("thermal_zone")).map((name) => `/sys/class/thermal/${name}/temp`);
  const sensors = entriesOf("/sys/class/hwmon").flatMap((name) =>
    entriesOf(`/sys/class/hwmon/${name}`).filter((file) => /^temp[0-9]+_input$/.test(file)).map((file) => `/sys/class/hwmon/${name}/${file}`),
  );
  return [...zones, ...sensors].slice(0, 16);
}

function memoryOf(text: string | undefined): { readonly free: number; readonly used: number } | undefined {
  const total = kilobytes(text, "MemTotal:");
  const free = kilobytes(text, "MemAvailable:");
  if (total === undefined || free === undefined || total === 0) return undefined;
  return { free: free * 1_024, used: Math.round((100 * (total - free)) / total) };
}

function kilobytes(text: string | undefined, name: string): number | undefined {
  const at = text?.indexOf(name) ?? -1;
  return at < 0 ? undefined : firstNumber(text?.slice(at + name.length, at + name.length + 32));
}

/** "some avg10=0.00 …": part of the last ten seconds in which somebody waited, percent. */
function pressureOf(text: string | undefined): number | undefined {
  const at = text?.indexOf("avg10=") ?? -1;
  return at < 0 ? undefined : firstNumber(text?.slice(at + "avg10=".length));
}

/** The mount that holds the directory, and whether it can only be read. */
function mountOf(mounts: string | undefined, directory: string): { readonly device: string; readonly readOnly: boolean } | undefined {
  let longest = "";
  let found: { readonly device: string; readonly readOnly: boolean } | undefined;
  for (const line of mounts?.split("\n") ?? []) {
    const [, , device = "", , point = "", options = ""] = line.split(" ");
    const holds = directory === point || directory.startsWith(point === "/" ? "/" : `${point}/`);
    if (!holds || point.length < longest.length) continue;
    longest = point;
    found = { device, readOnly: options.split(",").includes("ro") };
  }
  return found;
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return undefined; // this machine does not tell it
  }
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function firstNumber(text: string | undefined): number | undefined {
  const value = Number.parseFloat(text?.trim() ?? "");
  return Number.isFinite(value) ? value : undefined;
}
