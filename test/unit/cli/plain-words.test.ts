import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { elapsed, headline, peersText, registrationsText, statusText, subscribersText, whereText } from "../../../src/cli/plain-words.ts";
import { SAMPLE_BINDING, SAMPLE_PEERS, SAMPLE_STATUS, SAMPLE_WHERE } from "../../support/sample-reports.ts";

suite("plain words", () => {
  test("a full ring says what it can lose", () => {
    assert.equal(headline(SAMPLE_STATUS), "Serving. 5 of 5 boxes. 3 copies of everything; you can lose 2.");
  });

  test("a box alone says that there is one copy", () => {
    const alone = { ...SAMPLE_STATUS, boxes: { serving: 1, known: 1 }, copies: 1 };
    assert.equal(headline(alone), "Serving. 1 box, alone. 1 copy of everything; you can lose none.");
  });

  test("a box that does not serve says so first", () => {
    for (const phase of ["seeking", "joining"] as const) assert.match(headline({ ...SAMPLE_STATUS, phase }), /^Not serving/);
  });

  test("conditions stand below the first line, each with what to do", () => {
    const conditions = [{ code: "alone", severity: "notice", text: "It is alone.", next: "Plug in another." }] as const;
    assert.equal(statusText({ ...SAMPLE_STATUS, conditions }).split("\n")[1], "  It is alone. Plug in another.");
  });

  test("copies are in sync with the age of the comparison, or not", () => {
    assert.match(statusText(SAMPLE_STATUS), /; copies in sync, compared 12 seconds ago$/m);
    assert.match(statusText({ ...SAMPLE_STATUS, inSync: false }), /; copies not in sync, compared 12 seconds ago$/m);
    assert.match(statusText({ ...SAMPLE_STATUS, inSync: false, comparedSecondsAgo: null }), /; copies not compared yet$/m);
    assert.match(statusText({ ...SAMPLE_STATUS, boxes: { serving: 1, known: 1 } }), /; no copies$/m);
  });

  test("peers are counted and listed in columns", () => {
    const [first, , heading, row] = peersText(SAMPLE_PEERS).split("\n");
    assert.equal(first, "2 of 2 boxes serving.");
    assert.equal(heading?.indexOf("STATE"), row?.indexOf("serving"));
  });

  test("where says how many of the boxes that should hold a copy do", () => {
    const text = whereText(SAMPLE_WHERE, SAMPLE_BINDING.expiresAt - 90_000);
    assert.match(text, /^sip:100@acme\.example: 3 boxes should hold it, 2 do\. 1 binding\.\n/);
    assert.match(text, /33333333 {2}gone +replica +did not answer/);
    assert.match(text, /22222222 192\.0\.2\.2:5060 +in 1 minute 30 seconds/);
  });

  test("nothing is said in words too", () => {
    assert.match(subscribersText([]), /^No subscribers yet/);
    assert.equal(registrationsText([], 0), "No phone is registered.");
  });

  test("what a phone calls itself cannot move the cursor", () => {
    const bindings = [{ ...SAMPLE_BINDING, userAgent: "\u001b[2Jphone\u202e" }];
    const text = registrationsText([{ aor: "100@acme.example", bindings }], 0);
    assert.ok(text.includes("?[2Jphone?"));
  });

  test("lengths of time have their two largest units", () => {
    assert.deepEqual([0, 59, 60, 3_660, 90_000, 86_405].map(elapsed), ["0 seconds", "59 seconds", "1 minute", "1 hour 1 minute", "1 day 1 hour", "1 day"]);
  });
});
