import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { compareVersions, isVersion } from "../../../src/provision/version.ts";

suite("versions", () => {
  test("are three numbers, written in one way", () => {
    for (const good of ["0.0.0", "0.1.0", "12.34.56789"]) assert.ok(isVersion(good), good);
    for (const bad of ["", "1", "1.2", "1.2.3.4", "01.2.3", "1.2.-3", "1.2.3 ", "1..3", "1.2.123456", "1.2.x", "1e1.0.0", 1, undefined]) assert.ok(!isVersion(bad), String(bad));
  });

  test("are ordered by their numbers, the first one first", () => {
    const ordered = ["0.0.9", "0.0.10", "0.9.0", "0.10.0", "1.0.0", "2.0.0", "10.0.0"];
    const shuffled = ["10.0.0", "0.9.0", "0.0.10", "2.0.0", "0.10.0", "0.0.9", "1.0.0"];
    assert.deepEqual(shuffled.sort(compareVersions), ordered);
    assert.equal(compareVersions("1.2.3", "1.2.3"), 0);
  });
});
