import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { type Instant, instant, milliseconds, wallTime } from "../../../src/base/time.ts";
import { Health, PEER_SILENCE, SIP_SILENCE } from "../../../src/health/health.ts";
import type { HealthInput } from "../../../src/health/ports.ts";
import { PROOF_HOLDS } from "../../../src/health/proof-book.ts";
import type { HealthReport } from "../../../src/health/report.ts";
import { SAMPLE_PEERS, SAMPLE_STATUS, SAMPLE_BINDING } from "../../support/sample-reports.ts";

const OWN = SAMPLE_STATUS.nodeId;
const WALL = 1_800_000_000_000;

/** A box that is watched: every second it answers what it does not fail to answer. */
class Watched {
  readonly health = new Health({ software: "Ringbox/test", run: "1", remedies: true });
  now = 0;
  answersControl = true;
  answersSip = true;
  calls: "succeed" | "fail" | "none" = "succeed";

  constructor() {
    this.tell({ type: "clock", wall: wallTime(WALL) });
    this.tell({ type: "status", status: { ...SAMPLE_STATUS, boxes: { serving: 3, known: 3 } }, boxes: SAMPLE_PEERS });
    this.tell({ type: "listens", listens: [{ transport: "UDP", host: "192.0.2.1", port: 5060 }] });
    this.run(10);
  }

  get #at(): Instant {
    return instant(this.now);
  }

  tell(input: HealthInput) {
    return this.health.step(this.#at, input);
  }

  run(seconds: number): void {
    for (let i = 0; i < seconds; i += 1) {
      this.now += 1_000;
      if (this.answersControl) this.tell({ type: "heartbeat", phase: "serving", code: null });
      if (this.answersSip) this.tell({ type: "sip-answered", transport: "UDP" });
      const isDue = this.now % 10_000 === 0 || this.now === 1_000;
      if (isDue && this.calls !== "none") {
        const succeeded = this.calls === "succeed";
        this.tell({ type: "trial", trial: { what: "call", transport: "UDP", by: OWN, outside: false, succeeded, tookMs: null, detail: "no answer to INVITE", signature: null } });
      }
      this.tell({ type: "tick" });
    }
  }

  get report(): HealthReport {
    return this.health.report(this.#at);
  }
  get codes(): readonly string[] {
    return this.report.conditions.map(({ code }) => code);
  }
}

suite("what is said of a box", () => {
  test("a box that answers and through which calls come about works, and the first line says so in words", () => {
    const box = new Watched();
    assert.equal(box.report.verdict, "works");
    assert.equal(box.report.firstLine, "Phones work. No phone is registered. 3 of 3 boxes. You can lose 2.");
  });

  test("a peer that falls silent is red within its limit and a second, and nothing it said before is told again", () => {
    const box = new Watched();
    box.answersControl = false;
    box.run(PEER_SILENCE / 1_000 + 1);
    assert.equal(box.report.verdict, "broken");
    assert.deepEqual(box.codes, ["peer-silent"]);
    assert.doesNotMatch(box.report.firstLine, /boxes/);
  });

  test("a peer that is not there is red at the next look", () => {
    const box = new Watched();
    box.answersControl = false;
    box.tell({ type: "peer-absent" });
    box.tell({ type: "tick" });
    assert.equal(box.report.verdict, "broken");
    assert.deepEqual(box.codes, ["peer-not-running"]);
  });

  test("a SIP port that falls silent while the peer answers is red, and names the transport", () => {
    const box = new Watched();
    box.answersSip = false;
    box.run(SIP_SILENCE / 1_000 + 1);
    assert.equal(box.report.verdict, "broken");
    assert.match(box.report.firstLine, /does not answer over UDP/);
  });

  test("a trial call that fails over one transport only is red, and the first line speaks of some phones", () => {
    const box = new Watched();
    assert.match(box.report.firstLine, /^Phones work\./);
    box.tell({ type: "listens", listens: [{ transport: "UDP", host: "192.0.2.1", port: 5060 }, { transport: "TCP", host: "192.0.2.1", port: 5060 }] });
    const trial = { what: "call", transport: "TCP", by: OWN, outside: false, succeeded: false, tookMs: null, detail: "no answer to INVITE", signature: null } as const;
    box.tell({ type: "trial", trial });
    box.tell({ type: "sip-answered", transport: "TCP" });
    box.tell({ type: "tick" });
    assert.equal(box.report.verdict, "broken");
    assert.match(box.report.firstLine, /^Some phones do not work on this box: A trial call through this box failed over TCP/);
    box.answersSip = false;
    box.run(SIP_SILENCE / 1_000 + 1);
    assert.match(box.report.firstLine, /^Phones do not work on this box: /);
  });

  test("a trial call that fails is red though everything answers, and tells where it ended", () => {
    const box = new Watched();
    box.calls = "fail";
    box.run(10);
    assert.equal(box.report.verdict, "broken");
    assert.match(box.report.firstLine, /no answer to INVITE/);
    assert.equal(box.health.callVerdict(), "broken");
  });

  test("a box that nobody proves any more is not known, and not green", () => {
    const box = new Watched();
    box.calls = "none";
    box.run(PROOF_HOLDS / 1_000 + 1);
    assert.equal(box.report.verdict, "not-known");
    assert.equal(box.report.firstLine, "It is not known whether phones work on this box.");
  });

  test("an agent that has just started says neither green nor red", () => {
    const health = new Health({ software: "", run: "1", remedies: true });
    health.step(instant(0), { type: "clock", wall: wallTime(WALL) });
    health.step(instant(0), { type: "peer-absent" });
    health.step(instant(0), { type: "tick" });
    assert.equal(health.report(instant(0)).verdict, "not-known");
  });

  test("a failed call from outside is an alarm on the box that was called", () => {
    const box = new Watched();
    const by = "22222222222222222222222222222222";
    box.tell({ type: "trial", trial: { what: "call", transport: "UDP", by, outside: true, succeeded: false, tookMs: null, detail: "no answer to OPTIONS", signature: "x" } });
    box.run(1);
    assert.equal(box.report.verdict, "impaired");
    assert.deepEqual(box.codes, ["calls-fail-from-outside"]);
  });

  test("the time line tells when something came and when it was over, newest first", () => {
    const box = new Watched();
    box.answersSip = false;
    box.run(5);
    box.answersSip = true;
    box.run(1);
    const [over, began] = box.report.timeLine;
    assert.match(over?.text ?? "", /^Over: The SIP port/);
    assert.match(began?.text ?? "", /^The SIP port/);
    assert.equal(over?.at, WALL + box.now);
  });
});

suite("what is said of phones", () => {
  const phone = { aor: "100@acme.example", bindings: [SAMPLE_BINDING] };
  const asked = (roundTripMs: number | null): HealthInput => ({ type: "phone-asked", aor: phone.aor, contact: SAMPLE_BINDING.contact, roundTripMs, by: OWN, ago: milliseconds(0) });

  test("a phone that is registered is not known to work until it has answered", () => {
    const box = new Watched();
    box.tell({ type: "phones", phones: [phone] });
    assert.deepEqual(box.report.phones.list.map(({ verdict }) => verdict), ["not-known"]);
    box.tell(asked(4));
    assert.deepEqual(box.report.phones.list.map(({ verdict }) => verdict), ["works"]);
    assert.equal(box.report.phones.proved, 1);
    assert.match(box.report.firstLine, /1 of 1 phone proved in the last minute/);
  });

  test("a phone that does not answer twice is registered but broken, and counts as a condition", () => {
    const box = new Watched();
    box.tell({ type: "phones", phones: [phone] });
    box.tell(asked(4));
    box.tell(asked(null));
    assert.deepEqual(box.report.phones.list.map(({ verdict }) => verdict), ["works"]);
    box.tell(asked(null));
    box.run(12);
    assert.deepEqual(box.report.phones.list.map(({ verdict }) => verdict), ["broken"]);
    assert.deepEqual(box.codes, ["phones-silent"]);
  });

  test("phones whose SIP is changed on its way are a condition from the second on, which names where most of them come from", () => {
    const box = new Watched();
    const changed = (user: number, host: string) => ({ aor: `${user}@acme.example`, bindings: [{ ...SAMPLE_BINDING, nat: "rewritten" as const, received: { host, port: 61_000 } }] });
    box.tell({ type: "phones", phones: [phone, changed(101, "192.0.2.9")] });
    box.run(1);
    assert.deepEqual([box.codes, box.report.phones.list[1]?.flows[0]?.nat], [[], "rewritten"]);
    box.tell({ type: "phones", phones: [phone, changed(101, "192.0.2.9"), changed(102, "192.0.2.8"), changed(103, "192.0.2.8")] });
    box.run(1);
    assert.deepEqual(box.report.conditions.map(({ code, text }) => [code, text]), [
      ["sip-rewritten", "The SIP of 3 phones is changed on its way to their box (a SIP ALG), seen from 192.0.2.8."],
    ]);
  });

  test("a phone that did not answer is asked again soon, before it is said to be silent", () => {
    const box = new Watched();
    const flows = [{ aor: phone.aor, contact: SAMPLE_BINDING.contact }];
    const due = () => box.health.duePhones(instant(box.now), flows).length;
    box.tell({ type: "phones", phones: [phone] });
    box.tell(asked(null));
    assert.equal(due(), 0);
    box.run(5);
    assert.equal(due(), 1);
    box.tell(asked(null));
    box.run(5);
    assert.equal(due(), 0);
  });

  test("an answer long ago is not known, whoever has not asked since", () => {
    const box = new Watched();
    box.tell({ type: "phones", phones: [phone] });
    box.tell(asked(4));
    box.run(60);
    assert.deepEqual(box.report.phones.list.map(({ verdict }) => verdict), ["not-known"]);
  });

  test("phones are asked in turn, those longest ago first, and no more often than their interval", () => {
    const box = new Watched();
    const flows = [1, 2, 3].map((n) => ({ aor: phone.aor, contact: `sip:${n}@192.0.2.9` }));
    const due = () => box.health.duePhones(instant(box.now), flows).map(({ contact }) => contact);
    assert.equal(due().length, 3);
    for (const { aor, contact } of flows.slice(1)) box.tell({ type: "phone-asked", aor, contact, roundTripMs: 1, by: OWN, ago: milliseconds(0) });
    assert.deepEqual(due(), ["sip:1@192.0.2.9"]);
    box.run(25);
    assert.deepEqual(due(), ["sip:1@192.0.2.9", "sip:2@192.0.2.9", "sip:3@192.0.2.9"]);
  });
});
