// A fleet of real boxes whose processes die in every way, with clients that go on writing.

import assert from "node:assert/strict";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { PATIENCE, until } from "../../lab/until.ts";
import { atEnd, type BuiltBox, DOMAIN, type Fleet, makeBox, makeFleet, scratch, serving } from "../built-ring.ts";
import { SeededRandom } from "../seeded-random.ts";
import { ClientLog, type Found, numberIn } from "./client-log.ts";
import { type DiskCopy, placeOf, subscribersOnDisk } from "./database-reader.ts";

/** A box that was killed stays away up to so long, milliseconds. */
const AWAY_MS = 300;
/** After this much of calm the ring must have all its copies. */
const CALM = 3 * PATIENCE;
const COPIES = 3;

export class Storm {
  readonly boxes: readonly BuiltBox[];
  readonly log: ClientLog;
  readonly #luck: SeededRandom;
  readonly #tell: (line: string) => void;
  #writing = true;
  readonly #writers: Promise<void>[] = [];
  #users = 0;
  kills = 0;

  private constructor(boxes: readonly BuiltBox[], log: ClientLog, luck: SeededRandom, tell: (line: string) => void) {
    this.boxes = boxes;
    this.log = log;
    this.#luck = luck;
    this.#tell = tell;
  }

  /** A ring of `count` boxes. */
  static async begin(t: TestContext, count: number, seed: number): Promise<Storm> {
    const directory = scratch(t);
    const fleet: Fleet = makeFleet(directory);
    const boxes: BuiltBox[] = [];
    for (let number = 1; number <= count; number++) {
      boxes.push(makeBox(t, directory, { name: `box${number}`, ticket: fleet.ticket, hints: boxes.slice(0, 2) }));
    }
    for (const box of boxes) {
      box.start();
      await serving(box, boxes.indexOf(box) + 1);
    }
    t.diagnostic(`${count} boxes, seed ${seed}`);
    const storm = new Storm(boxes, new ClientLog(join(directory, "client.log")), new SeededRandom(seed), (line) => t.diagnostic(line));
    atEnd(t, () => storm.#calm());
    return storm;
  }

  /** Clients that write and remove users at whatever box runs, each its own, one after the other. */
  write(clients: number, usersEach: number): void {
    for (let client = 0; client < clients; client++) {
      const luck = this.#luck.fork(`client ${client}`);
      const users = Array.from({ length: usersEach }, (_, number) => `c${client}u${number}`);
      this.#writers.push(this.#writeOn(users, luck));
    }
  }
  async #writeOn(users: readonly string[], luck: SeededRandom): Promise<void> {
    while (this.#writing) {
      const running = this.boxes.filter((box) => box.isRunning);
      const box = running[luck.below(Math.max(1, running.length))];
      const user = users[luck.below(users.length)] ?? "";
      const done = box !== undefined && (await this.log.write(box, user, luck.chance(0.25) ? "remove" : "put"));
      await pause(done ? luck.below(10) : 30);
    }
  }

  /** So many users, one after the other. */
  async add(count: number): Promise<void> {
    for (let number = 0; number < count; number++) assert.ok(await this.log.write(this.#any(), `user${number}`, "put"), `user${number}`);
  }

  /** Some of the boxes die at a random moment, and come back. */
  async kill(victims: readonly BuiltBox[], disks: "kept" | "lost" = "kept"): Promise<void> {
    await pause(this.#luck.below(400));
    this.kills += victims.length;
    await Promise.all(victims.map((box) => box.kill()));
    await pause(this.#luck.below(AWAY_MS));
    if (disks === "lost") for (const box of victims) box.wipe();
    for (const box of victims) box.start();
    await this.oneRing();
  }
  async killAny(): Promise<void> {
    await this.kill([this.#any()]);
  }
  /** A box and the one that follows it on the ring: two of three copies. */
  async killNeighbors(disks: "kept" | "lost" = "kept"): Promise<void> {
    const ring = await this.#ring();
    const first = this.#luck.below(ring.length);
    await this.kill([ring[first], ring[(first + 1) % ring.length]].filter((box) => box !== undefined), disks);
  }
  async killAll(): Promise<void> {
    await this.kill(this.boxes);
  }

  /** The owner of what was written dies in the very moment in which the client has its answer; its disk may be lost with it. */
  async killOwnerAtAnswer(disk: "kept" | "lost"): Promise<void> {
    const user = `owner${++this.#users}`;
    const ring = await this.#ring();
    const owner = ring[this.#ownerIndex(user, await this.#ids())];
    const other = this.boxes.find((box) => box !== owner);
    if (owner === undefined || other === undefined) throw new Error("a ring of one");
    this.kills++;
    let dead: Promise<void> | undefined;
    const acknowledged = await this.log.write(this.#luck.chance(0.5) ? owner : other, user, "put", () => (dead = owner.kill()));
    assert.ok(acknowledged, `${user} was not acknowledged in a whole ring`);
    await dead;
    if (disk === "lost") owner.wipe();
    owner.start();
    await this.oneRing();
  }

  async oneRing(): Promise<void> {
    for (const box of this.boxes) await serving(box, this.boxes.length);
  }
  /** Every box has compared its copies and found them equal. */
  async copied(): Promise<void> {
    await until("all copies are equal", CALM, async () => {
      for (const box of this.boxes) {
        const { inSync, copies, conditions } = await box.status();
        assert.ok(inSync && copies === Math.min(COPIES, this.boxes.length), `${box.name}: ${JSON.stringify({ inSync, copies, conditions })}`);
      }
    });
  }

  /** The storm is over: nothing that was acknowledged is missing, not from the ring and not from the disks. */
  async judge(): Promise<void> {
    await this.#calm();
    await this.oneRing();
    await this.copied();
    const { log } = this;
    this.#tell(`${this.kills} kills; ${log.users.length} users; ${log.acknowledged} acknowledgements (${log.withCopies(1)} with 1 copy, ${log.withCopies(2)} with 2, ${log.withCopies(3)} with 3), ${log.unknown} attempts without an answer`);
    for (const box of this.boxes) assert.deepEqual(log.lost(await foundIn(box)), [], `as ${box.name} tells`);
    const disks = this.boxes.map(({ dataDirectory }) => subscribersOnDisk(dataDirectory));
    assert.deepEqual(log.lost((user) => newest(disks, user)?.found ?? "absent"), [], "on all disks together");
    this.#judgeCopies(disks);
    assert.deepEqual(log.contradictions, []);
  }

  async #calm(): Promise<void> {
    this.#writing = false;
    await Promise.all(this.#writers);
  }

  /** What is acknowledged lies on three disks, the same on each. */
  #judgeCopies(disks: readonly ReadonlyMap<string, DiskCopy>[]): void {
    for (const user of this.log.users) {
      const last = newest(disks, user);
      if (last === undefined) continue;
      const same = disks.filter((disk) => disk.get(placeOf(user))?.storageTime === last.storageTime);
      assert.ok(same.length >= Math.min(COPIES, this.boxes.length), `${user} is on ${same.length} disks`);
    }
  }

  #any(): BuiltBox {
    const box = this.boxes[this.#luck.below(this.boxes.length)];
    if (box === undefined) throw new Error("no boxes");
    return box;
  }

  /** Node-IDs of the ring with their boxes, in ring order. */
  async #ids(): Promise<readonly { readonly nodeId: string; readonly box: BuiltBox }[]> {
    const ids = await Promise.all(this.boxes.map(async (box) => ({ nodeId: (await box.status()).nodeId, box })));
    return ids.sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
  }
  async #ring(): Promise<readonly BuiltBox[]> {
    return (await this.#ids()).map(({ box }) => box);
  }
  /** The first box at or after the user's place. */
  #ownerIndex(user: string, ids: readonly { readonly nodeId: string }[]): number {
    return Math.max(0, ids.findIndex(({ nodeId }) => nodeId >= placeOf(user)));
  }
}

/** What a box of the ring tells of all users. */
async function foundIn(box: BuiltBox): Promise<(user: string) => Found> {
  const { subscribers } = await box.ask<"subscriber-list">({ op: "subscriber-list" });
  const found = new Map(subscribers.map(({ aor, displayName }) => [aor, numberIn(displayName)]));
  return (user) => found.get(`${user}@${DOMAIN}`) ?? "absent";
}

function newest(disks: readonly ReadonlyMap<string, DiskCopy>[], user: string): DiskCopy | undefined {
  const place = placeOf(user);
  let last: DiskCopy | undefined;
  for (const disk of disks) {
    const copy = disk.get(place);
    if (copy !== undefined && (last === undefined || copy.storageTime > last.storageTime)) last = copy;
  }
  return last;
}
