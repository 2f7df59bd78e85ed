import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FlowTokens } from "../../../src/sip/flow-token.ts";
import type { Flow } from "../../../src/sip/ports.ts";
import { hashCrypto } from "../../support/hash-crypto.ts";

const SECRET = new Uint8Array(32).fill(7);
const tokens = (node = "1", secret = SECRET) => new FlowTokens(hashCrypto, secret, node.repeat(32));

const PLAIN = { noNullPrototype: true };
const address = fc.record({
  host: fc.oneof(fc.ipV4(), fc.constantFrom("2001:db8::1", "::1", "fe80::1%eth0", "2001:db8:0:1:1:1:1:1")),
  port: fc.integer({ min: 1, max: 65_535 }),
}, PLAIN);
const flow: fc.Arbitrary<Flow> = fc.oneof(
  fc.record({ transport: fc.constant("udp" as const), local: address, remote: address, connection: fc.constant(0) }, PLAIN),
  fc.record({ transport: fc.constant("tcp" as const), local: address, remote: address, connection: fc.integer({ min: 1, max: 2 ** 50 }) }, PLAIN),
);

test("a token gives the flow back, at any box of the fleet, and says whose it is", () => {
  fc.assert(
    fc.property(flow, (original) => {
      const token = tokens("1").forFlow(original);
      assert.match(token, /^[A-Za-z0-9_-]+$/);
      assert.deepEqual(tokens("1").read(token, "any"), { type: "flow", ours: true, flow: original });
      assert.deepEqual(tokens("2").read(token, "other"), { type: "flow", ours: false, flow: original });
    }),
  );
});

test("a token is the same when a phone escapes letters of it that need no escape", () => {
  fc.assert(
    fc.property(flow, fc.nat(), (original, at) => {
      const token = tokens().forFlow(original);
      const index = at % token.length;
      const escaped = `%${token.charCodeAt(index).toString(16)}`;
      assert.equal(tokens().read(token.slice(0, index) + escaped + token.slice(index + 1), "").type, "flow");
    }),
  );
});

test("one changed character makes a token tampered", () => {
  fc.assert(
    fc.property(flow, fc.nat(), (original, at) => {
      const token = tokens().forFlow(original);
      const index = at % token.length;
      const other = token[index] === "A" ? "B" : "A";
      assert.equal(tokens().read(token.slice(0, index) + other + token.slice(index + 1), "").type, "tampered");
    }),
  );
});

test("another fleet's token, an empty one and any text are tampered", () => {
  const foreign = tokens("1", new Uint8Array(32).fill(8)).onward("c");
  assert.equal(tokens().read(foreign, "c").type, "tampered");
  fc.assert(fc.property(fc.string({ maxLength: 500 }), (text) => tokens().read(text, "").type === "tampered"));
});

test("an onward token is good for its Call-ID alone", () => {
  const token = tokens("1").onward("call-1");
  assert.equal(tokens("2").read(token, "call-1").type, "onward");
  assert.equal(tokens("2").read(token, "call-2").type, "tampered");
});
