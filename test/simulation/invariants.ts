// What must be so. Cheap things are looked at with every effect; the state of the whole ring when all
// has been quiet for long enough that nothing is left to be repaired.

import type { OverlaySnapshot } from "../../src/overlay/ports.ts";
import { type Box, type BoxEffect, InvariantBroken, type Life, type Observer, type World } from "../support/world.ts";

const REPLICAS = 3;
const LARGEST_MESSAGE = 1_000_000;

function require(condition: boolean, what: () => string): void {
  if (!condition) throw new InvariantBroken(what());
}

/** After each step. */
export class StepInvariants implements Observer {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  effect(life: Life, effect: BoxEffect): void {
    if (effect.type === "count" || effect.type === "report") return;
    const { name } = life.box;
    require(this.#world.steps <= life.leftInStep || effect.type === "link-close" || effect.type === "persist" || effect.type === "replied",
      () => `${name} has left and still wants ${effect.type}`);
    if (effect.type === "link-send") {
      require(effect.message.length < LARGEST_MESSAGE, () => `${name} sends a message of ${effect.message.length} bytes`);
    }
    if (effect.type === "phase-changed") {
      require(effect.phase !== life.phase, () => `${name} changes its phase from ${effect.phase} to ${effect.phase}`);
    }
    if (effect.type === "members-changed") {
      require(effect.members.length < this.#world.boxes.length * 4 + 16, () => `${name} remembers ${effect.members.length} members`);
    }
  }
}

/** One ring, equal views, each resource one responsible peer and three equal copies. Throws where not. */
export function requireWholeRing(world: World): void {
  const running = world.boxes.filter(({ life }) => life !== undefined);
  const ring = running.map(({ nodeId }) => nodeId).sort();
  let shares = 0;
  for (const box of running) {
    const snapshot = snapshotOf(box);
    require(snapshot.phase === "serving", () => `${box.name} is ${snapshot.phase} after the quiet`);
    requireView(box, snapshot, ring);
    requireCopies(world, box, snapshot, ring);
    shares += snapshot.share;
  }
  require(Math.abs(shares - 1) < 1e-6, () => `the shares of all boxes sum up to ${shares}`);
}

export function snapshotOf(box: Box): OverlaySnapshot {
  const snapshot = box.life?.machine.snapshot?.();
  if (snapshot === undefined) throw new InvariantBroken(`${box.name} has no picture of itself`);
  return snapshot;
}

function requireView(box: Box, { members, self }: OverlaySnapshot, ring: readonly string[]): void {
  const seen = members.filter(({ state }) => state === "serving").map(({ info }) => info.nodeId);
  const view = [...new Set([...seen, self.nodeId])].sort();
  if (view.join() === ring.join()) return;
  const missing = ring.filter((nodeId) => !view.includes(nodeId as typeof self.nodeId));
  const extra = view.filter((nodeId) => !ring.includes(nodeId));
  const states = missing.map((nodeId) => `${nodeId} ${members.find(({ info }) => info.nodeId === nodeId)?.state ?? "unknown"}`);
  throw new InvariantBroken(`${box.name} does not see [${states.join()}] and sees [${extra.join()}] that do not run`);
}

function requireCopies(world: World, box: Box, snapshot: OverlaySnapshot, ring: readonly string[]): void {
  const { arc } = snapshot;
  const wanted = Math.min(REPLICAS, ring.length);
  require(snapshot.copies === wanted, () => `${box.name} has ${snapshot.copies} copies of its share, not ${wanted}`);
  if (arc === undefined) throw new InvariantBroken(`${box.name} knows no arc of its own`);
  require(arc.owner === box.nodeId, () => `${box.name} takes ${arc.owner} for the owner of its arc`);
  require(arc.inSync, () => `${box.name}: the copies of its arc are not equal after the quiet`);
  if (world.boxes.some(({ zone }) => zone !== "")) return;
  const at = ring.indexOf(box.nodeId);
  const next = Array.from({ length: wanted - 1 }, (_, i) => ring[(at + 1 + i) % ring.length] as string);
  const replicas = arc.replicas.filter((nodeId) => nodeId !== box.nodeId);
  require(replicas.join() === next.join(), () => `${box.name} has its copies at [${replicas.join()}], not [${next.join()}]`);
}
