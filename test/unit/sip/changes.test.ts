// What a fleet changes while its boxes run.

import assert from "node:assert/strict";
import { test } from "node:test";
import { minutes, seconds } from "../../../src/base/time.ts";
import { NodeCrypto } from "../../../src/io/crypto.ts";
import { FlowTokens } from "../../../src/sip/flow-token.ts";
import type { Flow } from "../../../src/sip/ports.ts";
import { DOMAIN, SipWorld } from "../../support/sip-harness.ts";

function worldOfAlice() {
  const world = new SipWorld();
  world.addUser("alice");
  const box = world.box("10.0.0.1");
  return { world, box, phone: world.phone("alice", "10.0.1.1", box) };
}

test("registrations go by the times that are in force when they come", () => {
  const { box, phone } = worldOfAlice();
  box.core.setRegistration({ registration: "authenticated", expiry: { minimum: minutes(5), standard: minutes(10), maximum: minutes(20) } });
  const brief = phone.register({ expires: 60 });
  assert.equal(brief.status, 423);
  assert.equal(brief.header("min-expires"), "300");
  assert.match(phone.register({ expires: 7_200 }).header("contact") ?? "", /;expires=(1200|11\d\d|10[89]\d)$/);
  box.core.setRegistration({ registration: "authenticated", expiry: { minimum: seconds(30), standard: minutes(10), maximum: minutes(20) } });
  assert.equal(phone.register({ expires: 60 }).status, 200);
});

test("registration is opened and closed again", () => {
  const { box, phone } = worldOfAlice();
  const expiry = { minimum: minutes(1), standard: minutes(60), maximum: minutes(120) };
  const bare = (): number => phone.exchange(phone.request("REGISTER", `sip:${DOMAIN}`, { to: `<${phone.aor}>` })).status;
  assert.equal(bare(), 401);
  box.core.setRegistration({ registration: "open", expiry });
  assert.equal(bare(), 200);
  box.core.setRegistration({ registration: "authenticated", expiry });
  assert.equal(bare(), 401);
});

test("tokens of the former secret are taken until it is forgotten, never those of a stranger's", () => {
  const flow: Flow = { transport: "udp", local: { host: "10.0.0.1", port: 5060 }, remote: { host: "10.0.1.1", port: 5060 }, connection: 0 };
  const made = (fill: number): FlowTokens => new FlowTokens(new NodeCrypto(undefined), new Uint8Array(32).fill(fill), "0a".repeat(16));
  const tokens = made(1);
  const old = tokens.forFlow(flow);
  tokens.setSecret(new Uint8Array(32).fill(2));
  assert.notEqual(tokens.forFlow(flow), old);
  assert.equal(tokens.read(old, "call").type, "flow");
  assert.equal(tokens.read(made(3).forFlow(flow), "call").type, "tampered");
  tokens.forgetFormerSecret();
  assert.equal(tokens.read(old, "call").type, "tampered");
  assert.equal(tokens.read(tokens.forFlow(flow), "call").type, "flow");
});
