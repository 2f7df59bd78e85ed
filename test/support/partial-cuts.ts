// Cuts of single paths by luck, and the parts that are left: boxes that reach each other over some way.

import type { OverlayWorld, SeededRandom, WorldBox } from "./overlay-world.ts";

/** Cuts each path with one chance for all; returns the parts of the network. */
export function cutAtRandom(world: OverlayWorld, random: SeededRandom): readonly (readonly WorldBox[])[] {
  const chance = 0.15 + random.fraction() * 0.5;
  const cuts = new Set<string>();
  for (const a of world.boxes) for (const b of world.boxes) if (a.id < b.id && random.fraction() < chance) cuts.add(`${a.id} ${b.id}`);
  const isCut = (a: WorldBox, b: WorldBox): boolean => cuts.has(a.id < b.id ? `${a.id} ${b.id}` : `${b.id} ${a.id}`);
  world.cutPaths(isCut);
  return partsOf(world.boxes, (a, b) => !isCut(a, b));
}

function partsOf(boxes: readonly WorldBox[], reaches: (a: WorldBox, b: WorldBox) => boolean): readonly (readonly WorldBox[])[] {
  const left = new Set(boxes);
  const parts: WorldBox[][] = [];
  for (const first of boxes) {
    if (!left.delete(first)) continue;
    const part = [first];
    for (const box of part) for (const other of [...left]) if (reaches(box, other) && left.delete(other)) part.push(other);
    parts.push(part);
  }
  return parts;
}
