import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { instant } from "../../../src/base/time.ts";
import { chooseNodeId, type Placed, Placement } from "../../../src/provision/placement.ts";
import { SeededRandom } from "../../support/seeded-random.ts";

/** The largest share of the ring any box has, as a multiple of the mean. */
function largestShare(boxes: readonly Placed[]): number {
  const places = boxes.map(({ nodeId }) => BigInt(`0x${nodeId}`)).sort((a, b) => (a < b ? -1 : 1));
  let largest = 0n;
  places.forEach((place, i) => {
    const before = places[(i + places.length - 1) % places.length] ?? place;
    const share = place > before ? place - before : place - before + (1n << 128n);
    if (share > largest) largest = share;
  });
  return (Number(largest >> 64n) / 2 ** 64) * boxes.length;
}

function grow(count: number, seed: number, zones: number): Placed[] {
  const random = new SeededRandom(seed);
  const boxes: Placed[] = [];
  for (let i = 0; i < count; i++) {
    const zone = zones === 0 ? "" : `zone ${i % zones}`;
    boxes.push({ nodeId: chooseNodeId(boxes, zone, random), zone });
  }
  return boxes;
}

test("no box of a ring that grows one by one has more than 2.2 times the mean share", () => {
  fc.assert(fc.property(fc.integer(), fc.constantFrom(0, 3), (seed, zones) => {
    const boxes = grow(100, seed, zones);
    for (let count = 1; count <= 100; count++) {
      const share = largestShare(boxes.slice(0, count));
      assert.ok(share <= 2.2, `${share} times the mean at ${count} boxes`);
    }
  }), { numRuns: 30 });
});

test("a Node-ID is 32 lower-case hex digits and never one that is taken", () => {
  const ids = grow(100, 7, 0).map(({ nodeId }) => nodeId);
  for (const id of ids) assert.match(id, /^[0-9a-f]{32}$/);
  assert.equal(new Set(ids).size, 100);
});

test("a newcomer goes where its zone is missing, if the gap is nearly as large", () => {
  const at = (digit: string, zone: string) => ({ nodeId: digit.padEnd(32, "0"), zone });
  // Six equal gaps, nearly: one half of the ring is in zone a, the other in zone b.
  const boxes = [at("0", "a"), at("2a", "a"), at("55", "a"), at("80", "b"), at("aa", "b"), at("d5", "b")];
  for (let seed = 0; seed < 20; seed++) {
    const chosen = chooseNodeId(boxes, "a", new SeededRandom(seed));
    assert.ok(chosen > "80" && chosen < "d5ff", chosen);
  }
});

test("two newcomers within a minute get two gaps, though neither is a member yet", () => {
  const placement = new Placement(new SeededRandom(1));
  const members = [{ nodeId: "0".repeat(32), zone: "" }];
  const first = placement.choose(instant(0), members, "");
  const second = placement.choose(instant(59_000), members, "");
  const third = placement.choose(instant(60_001), members, "");
  assert.match(first, /^[78]/);
  assert.doesNotMatch(second, /^[78]/);
  assert.doesNotMatch(third, /^0/, "the first was forgotten, the second not");
});

test("malformed Node-IDs of members do not disturb", () => {
  const id = chooseNodeId([{ nodeId: "xyz", zone: "" }, { nodeId: "0".repeat(32), zone: "" }], "", new SeededRandom(2));
  assert.match(id, /^[78]/);
});
