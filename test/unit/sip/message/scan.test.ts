import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  equalIgnoringCase, isToken, lowerCase, parseUnsigned, quote, skipQuoted, splitList, standsAt, unquote,
} from "../../../../src/sip/message/scan.ts";

test("a token has at least one character, and none that separates", () => {
  assert(isToken("a-Z.0!%*_+`'~"));
  for (const text of ["", "a b", "a:b", "a/b", "a\0", "\xe9", "a@b"]) assert(!isToken(text), text);
});

test("a number has digits only and a bound", () => {
  assert.deepEqual(["0", "007", "4294967295"].map((text) => parseUnsigned(text, 4_294_967_295)), [0, 7, 4_294_967_295]);
  for (const text of ["", "-1", "+1", "1.0", "1 ", " 1", "0x1", "4294967296", "1".repeat(400)]) assert.equal(parseUnsigned(text, 4_294_967_295), undefined);
});

test("a list is divided at commas that stand neither in quotes nor in angle brackets", () => {
  assert.deepEqual(splitList(' a , "b,\\",c" <d,e> , <f"g>,h,', 100), ["a", '"b,\\",c" <d,e>', '<f"g>', "h", ""]);
});

test("a list is divided at most as often as allowed", () => {
  assert.deepEqual(splitList("a,b,c", 1), ["a", "b,c"]);
});

test("a list with an open quote keeps the rest in one member", () => {
  assert.deepEqual(splitList('a,"b,c', 100), ["a", '"b,c']);
});

test("a quoted string ends at the first quote that is not escaped", () => {
  assert.equal(skipQuoted('"a\\"b"c', 0), 6);
  assert.equal(skipQuoted('"a\\"', 0), -1);
});

test("what is quoted is unquoted as it was", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('"', "\\", "a", " ", "\xff") }), (text) => {
      assert.equal(unquote(quote(text)), text);
      assert.equal(skipQuoted(quote(text), 0), quote(text).length);
    }),
  );
});

test("nothing quoted can end a line", () => {
  assert.equal(quote("a\r\nVia: b\0"), '"aVia: b"');
});

test("case is of ASCII letters alone", () => {
  assert(equalIgnoringCase("Via-1", "vIA-1"));
  assert(!equalIgnoringCase("\xc9", "\xe9") && !equalIgnoringCase("[", "{"));
  assert.equal(lowerCase("ABC\xc9z"), "abc\xc9z");
  assert(standsAt("xSIP/2", 1, "sip/") && !standsAt("si", 0, "sip/"));
});
