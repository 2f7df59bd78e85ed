// REGISTERs that no good phone sends: each is answered, and none makes a binding that it should not.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { DOMAIN, SipWorld } from "../../../support/sip-harness.ts";

const INSTANCE = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>"';

function worldOfAlice() {
  const world = new SipWorld();
  world.addUser("alice");
  const box = world.box("10.0.0.1");
  return { world, phone: world.phone("alice", "10.0.1.1", box) };
}

for (const [kind, parameters, fields] of [["plain", "", []], ["with outbound", `;reg-id=1;${INSTANCE}`, ["Supported: outbound, path"]]] as const) {
  suite(`an odd REGISTER, ${kind}`, () => {
    const contact = `<sip:alice@10.0.1.1>${parameters}`;

    test("without a user in To it is nobody's, and nothing is stored", () => {
      const { world, phone } = worldOfAlice();
      const answer = phone.ask("REGISTER", `sip:${DOMAIN}`, { to: `<sip:${DOMAIN}>`, contact, fields });
      assert.equal(answer.status, 404);
      assert.equal(world.bindings("alice@example.test").length, 0);
      assert.equal(world.bindings("@example.test").length, 0);
    });

    test("with a user in its Request-URI it is carried out for To all the same", () => {
      const { world, phone } = worldOfAlice();
      const answer = phone.ask("REGISTER", `sip:alice@${DOMAIN}`, { to: `<sip:alice@${DOMAIN}>`, contact, fields });
      assert.equal(answer.status, 200);
      assert.equal(world.bindings("alice@example.test").length, 1);
    });

    test("for an AoR of another domain it is refused, to us or through us", () => {
      const { world, phone } = worldOfAlice();
      const toUs = phone.ask("REGISTER", `sip:${DOMAIN}`, { to: "<sip:alice@elsewhere.example>", contact, fields });
      const throughUs = phone.ask("REGISTER", "sip:elsewhere.example", { to: "<sip:alice@elsewhere.example>", contact, fields });
      // No server of that domain is known here.
      assert.deepEqual([toUs.status, throughUs.status], [404, 480]);
      assert.equal(world.bindings("alice@example.test").length, 0);
    });

    test("with a Call-ID of a thousand characters it is one like any other", () => {
      const { world, phone } = worldOfAlice();
      const callId = `${"c".repeat(1_000)}@10.0.1.1`;
      assert.equal(phone.register({ callId, contact, fields }).status, 200);
      assert.equal(world.bindings("alice@example.test").length, 1);
      assert.equal(phone.register({ callId, contact: `<sip:alice@10.0.1.1>${parameters};expires=0`, fields }).status, 200);
      assert.equal(world.bindings("alice@example.test").length, 0);
    });

    test("with a Contact of a thousand characters it is stored whole", () => {
      const { world, phone } = worldOfAlice();
      const long = `<sip:${"a".repeat(1_000)}@10.0.1.1>${parameters}`;
      const answer = phone.register({ contact: long, fields });
      assert.equal(answer.status, 200);
      assert.equal(world.bindings("alice@example.test")[0]?.contact, `sip:${"a".repeat(1_000)}@10.0.1.1`);
    });
  });
}
