// A machine made from the image, as far as that can be without one: a disk with two slots in a file, a boot loader that counts tries,
// root's own script of the image, and ringboxd and its agent as they are shipped.

import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { guidOf } from "../../src/provision/partition-table.ts";
import { DIST } from "../lab/box.ts";
import { atEnd, type BuiltBox } from "./built-ring.ts";

export const whyNoSlots: string | undefined = spawnSync("sfdisk", ["--version"]).error === undefined ? undefined : "sfdisk is not installed";

const SCRIPT = join(import.meta.dirname, "../../image/tree/usr/lib/ringbox-image/update");
const MIB = 1 << 20;
const ROOT_MIB = 8;
const TYPES = process.arch === "arm64"
  ? { root: "b921b045-1df0-41c3-af44-4c6f280d3fae", verity: "df3300ce-d69f-4c92-978c-9bfb0f38d820" }
  : { root: "4f68bce3-e8cd-4db1-96e7-fbcaf984b709", verity: "2c7357ed-ebd2-46d9-aec1-23d437ec2bf5" };
/** A version that cannot prove itself is given so long, seconds. */
const BROKEN_WITHIN = 20;
/** And one that can, however slow this machine is. */
const PROVED_WITHIN = 180;

export const ARCHITECTURE = process.arch === "arm64" ? "arm64" : "x86-64";
export const rootHashOf = (version: string): string => createHash("sha256").update(version).digest("hex");

/** The parts of a version as files; some megabytes, so that there is something to fetch. */
export function makeParts(directory: string, version: string): { readonly verity: string; readonly root: string; readonly kernel: string } {
  mkdirSync(directory, { recursive: true });
  const part = (name: string, bytes: number): string => {
    const path = join(directory, `${version}.${name}`);
    writeFileSync(path, Buffer.alloc(bytes, `${name} of ${version}; `));
    return path;
  };
  return { verity: part("verity", 100_000), root: part("root", 6 * MIB), kernel: part("kernel", 300_000) };
}

export class SlottedMachine {
  readonly box: BuiltBox;
  readonly disk: string;
  readonly boot: string;
  /** Versions that were started, in order. */
  readonly starts: string[] = [];
  readonly #directory: string;
  /** Versions whose ringboxd ends as soon as it starts. */
  readonly #broken: ReadonlySet<string>;
  #agent: ChildProcess | undefined;
  #over = false;
  #isOff = true;

  constructor(t: TestContext, box: BuiltBox, version: string, broken: readonly string[]) {
    this.box = box;
    this.#broken = new Set(broken);
    this.#directory = `${box.dataDirectory}-machine`;
    this.disk = join(this.#directory, "disk");
    this.boot = join(this.#directory, "EFI");
    for (const name of ["EFI", "agent", "bin", "kept", "slots"]) mkdirSync(join(this.#directory, name), { recursive: true });
    this.#flash(version);
    symlinkSync(join(DIST, "ringbox"), join(this.#directory, "bin/ringbox"));
    this.#program("systemd-bless-boot", `cat ${this.#path("blessed")}`);
    this.#program("systemctl", "exit 0");
    this.#program("reboot-now", `touch ${this.#path("reboot")}`);
    atEnd(t, () => this.#end());
    void this.#live();
  }

  get slot(): ReadonlyMap<string, string> {
    const text = existsSync(this.#path("slots/slot")) ? readFileSync(this.#path("slots/slot"), "utf8") : "";
    return new Map(text.trim().split("\n").map((line): [string, string] => [line.split("=")[0] ?? "", line.split("=")[1] ?? ""]));
  }
  /** Whether it is between two starts, or its version has not proved itself yet. */
  get isAway(): boolean {
    return this.#isOff || this.slot.get("good") !== "yes";
  }
  get diskHash(): string {
    return createHash("sha256").update(readFileSync(this.disk)).digest("hex");
  }
  get entries(): readonly string[] {
    return readdirSync(this.boot).toSorted();
  }
  get agentLog(): string {
    return readFileSync(this.#path("agent.log"), "utf8");
  }

  #path(name: string): string {
    return join(this.#directory, name);
  }

  /** Power, and then what root and firmware do, until the test is over. */
  async #live(): Promise<void> {
    while (!this.#over) {
      const version = this.#choose();
      this.starts.push(version);
      await this.#run(version);
      this.#isOff = true;
      this.#agent?.kill("SIGKILL");
      await this.box.kill();
    }
  }

  /** As systemd-boot does: the newest that has tries left; a try is counted before it begins. */
  #choose(): string {
    const entries = readdirSync(this.boot).flatMap((name) => {
      const [, version, left, done] = /^ringbox_([0-9.]+?)(?:\+(\d+)(?:-(\d+))?)?\.efi$/.exec(name) ?? [];
      return version === undefined ? [] : [{ name, version, left: left === undefined ? undefined : Number(left), done: Number(done ?? 0) }];
    });
    const usable = entries.filter(({ left }) => left !== 0).toSorted((a, b) => (a.version < b.version ? 1 : -1));
    const [chosen] = usable;
    assert(chosen !== undefined, `nothing can be started: ${entries.map(({ name }) => name).join(", ")}`);
    if (chosen.left !== undefined) renameSync(join(this.boot, chosen.name), join(this.boot, `ringbox_${chosen.version}+${chosen.left - 1}-${chosen.done + 1}.efi`));
    writeFileSync(this.#path("blessed"), chosen.left === undefined ? "clean\n" : "indeterminate\n");
    return chosen.version;
  }

  /** One start of the machine, until it starts anew. */
  async #run(version: string): Promise<void> {
    writeFileSync(this.#path("os-release"), `IMAGE_VERSION=${version}\n`);
    for (const name of ["slots", "agent"]) {
      rmSync(this.#path(name), { recursive: true });
      mkdirSync(this.#path(name));
    }
    rmSync(this.#path("reboot"), { force: true });
    this.#update("boot");
    this.#isOff = false;
    if (!this.#broken.has(version)) this.box.start();
    this.#startAgent();
    // Only a start that is counted is judged.
    let isJudged = !readdirSync(this.boot).some((name) => name.startsWith(`ringbox_${version}+`));
    if (isJudged) this.#update("kept");
    const proof = isJudged ? undefined : this.#start("prove");
    proof?.on("exit", (code) => {
      if (code !== 0) return writeFileSync(this.#path("reboot"), ""); // FailureAction=reboot
      isJudged = true;
      this.#bless(version);
    });
    while (!this.#over && !existsSync(this.#path("reboot"))) {
      if (existsSync(this.#path("agent/update-wish"))) await new Promise((done) => this.#start("wish").on("exit", done));
      await pause(50);
    }
    if (!isJudged) proof?.kill("SIGKILL");
  }

  #bless(version: string): void {
    const counted = readdirSync(this.boot).find((name) => name.startsWith(`ringbox_${version}+`));
    if (counted !== undefined) renameSync(join(this.boot, counted), join(this.boot, `ringbox_${version}.efi`));
    writeFileSync(this.#path("blessed"), "good\n");
    this.#update("kept");
  }

  #startAgent(): void {
    const log = openSync(this.#path("agent.log"), "a");
    this.#agent = spawn(join(DIST, "ringbox-agent"), ["--data", this.box.dataDirectory, "--listen", this.box.address, "--slots", this.#path("slots")], {
      stdio: ["ignore", log, log], env: { ...process.env, RUNTIME_DIRECTORY: this.#path("agent") },
    });
    closeSync(log);
  }

  #update(what: string): void {
    const done = spawnSync("sh", [SCRIPT, what], { encoding: "utf8", env: this.#environment() });
    assert.equal(done.status, 0, done.stdout + done.stderr);
  }
  #start(what: string): ChildProcess {
    const log = openSync(this.#path("root.log"), "a");
    const child = spawn("sh", [SCRIPT, what], { stdio: ["ignore", log, log], env: this.#environment() });
    closeSync(log);
    return child;
  }

  #environment(): NodeJS.ProcessEnv {
    const version = this.starts.at(-1) ?? "";
    return {
      RINGBOX_PATH: `${this.#path("bin")}:/usr/sbin:/usr/bin:/sbin:/bin`, RINGBOX_RUN: this.#path("slots"), RINGBOX_WISH: this.#path("agent/update-wish"), RINGBOX_DATA: this.box.dataDirectory,
      RINGBOX_KEPT: this.#path("kept"), RINGBOX_RELEASE: this.#path("os-release"), RINGBOX_DISK: this.disk, RINGBOX_BOOT: this.boot,
      RINGBOX_RUNNING: rootHashOf(version), RINGBOX_REBOOT: "reboot-now", RINGBOX_BOOT_ID: `boot-${this.starts.length}`, RINGBOX_WITHIN: String(this.#broken.has(version) ? BROKEN_WITHIN : PROVED_WITHIN),
    };
  }

  #program(name: string, text: string): void {
    writeFileSync(this.#path(`bin/${name}`), `#!/bin/sh\n${text}\n`);
    chmodSync(this.#path(`bin/${name}`), 0o755);
  }

  #flash(version: string): void {
    writeFileSync(this.disk, "");
    truncateSync(this.disk, (8 + 2 * ROOT_MIB) * MIB);
    const hash = rootHashOf(version);
    const slot = (name: string, type: string, uuid: string, mib: number): string => `size=${mib}MiB, type=${type}, uuid=${uuid}, name=${name}`;
    const empty = rootHashOf("nothing yet");
    const lines = [
      "label: gpt", "first-lba: 2048", "size=1MiB, type=c12a7328-f81f-11d2-ba4b-00a0c93ec93b, name=ringbox-esp",
      slot(`ringbox_${version}_verity`, TYPES.verity, guidOf(hash.slice(32)), 1), slot(`ringbox_${version}_root`, TYPES.root, guidOf(hash.slice(0, 32)), ROOT_MIB),
      slot("_empty", TYPES.verity, guidOf(empty.slice(32)), 1), slot("_empty", TYPES.root, guidOf(empty.slice(0, 32)), ROOT_MIB),
    ];
    const made = spawnSync("sfdisk", ["--quiet", this.disk], { input: `${lines.join("\n")}\n`, encoding: "utf8" });
    assert.equal(made.status, 0, made.stderr);
    writeFileSync(join(this.boot, `ringbox_${version}.efi`), `kernel of ${version}`);
  }

  async #end(): Promise<void> {
    this.#over = true;
    this.#agent?.kill("SIGKILL");
    await this.box.kill();
  }
}
