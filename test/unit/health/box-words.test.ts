import assert from "node:assert/strict";
import { test } from "node:test";
import { boxWords } from "../../../src/health/box-words.ts";

test("a box has one name, of two words and a number; boxes at even distances on the ring have different ones", () => {
  const ids = Array.from({ length: 32 }, (_, n) => `${(n * 8).toString(16).padStart(2, "0")}${"0".repeat(30)}`);
  const names = ids.map(boxWords);
  for (const name of names) assert.match(name, /^[a-z]+-[a-z]+-[0-9]{2}$/);
  assert.deepEqual(ids.map(boxWords), names);
  assert.equal(new Set(names).size, names.length);
});
