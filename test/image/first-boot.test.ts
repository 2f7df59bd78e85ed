// The image as an operator uses it: stamped, started in a machine with UEFI, and left alone.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test, type TestContext } from "node:test";
import type { Architecture } from "../../image/programs.ts";
import { run } from "../../image/steps.ts";
import { until } from "../lab/until.ts";
import { atEnd, makeFleet } from "../support/built-ring.ts";
import { CONFIG_OFFSET, freePorts, openRegistration, stampedImage } from "./boxes.ts";
import { anywhere, cutOnce, judgeCuts, type RecordedMachine } from "./judge-cuts.ts";
import { RecordedDisk } from "../support/power-cut/recorded-disk.ts";
import { callGoesThrough } from "./tcp-phone.ts";
import { userNetwork, VirtualMachine, whyNoMachine } from "./machine.ts";
import { versionOfImage } from "./next-start.ts";

/** A quarter of an hour: over ten times what it takes on two idle processors under emulation. */
const BOOT = 900;
const full = process.env["RINGBOX_IMAGE_FULL"] === "1";
/** Of the one first boot that is recorded. */
const CUTS = full ? 200 : 20;
/** Of those some are started, at these parts of the way to serving. */
const STARTED = full ? [0.25, 0.6, 0.85, 1] : [];

for (const architecture of ["x86-64", "arm64"] as const satisfies readonly Architecture[]) {
  const skip = whyNoMachine(architecture) ?? (architecture === "arm64" && !full ? "in full with npm run test:image" : false);

  suite(`the ${architecture} image`, { skip, timeout: 5_400_000 }, () => {
    test("is built, stamped, and serves phones with no key pressed; the ticket is gone from it, and no key was ever in it", async (t) => {
      const directory = mkdtempSync(join(tmpdir(), "ringbox-test-"));
      atEnd(t, () => rmSync(directory, { recursive: true, force: true }));
      const { ticket } = makeFleet(directory);
      const image = stampedImage(architecture, directory, ticket);
      openRegistration(image, directory);
      const ports = freePorts();
      const drive = `file=nbd+unix:///?socket=${join(directory, "box.raw.nbd")},cache=writeback`;
      const box = new VirtualMachine({ name: "box", architecture, image, directory, network: userNetwork(ports), memoryMib: 512, drive });
      atEnd(t, () => box.kill());
      const disk = new RecordedDisk(box.disk);
      atEnd(t, () => disk.close());
      await disk.listen();
      box.start();
      t.diagnostic(await box.says(/ringbox: serving [0-9.]+ s after power-on/, BOOT));
      const servingAt = disk.operations.length;

      await callGoesThrough(t, ports.sip, ports.sip);
      await until("the page is served", 300, async () => assert.equal(await pageStatus(ports.page), 200));
      const screen = join(directory, "screen.png");
      await box.screenshot(screen);
      assert.ok(existsSync(screen));
      keep(screen, `first-boot-${architecture}.png`);
      t.diagnostic(`emulator ${box.emulatorMib} MiB for a machine of 512`);
      await box.kill();
      const config = spawnSync("mcopy", ["-i", `${box.disk}@@${CONFIG_OFFSET}`, "::ringbox.ticket", "-"], { encoding: "latin1" });
      assert.equal(config.stdout.length, 65_536);
      assert.doesNotMatch(config.stdout, /BEGIN RINGBOX TICKET/);

      assert.equal(disk.failure, undefined);
      await afterPowerCuts(t, architecture, { operations: disk.operations, logFile: disk.logFile, image, diskBytes: statSync(box.disk).size, directory, servingAt });
    });
  });
}

/** Cut anywhere, the disk would start again, as its next start would take it; and some of what is left is started. */
async function afterPowerCuts(t: TestContext, architecture: Architecture, boot: RecordedMachine): Promise<void> {
  const versions = [versionOfImage(boot.image)];
  t.diagnostic(`power cuts: ${judgeCuts(boot, { points: anywhere(0, boot.operations.length, CUTS), versions })}`);
  for (const [i, part] of STARTED.entries()) {
    const after = Math.floor(boot.servingAt * part);
    const file = join(boot.directory, "cut.raw");
    cutOnce(boot, after, i, file);
    const again = new VirtualMachine({ name: `cut-${i}`, architecture, image: file, directory: boot.directory, network: userNetwork(freePorts()), memoryMib: 512 });
    atEnd(t, () => again.kill());
    again.start();
    t.diagnostic(`cut after ${after} of ${boot.servingAt}: ${await again.says(/ringbox: serving [0-9.]+ s after power-on/, BOOT)}`);
    await again.kill();
    rmSync(again.disk);
  }
}

/** The page answers to the box's own address only: the emulator's DHCP gives the first machine this one. */
function pageStatus(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    get({ host: "127.0.0.1", port, headers: { host: "10.0.2.15" }, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    }).on("error", reject);
  });
}

/** Where somebody can look at it afterwards, if a folder for it is named. */
function keep(file: string, name: string): void {
  const folder = process.env["RINGBOX_SCREENSHOTS"];
  if (folder !== undefined) run("cp", [file, join(folder, name)]);
}
