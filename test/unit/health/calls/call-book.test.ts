import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { hours, minutes } from "../../../../src/base/time.ts";
import { CallBook, CALLS_IN_REPORT } from "../../../../src/health/calls/call-book.ts";
import { outcomeWords } from "../../../../src/health/calls/call-words.ts";
import type { CallView } from "../../../../src/health/ports.ts";
import { sampleCall, START } from "../../../support/sample-calls.ts";

const NOW = START + 200_000;

suite("how a call went, in words", () => {
  const cases: readonly (readonly [Partial<CallView>, string])[] = [
    [{}, "answered after 4 s, talked 3 min; the caller hung up"],
    [{ endedBy: "callee", endedAt: START + 7_504_000 }, "answered after 4 s, talked 2 h 5 min; the called side hung up"],
    [{ endedAt: null }, "talking"],
    [{ answeredAt: null, endedAt: null, status: null }, "ringing"],
    [{ answeredAt: null, endedAt: null, ringingAt: null, status: null }, "calling"],
    [{ answeredAt: null, endedAt: START + 9_000, status: 487, endedBy: "caller" }, "rang, and was given up after 9 s"],
    [{ answeredAt: null, endedAt: START + 9_000, ringingAt: null, status: 487, endedBy: "caller" }, "given up after 9 s"],
    [{ answeredAt: null, endedAt: START + 9_000, status: 486, reason: "Busy Here", endedBy: null }, "busy (486 Busy Here)"],
    [{ answeredAt: null, endedAt: START + 30_000, status: 408, endedBy: null }, "rang, nobody answered in 30 s"],
    [{ answeredAt: null, endedAt: START + 300, status: 480, endedBy: null, ringingAt: null }, "not reachable"],
    [{ answeredAt: null, endedAt: START + 300, status: 407, reason: "", endedBy: null, ringingAt: null }, "the caller did not give the right password (407)"],
    [{ answeredAt: null, endedAt: START + 300, status: 488, reason: "Not Acceptable Here", endedBy: null }, "refused (488 Not Acceptable Here)"],
    [{ kind: "registration", status: 401 }, "asked for its password, and did not give the right one"],
    [{ kind: "registration", status: 200 }, "registered"],
    [{ kind: "registration", status: 403, reason: "Forbidden" }, "refused: 403 Forbidden"],
  ];
  for (const [more, words] of cases) test(words, () => assert.equal(outcomeWords(sampleCall(more), NOW), words));

  test("a call whose end nobody saw does not go on for ever", () => {
    assert.equal(outcomeWords(sampleCall({ endedAt: null }), START + hours(5)), "answered after 4 s; nobody was heard to hang up");
    assert.equal(outcomeWords(sampleCall({ endedAt: null, answeredAt: null }), START + minutes(6)), "nothing more was heard of it");
  });
});

const nobody = (): boolean => false;

suite("the calls that are told to everybody", () => {
  test("a phone of the fleet and a short number are named, of others the end", () => {
    const book = new CallBook();
    book.heard(NOW, "1", [sampleCall({ from: "reception@acme.example", to: "+493012345678@acme.example" }), sampleCall({ id: "2", from: "204@acme.example", to: "mallory.long@far.example" })]);
    const named = book.recent(NOW, (aor) => aor === "reception@acme.example").map(({ from, to }) => [from, to]);
    assert.deepEqual(named, [["reception@acme.example", "…678@acme.example"], ["204@acme.example", "…ong@far.example"]]);
    assert.deepEqual(book.all(NOW).map(({ to }) => to), ["+493012345678@acme.example", "mallory.long@far.example"]);
    assert.ok(!("callId" in (book.recent(NOW, nobody)[0] ?? {})), "nor the Call-ID");
  });

  test("calls that go on are among them, however many ended since", () => {
    const book = new CallBook();
    const ended = Array.from({ length: 2 * CALLS_IN_REPORT }, (_, i) => sampleCall({ id: `e${i}`, startedAt: START + i }));
    book.heard(NOW, "1", [sampleCall({ id: "long", startedAt: START - 60_000, endedAt: null }), ...ended]);
    const recent = book.recent(NOW, nobody);
    assert.equal(recent.length, CALLS_IN_REPORT);
    assert.equal(recent.at(-1)?.id, "long");
    assert.equal(book.underWay(NOW), 1);
  });

  test("what the peer tells later takes the place of what it told before; registrations are no calls", () => {
    const book = new CallBook();
    book.heard(NOW, "1", [sampleCall({ endedAt: null })]);
    book.heard(NOW, "1", [sampleCall(), sampleCall({ id: "r", kind: "registration" })]);
    assert.deepEqual(book.recent(NOW, nobody).map(({ id, endedAt }) => [id, endedAt]), [["0123456789abcdef", START + 184_000]]);
    assert.equal(book.underWay(NOW), 0);
    assert.deepEqual(book.all(NOW).map(({ kind }) => kind), ["call", "registration"]);
  });

  test("when the peer begins a new life, calls that went on are remembered as such whose end is not known", () => {
    const book = new CallBook();
    book.heard(NOW, "1", [sampleCall({ endedAt: null })]);
    book.heard(NOW, "2", []);
    assert.equal(book.underWay(NOW), 0);
    assert.match(book.recent(NOW, nobody)[0]?.outcome ?? "", /started anew/);
  });
});
