import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Bencoded, bdecode, bencode } from "../../../src/io/bencode.ts";

const octets = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)), maxLength: 20 });
const { value: anything } = fc.letrec<{ value: Bencoded }>((tie) => ({
  value: fc.oneof({ maxDepth: 4 }, octets, fc.integer(), fc.array(tie("value"), { maxLength: 4 }), fc.dictionary(octets.filter((key) => key !== "__proto__"), tie("value"), { maxKeys: 4, noNullPrototype: true })),
}));

test("what is written is read again", () => {
  fc.assert(fc.property(anything, (value) => assert.deepEqual(bdecode(bencode(value)), value)));
});

test("a question of the ng protocol is written as its specification has it", () => {
  assert.equal(bencode({ command: "offer", flags: ["a"], n: -3 }), "d7:command5:offer5:flagsl1:ae1:ni-3ee");
});

for (const broken of ["", "d", "i12", "ie", "i1x2e", "5:abc", "l1:a", "d1:ae", "di1e1:ae", "1:ab", "-1:", "l".repeat(5_000), `${"9".repeat(30)}:a`]) {
  test(`nothing is read of ${broken.slice(0, 20)}`, () => assert.equal(bdecode(broken), undefined));
}
