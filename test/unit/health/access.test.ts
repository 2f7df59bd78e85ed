// Who may do what: codes, sessions, limits and names, without a server.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { after, hours, instant, minutes, seconds } from "../../../src/base/time.ts";
import { isOwnHost, isOwnOrigin } from "../../../src/health/access/host-names.ts";
import { OneTimeCodes } from "../../../src/health/access/one-time-codes.ts";
import { Sessions } from "../../../src/health/access/sessions.ts";
import { shownText } from "../../../src/health/access/shown-text.ts";
import { sourceOf, TryLimit } from "../../../src/health/access/try-limit.ts";
import { nodeCrypto } from "../../support/node-crypto.ts";
import { SeededRandom } from "../../support/seeded-random.ts";

const START = instant(0);
const GRANT = { right: "actions", holder: "Ada" } as const;
const codes = (): OneTimeCodes => new OneTimeCodes(nodeCrypto(), new SeededRandom(1));
const sessions = (): Sessions => new Sessions(nodeCrypto(), new SeededRandom(2));

suite("one-time codes", () => {
  test("a code is forty bits of luck, and good however it is typed", () => {
    const desk = codes();
    const { code } = desk.make(START, GRANT);
    assert.match(code, /^[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}$/);
    assert.deepEqual(desk.redeem(START, "192.0.2.1", ` ${code.toLowerCase().replace("-", " ")}`), { ok: true, grant: GRANT });
  });

  test("a code is good once", () => {
    const desk = codes();
    const { code } = desk.make(START, GRANT);
    desk.redeem(START, "192.0.2.1", code);
    assert.deepEqual(desk.redeem(START, "192.0.2.1", code), { ok: false, reason: "wrong" });
  });

  test("a code is good for ten minutes", () => {
    const desk = codes();
    const { code, until } = desk.make(START, GRANT);
    assert.equal(until, after(START, minutes(10)));
    assert.equal(desk.redeem(until, "192.0.2.1", code).ok, false);
  });

  test("nothing and the empty code open nothing", () => {
    assert.deepEqual(codes().redeem(START, "192.0.2.1", ""), { ok: false, reason: "wrong" });
  });

  test("the sixth try of a minute is refused even when it is right", () => {
    const desk = codes();
    const { code } = desk.make(START, GRANT);
    for (let i = 0; i < 5; i++) assert.deepEqual(desk.redeem(START, "192.0.2.1", "AAAA-AAAA"), { ok: false, reason: "wrong" });
    assert.deepEqual(desk.redeem(START, "192.0.2.1", code), { ok: false, reason: "too-many-tries" });
    assert.equal(desk.redeem(after(START, seconds(12)), "192.0.2.1", code).ok, true);
  });

  test("one that tries without end does not lock the others out", () => {
    const desk = codes();
    const { code } = desk.make(START, GRANT);
    for (let i = 0; i < 1_000; i++) desk.redeem(START, "192.0.2.66", "AAAA-AAAA");
    assert.equal(desk.redeem(START, "192.0.2.1", code).ok, true);
  });

  test("many sources together have thirty tries at once, and one more every two seconds", () => {
    const desk = codes();
    const tries = Array.from({ length: 100 }, (_, i) => desk.redeem(START, `192.0.2.${i}`, "AAAA-AAAA"));
    assert.equal(tries.filter((tried) => !tried.ok && tried.reason === "wrong").length, 30);
  });

  test("the fifth code puts the first one out of use", () => {
    const desk = codes();
    const made = Array.from({ length: 5 }, () => desk.make(START, GRANT).code);
    assert.deepEqual(made.map((code, i) => desk.redeem(START, `192.0.2.${i}`, code).ok), [false, true, true, true, true]);
  });
});

suite("sessions", () => {
  test("a session is found by its token and by nothing else", () => {
    const desk = sessions();
    const { token, session } = desk.open(START, GRANT, "192.0.2.1");
    assert.equal(desk.find(START, token), session);
    assert.equal(desk.find(START, session.csrf), undefined);
    assert.equal(desk.find(START, ""), undefined);
    assert.equal(session.who, "Ada at 192.0.2.1");
  });

  test("a session that is not used ends after half an hour, one that is used after eight hours", () => {
    const desk = sessions();
    const idle = desk.open(START, GRANT, "192.0.2.1");
    const used = desk.open(START, GRANT, "192.0.2.2");
    for (let at = START; at < hours(8); at = after(at, minutes(20))) assert.notEqual(desk.find(at, used.token), undefined);
    assert.equal(desk.find(after(START, minutes(30)), idle.token), undefined);
    assert.equal(desk.find(after(START, hours(8)), used.token), undefined);
  });

  test("the seventeenth signs the first one out, and says so", () => {
    const desk = sessions();
    const opened = Array.from({ length: 17 }, () => desk.open(START, GRANT, "192.0.2.1"));
    assert.deepEqual(opened[16]?.ended, [opened[0]?.session]);
    assert.equal(desk.find(START, opened[0]?.token ?? ""), undefined);
  });

  test("a terminal token opens one terminal, of its own session, within half a minute", () => {
    const desk = sessions();
    const mine = desk.open(START, GRANT, "192.0.2.1");
    const other = desk.open(START, GRANT, "192.0.2.2");
    const give = (): string => desk.terminalToken(START, mine.token) ?? "";
    const first = give();
    assert.equal(desk.openTerminal(START, mine.token, first), mine.session);
    assert.equal(desk.openTerminal(START, mine.token, first), undefined);
    assert.equal(desk.openTerminal(START, other.token, give()), undefined);
    assert.equal(desk.openTerminal(after(START, seconds(30)), mine.token, give()), undefined);
    give();
    assert.equal(desk.openTerminal(START, mine.token, "wrong"), undefined);
  });
});

suite("limits and names", () => {
  test("a million sources leave a bounded memory behind", () => {
    const limit = new TryLimit(1, minutes(1));
    for (let i = 0; i < 100_000; i++) assert.equal(limit.allows(START, String(i)), true);
    assert.equal(limit.allows(START, "99999"), false);
  });

  test("an IPv6 network is one source, an IPv4 address another", () => {
    assert.equal(sourceOf("2001:db8:0:1:aaaa::1"), sourceOf("2001:db8:0:1:bbbb::2"));
    assert.equal(sourceOf("2001:db8::1"), sourceOf("2001:db8:0:0:1:2:3:4"));
    assert.equal(sourceOf("::ffff:192.0.2.1"), "192.0.2.1");
  });

  test("a box answers to its own names and addresses, with its own port", () => {
    const own = { names: new Set(["192.0.2.7", "2001:db8::7", "amber-otter-42.local"]), port: 8_443, fromHere: false };
    for (const host of ["192.0.2.7:8443", "[2001:db8::7]:8443", "Amber-Otter-42.local:8443", "amber-otter-42.local.:8443"]) assert.ok(isOwnHost(host, own), host);
    const foreign = [
      undefined, "", "evil.example", "evil.example:8443", "192.0.2.7", "192.0.2.7:80", "192.0.2.7:8443:8443", "192.0.2.7.evil.example:8443", "localhost:8443",
      "127.0.0.1:8443", "[::1]:8443", "[2001:db8::7", "192.0.2.7:8443@evil.example", "192.0.2.7:8443, evil.example", `${"a".repeat(9_999)}:8443`, "192.0.2.7#:8443",
    ];
    for (const host of foreign) assert.ok(!isOwnHost(host, own), host);
    assert.ok(isOwnHost("localhost:8443", { ...own, fromHere: true }));
  });

  test("the origin is the page's own, over HTTPS", () => {
    assert.ok(isOwnOrigin("https://192.0.2.7:8443", "192.0.2.7:8443"));
    for (const origin of [undefined, "null", "http://192.0.2.7:8443", "https://192.0.2.7", "https://evil.example", "https://192.0.2.7:8443.evil.example"]) {
      assert.ok(!isOwnOrigin(origin, "192.0.2.7:8443"), origin);
    }
  });

  test("control octets and turned writing are not shown", () => {
    assert.equal(shownText("a\u001b[6nb\u0007\u009b\u202ec\n"), "a?[6nb???c?");
    assert.equal(shownText("x".repeat(500)).length, 200);
  });
});
