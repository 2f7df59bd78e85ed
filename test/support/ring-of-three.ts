// Three boxes as they are shipped, in one ring, and which of them a user is stored at.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { TestContext } from "node:test";
import { type BuiltBox, DOMAIN, makeBox, makeFleet, scratch, serving } from "./built-ring.ts";

export async function ringOfThree(t: TestContext): Promise<readonly [BuiltBox, BuiltBox, BuiltBox]> {
  const directory = scratch(t);
  const { ticket } = makeFleet(directory);
  const boxes: BuiltBox[] = [];
  for (let number = 1; number <= 3; number++) {
    const box = makeBox(t, directory, { name: `box${number}`, ticket, hints: boxes.slice(0, 1), parameters: ["--open-registration"] });
    box.start();
    boxes.push(box);
    await serving(box, number);
  }
  for (const box of boxes) await serving(box, 3);
  return boxes as unknown as readonly [BuiltBox, BuiltBox, BuiltBox];
}

/** The box that is responsible for what is stored of a user. */
async function ownerOf(user: string, boxes: readonly BuiltBox[]): Promise<BuiltBox> {
  const resource = createHash("sha1").update(`${user}@${DOMAIN}`).digest("hex").slice(0, 32);
  const known = await Promise.all(boxes.map(async (box) => ({ box, nodeId: (await box.status()).nodeId as string })));
  known.sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
  const owner = known.find(({ nodeId }) => nodeId >= resource) ?? known[0];
  assert.ok(owner);
  return owner.box;
}

/** A user whose owner is that box. */
export async function userOf(owner: BuiltBox, boxes: readonly BuiltBox[]): Promise<string> {
  for (let number = 200; ; number++) if ((await ownerOf(`u${number}`, boxes)) === owner) return `u${number}`;
}
