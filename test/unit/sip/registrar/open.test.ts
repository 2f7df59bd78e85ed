import assert from "node:assert/strict";
import { test } from "node:test";
import { DOMAIN, SipWorld } from "../../../support/sip-harness.ts";

function openWorld() {
  const world = new SipWorld();
  world.addUser("alice");
  const box = world.box("10.0.0.1", { registration: "open" });
  return { world, box, phone: world.phone("alice", "10.0.1.1", box) };
}

test("where registration is open, a REGISTER without credentials makes a binding", () => {
  const { world, phone } = openWorld();
  const response = phone.exchange(phone.request("REGISTER", `sip:${DOMAIN}`, { to: `<${phone.aor}>` }));
  assert.equal(response.status, 200);
  assert.equal(world.bindings("alice@example.test").length, 1);
});

test("where registration is open, nobody relays to outside domains", () => {
  const { phone } = openWorld();
  const response = phone.exchange(phone.request("INVITE", "sip:bob@elsewhere.example", { to: "<sip:bob@elsewhere.example>" }));
  assert.equal(response.status, 407);
});
