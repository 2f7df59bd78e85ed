// Routing and fairness as docs/routing.md has them, up to 10,000 boxes; `npm run routing` goes to a million.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { chooseNodeId, type Placed } from "../../src/provision/placement.ts";
import { type RouteRow, routeLine, routeRow, shareLine, SIZES, shareRow } from "../routing/figures.ts";
import { plotOf } from "../routing/plot.ts";
import { largestShare, placeBoxes } from "../support/large-rings.ts";
import { SeededRandom } from "../support/seeded-random.ts";

const page = readFileSync(join(import.meta.dirname, "../../docs/routing.md"), "utf8");
const sizes = SIZES.filter((size) => size <= 10_000);
const rows: readonly RouteRow[] = sizes.map(routeRow);

test("a look-up takes half of log N hops in the mean, and never more than log N and one", () => {
  for (const { size, random, ours } of rows) {
    for (const { mean, largest } of [random, ours]) {
      assert.ok(mean <= Math.log2(size) / 2 + 0.5, `${mean} hops in the mean at ${size} boxes`);
      assert.ok(largest <= Math.log2(size) + 1, `${largest} hops at ${size} boxes`);
    }
  }
});

test("docs/routing.md has the rows that the functions of today make, and the plot has their points", () => {
  for (const row of rows) assert.ok(page.includes(routeLine(row)), `the page lacks ${routeLine(row)}`);
  for (const size of sizes) {
    const line = shareLine(shareRow(size));
    assert.ok(page.includes(line), `the page lacks ${line}`);
  }
  const plot = readFileSync(join(import.meta.dirname, "../../docs/routing.svg"), "utf8");
  // All but the size of the scale is the same in a plot of fewer sizes.
  for (const element of plotOf(rows).match(/<circle[^>]*>/g) ?? []) assert.ok(plot.includes(element), `the plot lacks ${element}`);
});

test("the heap of gaps places boxes where enrollment does", () => {
  const random = new SeededRandom(7);
  const boxes: Placed[] = [];
  for (let i = 0; i < 300; i++) boxes.push({ nodeId: chooseNodeId(boxes, "", random), zone: "" });
  assert.deepEqual(placeBoxes(300, "ours", new SeededRandom(7)), boxes.map(({ nodeId }) => nodeId).sort());
});

test("no ring of up to 300 boxes that split the largest gap gives one more than 1.75 times the mean share", () => {
  for (let size = 2; size <= 300; size++) {
    const share = largestShare(placeBoxes(size, "ours", new SeededRandom(size)));
    assert.ok(share <= 1.75, `${share} times the mean at ${size} boxes`);
  }
});
