// The four access policies of RFC 6940 section 7.3, each through a ring of five: whoever may write does so from
// its own box, the responsible peer is mostly another, and what is refused is on no box.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, fromOctets, toHex } from "../../../src/base/bytes.ts";
import type { KindDefinition, ResourceId } from "../../../src/overlay/ports.ts";
import { ERROR } from "../../../src/overlay/wire/code-points.ts";
import { CERTIFICATE_BY_NODE, CERTIFICATE_BY_USER } from "../../../src/peer/kinds.ts";
import { BY_NODE_MULTIPLE, BY_USER_NODE, cryptoFor, OverlayWorld, type WorldBox } from "../../support/overlay-world.ts";

const at = (bytes: Uint8Array): ResourceId => toHex(cryptoFor("" as never).sha1(bytes)).slice(0, 32) as ResourceId;
const userPlace = ({ id }: WorldBox): ResourceId => at(fromOctets(`${id}@test.ring`));
const nodePlace = ({ id }: WorldBox): ResourceId => at(fromHex(id));
const multiplePlace = ({ id }: WorldBox, number: number): ResourceId => at(fromHex(`${id}${number.toString(16).padStart(2, "0")}`));

interface Case {
  readonly kind: KindDefinition;
  /** Where a box may write, and under which key. */
  readonly own: (box: WorldBox) => readonly (readonly [ResourceId, string])[];
  /** Where it may not, though another may, or nobody. */
  readonly foreign: (box: WorldBox, other: WorldBox) => readonly (readonly [ResourceId, string])[];
}

const CASES: readonly Case[] = [
  {
    kind: CERTIFICATE_BY_USER,
    own: (box) => [[userPlace(box), "00000000"]],
    foreign: (box, other) => [[userPlace(other), "00000000"], [nodePlace(box), "00000000"]],
  },
  {
    kind: CERTIFICATE_BY_NODE,
    own: (box) => [[nodePlace(box), "00000000"]],
    foreign: (box, other) => [[nodePlace(other), "00000000"], [userPlace(box), "00000000"]],
  },
  {
    kind: BY_USER_NODE,
    own: (box) => [[userPlace(box), box.id]],
    foreign: (box, other) => [[userPlace(box), other.id], [userPlace(other), box.id], [userPlace(other), other.id], [nodePlace(box), box.id]],
  },
  {
    kind: BY_NODE_MULTIPLE,
    own: (box) => [1, 2, 3].map((number) => [multiplePlace(box, number), ""] as const),
    foreign: (box, other) => [[multiplePlace(box, 0), ""], [multiplePlace(box, 4), ""], [multiplePlace(other, 1), ""], [nodePlace(box), ""]],
  },
];

for (const { kind, own, foreign } of CASES) {
  test(`${kind.access}: each box writes at its own places, reads those of all, and writes at no other`, () => {
    const world = OverlayWorld.ring(5, 40);
    let remote = 0;
    for (const [i, box] of world.boxes.entries()) {
      for (const [resource, key] of own(box)) {
        if (world.ownerOf(resource) !== box) remote++;
        assert.ok(world.storeNow(box, resource, kind, key, `of ${i}`).ok, `box ${i} at ${resource} ${key}`);
      }
    }
    assert.ok(remote >= 3, "most writes travel");
    for (const [i, box] of world.boxes.entries()) {
      const other = world.boxes[(i + 1) % 5] as WorldBox;
      for (const [resource, key] of foreign(box, other)) {
        const outcome = world.storeNow(box, resource, kind, key, "stolen");
        assert.deepEqual(outcome, { ok: false, fault: { reason: "refused", code: ERROR.Error_Forbidden, text: `access policy ${kind.access}` } });
      }
    }
    world.run(40_000);
    for (const [i, box] of world.boxes.entries()) {
      const reader = world.boxes[(i + 2) % 5] as WorldBox;
      for (const [resource, key] of own(box)) assert.deepEqual(world.fetchNow(reader, resource, kind), { [key]: `of ${i}` });
      for (const [resource] of foreign(box, reader)) {
        for (const holder of world.boxes) for (const { value } of holder.core.held(resource)) assert.notDeepEqual(value, fromOctets("stolen"));
      }
    }
  });

  test(`${kind.access}: what a box wrote outlives its death, and no heir may change it`, () => {
    const world = OverlayWorld.ring(5, 41);
    const [writer, heir] = world.boxes as [WorldBox, WorldBox];
    const places = own(writer);
    for (const [resource, key] of places) assert.ok(world.storeNow(writer, resource, kind, key, "mine").ok);
    world.kill(writer);
    world.run(40_000);
    for (const [resource, key] of places) {
      assert.deepEqual(world.fetchNow(heir, resource, kind), { [key]: "mine" });
      assert.equal(world.storeNow(heir, resource, kind, key, undefined).ok, false, "not even a deletion");
      assert.deepEqual(world.fetchNow(heir, resource, kind), { [key]: "mine" });
    }
  });
}
