// Busy lamps (RFC 6665, RFC 4235): who is told what, by whom, in which order, and what a death changes of it.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { SipRequest, SipResponse } from "../../../../src/sip/message/message.ts";
import { type Box, type Phone, type RequestOptions, SipWorld } from "../../../support/sip-harness.ts";

const BOB = "sip:bob@example.test";

interface Office {
  readonly world: SipWorld;
  readonly boxes: readonly [Box, Box, Box];
  /** Watches Bob, at the first box. */
  readonly wanda: Phone;
  /** Calls, at the second. */
  readonly alice: Phone;
  /** Is called, at the third. */
  readonly bob: Phone;
}

function office(): Office {
  const world = new SipWorld();
  for (const name of ["alice", "bob", "wanda"]) world.addUser(name);
  const boxes = [world.box("10.0.0.1"), world.box("10.0.0.2"), world.box("10.0.0.3")] as const;
  world.introduceBoxes();
  const wanda = world.phone("wanda", "10.0.1.1", boxes[0]);
  const alice = world.phone("alice", "10.0.1.2", boxes[1]);
  const bob = world.phone("bob", "10.0.1.3", boxes[2]);
  for (const phone of [wanda, alice, bob]) assert.equal(phone.register().status, 200);
  return { world, boxes, wanda, alice, bob };
}

const SUBSCRIBE = ["Event: dialog", "Accept: application/dialog-info+xml"];

function subscribe(watcher: Phone, options: RequestOptions & { readonly expires?: number } = {}, uri = BOB): SipResponse {
  const { expires = 600, fields = SUBSCRIBE, ...more } = options;
  return watcher.ask("SUBSCRIBE", uri, { ...more, fields: [...fields, `Expires: ${expires}`] });
}

/** Within the dialog that a 200 to SUBSCRIBE began. */
function resubscribe(watcher: Phone, answer: SipResponse, expires: number, options: RequestOptions = {}): SipResponse {
  const callId = answer.callId ?? "";
  return subscribe(watcher, { to: answer.header("to") ?? "", callId, expires, ...options });
}

const notifies = ({ requests }: Phone): readonly SipRequest[] => requests.filter(({ method }) => method === "NOTIFY");
const versionOf = ({ body }: SipRequest): number => Number(between(body.slice(body.indexOf("<dialog-info")), 'version="', '"'));
const stateOf = ({ body }: SipRequest): string => (body.includes("<state") ? between(body.slice(body.indexOf("<state")), ">", "<") : "none");
const between = (text: string, start: string, end: string): string => {
  const from = text.indexOf(start) + start.length;
  return text.slice(from, text.indexOf(end, from));
};
const states = (watcher: Phone): readonly string[] => notifies(watcher).map(stateOf);

function assertInOrder(watcher: Phone): void {
  const all = notifies(watcher);
  for (const [i, notify] of all.entries()) {
    const before = all[i - 1];
    if (before === undefined) continue;
    assert.ok(versionOf(notify) > versionOf(before), `version ${versionOf(notify)} after ${versionOf(before)}`);
    assert.ok((notify.cseq?.number ?? 0) > (before.cseq?.number ?? 0));
  }
}

/** Rings, then is answered when told to. */
function call({ world, alice, bob }: Office): { answer(): SipResponse } {
  bob.answers = ({ method }) => (method === "INVITE" ? [180] : method === "ACK" ? [] : [200]);
  alice.ask("INVITE", BOB);
  world.run(400);
  return {
    answer() {
      bob.reply(bob.last("INVITE"), 200);
      world.run(400);
      const answer = alice.responses.at(-1);
      assert.equal(answer?.status, 200);
      alice.inDialog("ACK", alice.dialogOf(answer), { cseq: answer.cseq?.number ?? 0, contact: "" });
      world.run(50);
      return answer;
    },
  };
}

test("a subscription begins with a NOTIFY of the full state, version 0", () => {
  const { wanda, world } = office();
  const answer = subscribe(wanda);
  assert.equal(answer.status, 200);
  assert.equal(answer.header("expires"), "600");
  world.run();
  const [notify] = notifies(wanda);
  assert.ok(notify);
  assert.equal(notify.header("event"), "dialog");
  assert.equal(notify.header("subscription-state")?.startsWith("active;expires="), true);
  assert.equal(notify.header("content-type"), "application/dialog-info+xml");
  assert.equal(notify.header("from"), answer.header("to"));
  assert.ok(notify.body.includes(`version="0" state="full" entity="${BOB}"></dialog-info>`));
});

test("a lamp of the called user goes early, confirmed, terminated, in order, over three boxes", () => {
  const here = office();
  const { wanda, alice, world } = here;
  subscribe(wanda);
  world.run(300);
  const answer = call(here).answer();
  alice.inDialog("BYE", alice.dialogOf(answer));
  world.run(400);
  assert.deepEqual(states(wanda), ["none", "early", "confirmed", "terminated"]);
  assert.deepEqual(notifies(wanda).map(versionOf), [0, 1, 2, 3]);
  assertInOrder(wanda);
  const early = notifies(wanda)[1]?.body ?? "";
  assert.ok(early.includes('direction="recipient"'));
  assert.ok(early.includes(`call-id="${answer.callId}"`));
  assert.ok(early.includes('remote-tag="tag-alice"'));
  assert.ok(early.includes("<remote><identity>sip:alice@example.test</identity>"));
  assert.ok(notifies(wanda)[3]?.body.includes('<state event="remote-bye">'));
});

test("a lamp of the caller shows the call as its initiator", () => {
  const here = office();
  const { wanda, world } = here;
  subscribe(wanda, {}, "sip:alice@example.test");
  world.run(300);
  call(here).answer();
  assert.deepEqual(states(wanda), ["none", "early", "confirmed"]);
  assert.ok(notifies(wanda).at(-1)?.body.includes('direction="initiator"'));
});

test("a call that is over is told once, and not beside the next one", () => {
  const here = office();
  const { wanda, alice, world } = here;
  subscribe(wanda);
  world.run(300);
  const first = call(here).answer();
  alice.inDialog("BYE", alice.dialogOf(first));
  world.run(400);
  call(here).answer();
  assert.deepEqual(states(wanda), ["none", "early", "confirmed", "terminated", "early", "confirmed"]);
  assert.equal(notifies(wanda).at(-1)?.body.split("<dialog ").length, 2);
});

test("a call that is not answered ends as cancelled, one that is refused as rejected with its status", () => {
  const here = office();
  const { wanda, bob, alice, world } = here;
  subscribe(wanda);
  world.run(300);
  call(here);
  bob.reply(bob.last("INVITE"), 486);
  world.run(400);
  assert.deepEqual(states(wanda), ["none", "early", "terminated"]);
  assert.ok(notifies(wanda).at(-1)?.body.includes('<state event="rejected" code="486">'));
  assert.equal(alice.responses.at(-1)?.status, 486);
});

test("who begins to watch in the middle of a call sees it", () => {
  const here = office();
  call(here).answer();
  subscribe(here.wanda);
  here.world.run(500);
  assert.equal(states(here.wanda).at(-1), "confirmed");
});

test("nothing is written of calls of users whom nobody watches", () => {
  const here = office();
  call(here).answer();
  assert.equal(here.world.eventsOf("bob@example.test").states.size, 0);
});

test("an event that is not served is refused with 489 and those that are", () => {
  const { wanda } = office();
  const answer = subscribe(wanda, { fields: ["Event: conference"] });
  assert.equal(answer.status, 489);
  assert.ok(answer.header("allow-events")?.includes("dialog"));
});

test("too short a time is refused with 423, a body that the watcher does not take with 406, a list extension with 420", () => {
  const { wanda } = office();
  const brief = subscribe(wanda, { expires: 30 });
  assert.equal(brief.status, 423);
  assert.equal(brief.header("min-expires"), "60");
  assert.equal(subscribe(wanda, { fields: ["Event: dialog", "Accept: text/plain"] }).status, 406);
  const list = subscribe(wanda, { fields: ["Event: dialog", "Require: eventlist"] });
  assert.equal(list.status, 420);
  assert.equal(list.header("unsupported"), "eventlist");
});

test("a stranger may not watch, a wrong password proves nothing, an unknown user is 404", () => {
  const { wanda } = office();
  assert.equal(wanda.ask("SUBSCRIBE", BOB, { from: "<sip:eve@elsewhere.example>", fields: SUBSCRIBE }).status, 403);
  assert.equal(wanda.ask("SUBSCRIBE", BOB, { fields: SUBSCRIBE }, "wrong").status, 401);
  assert.equal(wanda.ask("SUBSCRIBE", BOB, { from: "<sip:alice@example.test>", fields: SUBSCRIBE }).status, 403);
  assert.equal(subscribe(wanda, {}, "sip:nobody@example.test").status, 404);
});

test("a fetch is one NOTIFY that ends, and leaves nothing behind", () => {
  const { wanda, world, boxes } = office();
  assert.equal(subscribe(wanda, { expires: 0 }).status, 200);
  world.run(300);
  assert.deepEqual(notifies(wanda).map((notify) => notify.header("subscription-state")), ["terminated;reason=timeout"]);
  assert.equal(boxes[0].core.snapshot().subscriptions, 0);
  assert.equal(world.eventsOf("bob@example.test").subscriptions.size, 0);
});

test("a refresh is told the state again; with Expires 0 it ends", () => {
  const { wanda, world } = office();
  const answer = subscribe(wanda);
  world.run(300);
  assert.equal(resubscribe(wanda, answer, 900).header("expires"), "900");
  world.run(300);
  assert.equal(notifies(wanda).length, 2);
  assert.equal(resubscribe(wanda, answer, 0).status, 200);
  world.run(300);
  assert.equal(notifies(wanda).at(-1)?.header("subscription-state"), "terminated;reason=timeout");
  assert.equal(world.eventsOf("bob@example.test").subscriptions.size, 0);
  assertInOrder(wanda);
});

test("a SUBSCRIBE in a dialog that nobody knows is 481; one that comes late is 500", () => {
  const { wanda, world } = office();
  assert.equal(subscribe(wanda, { to: `<${BOB}>;tag=unknown` }).status, 481);
  const answer = subscribe(wanda);
  world.run(300);
  assert.equal(resubscribe(wanda, answer, 600, { cseq: 1 }).status, 500);
});

test("a subscription that is not refreshed ends with a word", () => {
  const { wanda, world } = office();
  subscribe(wanda, { expires: 60 });
  world.run(61_000);
  assert.equal(notifies(wanda).at(-1)?.header("subscription-state"), "terminated;reason=timeout");
});

test("a watcher that says 481 is told nothing more", () => {
  const here = office();
  const { wanda, world, boxes } = here;
  wanda.answers = ({ method }) => (method === "NOTIFY" ? [481] : [200]);
  subscribe(wanda);
  world.run(300);
  assert.equal(boxes[0].core.snapshot().subscriptions, 0);
  assert.equal(world.eventsOf("bob@example.test").subscriptions.size, 0);
});

test("when the watcher's box is dead, the next change reaches the watcher from another one, later in both counts", () => {
  const here = office();
  const { wanda, world, boxes, alice } = here;
  subscribe(wanda);
  world.run(300);
  const ringing = call(here);
  boxes[0].isAlive = false;
  const answer = ringing.answer();
  world.run(1_000);
  alice.inDialog("BYE", alice.dialogOf(answer));
  world.run(1_000);
  assert.deepEqual(states(wanda), ["none", "early", "confirmed", "terminated"]);
  assertInOrder(wanda);
});

test("a watcher's box that the ring still believes alive costs seconds, not the change", () => {
  const here = office();
  const { wanda, world, boxes } = here;
  subscribe(wanda);
  world.run(300);
  const ringing = call(here);
  boxes[0].isAlive = false;
  world.knowsDead = false;
  ringing.answer();
  world.run(2_000);
  assert.equal(states(wanda).at(-1), "early");
  world.knowsDead = true;
  world.run(2_000);
  assert.equal(states(wanda).at(-1), "confirmed");
});

test("a refresh that comes to another box goes on with the dialog there", () => {
  const here = office();
  const { wanda, world, boxes } = here;
  const answer = subscribe(wanda);
  world.run(300);
  boxes[0].isAlive = false;
  wanda.box = boxes[1];
  assert.equal(resubscribe(wanda, answer, 600).status, 200);
  world.run(300);
  assert.equal(notifies(wanda).length, 2);
  assertInOrder(wanda);
  assert.equal(boxes[1].core.snapshot().subscriptions, 1);
});

test("a dead writer's call goes out by itself", () => {
  const here = office();
  const { wanda, world, boxes } = here;
  subscribe(wanda);
  world.run(300);
  call(here).answer();
  boxes[1].isAlive = false;
  world.run(5 * 60_000);
  assert.equal(states(wanda).at(-1), "none");
});

test("a call that rang when its writer died goes out within half a minute", () => {
  const here = office();
  const { wanda, world, boxes } = here;
  subscribe(wanda);
  world.run(300);
  call(here);
  world.run(15_000);
  assert.equal(states(wanda).at(-1), "early", "it is renewed meanwhile");
  boxes[1].isAlive = false;
  world.run(31_000);
  assert.equal(states(wanda).at(-1), "none");
});

test("a call that its writer did not outlive goes out when the other side hangs up, at both ends", () => {
  const here = office();
  const { wanda, bob, world, boxes } = here;
  subscribe(wanda);
  subscribe(wanda, {}, "sip:alice@example.test");
  world.run(300);
  const answer = call(here).answer();
  boxes[1].isAlive = false;
  for (const box of [boxes[0], boxes[2]]) box.core.setFleetAddresses([boxes[0].address, boxes[2].address].filter((address) => address !== box.address));
  const before = notifies(wanda).length;
  bob.inDialog("BYE", bob.dialogOf(bob.last("INVITE"), answer));
  world.run(1_000);
  assert.deepEqual(notifies(wanda).slice(before).map(stateOf), ["terminated", "terminated"]);
  const events = notifies(wanda).slice(before).map(({ body }) => body.slice(body.indexOf("<state"), body.indexOf("</state>")));
  assert.deepEqual(events.toSorted(), ['<state event="local-bye">terminated', '<state event="remote-bye">terminated']);
});

test("a call that lasts stays lit, and its watcher is not told again and again", () => {
  const here = office();
  const { wanda, world } = here;
  subscribe(wanda, { expires: 3_600 });
  world.run(300);
  call(here).answer();
  world.run(10 * 60_000);
  assert.equal(states(wanda).at(-1), "confirmed");
  assert.equal(notifies(wanda).length, 3);
});

test("what a watcher sees of a hostile name is well-formed", () => {
  const here = office();
  const { wanda, world, alice, bob } = here;
  subscribe(wanda);
  world.run(300);
  bob.answers = () => [180];
  alice.ask("INVITE", BOB, { from: '"</identity><a \\"&" <sip:alice@example.test>' });
  world.run(400);
  assert.ok(notifies(wanda).at(-1)?.body.includes('display="&lt;/identity&gt;&lt;a &quot;&amp;"'));
});

test("a watcher over TCP whose box died is told where it registered since", () => {
  const here = office();
  const { world, boxes } = here;
  const wanda = world.phone("wanda", "10.0.1.7", boxes[0], "tcp", 5070);
  here.wanda.register({ expires: 0 });
  wanda.register();
  subscribe(wanda);
  world.run(300);
  assert.deepEqual(states(wanda), ["none"]);
  boxes[0].isAlive = false;
  wanda.hangUpConnection();
  wanda.box = boxes[2];
  assert.equal(wanda.register().status, 200);
  call(here).answer();
  world.run(500);
  assert.equal(states(wanda).at(-1), "confirmed");
  assertInOrder(wanda);
});

test("a watcher whose connection broke is told over the one with which it registered again", () => {
  const here = office();
  const { world, boxes } = here;
  const wanda = world.phone("wanda", "10.0.1.7", boxes[0], "tcp", 5070);
  here.wanda.register({ expires: 0 });
  wanda.register();
  subscribe(wanda);
  world.run(300);
  wanda.hangUpConnection();
  world.run(100);
  assert.equal(wanda.register().status, 200);
  call(here).answer();
  assert.deepEqual(states(wanda), ["none", "early", "confirmed"]);
  assertInOrder(wanda);
});

test("names and tags of any length put nothing into the ring that it would not take", () => {
  const here = office();
  const { wanda, world, alice, bob } = here;
  subscribe(wanda);
  world.run(300);
  bob.answers = () => [180];
  alice.ask("INVITE", BOB, { from: `"${"x".repeat(9_000)}" <sip:alice@example.test>` });
  world.run(400);
  for (const { content } of world.eventsOf("bob@example.test").states.values()) assert.ok(content.length < 4_000);
  assert.equal(states(wanda).at(-1), "early");
  assert.equal(subscribe(wanda, { callId: "c".repeat(2_000) }).status, 400);
});

test("a word between boxes that no box made is no word", () => {
  const { world, boxes, wanda } = office();
  const before = boxes[0].counted.length;
  for (const event of ["ringbox-look;reason=changed;token=forged", "ringbox-look", "ringbox-look;reason=changed"]) {
    const answer = wanda.exchange(wanda.request("NOTIFY", "sip:10.0.0.1", { to: `<${BOB}>`, fields: [`Event: ${event}`] }));
    assert.equal(answer.status, 405);
  }
  assert.equal(boxes[0].counted.slice(before).filter((name) => name === "subscription-taken-over").length, 0);
  world.run();
});

test("one watcher has his limit of subscriptions, and the others are not concerned", () => {
  const { world, wanda, alice } = office();
  for (let i = 0; i < 260; i++) world.addUser(`u${i}`);
  const statuses = Array.from({ length: 252 }, (_, i) => subscribe(wanda, {}, `sip:u${i}@example.test`).status);
  assert.deepEqual(statuses.slice(248), [200, 200, 403, 403]);
  assert.equal(subscribe(alice).status, 200);
});

test("a user can be watched by so many and no more", () => {
  const { world, boxes } = office();
  const watchers = Array.from({ length: 121 }, (_, i) => {
    world.addUser(`w${i}`);
    return world.phone(`w${i}`, `10.0.2.${i + 1}`, boxes[i % 3] ?? boxes[0]);
  });
  const statuses = watchers.map((watcher) => subscribe(watcher).status);
  assert.deepEqual(statuses.slice(118), [200, 200, 503]);
});
