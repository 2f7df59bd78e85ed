// A LAN made of network namespaces: one namespace holds the switch (a bridge for each part of a cut
// network), each host has its own with one cable to it. Multicast passes; there is no way out and no default route.
// A dead run's leftovers are removed by the next.

import { type ChildProcess, type SpawnSyncReturns, spawn, spawnSync } from "node:child_process";
import { closeSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const FAMILY = "ringbox-lab";
/** A file that says that a directory is to stay. */
const KEPT = "kept";

/** Why no lab can be made on this machine, or `undefined` if one can. */
export function whyNoLab(): string | undefined {
  if (process.platform !== "linux") return "network namespaces need Linux";
  if (process.getuid?.() !== 0) return "making network namespaces needs root";
  if (spawnSync("ip", ["-V"]).status !== 0) return "the program ip (Debian package iproute2) is not here";
  const trial = `${FAMILY}-${process.pid}-trial`;
  const made = spawnSync("ip", ["netns", "add", trial], { encoding: "utf8" });
  spawnSync("ip", ["netns", "delete", trial]);
  return made.status === 0 ? undefined : `network namespaces cannot be made here: ${made.stderr.trim()}`;
}

/** Which of these programs is not installed, as a reason to skip. */
export function whyNotInstalled(...programs: readonly string[]): string | undefined {
  const missing = programs.filter((program) => spawnSync("which", [program]).status !== 0);
  return missing.length === 0 ? undefined : `not installed: ${missing.join(", ")} (npm test as root installs it)`;
}

function ip(parameters: readonly string[], lines?: readonly string[]): void {
  const all = lines === undefined ? parameters : [...parameters, "-batch", "-"];
  const done = spawnSync("ip", all, { encoding: "utf8", input: lines?.join("\n") ?? "" });
  if (done.status !== 0) throw new Error(`ip ${all.join(" ")}: ${done.stderr.trim()}\n${lines?.join("\n") ?? ""}`);
}

function namespaces(prefix: string): readonly string[] {
  const listed = spawnSync("ip", ["netns", "list"], { encoding: "utf8" }).stdout;
  const names = listed.split("\n").map((line) => line.split(" ")[0] ?? "");
  return names.filter((name) => name.startsWith(prefix));
}

function processesIn(namespace: string): readonly number[] {
  const listed = spawnSync("ip", ["netns", "pids", namespace], { encoding: "utf8" }).stdout;
  return listed.split("\n").filter((line) => line !== "").map(Number);
}

function signal(process_: number, name: NodeJS.Signals): void {
  try {
    process.kill(process_, name);
  } catch (error) {
    if (!isNoSuchProcess(error)) throw error;
  }
}

function isNoSuchProcess(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ESRCH";
}

/** A zombie, which still has its number, has no command line any more. */
function isAlive(process_: number): boolean {
  try {
    return readFileSync(`/proc/${process_}/cmdline`).length > 0;
  } catch {
    return false; // no such process
  }
}

/** Ends what runs in the namespaces and deletes them. */
function removeNamespaces(names: readonly string[]): void {
  for (const name of names) for (const running of processesIn(name)) signal(running, "SIGKILL");
  for (const name of names) spawnSync("ip", ["netns", "delete", name]);
}

/** Removes what is left of labs whose process is gone. */
export function removeLeftovers(): void {
  const isLeft = (name: string): boolean => !isAlive(Number(name.slice(FAMILY.length + 1).split("-")[0]));
  removeNamespaces(namespaces(`${FAMILY}-`).filter(isLeft));
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith(`${FAMILY}-`) && isLeft(entry))) {
    const directory = join(tmpdir(), name);
    if (!existsSync(join(directory, KEPT))) rmSync(directory, { recursive: true, force: true });
  }
}

const open = new Set<Network>();
let serial = 0;

function closeAll(): void {
  for (const network of [...open]) network.close();
}

function watchForTheEnd(): void {
  process.once("exit", closeAll);
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(name, () => {
      closeAll();
      process.exit(1);
    });
  }
}

export type Family = "IPv4" | "IPv6";

/** One LAN with its hosts and a directory for what they write. */
export class Network {
  /** Removed with the network, unless RINGBOX_LAB_KEEP is set. */
  readonly directory: string;
  readonly hosts: Host[] = [];
  private readonly prefix: string;
  private readonly switchNamespace: string;
  private bridges = 0;

  private readonly families: readonly Family[];

  constructor(families: readonly Family[] = ["IPv4"]) {
    this.families = families;
    removeLeftovers();
    if (open.size === 0 && serial === 0) watchForTheEnd();
    serial += 1;
    this.prefix = `${FAMILY}-${process.pid}-${serial}`;
    this.switchNamespace = `${this.prefix}-switch`;
    this.directory = mkdtempSync(join(tmpdir(), `${this.prefix}-`));
    open.add(this);
    ip(["netns", "add", this.switchNamespace]);
    this.bridge(0);
  }

  /** A new host with a cable to the switch, addresses 10.200.0.`number` and fd00:200::`number`. Names are short: `b1`, `p3`. */
  addHost(name: string, number: number): Host {
    const namespace = `${this.prefix}-${name}`;
    const addresses = { IPv4: `10.200.0.${number}`, IPv6: `fd00:200::${number}` };
    const has = (family: Family): boolean => this.families.includes(family);
    const host = new Host(this, name, namespace, has("IPv4") ? addresses.IPv4 : addresses.IPv6, addresses.IPv6);
    ip(["netns", "add", namespace]);
    ip(["-n", namespace], [
      `link add eth0 type veth peer name ${name} netns ${this.switchNamespace}`,
      ...(has("IPv4") ? [`addr add ${addresses.IPv4}/24 broadcast 10.200.0.255 dev eth0`] : []),
      ...(has("IPv6") ? [`addr add ${addresses.IPv6}/64 dev eth0 nodad`] : []),
      "link set lo up",
      "link set eth0 up",
    ]);
    this.atSwitch(`link set ${name} master br0`, `link set ${name} up`);
    this.hosts.push(host);
    return host;
  }

  /** A cable for a virtual machine: arguments for qemu, which has to run by `command`. */
  addMachine(name: string): { readonly command: readonly string[]; readonly network: readonly string[] } {
    this.atSwitch(`tuntap add dev ${name} mode tap`, `link set ${name} master br0`, `link set ${name} up`);
    return {
      command: ["ip", "netns", "exec", this.switchNamespace],
      network: ["-netdev", `tap,id=lan,ifname=${name},script=no,downscript=no`, "-device", "virtio-net-pci,netdev=lan,romfile="],
    };
  }

  /** Cuts the LAN into parts that do not hear each other. Hosts in no part stay with the first. */
  partition(...parts: readonly (readonly Host[])[]): void {
    this.heal();
    const later = parts.slice(1).flatMap((part, index) => {
      const bridge = this.bridge(index + 1);
      return part.map((host) => `link set ${host.name} master ${bridge}`);
    });
    this.atSwitch(...later);
  }

  /** Everybody hears everybody again. */
  heal(): void {
    this.atSwitch(...this.hosts.map((host) => `link set ${host.name} master br0`));
  }

  /** Commands of `ip` in the namespace of the switch. */
  atSwitch(...lines: readonly string[]): void {
    ip(["-n", this.switchNamespace], lines);
  }

  /** Ends everything that runs in the network and removes it. */
  close(): void {
    if (!open.delete(this)) return;
    removeNamespaces(namespaces(`${this.prefix}-`));
    if (process.env["RINGBOX_LAB_KEEP"] === undefined) rmSync(this.directory, { recursive: true, force: true });
    else writeFileSync(join(this.directory, KEPT), "by RINGBOX_LAB_KEEP\n");
  }

  /** Makes bridge number `index` if it is not there. */
  private bridge(index: number): string {
    for (; this.bridges <= index; this.bridges += 1) {
      // With snooping the bridge would forward multicast only where somebody joined, and forget.
      this.atSwitch(`link add br${this.bridges} type bridge mcast_snooping 0 stp_state 0`, `link set br${this.bridges} up`);
    }
    return `br${index}`;
  }
}

/** One machine on the LAN. */
export class Host {
  readonly name: string;
  readonly namespace: string;
  /** Of IPv4 where the network has it. */
  readonly address: string;
  readonly ipv6: string;
  readonly network: Network;

  constructor(network: Network, name: string, namespace: string, address: string, ipv6: string) {
    this.network = network;
    this.name = name;
    this.namespace = namespace;
    this.address = address;
    this.ipv6 = ipv6;
  }

  /** Where programs of the host may leave files; shared with the other hosts. */
  get directory(): string {
    return this.network.directory;
  }

  /** Starts a program on the host; what it prints goes to a file or comes through pipes. */
  start(command: readonly string[], output: { readonly file: string } | "pipe", environment: NodeJS.ProcessEnv = {}): ChildProcess {
    const parameters = ["netns", "exec", this.namespace, ...command];
    const env = { ...process.env, ...environment };
    if (output === "pipe") return spawn("ip", parameters, { stdio: "pipe", env });
    const file = openSync(output.file, "a");
    try {
      return spawn("ip", parameters, { stdio: ["ignore", file, file], env });
    } finally {
      closeSync(file);
    }
  }

  /** Runs a short program on the host to its end. */
  run(command: readonly string[]): SpawnSyncReturns<string> {
    return spawnSync("ip", ["netns", "exec", this.namespace, ...command], { encoding: "utf8" });
  }

  /** The switch drops everything from and to this host, which sees a good cable. */
  cut(): void {
    this.network.atSwitch(`link set ${this.name} nomaster`);
  }

  mend(): void {
    this.network.atSwitch(`link set ${this.name} master br0`);
  }

  /** The host sees its cable pulled. */
  unplug(): void {
    this.network.atSwitch(`link set ${this.name} down`);
  }

  plug(): void {
    this.network.atSwitch(`link set ${this.name} up`);
  }
}
