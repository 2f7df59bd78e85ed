// A switch and some hosts without a default route, made of network namespaces, for boxes of mdns-box.ts.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { until } from "../../lab/until.ts";

const BOX = join(import.meta.dirname, "mdns-box.ts");
let serial = 0;

/** Why there can be no LAN on this machine, or `false`. */
export function whyNoLan(): string | false {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "network namespaces need Linux and root";
  if (spawnSync("ip", ["-V"]).status !== 0) return "the program ip (Debian package iproute2) is not here";
  const trial = `iomd-${process.pid}-trial`;
  const made = spawnSync("ip", ["netns", "add", trial], { encoding: "utf8" });
  spawnSync("ip", ["netns", "delete", trial]);
  return made.status === 0 ? false : `network namespaces cannot be made here: ${made.stderr.trim()}`;
}

function ip(...parameters: readonly string[]): void {
  const done = spawnSync("ip", parameters, { encoding: "utf8" });
  if (done.status !== 0) throw new Error(`ip ${parameters.join(" ")}: ${done.stderr.trim()}`);
}

/** What a box printed. */
export interface Line {
  readonly type: string;
  readonly at?: string;
  readonly state?: string;
  readonly instance?: string;
  readonly text?: string;
  readonly malformed?: number;
  readonly cpuMilliseconds?: number;
}

export class Lan {
  readonly #prefix = `iomd-${process.pid}-${++serial}`;
  readonly #namespaces: string[] = [];
  readonly #children: ChildProcess[] = [];

  constructor(t: TestContext) {
    const close = (): void => this.#close();
    process.once("exit", close);
    t.after(() => {
      process.off("exit", close);
      close();
    });
    this.#add("switch");
    ip("-n", this.#named("switch"), "link", "add", "br0", "type", "bridge", "mcast_snooping", "0", "forward_delay", "0");
    ip("-n", this.#named("switch"), "link", "set", "br0", "up");
  }

  /** A host with its cable in the switch; without an address until it is given one. */
  host(name: string, address?: string): void {
    this.#add(name);
    this.plug(name);
    if (address !== undefined) this.ip(name, "address", "add", address, "dev", "eth0");
  }

  plug(name: string): void {
    ip("-n", this.#named("switch"), "link", "add", `to-${name}`, "master", "br0", "type", "veth", "peer", "name", "eth0", "netns", this.#named(name));
    ip("-n", this.#named("switch"), "link", "set", `to-${name}`, "up");
    this.ip(name, "link", "set", "eth0", "up");
  }

  /** Runs ip inside a host. */
  ip(host: string, ...parameters: readonly string[]): void {
    ip("-n", this.#named(host), ...parameters);
  }

  box(host: string, instance: string, options: { readonly port?: number; readonly lifetime?: number; readonly listen?: string } = {}): Box {
    const { port = 6084, lifetime = 22, listen } = options;
    return new Box(this.run(host, [BOX, instance, String(port), String(lifetime), ...(listen === undefined ? [] : [listen])]));
  }

  /** Starts Node inside a host; what it prints goes to the file, if there is one. */
  run(host: string, parameters: readonly string[], file?: string): ChildProcess {
    const log = file === undefined ? undefined : openSync(file, "a");
    const child = spawn("ip", ["netns", "exec", this.#named(host), process.execPath, ...parameters], { stdio: ["pipe", log ?? "pipe", log ?? "inherit"] });
    if (log !== undefined) closeSync(log);
    this.#children.push(child);
    return child;
  }

  #add(name: string): void {
    ip("netns", "add", this.#named(name));
    this.#namespaces.push(this.#named(name));
    ip("-n", this.#named(name), "link", "set", "lo", "up");
  }

  #named(name: string): string {
    return `${this.#prefix}-${name}`;
  }

  #close(): void {
    for (const child of this.#children) child.kill("SIGKILL"); // ip has become the program it started
    for (const namespace of this.#namespaces.splice(0)) spawnSync("ip", ["netns", "delete", namespace]);
  }
}

export class Box {
  readonly lines: Line[] = [];
  readonly #child: ChildProcess;
  readonly #started = performance.now();

  constructor(child: ChildProcess) {
    this.#child = child;
    if (child.stdout !== null) createInterface({ input: child.stdout }).on("line", (line) => this.lines.push(JSON.parse(line)));
  }

  tell(command: string): void {
    this.#child.stdin?.write(`${command}\n`);
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /** Waits for a line that has all of this; returns it, and how long that was after `since`, by default the start of the box. */
  async prints(wanted: Line, since = this.#started): Promise<{ readonly value: Line; readonly seconds: number }> {
    const hasAll = (line: Line): boolean => isSubset(Object.entries(wanted), new Map(Object.entries(line)));
    return await until(JSON.stringify(wanted), 40, () => {
      const found = this.lines.find(hasAll);
      if (found === undefined) throw new Error(`only ${JSON.stringify(this.lines)}`);
      return found;
    }, since);
  }
}

const isSubset = (wanted: readonly (readonly [string, unknown])[], line: ReadonlyMap<string, unknown>): boolean =>
  wanted.every(([key, value]) => line.get(key) === value);
