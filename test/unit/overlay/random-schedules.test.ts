import assert from "node:assert/strict";
import { test } from "node:test";
import { OverlayWorld, resourceOf, shown, type WorldBox } from "../../support/overlay-world.ts";

// More seeds: OVERLAY_SEED=100 OVERLAY_SEEDS=50 node --test test/unit/overlay/random-schedules.test.ts

/** What was written to one place, one write after the other; versions count up. */
interface Place {
  readonly name: string;
  issued: number;
  acknowledged: number;
  writing: boolean;
  /** Every box that had it has lost its memory and its disk: nobody can be blamed. */
  lost: boolean;
}

class Schedule {
  readonly world: OverlayWorld;
  readonly places: Place[];
  readonly dead: WorldBox[] = [];
  failures: string[] = [];
  /** What was done to whom. */
  readonly log: string[] = [];
  constructor(seed: number, boxes: number) {
    this.world = new OverlayWorld(seed);
    this.places = Array.from({ length: 40 }, (_, i) => ({ name: `place${i}`, issued: 0, acknowledged: 0, writing: false, lost: false }));
    for (let i = 0; i < boxes; i++) {
      this.world.add();
      this.world.until(() => this.world.serving().length === i + 1, 30_000);
    }
    this.world.run(5_000);
    const { random } = this.world;
    // Now and then a link stalls for a while, and everything behind waits.
    this.world.delay = () => (random.below(seed % 2 === 0 ? 50 : 500) === 0 ? random.below(seed % 2 === 0 ? 60 : 900) : 1 + random.below(3));
  }

  write(strict: boolean): void {
    const place = this.#pick(this.places);
    const box = this.#pick(this.#reachable(strict));
    if (place === undefined || box === undefined || place.writing) return;
    const version = ++place.issued;
    place.writing = true;
    const issuedAt = this.world.now;
    this.world.storeText(box, place.name, "aa", String(version), (outcome) => {
      place.writing = false;
      // Cut off in the middle of it, and acknowledged alone.
      if (strict && box === this.cutOff) return;
      if (outcome.ok) {
        place.acknowledged = version;
        place.lost = false;
      } else if (strict && box.alive) this.failures.push(`store ${place.name} at ${box.id} issued ${issuedAt}: ${JSON.stringify(outcome.fault)}`);
    });
    // Whoever asked may have died with its answer.
    this.world.after(7_000, () => {
      if (!box.alive && place.issued === version) place.writing = false;
    });
  }
  read(strict: boolean): void {
    const place = this.#pick(this.places);
    const box = this.#pick(this.#reachable(strict));
    if (place === undefined || box === undefined) return;
    const known = place.acknowledged;
    const issuedAt = this.world.now;
    this.world.fetch(box, resourceOf(place.name), (outcome) => {
      if (!strict) return;
      const found = shown(outcome);
      const version = typeof found === "string" ? -1 : Number(found["aa"] ?? 0);
      if (version < known) this.failures.push(`fetch ${place.name} at ${box.id}, issued ${issuedAt}, told ${this.world.now}: ${JSON.stringify(found)}, known ${known}`);
    });
  }
  /** A box that is cut off goes on alone: what it says and hears is not what the others do. */
  #reachable(strict: boolean): readonly WorldBox[] {
    return this.world.serving().filter((box) => !strict || box !== this.cutOff);
  }
  cutOff: WorldBox | undefined;

  load(ms: number, strict: boolean, every = 20): void {
    for (let t = 0; t < ms; t += every) {
      this.world.after(t, () => this.write(strict));
      this.world.after(t + 7, () => this.read(strict));
    }
  }

  kill(box: WorldBox): void {
    this.world.kill(box);
    this.dead.push(box);
  }
  revive(blank: boolean): void {
    const [box] = this.dead.splice(0, 1);
    if (box !== undefined) this.world.restart(box, blank ? { disk: new Map(), members: [], mayStandAlone: false, hints: this.world.serving() } : {});
    if (blank) this.noteLosses();
  }
  /** Nobody who has a memory, or a disk to come back with, has the newest acknowledged value. */
  noteLosses(): void {
    for (const place of this.places) {
      if (place.acknowledged > this.#newest(place)) place.lost = true;
    }
  }
  #newest({ name }: Place): number {
    const resource = resourceOf(name);
    let newest = 0;
    for (const { alive, core } of this.world.boxes) {
      if (!alive) continue;
      for (const { value } of core.held(resource)) newest = Math.max(newest, Number(String.fromCharCode(...value)));
    }
    for (const { disk } of this.dead) {
      for (const row of disk.values()) if (row.resource === resource) newest = Math.max(newest, this.places.find((place) => place.name === name)?.acknowledged ?? 0);
    }
    return newest;
  }

  quiet(): void {
    this.world.heal();
    for (const box of this.world.boxes) if (box.unplugged) this.world.plug(box);
    while (this.dead.length > 0) this.revive(false);
    this.world.run(180_000);
  }
  check(seed: number): void {
    const { world } = this;
    const serving = world.serving();
    const count = world.boxes.filter(({ alive, core }) => alive && core.phase !== "left").length;
    assert.equal(serving.length, count, `seed ${seed}: everybody serves`);
    for (const { core, id } of serving) {
      assert.equal(core.snapshot().members.filter(({ state }) => state === "serving").length, count - 1, `seed ${seed}: ${id} knows all`);
      assert.equal(core.snapshot().arc?.inSync, true, `seed ${seed}: ${id} in sync`);
    }
    for (const place of this.places) {
      if (place.lost) continue;
      const values = serving.map((box) => world.fetchNow(box, resourceOf(place.name)));
      const versions = values.map((value) => (typeof value === "string" ? -1 : Number(value["aa"] ?? 0)));
      assert.equal(new Set(versions).size, 1, `seed ${seed}: ${place.name} is ${JSON.stringify(values)}`);
      assert.ok((versions[0] ?? 0) >= place.acknowledged, `seed ${seed}: ${place.name} has ${versions[0]}, acknowledged ${place.acknowledged}`);
      if (place.acknowledged > 0) {
        const copies = serving.filter(({ core }) => core.held(resourceOf(place.name)).length > 0).length;
        assert.equal(copies, Math.min(3, count), `seed ${seed}: copies of ${place.name}`);
      }
    }
    assert.deepEqual(this.failures, [], `seed ${seed}: ${this.log.join("; ")}`);
  }
  #pick<Item>(items: readonly Item[]): Item | undefined {
    return items[this.world.random.below(Math.max(1, items.length))];
  }
}

const FIRST = Number(process.env["OVERLAY_SEED"] ?? 1);
const SEEDS = Number(process.env["OVERLAY_SEEDS"] ?? 3);

for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
  test(`one fault at a time: no operation fails, no read is stale, nothing is lost (seed ${seed})`, () => {
    const schedule = new Schedule(seed, 3 + (seed % 4));
    const { world } = schedule;
    for (let round = 0; round < 6; round++) {
      schedule.load(10_000, true);
      world.run(world.random.below(3_000));
      const box = world.serving()[world.random.below(world.serving().length)] as WorldBox;
      const what = world.random.below(5);
      schedule.log.push(`${world.now}: ${what} ${box.id}`);
      if (what === 0) schedule.kill(box);
      else if (what === 1) {
        world.unplug(box);
        schedule.cutOff = box;
      }
      else if (what === 2) world.add({ hints: [box] });
      else if (what === 3 && world.serving().length > 3) world.give(box, { type: "leave" });
      else {
        const link = world.links[world.random.below(world.links.length)];
        if (link !== undefined) world.closeLink(link);
      }
      world.run(20_000);
      // What it was asked just before could not go well.
      if (what === 1) schedule.failures = schedule.failures.filter((failure) => !failure.includes(box.id));
      if (what === 1) world.plug(box);
      if (what === 0) schedule.revive(world.random.below(2) === 0);
      world.run(60_000);
      schedule.cutOff = undefined;
    }
    schedule.quiet();
    assert.ok(schedule.places.every(({ lost }) => !lost), `seed ${seed}: lost`);
    schedule.check(seed);
  });

  test(`many faults at once: what a living box has is not lost, and all are equal in the end (seed ${seed})`, () => {
    const schedule = new Schedule(seed, 3 + (seed % 5));
    const { world } = schedule;
    for (let round = 0; round < 12; round++) {
      schedule.load(4_000, false);
      const box = world.serving()[world.random.below(Math.max(1, world.serving().length))];
      switch (world.random.below(8)) {
        case 0:
          if (box !== undefined && world.serving().length > 1) schedule.kill(box);
          break;
        case 1:
          schedule.revive(false);
          break;
        case 2:
          schedule.revive(true);
          break;
        case 3:
          if (world.boxes.length < 9 && world.serving().length > 0) world.add({ hints: world.serving().slice(0, 2) });
          break;
        case 4:
          world.partition(world.boxes.filter(() => world.random.below(2) === 0));
          break;
        case 5:
          world.heal();
          break;
        case 6: {
          const link = world.links[world.random.below(Math.max(1, world.links.length))];
          if (link !== undefined) world.closeLink(link);
          break;
        }
        default:
          if (box !== undefined && !box.unplugged) {
            world.unplug(box);
            world.after(world.random.below(8_000), () => world.plug(box));
          }
      }
      world.run(world.random.below(8_000));
    }
    schedule.quiet();
    schedule.check(seed);
  });
}
