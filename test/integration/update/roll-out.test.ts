// A ring of boxes as they are shipped is brought to another version from one of them: real programs, real bundles, real slots in
// files, root's own script. The machine itself, its firmware and its boot loader are played (test/support/slotted-machine.ts).

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test, type TestContext } from "node:test";
import { createUpdateKey } from "../../../src/io/update-key.ts";
import { DIST } from "../../lab/box.ts";
import { PATIENCE, until } from "../../lab/until.ts";
import { atEnd, makeBox, makeFleet, ringbox, scratch, serving, skipWithoutBox, succeed } from "../../support/built-ring.ts";
import { skipWithoutAgent } from "../../support/page-visitor.ts";
import { ARCHITECTURE, makeParts, rootHashOf, SlottedMachine, whyNoSlots } from "../../support/slotted-machine.ts";

/** Each box waits for its turn, is started anew, and proves itself. Seconds. */
const ALL_UPDATED = 600;
const [OLD, NEW, BROKEN, STOLEN] = ["1.0.0", "1.1.0", "1.2.0", "1.3.0"];

class Fleet {
  readonly machines: SlottedMachine[] = [];
  readonly #t: TestContext;
  readonly #directory: string;
  readonly #fleet: { readonly directory: string; readonly ticket: string };
  /** How many were away at once. */
  mostAway = 0;

  constructor(t: TestContext) {
    this.#t = t;
    this.#directory = scratch(t);
    this.#fleet = makeFleet(this.#directory);
    const watch = setInterval(() => {
      this.mostAway = Math.max(this.mostAway, this.machines.filter(({ isAway }) => isAway).length);
    }, 50);
    atEnd(t, () => clearInterval(watch));
  }

  /** One more machine with the old version. */
  add(): SlottedMachine {
    const name = `box${this.machines.length + 1}`;
    const box = makeBox(this.#t, this.#directory, { name, ticket: this.#fleet.ticket, hints: this.machines.map((machine) => machine.box) });
    const machine = new SlottedMachine(this.#t, box, OLD, [BROKEN]);
    this.machines.push(machine);
    return machine;
  }

  async ring(): Promise<void> {
    for (const { box } of this.machines) await until(`${box.name} runs`, PATIENCE, () => assert(box.isRunning));
    for (const { box } of this.machines) await serving(box, this.machines.length);
  }

  /** What the agents say to one another has gone round. */
  async known(): Promise<void> {
    await until("the agents know one another", PATIENCE, () => assert(this.machines.every(({ isAway }) => !isAway), "one is still away"));
  }

  /** `key`: in the fleet's directory. */
  bundle(version: string, floor = "0.0.0", key = "update.key"): string {
    const out = join(this.#directory, `${version}.bundle`);
    const { verity, root, kernel } = makeParts(join(this.#directory, "parts"), version);
    succeed(ringbox("bundle", "build", out, "--key", join(this.#fleet.directory, key), "--bundle-version", version, "--arch", ARCHITECTURE, "--floor", floor, "--root-hash", rootHashOf(version), "--verity", verity, "--root", root, "--kernel", kernel));
    return out;
  }

  /** An update key as it was before the present one. */
  stolenKey(): string {
    const [rootKeyPem, fleetTicket] = ["fleet.key", "fleet.ticket"].map((name) => readFileSync(join(this.#fleet.directory, name), "utf8"));
    assert(rootKeyPem !== undefined && fleetTicket !== undefined);
    writeFileSync(join(this.#fleet.directory, "stolen.key"), createUpdateKey({ rootKeyPem, fleetTicket, made: 1 }));
    return "stolen.key";
  }

  /** `ringbox update` at a box, as somebody types it and stays to watch. */
  order(machine: SlottedMachine, bundle: string): { readonly program: ChildProcess; readonly file: string; readonly ended: Promise<number | null> } {
    const file = join(this.#directory, `update-${Date.now()}.txt`);
    const log = openSync(file, "a");
    const program = spawn(join(DIST, "ringbox"), ["--data", machine.box.dataDirectory, "update", bundle], { stdio: ["ignore", log, log] });
    return { program, file, ended: new Promise((end) => program.on("exit", end)) };
  }
}

suite("an update of the whole ring", { skip: skipWithoutBox || skipWithoutAgent || (whyNoSlots ?? false), timeout: 2_400_000 }, () => {
  test("goes from box to box, one at a time, is brought to a spare that joins, stops at the first box where it fails, and is refused from a key that was replaced", async (t) => {
    const fleet = new Fleet(t);
    for (let count = 0; count < 3; count += 1) fleet.add();
    await fleet.ring();
    await fleet.known();
    const [first] = fleet.machines;
    assert(first !== undefined);

    const good = fleet.bundle(NEW, NEW);
    const tampered = `${good}.tampered`;
    const octets = readFileSync(good);
    octets.writeUInt8(octets.readUInt8(octets.length - 5) ^ 1, octets.length - 5);
    writeFileSync(tampered, octets);
    const before = fleet.machines.map(({ diskHash }) => diskHash);
    const refused = ringbox("--data", first.box.dataDirectory, "update", tampered);
    assert.match(refused.stderr, /The bundle is refused: the bundle is damaged: its kernel is not what was signed\./);
    assert.deepEqual(fleet.machines.map(({ diskHash }) => diskHash), before);

    fleet.mostAway = 0;
    const began = performance.now();
    const update = fleet.order(first, good);
    await until("every box runs the new version, and keeps it", ALL_UPDATED, () => {
      for (const machine of fleet.machines) assert(!machine.isAway && machine.slot.get("version") === NEW, `${machine.box.name}: ${[...machine.slot].join(" ")}\n${readFileSync(update.file, "utf8")}`);
    });
    t.diagnostic(`three boxes came to ${NEW} in ${((performance.now() - began) / 1_000).toFixed(0)} s`);
    assert.equal(fleet.mostAway, 1, "one at a time");
    assert.equal(await update.ended, 0, readFileSync(update.file, "utf8"));
    for (const { starts, slot, entries } of fleet.machines) {
      assert.deepEqual(starts, [OLD, NEW]);
      assert.equal(slot.get("floor"), NEW, "the floor came with the version that was kept");
      assert.deepEqual(entries, [`ringbox_${OLD}.efi`, `ringbox_${NEW}.efi`]);
    }
    await fleet.ring();

    const spare = fleet.add();
    await until("the spare has the version of the ring", ALL_UPDATED, () => assert(!spare.isAway && spare.slot.get("version") === NEW, [...spare.slot].join(" ")));
    assert.deepEqual(spare.starts, [OLD, NEW]);
    await fleet.ring();

    const stopped = fleet.order(first, fleet.bundle(BROKEN));
    assert.equal(await stopped.ended, 1);
    const said = readFileSync(stopped.file, "utf8");
    assert.match(said, /the update was stopped: version 1\.2\.0 did not prove itself, and 1\.1\.0 runs again/);
    const fell = fleet.machines.filter(({ starts }) => starts.includes(BROKEN));
    assert.deepEqual(fell.map(({ starts }) => starts.slice(2)), [[BROKEN, BROKEN, BROKEN, NEW]], "one box, three tries, and back");
    for (const { slot } of fleet.machines) assert.equal(slot.get("version"), NEW);
    await fleet.ring();

    const thief = fleet.order(first, fleet.bundle(STOLEN, STOLEN, fleet.stolenKey()));
    assert.equal(await thief.ended, 1);
    assert.match(readFileSync(thief.file, "utf8"), /signed by an update key that was replaced by a newer one/);
    for (const { slot, starts } of fleet.machines) {
      assert.equal(slot.get("version"), NEW);
      assert(!starts.includes(STOLEN), starts.join(", "));
    }

    const old = fleet.bundle(OLD);
    const again = ringbox("--data", first.box.dataDirectory, "update", old, "--no-wait");
    assert.equal(again.status, 0, again.stderr);
    await until("nobody goes back below the floor", PATIENCE, () => {
      const shown = ringbox("--data", first.box.dataDirectory, "update").stdout;
      assert.equal(shown.split("runs 1.1.0, which is newer").length - 1, fleet.machines.length, shown);
    });
  });
});
