import assert from "node:assert/strict";
import { test } from "node:test";
import { boxName } from "../../../src/provision/box-name.ts";

test("a box is called by two words, other Node-IDs by others", () => {
  assert.equal(boxName("7f000001000000000000000000000000"), "lusab-babad");
  assert.equal(boxName("3f54dcc1ffffffffffffffffffffffff"), "gutih-tugad");
});
