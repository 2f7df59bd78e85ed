import assert from "node:assert/strict";
import { test } from "node:test";
import { minutes } from "../../../src/base/time.ts";
import { MESSAGE_CODE } from "../../../src/overlay/wire/code-points.ts";
import { decodeHeader } from "../../../src/overlay/wire/forwarding-header.ts";
import { overlayHash } from "../../../src/overlay/wire/identifiers.ts";
import { peekMessageCode } from "../../../src/overlay/wire/message.ts";
import { cryptoFor, DURABLE, OverlayWorld, resourceOf, shown, SOFT, type WorldBox } from "../../support/overlay-world.ts";

const fill = (world: OverlayWorld, count: number, prefix = "user"): string[] => {
  const names = Array.from({ length: count }, (_, index) => `${prefix}${index}`);
  names.forEach((name, index) => {
    const writer = world.serving()[index % world.serving().length] as WorldBox;
    const outcome = world.storeNow(writer, resourceOf(name), SOFT, "aa", name);
    assert.ok(outcome.ok, `${name}: ${JSON.stringify(outcome)}`);
  });
  return names;
};
const allReadable = (world: OverlayWorld, names: readonly string[]): void => {
  for (const name of names) {
    for (const reader of world.serving()) assert.deepEqual(world.fetchNow(reader, resourceOf(name)), { aa: name }, `${name} at ${reader.id}`);
  }
};
const allInSync = (world: OverlayWorld): boolean => world.serving().every(({ core }) => core.snapshot().arc?.inSync === true);
const oneRing = (world: OverlayWorld, count: number): boolean =>
  world.serving().length === count &&
  world.serving().every(({ core }) => core.snapshot().members.filter(({ state }) => state === "serving").length === count - 1);

test("a box that may stand alone serves alone and says there is one copy", () => {
  const world = new OverlayWorld();
  const box = world.add({ mayStandAlone: true });
  assert.ok(world.until(() => box.core.phase === "serving", 10_000));
  const outcome = world.storeNow(box, resourceOf("alice"), SOFT, "aa", "here");
  assert.equal(outcome.ok && outcome.copies, 1);
  assert.deepEqual(world.fetchNow(box, resourceOf("alice")), { aa: "here" });
  assert.equal(box.core.snapshot().copies, 1);
});

test("a box that may not stand alone waits for ever, and says so once a minute", () => {
  const world = new OverlayWorld();
  const box = world.add({ mayStandAlone: false });
  world.run(600_500);
  assert.equal(box.core.phase, "seeking");
  assert.equal(box.seen("report").length, 10);
});

for (const count of [2, 3, 5]) {
  test(`${count} boxes that join one after another are one ring and read each other's writes`, () => {
    const world = OverlayWorld.ring(count);
    assert.ok(oneRing(world, count));
    const names = fill(world, 10);
    allReadable(world, names);
    const stored = world.storeNow(world.boxes[0] as WorldBox, resourceOf("x"), SOFT, "aa", "x");
    assert.ok(stored.ok && stored.copies >= 2);
  });
}

test("ten boxes that start at once, one of which may stand alone, are one ring within ten seconds", () => {
  const world = new OverlayWorld(5);
  const first = world.add({ mayStandAlone: true });
  for (let i = 1; i < 10; i++) world.add({ mayStandAlone: false, hints: [first] });
  assert.ok(world.until(() => oneRing(world, 10), 10_000), world.boxes.map(({ core }) => core.phase).join());
  world.run(10_000);
  const owners = world.boxes.map(({ core }) => core.locate(resourceOf("alice")).owner);
  assert.equal(new Set(owners).size, 1);
});

test("five boxes that may all stand alone and start at once unite", () => {
  const world = new OverlayWorld(6);
  for (let i = 0; i < 5; i++) world.add({ mayStandAlone: true, hints: world.boxes.slice(0, 1) });
  assert.ok(world.until(() => oneRing(world, 5), 15_000));
});

test("when a responsible peer dies its writes are read at once, and three copies are there again", () => {
  const world = OverlayWorld.ring(5, 3);
  const names = fill(world, 40);
  const victim = world.ownerOf(resourceOf("user0"));
  world.kill(victim);
  world.run(10);
  const died = world.now;
  allReadable(world, names);
  assert.ok(world.now - died < 5_000, `all reads took ${world.now - died} ms`);
  assert.ok(world.until(() => allInSync(world), 30_000));
  for (const name of names) assert.equal(copiesOf(world, name).length, 3, name);
});

test("when two neighbors on the ring die at once nothing acknowledged is lost", () => {
  const world = OverlayWorld.ring(6, 4);
  const names = fill(world, 40);
  world.run(5_000);
  const [owner, next] = world.boxes[0]?.core.locate(resourceOf("user0")).replicas ?? [];
  world.kill(world.box(owner));
  world.kill(world.box(next));
  world.run(10);
  allReadable(world, names);
  assert.ok(world.until(() => allInSync(world), 30_000));
  for (const name of names) assert.equal(copiesOf(world, name).length, 3, name);
});

test("a box joins under load: no store and no fetch fails, and it gets its share", () => {
  const world = OverlayWorld.ring(5, 7);
  const written = new Map<string, string>();
  const names = fill(world, 300);
  for (const name of names) written.set(name, name);
  let failures = 0;
  let operations = 0;
  const issued = new Map<string, number>();
  const load = (): void => {
    operations++;
    const name = `user${world.random.below(400)}`;
    const box = world.serving()[world.random.below(5)] as WorldBox;
    if (world.random.below(2) === 0) {
      const value = `${name} at ${world.now}`;
      const issuedAt = world.now;
      world.storeText(box, name, "aa", value, (outcome) => {
        // Of two writes at once the later one stands, whichever is acknowledged first.
        if (outcome.ok && issuedAt >= (issued.get(name) ?? 0)) written.set(name, value);
        if (outcome.ok) issued.set(name, Math.max(issuedAt, issued.get(name) ?? 0));
        else failures++;
      });
    } else {
      const expected = written.get(name);
      world.fetch(box, resourceOf(name), (outcome) => {
        if (!outcome.ok || (expected !== undefined && outcome.kinds[0]?.entries.length !== 1)) failures++;
      });
    }
    if (world.now < loadEnds) world.after(2, load);
  };
  const loadEnds = world.now + 4_000;
  load();
  world.run(500);
  const newcomer = world.add();
  assert.ok(world.until(() => newcomer.core.phase === "serving", 5_000));
  world.run(8_000);
  assert.equal(failures, 0, `of ${operations}`);
  for (const [name, value] of written) assert.deepEqual(world.fetchNow(newcomer, resourceOf(name)), { aa: value });
  assert.ok(newcomer.core.snapshot().owned > 0);
});

test("a write that meets the newcomer on its way is read there: the newcomer serves only with it", () => {
  for (let seed = 1; seed <= 25; seed++) {
    const world = OverlayWorld.ring(4, seed);
    world.run(3_000);
    world.delay = () => (world.random.below(4) === 0 ? 10 + world.random.below(40) : 1 + world.random.below(3));
    const newcomer = world.add();
    const stale: string[] = [];
    for (let i = 0; i < 300; i++) {
      const [writer, reader] = [world.serving()[i % 4], world.serving()[(i + 1) % 4]] as [WorldBox, WorldBox];
      const name = `user${i}`;
      world.after(2 * i, () =>
        world.storeText(writer, name, "aa", "1", (stored) => {
          if (stored.ok) world.fetch(reader, resourceOf(name), (found) => JSON.stringify(shown(found)) === '{"aa":"1"}' || stale.push(name));
        }),
      );
    }
    assert.ok(world.until(() => newcomer.core.phase === "serving", 5_000));
    world.run(8_000);
    assert.deepEqual(stale, [], `seed ${seed}`);
  }
});

test("a Join that arrives after the Update that ended it does not make a serving box a joining one", () => {
  const world = OverlayWorld.ring(11);
  const [first, ...later] = world.boxes as [WorldBox, ...WorldBox[]];
  // Neighbors on the ring would find out when they compare what they hold.
  const ids = world.boxes.map(({ id }) => id).sort();
  const near = new Set([-3, -2, -1, 1, 2, 3].map((offset) => ids.at((ids.indexOf(first.id) + offset) % ids.length)));
  const second = later.find(({ id }) => !near.has(id)) as WorldBox;
  const stateOfSecond = (): string | undefined => first.core.snapshot().members.find(({ info }) => info.nodeId === second.id)?.state;
  const overlay = overlayHash("test.ring", cryptoFor(first.id));
  const isJoin = (message: Uint8Array): boolean => {
    const header = decodeHeader(message, overlay);
    return header.ok && peekMessageCode(message, header.value.headerLength) === MESSAGE_CODE.join_req;
  };
  const links = new Set(world.links.filter(({ ends }) => ends.includes(first) && ends.includes(second)).map(({ id }) => id));
  const join = second.seen("link-send").find(({ link, message }) => links.has(link) && isJoin(message));
  assert.ok(join !== undefined);
  world.give(first, { type: "link-message", link: join.link, message: join.message });
  assert.equal(stateOfSecond(), "joining");
  world.run(10_000);
  assert.equal(stateOfSecond(), "serving");
});

test("surplus copies are dropped once the replica set has them", () => {
  const world = OverlayWorld.ring(3, 8);
  const names = fill(world, 60);
  for (let i = 0; i < 3; i++) {
    world.add();
    world.run(3_000);
  }
  world.run(120_000);
  for (const name of names) assert.equal(copiesOf(world, name).length, 3, name);
  assert.equal(world.boxes.reduce((sum, { core }) => sum + core.snapshot().held, 0), 180);
});

test("a box that leaves hands over first and is not missed", () => {
  const world = OverlayWorld.ring(4, 9);
  const names = fill(world, 40);
  const leaver = world.boxes[1] as WorldBox;
  world.give(leaver, { type: "leave" });
  assert.ok(world.until(() => leaver.core.phase === "left", 10_000));
  for (const name of names) assert.ok(copiesOf(world, name).filter((id) => id !== leaver.id).length >= 3, name);
  world.run(1_000);
  assert.ok(oneRing(world, 3));
  allReadable(world, names);
  world.run(60_000);
  assert.equal(world.links.filter(({ ends }) => ends.includes(leaver)).length, 0, "nobody dials a box that has left");
});

test("the last box that leaves simply leaves", () => {
  const world = OverlayWorld.ring(1);
  const box = world.boxes[0] as WorldBox;
  world.give(box, { type: "leave" });
  assert.ok(world.until(() => box.core.phase === "left", 2_000));
  let reason = "";
  world.fetch(box, resourceOf("x"), (outcome) => (reason = outcome.ok ? "" : outcome.fault.reason));
  assert.equal(reason, "not-serving");
});

test("both halves of a cut go on, and are one ring with equal contents after it", () => {
  const world = OverlayWorld.ring(5, 10);
  const names = fill(world, 30);
  const [a, b, c] = world.boxes as [WorldBox, WorldBox, WorldBox];
  world.partition([a, b]);
  world.run(6_000);
  const cutSince = world.now;
  for (const side of [a, c]) {
    for (let i = 0; i < 30; i++) {
      const outcome = world.storeNow(side, resourceOf(`user${i}`), SOFT, side === a ? "bb" : "cc", `by ${side.id}`);
      assert.ok(outcome.ok, JSON.stringify(outcome));
    }
  }
  world.run(60_000 - (world.now - cutSince));
  world.heal();
  const healed = world.now;
  assert.ok(world.until(() => oneRing(world, 5), 31_000), "one ring");
  assert.ok(world.until(() => allInSync(world), 60_000 - (world.now - healed)), "equal contents");
  for (const name of names) {
    for (const reader of world.boxes) {
      assert.deepEqual(world.fetchNow(reader, resourceOf(name)), { aa: name, bb: `by ${a.id}`, cc: `by ${c.id}` }, name);
    }
  }
});

test("right after a cut heals nobody reads less than either half had", () => {
  const world = OverlayWorld.ring(5, 11);
  const [a, b, c] = world.boxes as [WorldBox, WorldBox, WorldBox];
  world.partition([a, b]);
  world.run(6_000);
  for (let i = 0; i < 30; i++) assert.ok(world.storeNow(a, resourceOf(`user${i}`), SOFT, "aa", "here").ok);
  world.heal();
  assert.ok(world.until(() => oneRing(world, 5), 31_000));
  for (let i = 0; i < 30; i++) assert.deepEqual(world.fetchNow(c, resourceOf(`user${i}`)), { aa: "here" });
});

test("two rings that were founded apart unite when they meet", () => {
  const world = new OverlayWorld(12);
  const left = world.add({ mayStandAlone: true, hints: [] });
  const right = world.add({ mayStandAlone: true, hints: [] });
  world.run(5_000);
  assert.equal(world.serving().length, 2);
  assert.ok(world.storeNow(left, resourceOf("l"), SOFT, "aa", "left").ok);
  assert.ok(world.storeNow(right, resourceOf("r"), SOFT, "aa", "right").ok);
  world.give(left, { type: "candidate", address: right.info.overlay, source: "mdns" });
  assert.ok(world.until(() => oneRing(world, 2) && allInSync(world), 10_000));
  for (const reader of world.boxes) {
    assert.deepEqual(world.fetchNow(reader, resourceOf("l")), { aa: "left" });
    assert.deepEqual(world.fetchNow(reader, resourceOf("r")), { aa: "right" });
  }
});

test("a box that is killed comes back with its disk and joins again", () => {
  const world = OverlayWorld.ring(3, 13);
  const names = fill(world, 20);
  world.run(1_000);
  const old = world.boxes[1] as WorldBox;
  world.kill(old);
  for (const name of names.slice(0, 10)) {
    assert.ok(world.storeNow(world.serving()[0] as WorldBox, resourceOf(name), SOFT, "aa", `${name} changed`).ok);
  }
  const again = world.restart(old);
  assert.ok(world.until(() => oneRing(world, 3), 10_000));
  for (const [index, name] of names.entries()) {
    assert.deepEqual(world.fetchNow(again, resourceOf(name)), { aa: index < 10 ? `${name} changed` : name });
  }
});

test("all boxes killed at once and started again have every subscriber", () => {
  const world = OverlayWorld.ring(5, 14);
  for (let i = 0; i < 30; i++) {
    const outcome = world.storeNow(world.boxes[i % 5] as WorldBox, resourceOf(`sub${i}`), DURABLE, "", `secret${i}`);
    assert.ok(outcome.ok && outcome.copies >= 2, JSON.stringify(outcome));
  }
  const old = [...world.boxes];
  for (const box of old) world.kill(box);
  world.run(2_000);
  for (const box of old) world.restart(box, { hints: [] });
  assert.ok(world.until(() => oneRing(world, 5), 20_000), world.boxes.map(({ core }) => core.phase).join());
  for (let i = 0; i < 30; i++) {
    for (const reader of world.boxes) assert.deepEqual(world.fetchNow(reader, resourceOf(`sub${i}`), DURABLE), { "": `secret${i}` });
  }
});

test("deleted stays deleted when a box that missed it comes back", () => {
  const world = OverlayWorld.ring(3, 15);
  fill(world, 5);
  world.run(1_000);
  const old = world.boxes[2] as WorldBox;
  world.kill(old);
  assert.ok(world.storeNow(world.boxes[0] as WorldBox, resourceOf("user1"), SOFT, "aa", undefined).ok);
  const again = world.restart(old);
  world.until(() => oneRing(world, 3), 10_000);
  world.run(60_000);
  for (const reader of world.boxes) assert.deepEqual(world.fetchNow(reader, resourceOf("user1")), {});
  assert.equal(again.core.phase, "serving");
});

test("values expire on all boxes, on disk too", () => {
  const world = OverlayWorld.ring(3, 16);
  assert.ok(world.storeNow(world.boxes[0] as WorldBox, resourceOf("brief"), SOFT, "aa", "soon over", minutes(1)).ok);
  world.run(62_000);
  for (const box of world.boxes) {
    assert.deepEqual(world.fetchNow(box, resourceOf("brief")), {});
    assert.equal(box.core.snapshot().held, 0);
  }
  world.run(10);
  assert.ok(world.boxes.every(({ disk }) => disk.size === 0));
});

test("every resource of a kind is listed, from any box", () => {
  const world = OverlayWorld.ring(4, 17);
  fill(world, 50);
  let found: readonly { readonly resource: string }[] | undefined;
  const box = world.boxes[2] as WorldBox;
  box.answers.set(999, (effect) => {
    if (effect.type === "listed" && effect.outcome.ok) found = effect.outcome.found;
  });
  world.give(box, { type: "list", ticket: 999, kind: SOFT.id });
  assert.ok(world.until(() => found !== undefined, 5_000));
  assert.deepEqual(
    new Set(found?.map(({ resource }) => resource)),
    new Set(Array.from({ length: 50 }, (_, i) => resourceOf(`user${i}`) as string)),
  );
});

test("copies are spread over zones", () => {
  const world = new OverlayWorld(18);
  for (let i = 0; i < 6; i++) {
    world.add({ zone: i < 5 ? "rack 1" : "rack 2" });
    world.until(() => oneRing(world, i + 1), 10_000);
  }
  const names = fill(world, 30);
  world.run(60_000);
  const rack2 = world.boxes[5] as WorldBox;
  for (const name of names) assert.ok(copiesOf(world, name).includes(rack2.id), name);
});

test("a quiet ring sends little", () => {
  const world = OverlayWorld.ring(5, 19);
  fill(world, 50);
  world.run(60_000);
  const before = world.messages;
  world.run(600_000);
  const perBoxAndMinute = (world.messages - before) / 5 / 10;
  assert.ok(perBoxAndMinute <= 14, `${perBoxAndMinute}`);
});

test("a write of ours on a slow clock stands over an older one of a fast clock", () => {
  const world = new OverlayWorld(20);
  world.add({ clockError: 20_000 });
  world.run(5_000);
  world.add({ clockError: -20_000 });
  assert.ok(world.until(() => oneRing(world, 2), 10_000));
  const [fast, slow] = world.boxes as [WorldBox, WorldBox];
  assert.ok(world.storeNow(fast, resourceOf("x"), SOFT, "aa", "first").ok);
  assert.ok(world.storeNow(slow, resourceOf("x"), SOFT, "aa", "second").ok);
  assert.deepEqual(world.fetchNow(fast, resourceOf("x")), { aa: "second" });
});

for (const [what, clockError] of [["in 1970", -1_800_000_000_000], ["in 2099", 2_200_000_000_000]] as const) {
  test(`a box whose clock is ${what} joins, gets its share and writes`, () => {
    const world = OverlayWorld.ring(3, 21);
    const names = fill(world, 30);
    const odd = world.add({ clockError });
    assert.ok(world.until(() => oneRing(world, 4), 10_000));
    allReadable(world, names);
    assert.ok(world.storeNow(odd, resourceOf("odd"), SOFT, "aa", "odd").ok);
    world.run(60_000);
    assert.deepEqual(world.fetchNow(world.boxes[0] as WorldBox, resourceOf("odd")), { aa: "odd" });
    assert.ok(world.storeNow(world.boxes[0] as WorldBox, resourceOf("odd"), SOFT, "aa", "even").ok);
  });
}

test("a durable write is signed by its writer, and every box that keeps it knows by whom", () => {
  const world = OverlayWorld.ring(3, 22);
  const outcome = world.storeNow(world.boxes[0] as WorldBox, resourceOf("s"), DURABLE, "", "secret");
  assert.ok(outcome.ok);
  assert.equal(world.boxes.reduce((sum, { core }) => sum + (core.snapshot().counters["value-of-unknown-writer"] ?? 0), 0), 0);
});

/** Boxes that hold it themselves. */
function copiesOf(world: OverlayWorld, name: string): string[] {
  const resource = resourceOf(name);
  return world.boxes.filter(({ alive, core }) => alive && core.held(resource).length > 0).map(({ id }) => id);
}

test("a box knows how long the way to each member and back is, and forgets it with the link", () => {
  const world = OverlayWorld.ring(3, 7);
  const [a, b] = world.boxes as [WorldBox, WorldBox];
  const roundTrips = () => a.core.snapshot().members.map(({ roundTrip }) => roundTrip);
  assert.equal(roundTrips().length, 2);
  for (const roundTrip of roundTrips()) assert.ok(roundTrip !== undefined && roundTrip > 0 && roundTrip < 100, String(roundTrip));
  world.kill(b);
  world.run(100);
  assert.equal(roundTrips().filter((roundTrip) => roundTrip !== undefined).length, 1);
});
