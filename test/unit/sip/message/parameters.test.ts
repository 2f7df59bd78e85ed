import assert from "node:assert/strict";
import { test } from "node:test";
import { LIMITS } from "../../../../src/sip/message/limits.ts";
import { parameterValue, parseParameters, serializeParameters } from "../../../../src/sip/message/parameters.ts";

test("parameters have a name and perhaps a value, quoted or not", () => {
  assert.deepEqual(parseParameters('x;a;b=1 ; c = "d;e\\""', 1), [
    { name: "a", value: undefined },
    { name: "b", value: "1" },
    { name: "c", value: '"d;e\\""' },
  ]);
});

test("none is a list of none", () => {
  assert.deepEqual(parseParameters("x  ", 1), []);
});

for (const text of [";", ";;a", ";a;", ";a=", ";=a", ';a="b', ";a b", "a", ";a=b,c", ";a=<b>", ";(=1"]) {
  test(`${JSON.stringify(text)} are no parameters`, () => {
    assert.equal(parseParameters(text, 0), undefined);
  });
}

test("more parameters than allowed are malformed", () => {
  assert.equal(parseParameters(";a".repeat(LIMITS.parameters), 0)?.length, LIMITS.parameters);
  assert.equal(parseParameters(";a".repeat(LIMITS.parameters + 1), 0), undefined);
});

test("the first of a name counts, in any case and without quotes", () => {
  const parameters = parseParameters(';Tag="a b";tag=2;lr', 0) ?? [];
  assert.deepEqual([parameterValue(parameters, "TAG"), parameterValue(parameters, "lr"), parameterValue(parameters, "x")], ["a b", "", undefined]);
});

test("parameters are written as they were read", () => {
  assert.equal(serializeParameters(parseParameters(' ; a ; b = "c"', 0) ?? []), ';a;b="c"');
});
