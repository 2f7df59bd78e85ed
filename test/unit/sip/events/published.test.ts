// Presence with PUBLISH (RFC 3856, 3903), message waiting (RFC 3842), registrations (RFC 3680).

import assert from "node:assert/strict";
import { test } from "node:test";
import { instant } from "../../../../src/base/time.ts";
import type { SipResponse } from "../../../../src/sip/message/message.ts";
import { type Box, type Phone, SipWorld } from "../../../support/sip-harness.ts";

const BOB = "sip:bob@example.test";
const PIDF = "application/pidf+xml";

interface Pair {
  readonly world: SipWorld;
  readonly boxes: readonly [Box, Box];
  readonly wanda: Phone;
  readonly bob: Phone;
}

function pair(): Pair {
  const world = new SipWorld();
  for (const name of ["bob", "wanda", "voicemail"]) world.addUser(name);
  const boxes = [world.box("10.0.0.1"), world.box("10.0.0.2")] as const;
  world.introduceBoxes();
  const wanda = world.phone("wanda", "10.0.1.1", boxes[0]);
  const bob = world.phone("bob", "10.0.1.2", boxes[1]);
  assert.equal(wanda.register().status, 200);
  return { world, boxes, wanda, bob };
}

const watch = (watcher: Phone, event: string, uri = BOB): SipResponse => {
  const answer = watcher.ask("SUBSCRIBE", uri, { fields: [`Event: ${event}`, "Expires: 3600"] });
  watcher.world.run(300);
  return answer;
};
const bodies = ({ requests }: Phone): readonly string[] => requests.filter(({ method }) => method === "NOTIFY").map(({ body }) => body);

interface Publication {
  readonly body?: string;
  readonly etag?: string | undefined;
  readonly expires?: number;
  readonly event?: string;
  readonly type?: string;
  readonly uri?: string;
}

function publish(phone: Phone, { body = "", etag, expires = 600, event = "presence", type = PIDF, uri = BOB }: Publication): SipResponse {
  const fields = [`Event: ${event}`, `Expires: ${expires}`];
  if (body !== "") fields.push(`Content-Type: ${type}`);
  if (etag !== undefined) fields.push(`SIP-If-Match: ${etag}`);
  const answer = phone.ask("PUBLISH", uri, { contact: "", fields, body });
  phone.world.run(300);
  return answer;
}

const note = (text: string): string => `<presence entity="${BOB}"><note>${text}</note></presence>`;

test("of a user who published nothing watchers see whether he is registered, and hear when that changes", () => {
  const { wanda, bob, world } = pair();
  assert.equal(watch(wanda, "presence").status, 200);
  bob.register();
  world.run(500);
  bob.register({ expires: 0 });
  world.run(500);
  assert.deepEqual(bodies(wanda).map((body) => body.includes("<basic>open</basic>")), [false, true, false]);
});

test("a publication is seen at another box, changed by its tag, refreshed without a word to anybody, and taken back", () => {
  const { wanda, bob } = pair();
  watch(wanda, "presence");
  const first = publish(bob, { body: note("lunch") });
  assert.equal(first.status, 200);
  assert.equal(first.header("expires"), "600");
  const second = publish(bob, { body: note("desk"), etag: first.header("sip-etag") });
  const third = publish(bob, { etag: second.header("sip-etag"), expires: 900 });
  assert.equal(third.status, 200);
  assert.notEqual(third.header("sip-etag"), second.header("sip-etag"));
  assert.equal(publish(bob, { etag: third.header("sip-etag"), expires: 0 }).status, 200);
  const seen = bodies(wanda);
  assert.deepEqual(seen.slice(1, 3), [note("lunch"), note("desk")]);
  assert.equal(seen.length, 4);
  assert.ok(seen[3]?.includes("<basic>closed</basic>"));
});

test("of two publications the later one is seen, and the other again when that is taken back", () => {
  const { wanda, bob } = pair();
  watch(wanda, "presence");
  publish(bob, { body: note("desk telephone") });
  const mobile = publish(bob, { body: note("mobile") });
  publish(bob, { etag: mobile.header("sip-etag"), expires: 0 });
  assert.deepEqual(bodies(wanda).slice(1), [note("desk telephone"), note("mobile"), note("desk telephone")]);
});

test("a publication that is not refreshed ends by itself", () => {
  const { wanda, bob, world } = pair();
  watch(wanda, "presence");
  publish(bob, { body: note("soon gone"), expires: 60 });
  world.run(130_000);
  assert.ok(bodies(wanda).at(-1)?.includes("<basic>closed</basic>"));
});

test("a tag that is not known is 412, no body 400, a strange one 415, too large 413, too brief 423, a package that nobody publishes 489", () => {
  const { bob } = pair();
  assert.equal(publish(bob, { body: note("x"), etag: "stale" }).status, 412);
  assert.equal(publish(bob, {}).status, 400);
  const strange = publish(bob, { body: "x", type: "text/plain" });
  assert.equal(strange.status, 415);
  assert.equal(strange.header("accept"), PIDF);
  assert.equal(publish(bob, { body: "x".repeat(3_501) }).status, 413);
  assert.equal(publish(bob, { body: note("x"), expires: 30 }).header("min-expires"), "60");
  assert.equal(publish(bob, { body: "x", event: "dialog" }).status, 489);
});

test("nobody publishes for somebody else, but voice mail for a mailbox", () => {
  const { wanda, bob, world, boxes } = pair();
  assert.equal(publish(wanda, { body: note("x") }).status, 403);
  const voicemail = world.phone("voicemail", "10.0.1.9", boxes[0]);
  const summary = { event: "message-summary", type: "application/simple-message-summary", body: "Messages-Waiting: yes\r\nVoice-Message: 2/8\r\n" };
  assert.equal(publish(wanda, summary).status, 403);
  assert.equal(publish(voicemail, { body: note("x") }).status, 403);
  watch(bob, "message-summary");
  assert.equal(publish(voicemail, summary).status, 200);
  assert.deepEqual(bodies(bob), ["Messages-Waiting: no\r\nMessage-Account: sip:bob@example.test\r\n", summary.body]);
});

test("nobody watches another one's mailbox or registrations", () => {
  const { wanda } = pair();
  assert.equal(watch(wanda, "message-summary").status, 403);
  assert.equal(watch(wanda, "reg").status, 403);
});

test("a user sees his own registrations, and each that comes or goes", () => {
  const { bob, world, boxes } = pair();
  bob.register();
  watch(bob, "reg");
  const other = world.phone("bob", "10.0.1.8", boxes[0]);
  other.register();
  world.run(500);
  other.register({ expires: 0 });
  world.run(500);
  assert.deepEqual(bodies(bob).map((body) => body.split("<contact ").length - 1), [1, 2, 1]);
  assert.ok(bodies(bob)[0]?.includes('<registration aor="sip:bob@example.test" id="a" state="active">'));
  assert.ok(bodies(bob)[0]?.includes('state="active" event="registered"'));
  assert.deepEqual(bodies(bob).map((body) => body.slice(body.indexOf("<reginfo")).includes('version="2"')), [false, false, true]);
});

test("a box that goes tells the phones that hang on it that they are deactivated, and no others", () => {
  const { bob, world, boxes } = pair();
  bob.register();
  const other = world.phone("bob", "10.0.1.8", boxes[0]);
  other.register();
  watch(bob, "reg");
  boxes[1].core.setDraining(instant(world.time), true);
  world.run(500);
  const last = bodies(bob).at(-1) ?? "";
  assert.equal(last.split('event="deactivated"').length, 2);
  assert.ok(last.includes(`event="deactivated" callid="${bob.registerCallId}"`));
  assert.equal(last.split('event="registered"').length, 2);
});
