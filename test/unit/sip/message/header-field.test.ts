import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalName, HeaderField, joinFields, makeField } from "../../../../src/sip/message/header-field.ts";

test("compact forms and any case lead to one name", () => {
  for (const [written, name] of [
    ["Via", "via"], ["V", "via"], ["i", "call-id"], ["CALL-id", "call-id"], ["m", "contact"], ["F", "from"], ["T", "to"], ["L", "content-length"],
    ["c", "content-type"], ["k", "supported"], ["s", "subject"], ["e", "content-encoding"], ["x", "session-expires"], ["o", "event"], ["r", "refer-to"],
    ["WWW-Authenticate", "www-authenticate"], ["X-Unknown", "x-unknown"], ["q", "q"], ["C%6Fntact", "c%6fntact"],
  ] as const) {
    assert.equal(canonicalName(written), name);
  }
});

test("names that differ in a character beside letters are different", () => {
  for (const name of ["Call_Id", "Call.Id", "Call+Id", "Call*Id", "CallId"]) assert.notEqual(canonicalName(name), "call-id");
});

const readValue = (line: string): string => new HeaderField("x", line, 0, 2, line.length).value;

test("a value is unfolded and has no blanks around", () => {
  assert.equal(readValue("x: a  b \t\r\n"), "a  b");
  assert.equal(readValue("x:\r\n\ta\r\n  b \r\n \r\n c\n"), "a b c");
  assert.equal(readValue("x: \r\n"), "");
});

test("a field of our own reads back", () => {
  const field = makeField("K", "path, gruu");
  assert.deepEqual([field.name, field.value, joinFields([field])], ["supported", "path, gruu", "K: path, gruu\r\n"]);
});

test("fields are joined in their order, wherever they come from", () => {
  const text = "a: 1\r\nb: 2\r\nc: 3\r\n";
  const [a, b, c] = [0, 6, 12].map((start) => new HeaderField(text.charAt(start), text, start, start + 2, start + 6));
  assert(a !== undefined && b !== undefined && c !== undefined);
  assert.equal(joinFields([a, b, c]), text);
  assert.equal(joinFields([c, makeField("x", "y"), a, b]), "c: 3\r\nx: y\r\na: 1\r\nb: 2\r\n");
  assert.equal(joinFields([]), "");
});
