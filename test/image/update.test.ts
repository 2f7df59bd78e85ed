// A box made from the image is brought to another version by its ring while it runs and phones talk, and falls back from one that
// does not work. The others of the ring run on this machine.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test, type TestContext } from "node:test";
import { type Architecture, projectVersion } from "../../image/programs.ts";
import { run } from "../../image/steps.ts";
import { Agent } from "../lab/agent.ts";
import { type Box, DIST } from "../lab/box.ts";
import { account, Lab } from "../lab/lab.ts";
import { whyNoLab, whyNotInstalled } from "../lab/network.ts";
import { Baresip } from "../lab/phones/baresip.ts";
import { until } from "../lab/until.ts";
import { atEnd } from "../support/built-ring.ts";
import { RecordedDisk } from "../support/power-cut/recorded-disk.ts";
import { CONFIG_OFFSET, stampedImage } from "./boxes.ts";
import { anywhere, cutOnce, judgeCuts, type RecordedMachine, whereNamesChange } from "./judge-cuts.ts";
import { VirtualMachine, whyNoMachine } from "./machine.ts";
import { versionOfImage } from "./next-start.ts";
import { BROKEN, bundleOf, versionOfBundle } from "./other-versions.ts";

/** Seconds, each far above what it takes. */
const BOOT = 900;
const UPDATED = 1_500;
const RETURNED = 2_700;
/** Half of them anywhere in the update, half where names change on the disk. */
const CUTS = 200;
const whySkip = (architecture: Architecture): string | false =>
  process.env["RINGBOX_IMAGE_FULL"] === "1" ? (whyNoMachine(architecture) ?? whyNoLab() ?? whyNotInstalled("baresip") ?? false) : "in full with npm run test:image";
const ADDRESS = "10.200.0.51";
/** Under which its phones know it. */
const SERVICE_ADDRESS = "10.200.0.61";
const SERVING = /ringbox: serving [0-9.]+ s after power-on/;

suite("an update of a box made from the image", { skip: whySkip("x86-64"), timeout: 14_400_000 }, () => {
  test("comes over the ring while phones talk, proves itself and stays; cut anywhere, the machine starts again as the box it was", async (t) => {
    const { lab, users, directory, image, key, machineOf } = await ring(t, "x86-64");
    const bundle = bundleOf("x86-64", directory, "0.2.0", key);
    const versions = [versionOfImage(image), versionOfBundle(bundle, lab.ticket)];
    const machine = machineOf("box", image, (disk) => `file=nbd+unix:///?socket=${disk}.nbd,cache=writeback`);
    const disk = new RecordedDisk(machine.disk);
    atEnd(t, () => disk.close());
    await disk.listen();
    const diskBytes = statSync(machine.disk).size;
    machine.start();
    t.diagnostic(await machine.says(SERVING, BOOT));
    const servingAt = disk.operations.length;
    await lab.oneRing(120, { boxes: lab.boxes, count: 3 });
    const pair = await phones(lab, users);
    const beganAt = disk.operations.length;
    let keptAt = 0;
    await isUpdated(t, { lab, machine, bundle, directory, phones: pair, kept: () => { keptAt = disk.operations.length; } });
    await machine.kill();

    assert.equal(disk.failure, undefined);
    const recorded = { operations: disk.operations, logFile: disk.logFile, image, diskBytes, directory, servingAt };
    const points = [...anywhere(beganAt, recorded.operations.length, CUTS / 2), ...whereNamesChange(recorded, beganAt, recorded.operations.length, CUTS / 2)].sort((a, b) => a - b);
    t.diagnostic(`power cuts, from ${beganAt} on, kept by ${keptAt}: ${judgeCuts(recorded, { points, versions, onState: ({ rows, version }, after) => {
      assert.ok(rows > 0, `the subscribers are gone after ${after}`);
      if (after >= keptAt) assert.equal(version, "0.2.0", `after ${after}`);
    } })}`);
    for (const [i, after] of started(recorded, beganAt).entries()) await startsAgain(t, machineOf, recorded, after, i);
  });

  test("that does not work is left again by itself after three starts, and stops the roll-out, however it is broken", async (t) => {
    const { lab, users, directory, image, key, machineOf } = await ring(t, "x86-64");
    const bundles = Object.entries(BROKEN).map(([what, change], i) => ({ what, version: `0.${i + 3}.0`, bundle: bundleOf("x86-64", directory, `0.${i + 3}.0`, key, change) }));
    const machine = machineOf("box", image);
    machine.start();
    t.diagnostic(await machine.says(SERVING, BOOT));
    await lab.oneRing(120, { boxes: lab.boxes, count: 3 });
    const { caller, callee } = await phones(lab, users);
    for (const { what, version, bundle } of bundles) {
      const [since, from] = [performance.now(), machine.lines.length];
      const file = join(directory, `${version}.txt`);
      assert.equal(await update(lab.box(1), bundle, file, RETURNED), 1, `${what}\n${readFileSync(file, "utf8")}\n${machine.lastWords}`);
      assert.match(readFileSync(file, "utf8"), new RegExp(`the update was stopped: version ${version.replaceAll(".", "\\.")} did not prove itself, and ${projectVersion().replaceAll(".", "\\.")} runs again`), what);
      const starts = machine.lines.slice(from).filter(({ text }) => /BdsDxe: starting/.test(text)).length;
      t.diagnostic(`${what}: left again after ${((performance.now() - since) / 1_000).toFixed(0)} s; the machine started ${starts} times`);
      assert.equal(starts, 4, "three tries, and back");
      await lab.oneRing(300, { boxes: lab.boxes, count: 3 });
      await canBeCalled(caller, callee);
    }
  });
});

suite("an update of an arm64 box made from the image", { skip: whySkip("arm64"), timeout: 7_200_000 }, () => {
  test("comes over a ring of x86-64 boxes while phones talk, proves itself and stays", async (t) => {
    const { lab, users, directory, image, key, machineOf } = await ring(t, "arm64");
    const bundle = bundleOf("arm64", directory, "0.2.0", key);
    const machine = machineOf("box", image);
    machine.start();
    t.diagnostic(await machine.says(SERVING, BOOT));
    await lab.oneRing(120, { boxes: lab.boxes, count: 3 });
    await isUpdated(t, { lab, machine, bundle, directory, phones: await phones(lab, users) });
  });
});

/** Two boxes of this machine, and an image that will be the third. */
async function ring(t: TestContext, architecture: Architecture) {
  const directory = mkdtempSync(join(tmpdir(), "ringbox-test-"));
  atEnd(t, () => rmSync(directory, { recursive: true, force: true }));
  const lab = await Lab.make({ boxes: 2, phones: 2 }, (line) => t.diagnostic(line));
  atEnd(t, () => lab.network.close());
  const image = stampedImage(architecture, directory, lab.ticket);
  writeFileSync(join(directory, "ringbox.conf"), `address = ${ADDRESS}/24\nservice-address = ${SERVICE_ADDRESS}\n`);
  run("mcopy", ["-o", "-i", `${image}@@${CONFIG_OFFSET}`, join(directory, "ringbox.conf"), "::ringbox.conf"]);
  await lab.start();
  const users = await lab.subscribe(lab.box(1), "20", 2);
  const agents = lab.boxes.map((box) => new Agent(box));
  assert.equal(agents.length, 2);
  const cable = lab.network.addMachine("v1");
  const machineOf = (name: string, from: string, drive?: (disk: string) => string): VirtualMachine => {
    const machine = new VirtualMachine({ name, architecture, image: from, directory, ...cable, memoryMib: 768, ...(drive === undefined ? {} : { drive: drive(join(directory, `${name}.raw`)) }) });
    atEnd(t, () => machine.kill());
    return machine;
  };
  return { lab, users, directory, image, key: join(lab.network.directory, "fleet/update.key"), machineOf };
}

/** The callee hangs on the box that is updated. */
async function phones(lab: Lab, [first, second]: Awaited<ReturnType<Lab["subscribe"]>>): Promise<{ readonly caller: Baresip; readonly callee: Baresip }> {
  assert(first !== undefined && second !== undefined);
  const caller = await Baresip.start(lab.phoneHost(1), account(first, lab.box(1)));
  const callee = await Baresip.start(lab.phoneHost(2), { ...account(second, lab.box(1)), box: SERVICE_ADDRESS });
  for (const phone of [caller, callee]) await until("the phone is registered", 300, () => phone.register());
  return { caller, callee };
}

interface Updating {
  readonly lab: Lab;
  readonly machine: VirtualMachine;
  readonly bundle: string;
  readonly directory: string;
  readonly phones: { readonly caller: Baresip; readonly callee: Baresip };
  /** When the version has been marked good. */
  readonly kept?: () => void;
}

/** Brought to 0.2.0 from another box, while a call goes on that was made through it. */
async function isUpdated(t: TestContext, { lab, machine, bundle, directory, phones: { caller, callee }, kept = () => undefined }: Updating): Promise<void> {
  const called = await caller.call(callee.aor, 30);
  assert(called.answered, called.answered ? "" : called.reason);
  const began = performance.now();
  const file = join(directory, "said.txt");
  assert.equal(await update(lab.box(1), bundle, file, UPDATED), 0, `${readFileSync(file, "utf8")}\n${machine.lastWords}`);
  t.diagnostic(`from ${projectVersion()} to 0.2.0 in ${((performance.now() - began) / 1_000).toFixed(0)} s`);
  await machine.says(/version 0\.2\.0 stays/, 60);
  kept();
  await caller.talkingWith(callee.aor, 1);
  await callee.talkingWith(caller.aor, 1);
  await caller.hangUp();
  await callee.idle();
  await canBeCalled(caller, callee);
}

/** A phone whose REGISTER a busy box has put off (503 with Retry-After) comes again. */
async function canBeCalled(caller: Baresip, callee: Baresip): Promise<void> {
  await until("the phone is registered again", 120, () => callee.register());
  const called = await caller.call(callee.aor, 30);
  assert(called.answered, called.answered ? "" : called.reason);
  await caller.hangUp();
  await callee.idle();
}

/** Of the cuts these are started: in the middle of the slot, where the second table is written, and where the boot is marked good. */
function started(recorded: RecordedMachine, from: number): readonly number[] {
  const names = whereNamesChange(recorded, from, recorded.operations.length, CUTS);
  return [from + Math.floor(((names.at(-1) ?? from) - from) / 2), names.at(-1) ?? from];
}

async function startsAgain(t: TestContext, machineOf: (name: string, image: string) => VirtualMachine, recorded: RecordedMachine, after: number, i: number): Promise<void> {
  const file = join(recorded.directory, "cut.raw");
  cutOnce(recorded, after, i, file);
  const again = machineOf(`cut-${i}`, file);
  rmSync(file);
  again.start();
  t.diagnostic(`cut after ${after} of ${recorded.operations.length}: ${await again.says(SERVING, BOOT)}`);
  await again.kill();
  rmSync(again.disk);
}

/** `ringbox update` at a box until it ends: its exit status. */
async function update(box: Box, bundle: string, file: string, seconds: number): Promise<number | null> {
  const log = openSync(file, "a");
  const program = spawn(join(DIST, "ringbox"), ["--data", box.dataDirectory, "update", bundle], { stdio: ["ignore", log, log] });
  await until("the update is over", seconds, () => assert(program.exitCode !== null || program.signalCode !== null, readFileSync(file, "utf8")));
  return program.exitCode;
}
