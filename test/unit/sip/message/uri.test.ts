import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  addressOfRecord, escapeUser, isSipUri, parseUri, serializeUri, type SipUri, unescapeUser, uriParameter,
} from "../../../../src/sip/message/uri.ts";

function sip(text: string): SipUri {
  const uri = parseUri(text);
  assert(uri !== undefined && isSipUri(uri), `${text} is a SIP URI`);
  return uri;
}

test("a SIP URI has user, password, host, port, parameters and headers", () => {
  assert.deepEqual(sip("sip:alice:secret@Example.COM:5070;transport=tcp;lr?Subject=hi&Priority=urgent"), {
    scheme: "sip",
    user: "alice",
    password: "secret",
    host: "example.com",
    port: 5070,
    parameters: [{ name: "transport", value: "tcp" }, { name: "lr", value: undefined }],
    headers: "Subject=hi&Priority=urgent",
  });
});

test("a scheme is read in any case", () => {
  assert.equal(sip("SIPS:a@b").scheme, "sips");
});

test("a semicolon before @ belongs to the user", () => {
  assert.equal(sip("sip:user;par=x@example.net").user, "user;par=x");
});

test("a URI without @ has no user", () => {
  assert.equal(sip("sip:example.net;lr").user, undefined);
});

test("an IPv6 host loses its brackets and keeps its port", () => {
  const uri = sip("sip:a@[2001:DB8::1]:5062;lr");
  assert.deepEqual([uri.host, uri.port], ["2001:db8::1", 5062]);
  assert.equal(serializeUri(uri), "sip:a@[2001:db8::1]:5062;lr");
});

test("a # in the user, as phones dial it, is taken", () => {
  assert.equal(sip("sip:*72#@example.net").user, "*72#");
});

test("other schemes are not looked into", () => {
  assert.deepEqual(parseUri("TEL:+1-201-555-0123;phone-context=x"), { scheme: "tel", opaque: "+1-201-555-0123;phone-context=x" });
});

const MALFORMED = [
  "", "sip", "sip:", "sip:@host", "sip:a@", "sip:a b@host", "sip:a@ho st", "sip:a@host:", "sip:a@host:x", "sip:a@host:65536",
  "sip:a@host:0", "sip:2001:db8::1", "sip:a@[2001:db8::1", "sip:a@[zz]", "sip:a@host;", "sip:a@host;;lr", "sip:a@host;=x",
  "sip:a%4@host", "sip:a%zz@host", "sip:a@host?", "<sip:a@host>", "1sip:a@host", " sip:a@host", "sip:a@host\r\nX: y",
  "sip:a@b@c", "tel:", "sip:a@host;p=\"q\"", "sip:a@-host", "sip:a@.host",
] as const;

for (const text of MALFORMED) {
  test(`${JSON.stringify(text)} is no URI`, () => {
    assert.equal(parseUri(text), undefined);
  });
}

test("a parameter is found in any case", () => {
  assert.equal(uriParameter(sip("sip:a@b;Transport=TCP"), "transport"), "TCP");
  assert.equal(uriParameter(sip("sip:a@b;lr"), "LR"), "");
  assert.equal(uriParameter(sip("sip:a@b"), "lr"), undefined);
});

test("an address of record has neither port, parameters nor escapes", () => {
  assert.equal(addressOfRecord(sip("sips:%61lice:pw@EXAMPLE.com:5061;transport=tls?X=y")), "alice@example.com");
  assert.equal(addressOfRecord(sip("sip:example.com")), undefined);
});

test("escapes are undone once", () => {
  assert.equal(unescapeUser("a%2541b%"), "a%41b%");
});

test("an escaped user reads back as it was", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 1, maxLength: 20 }), (codes) => {
      const user = String.fromCharCode(...codes);
      assert.equal(addressOfRecord(sip(`sip:${escapeUser(user)}@h`)), `${user}@h`);
    }),
  );
});

test("a URI of any characters is read without an exception, and what is read is written as it reads", () => {
  const piece = fc.constantFrom("sip:", "sips:", "a", "@", ":", ";", "=", "?", "&", "[", "]", "::", "5060", "%41", "%", ".", "-", "lr", "host", "\xff", " ");
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const uri = parseUri(pieces.join(""));
      if (uri === undefined) return;
      assert.deepEqual(parseUri(serializeUri(uri)), uri);
    }),
    { numRuns: 2_000 },
  );
});
