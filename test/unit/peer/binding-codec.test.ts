import assert from "node:assert/strict";
import { test } from "node:test";
import { wallTime } from "../../../src/base/time.ts";
import { decodeBinding, encodeBinding, isSameReach } from "../../../src/peer/binding-codec.ts";
import type { Binding } from "../../../src/sip/ports.ts";

const AOR = "alice@example.test";
const BINDING: Binding = {
  contact: "sip:alice@192.168.1.5", key: "aa", callId: "one@phone", cseq: 1, preference: 1_000, expiresAt: wallTime(1_800_000_000_000), instance: "", regId: 0,
  path: ["sip:far.example;lr"], userAgent: "phone", parameters: "", edge: "1".repeat(32), flowToken: "token", received: { host: "203.0.113.5", port: 61_000 }, transport: "udp",
};
const REWRITTEN: Binding = { ...BINDING, isRewritten: true };

test("a binding comes out of its value as it went in, with and without its marks", () => {
  const secure: Binding = { ...BINDING, transport: "wss", securePort: 5061 };
  for (const binding of [BINDING, REWRITTEN, secure, { ...secure, isRewritten: true } as const]) assert.deepEqual(decodeBinding("aa", encodeBinding(AOR, binding)), { aor: AOR, binding });
});

test("a binding without a mark has the octets it always had", () => {
  assert.equal(encodeBinding(AOR, REWRITTEN).length, encodeBinding(AOR, BINDING).length + 1);
});

test("marks that a later version sets, and what it adds behind them, are passed over", () => {
  const later = Uint8Array.of(...encodeBinding(AOR, BINDING), 0xfc, 1, 2, 3);
  assert.deepEqual(decodeBinding("aa", later)?.binding, BINDING);
});

test("a phone whose SIP is no longer changed is stored anew", () => {
  assert.equal(isSameReach({ aor: AOR, binding: REWRITTEN }, { aor: AOR, binding: BINDING }), false);
});
