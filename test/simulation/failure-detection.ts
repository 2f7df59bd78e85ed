// What the failure detection does on bad paths: real link machines and their keep-alives on modelled TCP.

import { milliseconds, minutes } from "../../src/base/time.ts";
import { fromOctets } from "../../src/base/bytes.ts";
import { resourceOf, SOFT } from "../support/overlay-world.ts";
import { ROUGH, type TcpBox, TcpWorld } from "../support/tcp-world.ts";

const total = (world: TcpWorld, event: string): number => world.boxes.reduce((sum, box) => sum + box.count(event), 0);

export interface Detection {
  readonly ringChanges: number;
  /** Verdicts and closed links alike. */
  readonly givenUp: number;
  /** How often a box fell silent for another one. */
  readonly silent: number;
  /** How often another box helped out. */
  readonly relayed: number;
  /** Bytes of messages that carry values: Stores, and the answers to Fetches. */
  readonly copied: number;
}

/** What happens to a settled ring during `story`. */
export function watch(world: TcpWorld, story: () => void): Detection {
  const measure = (): Detection => ({
    ringChanges: total(world, "ring-changed"),
    givenUp: world.boxes.reduce((sum, { gone }) => sum + gone, 0),
    silent: total(world, "member-silent"),
    relayed: total(world, "member-relayed"),
    copied: world.boxes.reduce((sum, { bytesCopied }) => sum + bytesCopied, 0),
  });
  const before = measure();
  story();
  const now = measure();
  const grown = (key: keyof Detection): number => now[key] - before[key];
  return { ringChanges: grown("ringChanges"), givenUp: grown("givenUp"), silent: grown("silent"), relayed: grown("relayed"), copied: grown("copied") };
}

/** An hour of 10 % loss with 50±40 ms of delay. */
export function roughHour(boxes: number, seed: number): Detection {
  const world = TcpWorld.ring(boxes, seed);
  world.weather = ROUGH;
  return watch(world, () => world.run(minutes(60)));
}

/** The second box does not hear the first for `duration`; all else is well. */
export function oneWayLoss(boxes: number, seed: number, duration: number): Detection {
  const world = TcpWorld.ring(boxes, seed);
  return watch(world, () => {
    world.passes = (from, to) => !(from === 0 && to === 1);
    world.run(duration);
    world.passes = () => true;
    world.run(minutes(2));
  });
}

/** The first box's cable is out for `down` after each `up`, for five minutes. `dataBytes`: what the ring holds. */
export function flappingCable(boxes: number, seed: number, up: number, down: number): Detection & { readonly dataBytes: number; readonly whole: boolean } {
  const world = TcpWorld.ring(boxes, seed);
  const dataBytes = fill(world, 300);
  const seen = watch(world, () => {
    const since = world.now;
    world.passes = (from, to, now) => (from !== 0 && to !== 0) || (now - since) % (up + down) < up;
    world.run(minutes(5));
    world.passes = () => true;
    world.run(minutes(1));
  });
  return { ...seen, dataBytes, whole: world.boxes.every((box) => serving(box) === boxes) };
}

/** From the moment at which nothing comes from a box any more to the last verdict on it, milliseconds. */
export function powerCut(boxes: number, seed: number): number {
  const world = TcpWorld.ring(boxes, seed);
  world.run(world.random.below(1_000));
  const since = world.now;
  world.passes = (from, to) => from !== 0 && to !== 0;
  world.until(() => world.boxes.slice(1).every(({ gone }) => gone > 0), minutes(1));
  return world.now - since;
}

export const serving = (box: TcpBox): number => 1 + box.core.snapshot().members.filter(({ state }) => state === "serving").length;

/** Stores so many entries and waits until every copy is there. Returns the bytes of one copy of all values. */
function fill(world: TcpWorld, count: number): number {
  const value = fromOctets("x".repeat(200));
  for (let i = 0; i < count; i++) {
    const box = world.boxes[i % world.boxes.length] as TcpBox;
    const input = { type: "store", ticket: 1_000_000 + i, resource: resourceOf(`u${i}`), kind: SOFT.id, changes: [{ key: "aa", value, lifetime: minutes(120) }] } as const;
    world.queue.after(10 * i, () => world.give(box, input));
  }
  world.run(milliseconds(minutes(2)));
  const copies = world.boxes.reduce((sum, { core }) => sum + core.snapshot().held, 0);
  if (copies !== count * Math.min(3, world.boxes.length)) throw new Error(`${copies} copies of ${count} entries`);
  return count * value.length;
}
