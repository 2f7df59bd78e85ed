import assert from "node:assert/strict";
import { test } from "node:test";
import { findConfigVolume, findFile, padded, withSettings } from "../../../src/provision/image-stamp.ts";

test("what is no image is refused in words", () => {
  for (const bytes of [new Uint8Array(0), new Uint8Array(1 << 20)]) assert.equal(findConfigVolume(bytes).ok, false);
  for (const bytes of [new Uint8Array(0), new Uint8Array(4_096).fill(0xff)]) assert.equal(findFile(bytes, "ringbox.conf").ok, false);
});

test("a text that is longer than its file is refused, a shorter one is filled up with line breaks", () => {
  const extents = [{ offset: 0, length: 2 }, { offset: 8, length: 2 }];
  assert.equal(padded("12345", extents).ok, false);
  assert.deepEqual(padded("abc", extents), { ok: true, value: Uint8Array.of(97, 98, 99, 10) });
});

test("settings take the place of those of the same name, and of their example", () => {
  const text = "# About\n#zone = rack-2\n#address = 192.0.2.10/24\nhostname-prefix = old\n\n\n";
  assert.equal(
    withSettings(text, { zone: "rack-7", hostnamePrefix: "new" }),
    "# About\n#address = 192.0.2.10/24\nzone = rack-7\nhostname-prefix = new\n",
  );
  assert.equal(withSettings(text, {}), `${text.trimEnd()}\n`);
});
