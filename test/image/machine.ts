// A virtual machine that starts an image as a real one would: UEFI, a disk, a network, a serial line, a screen.

import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { until } from "../lab/until.ts";
import { run } from "../../image/steps.ts";
import type { Architecture } from "../../image/programs.ts";

interface Kind {
  readonly program: string;
  readonly machine: readonly string[];
  readonly code: string;
  readonly variables: string;
}
const KINDS: Readonly<Record<Architecture, Kind>> = {
  "x86-64": {
    program: "qemu-system-x86_64",
    machine: ["-machine", "q35", "-cpu", "max", "-device", "VGA", "-device", "i6300esb"],
    code: "/usr/share/OVMF/OVMF_CODE_4M.fd",
    variables: "/usr/share/OVMF/OVMF_VARS_4M.fd",
  },
  arm64: {
    program: "qemu-system-aarch64",
    machine: ["-machine", "virt", "-cpu", "cortex-a72", "-device", "virtio-gpu-pci", "-device", "i6300esb"],
    code: "/usr/share/AAVMF/AAVMF_CODE.fd",
    variables: "/usr/share/AAVMF/AAVMF_VARS.fd",
  },
};

/** Why no such machine can be run here; `undefined` if it can. */
export function whyNoMachine(architecture: Architecture): string | undefined {
  const { program, code } = KINDS[architecture];
  if (process.getuid?.() !== 0) return "only root may make an image";
  if (spawnSync(program, ["--version"]).error !== undefined) return `${program} is not installed`;
  if (!existsSync(code)) return `${code} is not installed (the UEFI of the machine)`;
  return undefined;
}

export interface MachineSettings {
  readonly name: string;
  readonly architecture: Architecture;
  /** The image; it is copied to a disk of DISK_GB. */
  readonly image: string;
  readonly directory: string;
  /** What qemu gets for the network. */
  readonly network: readonly string[];
  readonly memoryMib?: number;
  /** Runs the emulator where its network is. */
  readonly command?: readonly string[];
  /** Appended to the kernel's command line, as an operator might in the firmware of a virtual machine. */
  readonly kernelArguments?: readonly string[];
  /** What qemu gets for the disk in place of the copy of the image. */
  readonly drive?: string;
  readonly more?: readonly string[];
}

const DISK_GB = 4;
/**
 * The emulator keeps what it has translated, by address, and throws all of it away when there is no room. What a box runs in its first
 * minutes comes to about a gibibyte; with half of one it was thrown away every quarter of a minute, and a box was too slow to prove
 * itself. The same addresses in all processes let one use what was translated for another.
 */
const TRANSLATED_MIB = 2_000;
const SHARED_CODE = "norandmaps";
// Colours and cursor movements of firmware and kernel.
const ESCAPES = new RegExp(`${String.fromCharCode(27)}(?:\\[[0-9;?=]*[A-Za-z]|[=>()][0-9A-B]?|c)|\\r`, "g");

export class VirtualMachine {
  readonly name: string;
  readonly disk: string;
  readonly #settings: MachineSettings;
  readonly #variables: string;
  #program: ChildProcess | undefined;
  #startedAt = 0;
  #unfinished = "";
  /** What came over the serial line since power-on, with the second at which each line was whole. */
  lines: { readonly at: number; readonly text: string }[] = [];

  constructor(settings: MachineSettings) {
    const { name, directory, image } = settings;
    this.#settings = settings;
    this.name = name;
    this.disk = join(directory, `${name}.raw`);
    this.#variables = join(directory, `${name}.variables`);
    run("cp", ["--sparse=always", image, this.disk]);
    truncateSync(this.disk, DISK_GB * 2 ** 30);
    copyFileSync(KINDS[settings.architecture].variables, this.#variables);
  }

  /** Power on. */
  start(): void {
    const { architecture, network, memoryMib = 768, command = [], kernelArguments = [], drive = `file=${this.disk},cache=unsafe,discard=unmap`, more = [] } = this.#settings;
    const { program, machine, code } = KINDS[architecture];
    this.lines = [];
    this.#startedAt = performance.now();
    rmSync(this.#monitor, { force: true });
    const smbios = ["-smbios", `type=11,value=io.systemd.stub.kernel-cmdline-extra=${[SHARED_CODE, ...kernelArguments].join(" ")}`];
    this.#program = spawn("nice", ["-n", "5", ...command, program,
      "-accel", `tcg,thread=multi,tb-size=${TRANSLATED_MIB}`, ...machine, "-smp", "2", "-m", String(memoryMib), "-display", "none", "-nodefaults", "-no-user-config",
      "-drive", `if=pflash,format=raw,readonly=on,file=${code}`, "-drive", `if=pflash,format=raw,file=${this.#variables}`,
      "-drive", `if=none,id=disk,format=raw,${drive}`, "-device", "virtio-blk-pci,drive=disk,bootindex=1",
      "-device", "virtio-rng-pci", "-serial", "stdio", "-monitor", "none", "-qmp", `unix:${this.#monitor},server=on,wait=off`, ...network, ...smbios, ...more,
    ], { stdio: ["ignore", "pipe", "pipe"] });
    this.#unfinished = "";
    const take = (bytes: Buffer): void => {
      const parts = (this.#unfinished + bytes.toString("utf8")).split("\n");
      this.#unfinished = parts.pop() ?? "";
      for (const part of parts) this.lines.push({ at: this.seconds, text: part.replaceAll(ESCAPES, "").trimEnd() });
    };
    this.#program.stdout?.on("data", take);
    this.#program.stderr?.on("data", take);
  }

  /** Since power-on. */
  get seconds(): number {
    return (performance.now() - this.#startedAt) / 1_000;
  }

  /** The first line of the console that matches, be it a prompt that has no end; waited for. */
  async says(what: RegExp, seconds: number): Promise<string> {
    let found = "";
    await until(`${this.name} says ${what}`, seconds, () => {
      found = [...this.lines.map(({ text }) => text), this.#unfinished].find((text) => what.test(text)) ?? "";
      assert.ok(found !== "", `last words:\n${this.lastWords}`);
    });
    return found;
  }

  get lastWords(): string {
    return this.lines.slice(-25).map(({ at, text }) => `[${at.toFixed(1)}] ${text}`).join("\n");
  }

  /** A picture of the screen, PNG or PPM. */
  async screenshot(file: string): Promise<void> {
    await this.#ask("screendump", { filename: file, format: file.endsWith(".png") ? "png" : "ppm" });
  }

  /** A network cable, by what qemu calls it, is pulled or put back. */
  async plug(cable: string, isIn: boolean): Promise<void> {
    await this.#ask("set_link", { name: cable, up: isIn });
  }

  /** A key of its keyboard is held; `key`: as qemu calls it. */
  async hold(key: string, milliseconds: number): Promise<void> {
    await this.#ask("send-key", { keys: [{ type: "qcode", data: key }], "hold-time": milliseconds });
  }

  /** The plug is pulled. */
  async kill(): Promise<void> {
    const program = this.#program;
    if (program === undefined) return;
    // `nice` and `ip` have become qemu: it is the same process.
    program.kill("SIGKILL");
    await until(`${this.name} is off`, 20, () => assert.ok(program.exitCode !== null || program.signalCode !== null));
  }

  /** Largest resident size of the emulator, MiB. */
  get emulatorMib(): number {
    const status = readFileSync(`/proc/${this.#program?.pid}/status`, "latin1");
    return Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1_024);
  }

  get #monitor(): string {
    return `${this.disk}.qmp`;
  }

  #ask(command: string, parameters: object): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.#monitor);
      let heard = "";
      socket.on("error", reject);
      socket.on("connect", () => socket.write(`{"execute":"qmp_capabilities"}\n${JSON.stringify({ execute: command, arguments: parameters, id: "asked" })}\n`));
      socket.on("data", (bytes) => {
        heard += bytes.toString();
        if (!heard.includes('"asked"')) return;
        socket.end();
        if (heard.includes('"error"')) reject(new Error(heard));
        else resolve();
      });
    });
  }
}

/** A network of its own behind qemu, with DHCP and no way out; these TCP ports of this machine lead to the box's. */
export const userNetwork = (ports: { readonly sip: number; readonly page: number }): readonly string[] => [
  "-netdev", `user,id=lan,restrict=on,hostfwd=tcp:127.0.0.1:${ports.sip}-:5060,hostfwd=tcp:127.0.0.1:${ports.page}-:80`,
  "-device", "virtio-net-pci,netdev=lan,romfile=",
];
