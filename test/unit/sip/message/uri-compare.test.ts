import assert from "node:assert/strict";
import { test } from "node:test";
import { sameUri, uriKey } from "../../../../src/sip/message/uri-compare.ts";
import { parseUri, type Uri } from "../../../../src/sip/message/uri.ts";

function uri(text: string): Uri {
  const parsed = parseUri(text);
  assert(parsed !== undefined, `${text} is a URI`);
  return parsed;
}

/** The examples of RFC 3261 19.1.4 and some beside them. */
const EQUAL = [
  ["sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"],
  ["sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"],
  ["sip:carol@chicago.com", "sip:carol@chicago.com;security=on"],
  ["sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com", "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com"],
  ["sip:alice@atlanta.com?subject=project%20x&priority=urgent", "sip:alice@atlanta.com?priority=urgent&subject=project%20x"],
  ["sip:a@[2001:DB8::1]", "sip:a@[2001:db8::1]"],
  ["tel:+1", "tel:+1"],
] as const;

const DIFFERENT = [
  ["SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"],
  ["sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"],
  ["sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"],
  ["sip:bob@biloxi.com:6000;transport=tcp", "sip:bob@biloxi.com"],
  ["sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"],
  ["sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"],
  ["sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"],
  ["sip:a@b", "sips:a@b"],
  ["sip:a@b", "sip:b"],
  ["sip:a@b", "sip:a:pw@b"],
  ["sip:a@b", "sip:a@b;maddr=c"],
  ["sip:a%40b@c", "sip:a@c"],
  ["sip:%00@c", "sip:%00%00@c"],
  ["tel:+1", "sip:+1@b"],
] as const;

for (const [a, b] of EQUAL) {
  test(`${a} is ${b}`, () => {
    assert(sameUri(uri(a), uri(b)) && sameUri(uri(b), uri(a)));
    assert.equal(uriKey(uri(a)), uriKey(uri(b)));
  });
}

for (const [a, b] of DIFFERENT) {
  test(`${a} is not ${b}`, () => {
    assert(!sameUri(uri(a), uri(b)) && !sameUri(uri(b), uri(a)));
  });
}

test("where a parameter stands twice the first counts, and the URI is the same as itself", () => {
  const twice = parseUri("sip:p;lr=sip:q;lr") as Uri;
  assert.ok(sameUri(twice, twice));
  assert.ok(sameUri(twice, parseUri("sip:p;lr=sip:q") as Uri));
  assert.ok(!sameUri(twice, parseUri("sip:p;lr=other") as Uri));
});
