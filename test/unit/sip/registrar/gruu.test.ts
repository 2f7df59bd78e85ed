import assert from "node:assert/strict";
import { test } from "node:test";
import type { SipResponse } from "../../../../src/sip/message/message.ts";
import { DOMAIN, SipWorld } from "../../../support/sip-harness.ts";

const AOR = `alice@${DOMAIN}`;
const contactOf = (instance: string, user = "alice") => `<sip:${user}@10.0.1.1>;+sip.instance="<urn:uuid:${instance}>"`;
const GRUU = { fields: ["Supported: gruu"] };

function worldOfAlice() {
  const world = new SipWorld();
  for (const user of ["alice", "bob"]) world.addUser(user);
  const [near, far] = [world.box("10.0.0.1"), world.box("10.0.0.2")];
  const phone = world.phone("alice", "10.0.1.1", near);
  const bob = world.phone("bob", "10.0.1.2", far);
  bob.register();
  const send = (uri: string) => bob.ask("MESSAGE", uri, { to: `<${uri}>` }).status;
  return { world, near, far, phone, bob, send };
}

const gruusOf = (response: SipResponse, name: "pub-gruu" | "temp-gruu"): readonly string[] =>
  response.headers("contact").map((value) => value.slice(value.indexOf(`${name}="`) + name.length + 2).split('"')[0] ?? "");

test("a phone that asks for GRUUs gets a public one that stays, and a temporary one each time", () => {
  const { phone } = worldOfAlice();
  const first = phone.register({ contact: contactOf("1"), ...GRUU });
  const second = phone.register({ contact: contactOf("1"), ...GRUU });
  assert.deepEqual(gruusOf(first, "pub-gruu"), [`sip:alice@${DOMAIN};gr=urn:uuid:1`]);
  assert.deepEqual(gruusOf(second, "pub-gruu"), gruusOf(first, "pub-gruu"));
  const [a = "", b = ""] = [...gruusOf(first, "temp-gruu"), ...gruusOf(second, "temp-gruu")];
  assert.notEqual(a, b);
  for (const gruu of [a, b]) assert.ok(gruu.endsWith(`@${DOMAIN};gr`) && !gruu.includes("alice") && !gruu.includes("uuid"), gruu);
  assert.ok(!phone.register({ contact: contactOf("1") }).octets.includes("gruu="), "only who understands them");
});

test("what a phone claims its GRUUs to be is not kept", () => {
  const { world, phone } = worldOfAlice();
  phone.register({ contact: `${contactOf("1")};pub-gruu="sip:bob@${DOMAIN};gr=x";temp-gruu="y"`, ...GRUU });
  assert.ok(!world.bindings(AOR)[0]?.parameters.includes("gruu"));
});

test("each GRUU reaches its instance alone, from another box", () => {
  const { world, near, phone, send } = worldOfAlice();
  const other = world.phone("alice", "10.0.1.3", near);
  const answer = phone.register({ contact: contactOf("1"), ...GRUU });
  other.register({ contact: contactOf("2").replace("10.0.1.1", "10.0.1.3"), callId: "other", ...GRUU });
  for (const gruu of [...gruusOf(answer, "pub-gruu"), ...gruusOf(answer, "temp-gruu")]) assert.equal(send(gruu), 200, gruu);
  for (const gruu of gruusOf(answer, "temp-gruu")) assert.equal(send(gruu.replace("tgruu", "t%67ruu")), 200, "with an escape that it does not need");
  assert.equal(phone.requests.length, 3);
  assert.equal(phone.last("MESSAGE").uriText, "sip:alice@10.0.1.1", "it is called by its Contact");
  assert.equal(other.requests.length, 0);
});

test("a public GRUU of a phone that is not there is 480; temporary ones are void with the next Call-ID, and made-up ones always: 404", () => {
  const { world, phone, send } = worldOfAlice();
  const first = phone.register({ contact: contactOf("1"), ...GRUU });
  const [temporary = ""] = gruusOf(first, "temp-gruu");
  assert.equal(send(temporary), 200);
  phone.register({ contact: contactOf("1"), ...GRUU });
  assert.equal(send(temporary), 200, "an earlier one of the same Call-ID holds");
  phone.register({ contact: contactOf("1"), callId: "restarted", ...GRUU });
  assert.equal(send(temporary), 404);
  assert.equal(send(`sip:alice@${DOMAIN};gr=urn:uuid:9`), 480);
  assert.equal(send(temporary.replace("tgruu.", "tgruu.A")), 404);
  assert.equal(send(`sip:alice@${DOMAIN};gr`), 404);
  for (const key of world.bindings(AOR).map((binding) => binding.key)) world.users.get(AOR)?.bindings.delete(key);
  assert.equal(send(`sip:alice@${DOMAIN};gr=urn:uuid:1`), 480);
});

test("a GRUU outlives the fleet's secret for as long as flow tokens do", () => {
  const { far, phone, send } = worldOfAlice();
  const [temporary = ""] = gruusOf(phone.register({ contact: contactOf("1"), ...GRUU }), "temp-gruu");
  far.core.setFleetSecret(new Uint8Array(32).fill(9));
  assert.equal(send(temporary), 200);
  far.core.forgetFormerSecret();
  assert.equal(send(temporary), 404);
});

test("a Contact that is the address itself or a GRUU of it is refused", () => {
  const { phone } = worldOfAlice();
  const [temporary = ""] = gruusOf(phone.register({ contact: contactOf("1"), ...GRUU }), "temp-gruu");
  for (const uri of [`sip:alice@${DOMAIN}`, `sip:alice@${DOMAIN};gr=urn:uuid:1`, temporary]) {
    assert.equal(phone.register({ contact: `<${uri}>` }).status, 403, uri);
  }
});

test("requests of a dialog whose Contact is a GRUU find the phone through both boxes", () => {
  const { world, phone, bob } = worldOfAlice();
  const [gruu = ""] = gruusOf(phone.register({ contact: contactOf("1"), ...GRUU }), "pub-gruu");
  bob.answers = (request) => (request.method === "ACK" ? [] : [200]);
  const answer = phone.ask("INVITE", `sip:bob@${DOMAIN}`, { to: `<sip:bob@${DOMAIN}>`, contact: `<${gruu}>` });
  assert.equal(answer.status, 200);
  phone.inDialog("ACK", phone.dialogOf(answer), { cseq: answer.cseq?.number ?? 0, contact: "" });
  world.run();
  bob.inDialog("BYE", bob.dialogOf(bob.last("INVITE"), answer));
  world.run();
  assert.equal(phone.last("BYE").uriText, "sip:alice@10.0.1.1");
  assert.equal(bob.responses.at(-1)?.status, 200);
});
