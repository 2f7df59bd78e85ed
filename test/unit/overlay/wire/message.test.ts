import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromHex, toHex } from "../../../../src/base/bytes.ts";
import { MESSAGE_CODE } from "../../../../src/overlay/wire/code-points.ts";
import {
  type DecodedMessage,
  decodeMessage,
  encodeMessage,
  encodeSignedMessage,
  encodeWithSecurity,
  type Message,
  peekMessageCode,
  verifyMessage,
} from "../../../../src/overlay/wire/message.ts";
import { isUnsigned } from "../../../../src/overlay/wire/security-block.ts";
import { nodeCrypto } from "../../../support/node-crypto.ts";
import { bodies, extensions, header, security } from "../../../support/reload-arbitraries.ts";
import {
  B,
  bindingStore,
  header as headerTo,
  OVERLAY,
  PUBLIC_KEY,
  signerWith,
} from "../../../conformance/overlay-wire/own-messages.ts";

const ping: Message = {
  header: headerTo([{ type: "node", nodeId: B }]),
  body: { type: "ping_req", padding: new Uint8Array(0) },
  extensions: [],
};

function decoded(bytes: Uint8Array): DecodedMessage {
  const result = decodeMessage(bytes, OVERLAY);
  assert.ok(result.ok, result.ok ? "" : result.fault.reason);
  return result.value;
}

function faultOf(bytes: Uint8Array): { error: string | undefined; reason: string; answerable: boolean } {
  const result = decodeMessage(bytes, OVERLAY);
  assert.ok(!result.ok);
  return { error: result.fault.error, reason: result.fault.reason, answerable: result.fault.header !== undefined };
}

/** A copy with one byte changed. */
function withByte(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const changed = bytes.slice();
  changed[at] = value;
  return changed;
}

for (const [type, body] of Object.entries(bodies)) {
  test(`a ${type} decodes to what was encoded`, () => {
    fc.assert(
      fc.property(header, body, extensions, security, (wantedHeader, wantedBody, wantedExtensions, wantedSecurity) => {
        const message = { header: wantedHeader, body: wantedBody, extensions: wantedExtensions, security: wantedSecurity };
        const result = decoded(encodeWithSecurity(message));
        const { headerLength, ...plainHeader } = result.header;
        assert.deepEqual(plainHeader, wantedHeader);
        assert.deepEqual(result.body, wantedBody);
        assert.deepEqual(result.extensions, wantedExtensions);
        assert.deepEqual(result.security, wantedSecurity);
        assert.equal(peekMessageCode(result.bytes, headerLength), MESSAGE_CODE[wantedBody.type]);
      }),
      { numRuns: 40 },
    );
  });
}

test("a message for one hop carries neither certificate nor signature", () => {
  const message = decoded(encodeMessage(ping));
  assert.ok(isUnsigned(message.security.signature));
  assert.deepEqual(message.security.certificates, []);
  assert.ok(!verifyMessage(message, nodeCrypto()).ok);
});

test("messages encoded one after the other do not share their bytes", () => {
  const first = encodeMessage(ping);
  const before = toHex(first);
  encodeMessage({ ...ping, body: bindingStore });
  assert.equal(toHex(first), before);
});

test("a signed message verifies with the certificate it carries", () => {
  const message = decoded(encodeSignedMessage(ping, signerWith(PUBLIC_KEY)));
  assert.deepEqual(verifyMessage(message, nodeCrypto()), { ok: true, value: PUBLIC_KEY });
});

test("a signature covers overlay, transaction, contents and identity, and not the ttl", () => {
  const bytes = encodeSignedMessage(ping, signerWith(PUBLIC_KEY));
  const { headerLength } = decoded(bytes).header;
  assert.ok(verifyMessage(decoded(withByte(bytes, 11, 99)), nodeCrypto()).ok);
  assert.ok(!verifyMessage(decoded(withByte(bytes, 20, 1)), nodeCrypto()).ok);
  assert.ok(!verifyMessage(decoded(withByte(bytes, headerLength + 1, 0x23)), nodeCrypto()).ok);
});

test("a signed message without its certificate does not verify", () => {
  const message = decoded(encodeSignedMessage(ping, signerWith(PUBLIC_KEY)));
  const bare = decoded(encodeWithSecurity({ ...message, security: { ...message.security, certificates: [] } }));
  const result = verifyMessage(bare, nodeCrypto());
  assert.ok(!result.ok && result.fault.error === undefined);
});

test("what is not RELOAD is dropped without an answer", () => {
  const bytes = encodeMessage(ping);
  assert.deepEqual(faultOf(withByte(bytes, 0, 0)), { error: undefined, reason: "not a RELOAD message", answerable: false });
  assert.equal(faultOf(bytes.subarray(0, 20)).error, undefined);
  assert.equal(faultOf(new Uint8Array(0)).error, undefined);
});

test("another overlay or version is incompatible", () => {
  const bytes = encodeMessage(ping);
  assert.equal(faultOf(withByte(bytes, 7, 0)).error, "Error_Incompatible_with_Overlay");
  assert.equal(faultOf(withByte(bytes, 10, 1)).error, "Error_Incompatible_with_Overlay");
});

test("a length field that does not agree with the bytes is dropped", () => {
  const bytes = encodeMessage(ping);
  assert.match(faultOf(withByte(bytes, 19, 1)).reason, /^length /);
});

test("a request with a malformed body is answered Error_Invalid_Message", () => {
  const bytes = encodeMessage({ ...ping, body: bindingStore });
  const broken = withByte(bytes, 38 + 18 + 6, 17);
  assert.deepEqual(faultOf(broken), { error: "Error_Invalid_Message", reason: "Resource-ID of 17 bytes", answerable: true });
});

test("a malformed answer or error is never answered", () => {
  const answer = encodeMessage({ ...ping, body: { type: "ping_ans", responseId: "1122334455667788", time: 0 as never } });
  assert.equal(faultOf(withByte(answer, 38 + 18 + 5, 15)).error, undefined);
  const error = encodeMessage({ ...ping, body: { type: "error", code: 2, info: fromHex("6e6f") } });
  assert.equal(faultOf(withByte(error, 38 + 18 + 5, 3)).error, undefined);
});

test("an unknown message code is dropped without an answer", () => {
  const bytes = withByte(encodeMessage(ping), 38 + 18 + 1, 0x65);
  assert.equal(faultOf(bytes).error, undefined);
});

test("an unknown critical extension is refused, a known one and an uncritical one are not", () => {
  const withExtension = (type: number, critical: boolean): Uint8Array =>
    encodeMessage({ ...ping, extensions: [{ type, critical, contents: new Uint8Array(3) }] });
  assert.equal(faultOf(withExtension(0x1234, true)).error, "Error_Unknown_Extension");
  decoded(withExtension(0x1234, false));
  decoded(withExtension(0xf002, true));
});

test("a list of more destinations than its bound is refused", () => {
  const bytes = encodeMessage({ ...ping, header: headerTo(Array.from({ length: 65 }, () => ({ type: "compressed", id: 1 }))) });
  assert.match(faultOf(bytes).reason, /more than 64 items/);
});

test("arbitrary bytes behind a good header never throw", () => {
  const start = encodeMessage(ping).slice(0, 56);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(...Object.values(MESSAGE_CODE)), (rest, code) => {
      const bytes = new Uint8Array(56 + 6 + rest.length);
      bytes.set(start);
      const view = new DataView(bytes.buffer);
      view.setUint32(16, bytes.length);
      view.setUint16(56, code);
      view.setUint32(58, rest.length);
      bytes.set(rest, 62);
      decodeMessage(bytes, OVERLAY);
    }),
    { numRuns: 1000 },
  );
});
