import assert from "node:assert/strict";
import { test } from "node:test";
import { FlowTokens } from "../../../src/sip/flow-token.ts";
import { SimulatedCrypto } from "../../support/simulated-crypto.ts";

const tokensOf = (nodeId: string): FlowTokens =>
  new FlowTokens(new SimulatedCrypto(new Uint8Array(32)), new Uint8Array(32).fill(1), nodeId.padEnd(32, "0"));

test("an onward token is good on every box of the fleet, for its own Call-ID only", () => {
  const token = tokensOf("aa").onward("call@1");
  assert.deepEqual(tokensOf("bb").read(token, "call@1"), { type: "onward" });
  assert.deepEqual(tokensOf("aa").read(token, "call@2"), { type: "tampered" });
});
