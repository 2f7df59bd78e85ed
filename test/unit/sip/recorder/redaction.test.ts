import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseMessage } from "../../../../src/sip/message/parse.ts";
import { FlowTokens, looksLikeFlowToken } from "../../../../src/sip/flow-token.ts";
import type { Flow, TransportName } from "../../../../src/sip/ports.ts";
import { redacted } from "../../../../src/sip/recorder/redaction.ts";
import { redactUris } from "../../../../src/sip/recorder/uri-redaction.ts";
import { hashCrypto } from "../../../support/hash-crypto.ts";

/** What a reader gets of an INVITE with these fields and this body. */
function shown(fields: readonly string[], body = "", startLine = "INVITE sip:bob@example.test SIP/2.0"): string {
  const lines = [startLine, "Via: SIP/2.0/UDP 10.0.1.1;branch=z9hG4bK1", ...fields, `Content-Length: ${body.length}`];
  const parsed = parseMessage(`${lines.join("\r\n")}\r\n\r\n${body}`);
  assert(parsed.ok);
  return redacted(parsed.value);
}

/** Each with what must not be read any more, and what still must. */
const FIELDS: readonly (readonly [field: string, secrets: readonly string[], kept: readonly string[]])[] = [
  ['Authorization: Digest username="204", realm="r", nonce="NNNN", uri="sip:x", response="RRRR", cnonce="CCCC", opaque="OOOO", qop=auth, nc=00000001', ["NNNN", "RRRR", "CCCC", "OOOO"], ['username="204"', 'realm="r"', "nc=00000001"]],
  ['Proxy-Authorization:Digest response = "RRRR" ,username="204"', ["RRRR"], ['username="204"']],
  ["Authorization: Basic MjA0OnNlY3JldA==", ["MjA0OnNlY3JldA"], ["Basic"]],
  ["Authorization: Bearer eyJhbGciOi", ["eyJhbGciOi"], ["Bearer"]],
  ['WWW-Authenticate: Digest realm="r", nonce="NNNN", algorithm=MD5, stale=true', ["NNNN"], ['realm="r"', "stale=true", "algorithm=MD5"]],
  ['Authentication-Info: nextnonce="NNNN", rspauth="RRRR", qop=auth', ["NNNN", "RRRR"], ["qop=auth"]],
  ["Identity: eyJTOKEN.eyJ.sig;info=<https://x/c.pem>", ["eyJTOKEN"], ["Identity: (removed)"]],
  ["y: eyJTOKEN", ["eyJTOKEN"], ["(removed)"]],
  ["X-Session-Cookie: hunter2", ["hunter2"], ["X-Session-Cookie: (removed)"]],
  ["From: <sip:204:hunter2@example.test>;tag=1", ["hunter2"], ["sip:204:(removed)@example.test", "tag=1"]],
  ["m: sip:a:hunter2@b,sip:c:hunter3@d", ["hunter2", "hunter3"], ["sip:a:(removed)@b", "sip:c:(removed)@d"]],
  ["From: sip:sip:hunter2@example.test", ["hunter2"], []],
  ["Contact: <sip:204@10.0.0.9;pn-prid=PUSHTOKEN;pn-provider=apns>", ["PUSHTOKEN"], ["pn-provider=apns"]],
  ["Refer-To: <sip:b@c?Replaces=id%3Bfrom-tag%3Dx&Authorization=SECRET>", ["SECRET", "Replaces"], ["sip:b@c?(removed)"]],
  ["Record-Route: <sip:outside-token@192.0.2.7;lr>", ["outside-token"], ["192.0.2.7;lr"]],
  ["Contact: <sip:tgruu.ABCDEF@example.test;gr>", ["ABCDEF"], ["@example.test;gr"]],
  ["Contact: <sip:t%67ruu.ABCDEF@example.test;gr>", ["ABCDEF"], ["@example.test;gr"]],
];

for (const [field, secrets, kept] of FIELDS) {
  test(`what is secret in "${field.slice(0, 60)}" is not kept, the rest is`, () => {
    const text = shown([field]);
    for (const secret of secrets) assert.ok(!text.includes(secret), text);
    for (const part of kept) assert.ok(text.includes(part), `${part} in ${text}`);
  });
}

test("a session description keeps its media and loses its keys", () => {
  const body = [
    "v=0", "o=- 1 1 IN IP4 10.0.0.9", "s=-", "i=about", "e=me@x", "k=base64:KEY1", "c=IN IP4 10.0.0.9", "t=0 0", "m=audio 4000 RTP/SAVP 8",
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY2|2^20", "a=crypto:1inline:KEY3", "a=acap:1 crypto:1 AES inline:KEY4", "a=key-mgmt:mikey KEY5",
    "a=ice-ufrag:uf", "a=ice-pwd:KEY6", "a=fingerprint:sha-256 AB:CD", "a=x-new:KEY7", "a=sendrecv", "a=rtpmap:8 PCMA/8000", "KEY8", "",
  ].join("\r\n");
  const text = shown(["c: application/sdp"], body);
  assert.ok(!text.includes("KEY"), text);
  for (const kept of ["m=audio 4000 RTP/SAVP 8", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 (removed)", "a=ice-pwd:(removed)", "a=fingerprint:sha-256 AB:CD", "a=sendrecv", "a=rtpmap:8 PCMA/8000", "c=IN IP4 10.0.0.9"]) {
    assert.ok(text.includes(kept), kept);
  }
});

test("what people write and the keys they press are not kept; how a transfer goes is", () => {
  const typed = [["text/plain", "meet at nine"], ["application/dtmf-relay", "Signal=7\r\n"], ["multipart/mixed;boundary=b", "--b\r\nk=SECRET"], ["", "SECRET"]] as const;
  for (const [type, body] of typed) {
    const text = shown(type === "" ? [] : [`Content-Type: ${type}`], body);
    assert.ok(!text.includes(body) && text.includes(`(removed: ${body.length} octets`), text);
  }
  assert.ok(!shown(["Content-Type: application/sdp", "Content-Encoding: gzip"], "v=0\r\nKEY").includes("v=0"));
  const transfer = shown(["Content-Type: message/sipfrag;version=2.0"], "SIP/2.0 200 OK\r\nX: SECRET\r\n");
  assert.ok(transfer.endsWith("SIP/2.0 200 OK\r\n") && !transfer.includes("SECRET"));
});

test("flow tokens of every transport and tokens for the way onward are removed, also from a request line; numbers and names stay", () => {
  const tokens = new FlowTokens(hashCrypto, new Uint8Array(32).fill(7), "1".repeat(32));
  const flow = (transport: TransportName, host: string): Flow => ({ transport, local: { host, port: 5060 }, remote: { host, port: 40_000 }, connection: 9 });
  const made = [tokens.onward("call"), ...(["udp", "tcp", "tls", "ws", "wss"] as const).flatMap((transport) => ["192.0.2.1", "2001:db8::1", "fe80::1%eth0"].map((host) => tokens.forFlow(flow(transport, host))))];
  for (const token of made) {
    assert.ok(looksLikeFlowToken(token), token);
    const text = shown([`Contact: <sip:${token}@10.0.0.1>`], "", `BYE sip:${token}@10.0.0.1 SIP/2.0`);
    assert.ok(!text.includes(token), text);
  }
  for (const name of ["204", "+493012345678901234567", "firstname.lastname-of-somebody", "BartholomewMontgomery", "AlexanderMaximilianSchmidt"]) assert.equal(redactUris(`<sip:${name}@example.test>`), `<sip:${name}@example.test>`);
});

test("whatever octets stand in a field of unknown name, none of them is kept; a text without URIs is kept as it is", () => {
  const printable = fc.string({ minLength: 4, maxLength: 60, unit: fc.constantFrom(..."abcXYZ019@:;?<>=\"/ -_.%".split("")) });
  fc.assert(fc.property(printable, (value) => {
    const secret = `S3CRET${value.replaceAll(" ", "")}`;
    assert.ok(!shown([`X-Anything: ${secret}`]).includes("S3CRET"));
    assert.ok(!redactUris(`<sip:204:S3CRET${value.replaceAll(/[ @<>"]/g, "")}@example.test>`).includes("S3CRET"));
  }));
});
