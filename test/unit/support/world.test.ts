import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Instant, instant } from "../../../src/base/time.ts";
import type { OverlayInput } from "../../../src/overlay/ports.ts";
import { type BoxEffect, type BoxInput, type BoxMachine, type Boot, type Box, InvariantBroken, World } from "../../support/world.ts";

const NETWORK = { delayLeast: 1, delayMost: 5, loss: 0, duplicate: 0 };
const DISK = { syncLeast: 2, syncMost: 10, batch: 1_000 };

/** Dials its hints, numbers what it sends over each link every 100 ms, and remembers what it hears. */
class Talker implements BoxMachine {
  readonly heard: { readonly at: number; readonly input: BoxInput }[] = [];
  readonly links: number[] = [];
  readonly boot: Boot;
  talks: boolean;
  #sent = 0;
  #next: number | undefined;

  constructor(boot: Boot, talks: boolean) {
    this.boot = boot;
    this.talks = talks;
  }

  step(now: Instant, inputs: readonly BoxInput[]): readonly BoxEffect[] {
    const effects: BoxEffect[] = [];
    for (const input of inputs) {
      if (input.type !== "tick") this.heard.push({ at: now, input });
      if (input.type === "candidate") effects.push({ type: "dial", dial: 7, address: input.address });
      if (input.type === "link-opened") this.links.push(input.link);
      if (input.type === "link-opened" && this.talks) this.#next ??= now;
      if (input.type === "tick") {
        this.#next = now + 100;
        const message = new Uint8Array([this.#sent >> 8, this.#sent++ & 255]);
        for (const link of this.links) effects.push({ type: "link-send", link, message });
      }
    }
    return effects;
  }
  nextDeadline(): Instant | undefined {
    return this.#next === undefined ? undefined : instant(this.#next);
  }
  inputs<Type extends OverlayInput["type"]>(type: Type): Extract<OverlayInput, { type: Type }>[] {
    return this.heard.map(({ input }) => input).filter((input) => input.type === type) as Extract<OverlayInput, { type: Type }>[];
  }
}

/** Two boxes, linked; the second dialed the first, and talks. */
function makePair(seed: number, loss = 0, trace?: (line: string) => void) {
  const talkers: Talker[] = [];
  const world = new World({
    seed, disk: DISK, network: { ...NETWORK, loss }, ...(trace ? { trace } : {}),
    makeMachine: (boot) => {
      const talker = new Talker(boot, talkers.length === 1);
      talkers.push(talker);
      return talker;
    },
  });
  const [first, second] = [world.addBox(), world.addBox()];
  world.start(first);
  world.start(second, [first.overlay]);
  world.run(1_000);
  return { world, first, second, listener: talkers[0] as Talker, dialer: talkers[1] as Talker, talkers };
}

const numbers = (talker: Talker): number[] =>
  talker.inputs("link-message").map(({ message }) => (message[0] ?? 0) * 256 + (message[1] ?? 0));

describe("a link", () => {
  test("opens at both ends, each told of the other's Node-ID", () => {
    const { first, second, listener, dialer } = makePair(1);
    assert.equal(dialer.inputs("link-opened")[0]?.nodeId, first.nodeId);
    assert.equal(dialer.inputs("link-opened")[0]?.dial, 7);
    assert.equal(listener.inputs("link-opened")[0]?.nodeId, second.nodeId);
    assert.equal(listener.inputs("link-opened")[0]?.outbound, false);
  });

  test("brings every message once and in order while a third of all packets is lost", () => {
    const { world, listener } = makePair(2, 0.33);
    world.run(60_000);
    const heard = numbers(listener);
    assert.ok(heard.length > 500);
    assert.deepEqual(heard, heard.map((_, i) => i));
  });

  test("falls silent when it is cut and brings what waited when it is healed", () => {
    const { world, listener, dialer } = makePair(3);
    world.network.partition([0, 1]);
    world.run(10_000);
    assert.equal(listener.inputs("link-silent").length, 1);
    assert.equal(dialer.inputs("link-silent").length, 1);
    world.network.heal();
    world.run(10_000);
    assert.equal(listener.inputs("link-heard").length, 1);
    const heard = numbers(listener);
    assert.ok(heard.length > 190);
    assert.deepEqual(heard, heard.map((_, i) => i));
  });

  test("that is cut one way falls silent at one end only", () => {
    const { world, listener, dialer } = makePair(4);
    world.network.cut(1, 0);
    world.run(5_000);
    assert.equal(listener.inputs("link-silent").length, 1);
    assert.equal(dialer.inputs("link-silent").length, 0);
  });

  test("that is cut for less than the silence the link layer allows gives no verdict", () => {
    const { world, listener } = makePair(5);
    world.network.cut(1, 0);
    world.run(1_000);
    world.network.heal();
    world.run(5_000);
    assert.deepEqual([...listener.inputs("link-silent"), ...listener.inputs("link-heard")], []);
  });

  test("is closed at the other end when a process is killed", () => {
    const { world, second, listener } = makePair(6);
    world.kill(second);
    world.run(100);
    assert.equal(listener.inputs("link-closed").length, 1);
  });

  test("is silent after a power cut, and reset when the power is back", () => {
    const { world, second, listener } = makePair(7);
    world.cutPower(second);
    world.run(3_000);
    assert.equal(listener.inputs("link-silent").length, 1);
    assert.equal(listener.inputs("link-closed").length, 0);
    world.start(second);
    world.run(1_000);
    assert.equal(listener.inputs("link-closed").length, 1);
  });

  test("cannot be had where no process listens, nor through a cut", () => {
    const { world, first, second, talkers } = makePair(8);
    world.kill(second);
    world.input(first, { type: "candidate", address: second.overlay, source: "mdns" });
    world.run(100);
    assert.equal(talkers[0]?.inputs("dial-failed")[0]?.reason, "refused");
    world.cutPower(first);
    world.start(second, [first.overlay]);
    world.run(5_000);
    assert.equal(talkers[2]?.inputs("dial-failed")[0]?.reason, "timeout");
  });
});

describe("a disk", () => {
  const row = (key: string) => ({ resource: "00", kind: 1, key, stored: new Uint8Array([1]) }) as never;
  const persist = (box: Box, key: string, durability: "durable" | "soft") =>
    box.disk.persist({ type: "persist", ticket: undefined, durability, puts: [row(key)], removals: [] });

  test("gives back after a restart what was synced", () => {
    const { world, first, talkers } = makePair(9);
    persist(first, "a", "durable");
    world.run(20);
    world.cutPower(first);
    world.start(first);
    assert.deepEqual(talkers.at(-1)?.boot.rows.map(({ key }) => key), ["a"]);
  });

  test("never has a later write without an earlier one", () => {
    for (let seed = 0; seed < 40; seed++) {
      const { world, first } = makePair(seed);
      for (const key of ["a", "b", "c", "d"]) persist(first, key, "durable");
      world.run(seed % 12);
      world.kill(first);
      const kept = first.disk.open(() => undefined).map(({ key }) => key).join("");
      assert.ok("abcd".startsWith(kept), kept);
    }
  });

  test("that is full refuses, and loses nothing that was on it", () => {
    const { world, first, listener } = makePair(10);
    persist(first, "a", "durable");
    world.run(20);
    first.disk.full = true;
    first.disk.persist({ type: "persist", ticket: 5, durability: "durable", puts: [row("b")], removals: [] });
    world.run(20);
    assert.equal(listener.inputs("persist-failed")[0]?.ticket, 5);
    assert.equal(first.disk.size, 1);
  });
});

describe("a run", () => {
  const fingerprint = (seed: number): string => {
    const { world, second } = makePair(seed, 0.2);
    world.network.partition([0, 1]);
    world.run(3_000);
    world.network.heal();
    world.run(3_000);
    world.kill(second);
    world.run(1_000);
    return world.trace.digest();
  };

  test("can be had again from its seed", () => assert.equal(fingerprint(11), fingerprint(11)));
  test("is another one with another seed", () => assert.notEqual(fingerprint(11), fingerprint(12)));

  test("writes every happening as a line if it is asked to", () => {
    const lines: string[] = [];
    const { world } = makePair(12, 0, (line) => lines.push(line));
    assert.equal(lines.length, world.trace.count);
    assert.match(lines[0] ?? "", /^00:00:00\.000 b0 fault /);
  });

  test("ends with a broken invariant when a step throws", () => {
    const world = new World({
      seed: 1, network: NETWORK, disk: DISK,
      makeMachine: () => ({
        step: () => {
          throw new Error("on purpose");
        },
        nextDeadline: () => undefined,
      }),
    });
    assert.throws(() => world.start(world.addBox()), InvariantBroken);
  });
});
