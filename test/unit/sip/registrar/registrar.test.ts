import assert from "node:assert/strict";
import { test } from "node:test";
import type { SipResponse } from "../../../../src/sip/message/message.ts";
import { DOMAIN, SipWorld } from "../../../support/sip-harness.ts";

function worldOfAlice() {
  const world = new SipWorld();
  world.addUser("alice");
  const box = world.box("10.0.0.1");
  const phone = world.phone("alice", "10.0.1.1", box);
  return { world, box, phone };
}

test("a REGISTER without credentials is challenged, without a look-up and without a transaction", () => {
  const { box, phone } = worldOfAlice();
  const response = phone.exchange(phone.request("REGISTER", `sip:${DOMAIN}`, { to: "<sip:alice@example.test>" }));
  assert.equal(response.status, 401);
  assert.match(response.header("www-authenticate") ?? "", /algorithm=MD5/);
  assert.match(response.header("www-authenticate") ?? "", /qop="auth"/);
  assert.equal(response.headers("www-authenticate").length, 1);
  assert.equal(box.core.snapshot().serverTransactions, 0);
});

test("a phone known to choose among challenges is offered SHA-256 first", () => {
  const { box, phone } = worldOfAlice();
  const fields = ["User-Agent: Linphonec/5.1.65"];
  const response = phone.exchange(phone.request("REGISTER", `sip:${DOMAIN}`, { to: "<sip:alice@example.test>", fields }));
  assert.equal(response.status, 401);
  const challenges = response.headers("www-authenticate");
  assert.deepEqual(challenges.map((value) => value.includes("SHA-256")), [true, false]);
  assert.match(challenges[1] ?? "", /algorithm=MD5/);
  assert.match(challenges[0] ?? "", /qop="auth"/);
  assert.equal(box.core.snapshot().serverTransactions, 0);
});

test("right credentials make a binding, listed with its expiry and a Date", () => {
  const { world, phone } = worldOfAlice();
  const response = phone.register({ expires: 600 });
  assert.equal(response.status, 200);
  assert.match(response.header("contact") ?? "", /^<sip:alice@10.0.1.1:5060>;expires=600$/);
  assert.ok(response.has("date"));
  const [binding] = world.bindings("alice@example.test");
  assert.deepEqual(binding?.received, { host: "10.0.1.1", port: 5060 });
  assert.equal(binding?.transport, "udp");
});

test("unknown users and wrong passwords get the same answer", () => {
  const { world, box, phone } = worldOfAlice();
  const mallory = world.phone("nobody", "10.0.1.9", box);
  const wrong = phone.ask("REGISTER", `sip:${DOMAIN}`, { to: `<${phone.aor}>` }, "guess");
  const unknown = mallory.register();
  assert.equal(wrong.status, 401);
  assert.equal(unknown.status, 401);
  const names = (response: typeof wrong) => response.fields.map(({ name }) => name);
  assert.deepEqual(names(wrong), names(unknown));
});

test("registering somebody else's address is forbidden", () => {
  const { world, phone } = worldOfAlice();
  world.addUser("bob");
  const response = phone.ask("REGISTER", `sip:${DOMAIN}`, { to: "<sip:bob@example.test>" });
  assert.equal(response.status, 403);
  assert.equal(world.bindings("bob@example.test").length, 0);
});

test("a phone set up with the box's address instead of the domain registers all the same", () => {
  const { world, phone } = worldOfAlice();
  const response = phone.ask("REGISTER", "sip:10.0.0.1", { to: "<sip:alice@10.0.0.1>", from: "<sip:alice@10.0.0.1>" });
  assert.equal(response.status, 200);
  assert.equal(world.bindings("alice@example.test").length, 1);
});

test("a phone set up with the address of a box that died registers at another one, and calls", () => {
  const { world, box, phone } = worldOfAlice();
  const dead = { host: "10.0.0.9", port: 5060 };
  const register = () => phone.ask("REGISTER", "sip:10.0.0.9", { to: "<sip:alice@10.0.0.9>", from: "<sip:alice@10.0.0.9>" });
  assert.equal(register().status, 403);
  box.core.setFleetAddresses([dead]);
  assert.equal(register().status, 200);
  assert.equal(world.bindings("alice@example.test").length, 1);
  assert.equal(phone.ask("MESSAGE", "sip:alice@10.0.0.9", { from: "<sip:alice@10.0.0.9>" }).status, 200);
});

test("an option tag that is required and not known is refused with 420", () => {
  const { phone } = worldOfAlice();
  const response = phone.register({ fields: ["Require: teleport"] });
  assert.equal(response.status, 420);
  assert.equal(response.header("unsupported"), "teleport");
});

test("the expires parameter of a Contact goes before the Expires header", () => {
  const { phone } = worldOfAlice();
  const response = phone.register({ contact: "<sip:a@10.0.1.1>;expires=120, <sip:b@10.0.1.1>", expires: 300 });
  assert.deepEqual(response.headers("contact"), ["<sip:a@10.0.1.1>;expires=120", "<sip:b@10.0.1.1>;expires=300"]);
});

/** What is longer than ten minutes is granted up to a tenth shorter. */
function assertGranted(response: SipResponse, seconds: number): void {
  const granted = Number(/expires=(\d+)$/.exec(response.header("contact") ?? "")?.[1]);
  assert.ok(granted <= seconds && granted >= 0.9 * seconds, `${granted} of ${seconds}`);
}

test("without any expiry the standard is granted, and never more than the maximum", () => {
  const { phone } = worldOfAlice();
  assertGranted(phone.register(), 3_600);
  assertGranted(phone.register({ expires: 99_999 }), 7_200);
});

test("phones that come in the same moment are not all to come back in the same moment; short times are granted as they are asked for", () => {
  const { phone } = worldOfAlice();
  const granted = (expires: number): readonly number[] => {
    const answers = Array.from({ length: 10 }, (_, i) => phone.register({ contact: `<sip:alice@10.0.2.${i}>`, expires }));
    return answers.at(-1)?.headers("contact").map((contact) => Number(/expires=(\d+)$/.exec(contact)?.[1])) ?? [];
  };
  const long = granted(3_600);
  assert.ok(Math.max(...long) - Math.min(...long) > 100, long.join());
  const short = granted(600);
  assert.ok(Math.max(...short) <= 600 && Math.min(...short) >= 595, "all but the seconds that passed here");
});

test("a malformed expires parameter counts as absent", () => {
  const { phone } = worldOfAlice();
  assert.match(phone.register({ contact: "<sip:a@10.0.1.1>;expires=soon" }).header("contact") ?? "", /expires=3[2-6]\d\d$/);
});

test("too short an interval is answered 423 with Min-Expires, and nothing is stored", () => {
  const { world, phone } = worldOfAlice();
  const response = phone.register({ contact: "<sip:a@10.0.1.1>;expires=600, <sip:b@10.0.1.1>;expires=10" });
  assert.equal(response.status, 423);
  assert.equal(response.header("min-expires"), "60");
  assert.equal(world.bindings("alice@example.test").length, 0);
});

test("a REGISTER without Contact lists the bindings and what is left of them", () => {
  const { world, phone } = worldOfAlice();
  phone.register({ expires: 600 });
  world.run(100_000);
  const response = phone.register({ contact: "" });
  assert.match(response.header("contact") ?? "", /expires=(500|499)$/);
});

test("an expired binding is not listed", () => {
  const { world, phone } = worldOfAlice();
  phone.register({ expires: 60 });
  world.run(61_000);
  assert.equal(phone.register({ contact: "" }).header("contact"), undefined);
});

test("Expires 0 removes the one contact, by URI comparison", () => {
  const { world, phone } = worldOfAlice();
  phone.register({ contact: "<sip:a@10.0.1.1>, <sip:b@10.0.1.1>" });
  const response = phone.register({ contact: "<sip:%61@10.0.1.1>;expires=0" });
  assert.deepEqual(response.headers("contact").map((value) => value.slice(0, 18)), ["<sip:b@10.0.1.1>;e"]);
  assert.equal(world.bindings("alice@example.test").length, 1);
});

test("the wildcard removes all, only with Expires 0", () => {
  const { world, phone } = worldOfAlice();
  phone.register({ contact: "<sip:a@10.0.1.1>, <sip:b@10.0.1.1>" });
  assert.equal(phone.register({ contact: "*", expires: 60 }).status, 400);
  assert.equal(phone.register({ contact: "*" }).status, 400);
  assert.equal(world.bindings("alice@example.test").length, 2);
  assert.equal(phone.register({ contact: "*", expires: 0 }).status, 200);
  assert.equal(world.bindings("alice@example.test").length, 0);
});

test("a lower CSeq of the same Call-ID changes nothing", () => {
  const { world, phone } = worldOfAlice();
  phone.register({ contact: "<sip:a@10.0.1.1>", callId: "one", cseq: 10 });
  const late = phone.register({ contact: "<sip:b@10.0.1.1>, <sip:a@10.0.1.1>;expires=0", callId: "one", cseq: 9 });
  assert.equal(late.status, 500);
  assert.deepEqual(world.bindings("alice@example.test").map(({ contact }) => contact), ["sip:a@10.0.1.1"]);
});

test("another Call-ID may count as it likes", () => {
  const { world, phone } = worldOfAlice();
  phone.register({ contact: "<sip:a@10.0.1.1>", callId: "one", cseq: 10 });
  assert.equal(phone.register({ contact: "<sip:a@10.0.1.1>;expires=0", callId: "two", cseq: 1 }).status, 200);
  assert.equal(world.bindings("alice@example.test").length, 0);
});

test("q and other parameters come back as they were", () => {
  const { phone } = worldOfAlice();
  const response = phone.register({ contact: '<sip:a@10.0.1.1>;q=0.5;methods="INVITE"', expires: 100 });
  assert.equal(response.header("contact"), '<sip:a@10.0.1.1>;methods="INVITE";q=0.5;expires=100');
});

test("Path is stored in order and copied into the answer", () => {
  const { world, phone } = worldOfAlice();
  const response = phone.register({ fields: ["Supported: path", "Path: <sip:p2.example.org;lr>, <sip:p1.example.org;lr>"] });
  assert.equal(response.header("path"), "<sip:p2.example.org;lr>, <sip:p1.example.org;lr>");
  assert.deepEqual(world.bindings("alice@example.test")[0]?.path, ["sip:p2.example.org;lr", "sip:p1.example.org;lr"]);
});

const INSTANCE = '+sip.instance="<urn:uuid:0001>"';

test("a phone that comes back with another Contact and the same instance replaces its earlier self", () => {
  const { world, phone } = worldOfAlice();
  phone.register({ contact: `<sip:alice-0x55f5@10.0.1.1>;${INSTANCE}` });
  phone.register({ contact: `<sip:alice-0x1234@10.0.1.1>;${INSTANCE}`, callId: "after-restart" });
  assert.deepEqual(world.bindings("alice@example.test").map(({ contact }) => contact), ["sip:alice-0x1234@10.0.1.1"]);
});

test("two flows of one instance with the same Contact are two bindings", () => {
  const { world, phone } = worldOfAlice();
  phone.register({ contact: `<sip:alice@10.0.1.1>;reg-id=1;${INSTANCE}` });
  phone.register({ contact: `<sip:alice@10.0.1.1>;reg-id=2;${INSTANCE}`, callId: "second-flow" });
  assert.deepEqual(world.bindings("alice@example.test").map(({ regId }) => regId), [1, 2]);
});

test("two contacts with reg-id in one REGISTER are refused", () => {
  const { phone } = worldOfAlice();
  const contact = `<sip:a@10.0.1.1>;reg-id=1;${INSTANCE}, <sip:b@10.0.1.1>;reg-id=2;${INSTANCE}`;
  assert.equal(phone.register({ contact }).status, 400);
});

test("reg-id without instance is ignored", () => {
  const { world, phone } = worldOfAlice();
  phone.register({ contact: "<sip:a@10.0.1.1>;reg-id=1" });
  assert.equal(world.bindings("alice@example.test")[0]?.regId, 0);
});

test("the eleventh binding of an address is refused and the ten stay", () => {
  const { world, phone } = worldOfAlice();
  const ten = Array.from({ length: 10 }, (_, i) => `<sip:phone${i}@10.0.1.1>`).join(", ");
  assert.equal(phone.register({ contact: ten }).status, 200);
  assert.equal(phone.register({ contact: "<sip:phone10@10.0.1.1>" }).status, 403);
  assert.equal(world.bindings("alice@example.test").length, 10);
});

test("an overlay that cannot answer makes 503 with Retry-After, not a lost phone", () => {
  const { world, phone } = worldOfAlice();
  world.isStoreAvailable = false;
  const response = phone.register();
  assert.equal(response.status, 503);
  const waits = new Set([response, ...Array.from({ length: 30 }, () => phone.register())].map((answer) => Number(answer.header("retry-after"))));
  assert.ok(Math.min(...waits) >= 5 && Math.max(...waits) <= 14 && waits.size > 4, [...waits].join());
});

test("REGISTERs of one address that arrive together are carried out in order", () => {
  const { world, box, phone } = worldOfAlice();
  const challenged = phone.exchange(phone.request("REGISTER", `sip:${DOMAIN}`, { to: `<${phone.aor}>` }));
  const uri = `sip:${DOMAIN}`;
  const one = phone.credentials(challenged, "REGISTER", uri, "secret", "MD5", "00000001");
  const two = phone.credentials(challenged, "REGISTER", uri, "secret", "MD5", "00000002");
  const common = { to: `<${phone.aor}>`, callId: "same" };
  phone.send(phone.request("REGISTER", uri, { ...common, cseq: 5, contact: "<sip:a@10.0.1.1>", fields: [one] }));
  phone.send(phone.request("REGISTER", uri, { ...common, cseq: 6, contact: "<sip:a@10.0.1.1>;expires=0", fields: [two] }));
  world.run(2);
  assert.equal(box.core.snapshot().registering, 1);
  world.run();
  assert.equal(world.bindings("alice@example.test").length, 0);
  assert.equal(box.core.snapshot().registering, 0);
});

test("a repeated REGISTER is absorbed by its transaction", () => {
  const { world, box, phone } = worldOfAlice();
  const challenged = phone.exchange(phone.request("REGISTER", `sip:${DOMAIN}`, { to: `<${phone.aor}>` }));
  const fields = [phone.credentials(challenged, "REGISTER", `sip:${DOMAIN}`)];
  const octets = phone.request("REGISTER", `sip:${DOMAIN}`, { to: `<${phone.aor}>`, fields });
  const first = phone.exchange(octets);
  const again = phone.exchange(octets);
  assert.equal(again.octets, first.octets);
  assert.deepEqual(box.counted.filter((event) => event === "registered"), ["registered"]);
  world.run(33_000);
  assert.equal(box.core.snapshot().serverTransactions, 0);
});

test("what was overheard at one box cannot be replayed at another, and a phone that moves is challenged once more, stale", () => {
  const { world, phone } = worldOfAlice();
  const other = world.box("10.0.0.2");
  const challenged = phone.exchange(phone.request("REGISTER", `sip:${DOMAIN}`, { to: `<${phone.aor}>` }));
  phone.box = other;
  const fields = [phone.credentials(challenged, "REGISTER", `sip:${DOMAIN}`)];
  const stale = phone.exchange(phone.request("REGISTER", `sip:${DOMAIN}`, { to: `<${phone.aor}>`, fields }));
  assert.equal(stale.status, 401);
  assert.match(stale.header("www-authenticate") ?? "", /stale=true/);
  const renewed = [phone.credentials(stale, "REGISTER", `sip:${DOMAIN}`)];
  assert.equal(phone.exchange(phone.request("REGISTER", `sip:${DOMAIN}`, { to: `<${phone.aor}>`, fields: renewed })).status, 200);
});

test("an old nonce is stale, not wrong", () => {
  const { world, phone } = worldOfAlice();
  const challenged = phone.exchange(phone.request("REGISTER", `sip:${DOMAIN}`, { to: `<${phone.aor}>` }));
  world.run(31 * 60_000);
  const fields = [phone.credentials(challenged, "REGISTER", `sip:${DOMAIN}`)];
  const response = phone.exchange(phone.request("REGISTER", `sip:${DOMAIN}`, { to: `<${phone.aor}>`, fields }));
  assert.equal(response.status, 401);
  assert.match(response.header("www-authenticate") ?? "", /stale=true/i);
});

test("a nonce count that was used is stale too", () => {
  const { phone } = worldOfAlice();
  const challenged = phone.exchange(phone.request("REGISTER", `sip:${DOMAIN}`, { to: `<${phone.aor}>` }));
  const fields = [phone.credentials(challenged, "REGISTER", `sip:${DOMAIN}`)];
  const to = `<${phone.aor}>`;
  assert.equal(phone.exchange(phone.request("REGISTER", `sip:${DOMAIN}`, { to, fields })).status, 200);
  const replay = phone.exchange(phone.request("REGISTER", `sip:${DOMAIN}`, { to, fields }));
  assert.equal(replay.status, 401);
  assert.match(replay.header("www-authenticate") ?? "", /stale=true/i);
});

test("either algorithm is taken, whichever the phone chose", () => {
  const { phone } = worldOfAlice();
  const to = `<${phone.aor}>`;
  const userAgent = "User-Agent: Linphonec/5.1.65";
  for (const algorithm of ["MD5", "SHA-256"] as const) {
    const challenged = phone.exchange(phone.request("REGISTER", `sip:${DOMAIN}`, { to, fields: [userAgent] }));
    const nc = algorithm === "MD5" ? "00000001" : "00000002";
    const fields = [phone.credentials(challenged, "REGISTER", `sip:${DOMAIN}`, "secret", algorithm, nc)];
    assert.equal(phone.exchange(phone.request("REGISTER", `sip:${DOMAIN}`, { to, fields })).status, 200);
  }
});
