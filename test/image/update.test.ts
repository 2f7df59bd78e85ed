// A box made from the image is brought to another version by its ring while it runs and phones talk, and falls back from one that
// does not work. The others of the ring run on this machine.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test } from "node:test";
import { projectVersion } from "../../image/programs.ts";
import { ROOT, run, sourceDate } from "../../image/steps.ts";
import { Agent } from "../lab/agent.ts";
import { type Box, DIST } from "../lab/box.ts";
import { account, Lab } from "../lab/lab.ts";
import { whyNoLab, whyNotInstalled } from "../lab/network.ts";
import { Baresip } from "../lab/phones/baresip.ts";
import { until } from "../lab/until.ts";
import { atEnd } from "../support/built-ring.ts";
import { CONFIG_OFFSET, stampedImage } from "./boxes.ts";
import { VirtualMachine, whyNoMachine } from "./machine.ts";

/** Seconds, each far above what it takes. */
const BOOT = 900;
const UPDATED = 1_500;
const RETURNED = 2_700;
const skip = process.env["RINGBOX_IMAGE_FULL"] === "1" ? (whyNoMachine("x86-64") ?? whyNoLab() ?? whyNotInstalled("baresip") ?? false) : "in full with npm run test:image";
const ADDRESS = "10.200.0.51";

/** The bundle of this project as it would be in another version, perhaps with another program. */
function bundleOf(directory: string, version: string, key: string, ringboxd?: string): string {
  const project = join(directory, `project-${version}`);
  for (const name of ["src", "image", "systemd", "docs", "README.md", "package.json", "package-lock.json", "tsconfig.json"]) cpSync(join(ROOT, name), join(project, name), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(project, "node_modules"));
  for (const name of ["package.json", "src/cli/version.ts"]) {
    const text = readFileSync(join(project, name), "utf8");
    writeFileSync(join(project, name), text.replace(`"${projectVersion()}"`, `"${version}"`));
  }
  if (ringboxd !== undefined) writeFileSync(join(project, "src/ringboxd.ts"), ringboxd);
  const made = spawnSync(process.execPath, ["image/build.ts", "--arch", "x86-64", "--quick", "--bundle-key", key], { cwd: project, encoding: "utf8", env: { ...process.env, SOURCE_DATE_EPOCH: String(sourceDate()) } });
  assert.equal(made.status, 0, made.stderr);
  return join(project, `out/ringbox_${version}_x86-64.bundle`);
}

suite("an update of a box made from the image", { skip, timeout: 7_200_000 }, () => {
  test("comes over the ring while phones talk, proves itself and stays; one that does not work is left again by itself", async (t) => {
    const directory = mkdtempSync(join(tmpdir(), "ringbox-test-"));
    atEnd(t, () => rmSync(directory, { recursive: true, force: true }));
    const lab = await Lab.make({ boxes: 2, phones: 2 }, (line) => t.diagnostic(line));
    atEnd(t, () => lab.network.close());
    const image = stampedImage("x86-64", directory, lab.ticket);
    const key = join(lab.network.directory, "fleet/update.key");
    const good = bundleOf(directory, "0.2.0", key);
    const broken = bundleOf(directory, "0.3.0", key, "process.exit(1);\n");
    writeFileSync(join(directory, "ringbox.conf"), `address = ${ADDRESS}/24\n`);
    run("mcopy", ["-o", "-i", `${image}@@${CONFIG_OFFSET}`, join(directory, "ringbox.conf"), "::ringbox.conf"]);

    await lab.start();
    const agents = lab.boxes.map((box) => new Agent(box));
    assert.equal(agents.length, 2);
    const { command, network } = lab.network.addMachine("v1");
    const machine = new VirtualMachine({ name: "box", architecture: "x86-64", image, directory, network, command, memoryMib: 768 });
    atEnd(t, () => machine.kill());
    machine.start();
    t.diagnostic(await machine.says(/ringbox: serving [0-9.]+ s after power-on/, BOOT));
    await lab.oneRing(120, { boxes: lab.boxes, count: 3 });

    const users = await lab.subscribe(lab.box(1), "20", 2);
    const [first, second] = users;
    assert(first !== undefined && second !== undefined);
    const caller = await Baresip.start(lab.phoneHost(1), account(first, lab.box(1)));
    // This one hangs on the box that is updated.
    const callee = await Baresip.start(lab.phoneHost(2), { ...account(second, lab.box(1)), box: ADDRESS });
    await Promise.all([caller.register(), callee.register()]);
    const called = await caller.call(callee.aor, 30);
    assert(called.answered, called.answered ? "" : called.reason);

    const began = performance.now();
    assert.equal(await update(lab.box(1), good, join(directory, "good.txt"), UPDATED), 0, `${readFileSync(join(directory, "good.txt"), "utf8")}\n${machine.lastWords}`);
    t.diagnostic(`from ${projectVersion()} to 0.2.0 in ${((performance.now() - began) / 1_000).toFixed(0)} s`);
    assert(machine.lines.some(({ text }) => /version 0\.2\.0 stays/.test(text)), machine.lastWords);
    await caller.talkingWith(callee.aor, 1);
    await callee.talkingWith(caller.aor, 1);
    await caller.hangUp();
    await callee.idle();
    await registeredAgain(callee);
    const again = await caller.call(callee.aor, 30);
    assert(again.answered, again.answered ? "" : again.reason);
    await caller.hangUp();

    const since = performance.now();
    const from = machine.lines.length;
    assert.equal(await update(lab.box(1), broken, join(directory, "broken.txt"), RETURNED), 1);
    const said = readFileSync(join(directory, "broken.txt"), "utf8");
    assert.match(said, /the update was stopped: version 0\.3\.0 did not prove itself, and 0\.2\.0 runs again/, `${said}\n${machine.lastWords}`);
    const starts = machine.lines.slice(from).filter(({ text }) => /BdsDxe: starting/.test(text)).length;
    t.diagnostic(`back from 0.3.0 after ${((performance.now() - since) / 1_000).toFixed(0)} s; the machine started ${starts} times`);
    await lab.oneRing(300, { boxes: lab.boxes, count: 3 });
    await registeredAgain(callee);
    const last = await caller.call(callee.aor, 30);
    assert(last.answered, last.answered ? "" : last.reason);
  });
});

/** A phone whose REGISTER a busy box has put off (503 with Retry-After) comes again. */
const registeredAgain = (phone: Baresip): Promise<unknown> => until("the phone is registered again", 120, () => phone.register());

/** `ringbox update` at a box until it ends: its exit status. */
async function update(box: Box, bundle: string, file: string, seconds: number): Promise<number | null> {
  const log = openSync(file, "a");
  const program = spawn(join(DIST, "ringbox"), ["--data", box.dataDirectory, "update", bundle], { stdio: ["ignore", log, log] });
  await until("the update is over", seconds, () => assert(program.exitCode !== null || program.signalCode !== null, readFileSync(file, "utf8")));
  return program.exitCode;
}
