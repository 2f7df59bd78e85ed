import assert from "node:assert/strict";
import { test } from "node:test";
import { formatQ, parseNameAddress, parseQ } from "../../../../src/sip/message/name-address.ts";
import { parameterValue } from "../../../../src/sip/message/parameters.ts";

const read = (text: string): unknown => {
  const address = parseNameAddress(text);
  return address && [address.displayName, address.uriText, address.parameters.map(({ name, value }) => `${name}=${value}`).join(" ")];
};

const WELL_FORMED = [
  ["<sip:a@b>", ["", "sip:a@b", ""]],
  ['"A \\"B\\" <c>" <sip:a@b;lr>;tag=1', ['A "B" <c>', "sip:a@b;lr", "tag=1"]],
  ["Alice Liddell <sip:a@b>", ["Alice Liddell", "sip:a@b", ""]],
  ["caller<sip:a@b>", ["caller", "sip:a@b", ""]],
  ["sip:a@b;tag=1 ; x", ["", "sip:a@b", "tag=1 x=undefined"]],
  ["sip:a@b", ["", "sip:a@b", ""]],
  ["<sip:a@b>  ;  tag  =  1", ["", "sip:a@b", "tag=1"]],
  ["<sip:a@b>;expires=60;q=0.5;+sip.instance=\"<urn:uuid:1>\"", ["", "sip:a@b", 'expires=60 q=0.5 +sip.instance="<urn:uuid:1>"']],
  ["<tel:+1>", ["", "tel:+1", ""]],
  ["J\xfcrgen <sip:a@b>", ["J\xfcrgen", "sip:a@b", ""]],
] as const;

for (const [text, wanted] of WELL_FORMED) {
  test(`${text} is a name-addr or an addr-spec`, () => {
    assert.deepEqual(read(text), wanted);
  });
}

const MALFORMED = [
  "", "<>", '"Open <sip:a@b>', '"A" sip:a@b', "Bell, Alexander <sip:a@b>", "< sip:a@b >", "<sip:a@b", "sip:a@b?Route=x",
  "sip:a@b,sip:c@d", "<sip:a@b>;;;;", "<sip:a@b>;", "<sip:a@b> x", "<sip:a@b>;tag=", '<sip:a@b>;x="y', "*",
] as const;

for (const text of MALFORMED) {
  test(`${JSON.stringify(text)} is neither`, () => {
    assert.equal(parseNameAddress(text), undefined);
  });
}

test("a quoted parameter value is found without its quotes", () => {
  const address = parseNameAddress('<sip:a@b>;+SIP.instance="<urn:x>"');
  assert.equal(parameterValue(address?.parameters ?? [], "+sip.instance"), "<urn:x>");
});

test("q is read in thousandths", () => {
  assert.deepEqual(["1", "1.0", "0", "0.5", "0.25", "0.333", "0."].map(parseQ), [1000, 1000, 0, 500, 250, 333, 0]);
  assert.deepEqual(["1.1", "2", "", "-1", "0.1234", ".5", "1.001", "a"].map(parseQ), new Array(8).fill(undefined));
});

test("q is written as short as it can be", () => {
  assert.deepEqual([1000, 0, 500, 250, 333, 50].map(formatQ), ["1", "0", "0.5", "0.25", "0.333", "0.05"]);
});
