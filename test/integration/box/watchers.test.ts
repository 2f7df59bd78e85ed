// Three boxes as they are shipped, raw phones: a busy lamp, and what else is watched, when the box that stores it is killed.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { assertNoTrace, DOMAIN, logOf, skipWithoutBox } from "../../support/built-ring.ts";
import { field, RawPhone } from "../../support/raw-phone.ts";
import { ringOfThree, userOf } from "../../support/ring-of-three.ts";
import { PATIENCE, until } from "../../lab/until.ts";

/** What the issue promises, milliseconds. */
const PROMISED_MS = 5_000;

const stateOf = (text: string): string => /<state[^>]*>(\w+)</.exec(text)?.[1] ?? "none";
const versionOf = (text: string): number => Number(/<dialog-info[^>]* version="(\d+)"/.exec(text)?.[1]);

function assertInOrder(watcher: RawPhone): void {
  const all = watcher.of("NOTIFY").map(({ text }) => ({ version: versionOf(text), cseq: Number.parseInt(field(text, "cseq"), 10) }));
  for (const [i, one] of all.entries()) {
    const before = all[i - 1];
    if (before !== undefined) assert.ok(one.version > before.version && one.cseq > before.cseq, JSON.stringify(all));
  }
}

/** Rings, is answered and hung up; how long the watcher waited for each word, milliseconds. */
async function watchedCall(watcher: RawPhone, caller: RawPhone, callee: RawPhone): Promise<readonly number[]> {
  const before = watcher.of("NOTIFY").length;
  const begun = performance.now();
  callee.answers = (method) => (method === "ACK" ? [] : method === "INVITE" ? [180, 200] : [200]);
  const answer = await caller.ask("INVITE", callee.user);
  assert.equal(answer.status, 200);
  const told = (state: string) => until(`the watcher hears ${state}`, PATIENCE, () => assert.equal(stateOf(watcher.of("NOTIFY").at(-1)?.text ?? ""), state));
  await told("confirmed");
  const confirmedAt = watcher.of("NOTIFY").at(-1)?.at ?? 0;
  const ended = performance.now();
  assert.equal((await caller.hangUp(answer)).status, 200);
  await told("terminated");
  const terminatedAt = watcher.of("NOTIFY").at(-1)?.at ?? 0;
  assert.ok(watcher.of("NOTIFY").length > before);
  return [confirmedAt - begun, terminatedAt - ended];
}

const publish = (phone: RawPhone, event: string, type: string, body: string) => phone.ask("PUBLISH", phone.user, [`Event: ${event}`, `Content-Type: ${type}`, "Expires: 600"], { body });
const pidf = (user: string, basic: string): string =>
  `<?xml version="1.0"?><presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:${user}@${DOMAIN}"><tuple id="t"><status><basic>${basic}</basic></status></tuple></presence>`;

suite("busy lamps over three boxes", { skip: skipWithoutBox, timeout: 900_000 }, () => {
  test("the box that stores them is killed: the next call's states arrive within five seconds, in order", async (t) => {
    const boxes = await ringOfThree(t);
    const [first, second, third] = boxes;
    const watcher = await RawPhone.at(t, "w1", first);
    const caller = await RawPhone.at(t, "c1", second);
    const callee = await RawPhone.at(t, await userOf(third, boxes), second);
    for (const phone of [watcher, caller, callee]) assert.equal((await phone.register()).status, 200);
    assert.equal((await watcher.ask("SUBSCRIBE", callee.user, ["Event: dialog", "Expires: 600"])).status, 200);
    await until("the first NOTIFY", PATIENCE, () => assert.equal(watcher.of("NOTIFY").length, 1));
    const quiet = await watchedCall(watcher, caller, callee);
    await third.kill();
    const struck = await watchedCall(watcher, caller, callee);
    t.diagnostic(`confirmed and terminated after ${quiet.map(Math.round).join(" and ")} ms; with the owner killed just before, ${struck.map(Math.round).join(" and ")} ms`);
    for (const ms of struck) assert.ok(ms < PROMISED_MS, `${ms} ms`);
    assertInOrder(watcher);
    for (const box of boxes) assertNoTrace(logOf(box));
  });

  test("the box that stores them and the watcher hangs on is killed in the middle of a call: its end arrives, later in both counts", async (t) => {
    const boxes = await ringOfThree(t);
    const [first, second, third] = boxes;
    const watcher = await RawPhone.at(t, "w2", third);
    const caller = await RawPhone.at(t, "c2", second);
    const callee = await RawPhone.at(t, await userOf(third, boxes), first);
    for (const phone of [watcher, caller, callee]) assert.equal((await phone.register()).status, 200);
    assert.equal((await watcher.ask("SUBSCRIBE", callee.user, ["Event: dialog", "Expires: 600"])).status, 200);
    callee.answers = (method) => (method === "ACK" ? [] : method === "INVITE" ? [180, 200] : [200]);
    const answer = await caller.ask("INVITE", callee.user);
    await until("the lamp is lit", PATIENCE, () => assert.equal(stateOf(watcher.of("NOTIFY").at(-1)?.text ?? ""), "confirmed"));
    await third.kill();
    const since = performance.now();
    assert.equal((await caller.hangUp(answer)).status, 200);
    await until("the lamp goes out", PATIENCE, () => assert.equal(stateOf(watcher.of("NOTIFY").at(-1)?.text ?? ""), "terminated"));
    const ms = (watcher.of("NOTIFY").at(-1)?.at ?? 0) - since;
    t.diagnostic(`terminated after ${Math.round(ms)} ms`);
    assert.ok(ms < PROMISED_MS, `${ms} ms`);
    assertInOrder(watcher);
  });

  test("the box that stores them is killed: presence, mailbox and registrations are told within five seconds, versions in order", async (t) => {
    const boxes = await ringOfThree(t);
    const [first, second, third] = boxes;
    const callee = await RawPhone.at(t, await userOf(third, boxes), second);
    const [friend, other] = [await RawPhone.at(t, "w5", first), await RawPhone.at(t, callee.user, first)];
    for (const phone of [friend, callee]) assert.equal((await phone.register()).status, 200);
    const watched = [
      { package: "presence", watcher: friend, change: () => publish(callee, "presence", "application/pidf+xml", pidf(callee.user, "closed")), shows: /<basic>closed/ },
      { package: "message-summary", watcher: callee, change: () => publish(callee, "message-summary", "application/simple-message-summary", "Messages-Waiting: yes\r\n"), shows: /Messages-Waiting: yes/ },
      { package: "reg", watcher: callee, change: () => other.register(), shows: new RegExp(other.contact.slice(1, -1)) },
    ] as const;
    const states = (watcher: RawPhone, event: string) => watcher.of("NOTIFY").filter(({ text }) => field(text, "event").split(";")[0] === event);
    assert.equal((await publish(callee, "presence", "application/pidf+xml", pidf(callee.user, "open"))).status, 200);
    for (const { package: event, watcher } of watched) {
      assert.equal((await watcher.ask("SUBSCRIBE", callee.user, [`Event: ${event}`, "Expires: 600"])).status, 200, event);
      await until(`the first ${event}`, PATIENCE, () => assert.ok(states(watcher, event).length > 0));
    }
    await third.kill();
    for (const { package: event, watcher, change, shows } of watched) {
      const since = performance.now();
      assert.equal((await change()).status, 200, event);
      await until(`${event} is told`, PATIENCE, () => assert.match(states(watcher, event).at(-1)?.text ?? "", shows));
      const all = states(watcher, event);
      const ms = (all.at(-1)?.at ?? 0) - since;
      t.diagnostic(`${event}: told after ${Math.round(ms)} ms`);
      assert.ok(ms < PROMISED_MS, `${event}: ${ms} ms`);
      const counts = all.map(({ text }) => Number.parseInt(field(text, "cseq"), 10));
      assert.deepEqual(counts, counts.toSorted((a, b) => a - b));
    }
    const versions = states(callee, "reg").map(({ text }) => Number(/<reginfo[^>]* version="(\d+)"/.exec(text)?.[1]));
    assert.ok(versions.length > 1 && versions.every((version, i) => i === 0 || version > (versions[i - 1] ?? 0)), versions.join());
  });

  test("a message to a user who is away is kept; the box that took it is killed; it is delivered once when he registers", async (t) => {
    const boxes = await ringOfThree(t);
    const [first, second, third] = boxes;
    const sender = await RawPhone.at(t, "s3", third);
    const reader = await RawPhone.at(t, await userOf(third, boxes), second);
    assert.equal((await sender.register()).status, 200);
    for (const body of ["one", "two"]) {
      assert.equal((await sender.ask("MESSAGE", reader.user, ["Content-Type: text/plain"], { body })).status, 202);
    }
    await third.kill();
    assert.equal((await reader.register()).status, 200);
    const bodies = () => reader.of("MESSAGE").map(({ text }) => text.slice(text.indexOf("\r\n\r\n") + 4));
    await until("both are there", PATIENCE, () => assert.deepEqual(bodies(), ["one", "two"]));
    reader.box = first;
    assert.equal((await reader.register()).status, 200);
    // Whatever the second REGISTER brings comes before the answer to this.
    await until("the ring has no message of his any more", PATIENCE, async () => {
      const again = await RawPhone.at(t, "s4", first);
      assert.equal((await again.ask("MESSAGE", reader.user, ["Content-Type: text/plain"], { body: "three" })).status, 200);
    });
    assert.deepEqual(bodies().filter((body) => body !== "three"), ["one", "two"]);
  });
});
