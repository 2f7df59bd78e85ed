// Via, Contact and digest credentials each by itself: any characters are read without an exception, what was read and written
// reads the same, and what a sender wrote is what a receiver reads.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatChallenge, parseChallenge, parseDigestCredentials } from "../../../../src/sip/message/digest.ts";
import { parseNameAddress, serializeNameAddress } from "../../../../src/sip/message/name-address.ts";
import { serializeParameters } from "../../../../src/sip/message/parameters.ts";
import { quote } from "../../../../src/sip/message/scan.ts";
import { parseVia, serializeVia } from "../../../../src/sip/message/via.ts";

const RUNS = { numRuns: 2_000 };
const word = fc.string({ unit: fc.constantFrom(..."abzAZ019-.!%*_+`'~"), minLength: 1, maxLength: 10 });
const anything = fc.string({ unit: fc.constantFrom(..."aZ0 .-;,:=<>[]@/\\\"\t%?&\xe9\x7f"), maxLength: 20 });
/** In a quoted string there are no control characters: writing leaves them out. */
const printable = anything.map((text) => text.replaceAll(/[\t\x7f]/g, ""));
const piece = fc.oneof(
  fc.constantFrom("SIP", "/", "2.0", "UDP", " ", "\t", "host", "[::1]", ":", "5060", ";", "branch=", "z9hG4bK", "rport", "received=", '"', "<", ">", "sip:", "@", "Digest ", "nonce=", "response=", "username=", "realm=", "uri=", ",", "\\", "%41", "*"),
  anything,
);
const pieces = fc.array(piece, { maxLength: 14 }).map((all) => all.join(""));

test("any characters are read as Via without an exception, and what was read and written reads the same", () => {
  fc.assert(fc.property(fc.oneof(pieces, pieces.map((text) => `SIP/2.0/UDP host${text}`)), (text) => {
    const via = parseVia(text);
    if (via !== undefined) assert.deepEqual(parseVia(serializeVia(via)), via);
  }), RUNS);
});

test("any characters are read as Contact without an exception, and what was read and written reads the same", () => {
  fc.assert(fc.property(fc.oneof(pieces, pieces.map((text) => `<sip:a@b>${text}`)), (text) => {
    const contact = parseNameAddress(text);
    if (contact === undefined) return;
    const again = parseNameAddress(serializeNameAddress(contact.uriText, serializeParameters(contact.parameters)));
    assert.deepEqual(again, { ...contact, displayName: "" });
  }), RUNS);
});

const parameters = fc.uniqueArray(fc.record({ name: word, value: fc.option(word, { nil: undefined }) }), { maxLength: 5, selector: ({ name }) => name.toLowerCase() });
const noMeaning = parameters.filter((all) => !all.some(({ name }) => ["rport", "received", "branch"].includes(name.toLowerCase())));

test("a Via that was written reads as it was meant", () => {
  fc.assert(fc.property(fc.constantFrom("UDP", "TCP", "TLS", "WSS"), fc.ipV4(), fc.integer({ min: 1, max: 65_535 }), word, noMeaning, (transport, host, port, branch, others) => {
    const via = parseVia(`SIP/2.0/${transport} ${host}:${port};branch=${branch}${serializeParameters(others)}`);
    assert.deepEqual([via?.transport, via?.host, via?.port, via?.branch, via?.parameters.length], [transport, host, port, branch, others.length + 1]);
  }));
});

test("digest credentials of any characters are read without an exception, and a value in quotes reads as it was meant", () => {
  fc.assert(fc.property(pieces, (text) => {
    parseDigestCredentials(text);
    parseDigestCredentials(`Digest ${text}`);
    parseChallenge(text);
  }), RUNS);
  fc.assert(fc.property(printable, printable, printable, (username, realm, nonce) => {
    const read = parseDigestCredentials(`Digest username=${quote(username)}, realm=${quote(realm)},nonce = ${quote(nonce)}, uri="sip:x", response="AB"`);
    assert.deepEqual([read?.username, read?.realm, read?.nonce, read?.response], [username, realm, nonce, "ab"]);
  }));
});

test("a challenge that was written reads the same", () => {
  fc.assert(fc.property(printable, printable, printable, fc.boolean(), (realm, nonce, opaque, stale) => {
    const challenge = { realm, nonce, stale, algorithm: "SHA-256" as const };
    assert.deepEqual(parseChallenge(formatChallenge({ ...challenge, opaque })), challenge);
  }));
});
