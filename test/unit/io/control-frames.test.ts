import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { newSubscriber } from "../../../src/cli/credentials.ts";
import { parseRequestFrame, replyLine, requestLine } from "../../../src/io/control-frames.ts";
import type { ControlRequest } from "../../../src/peer/control.ts";

const SUBSCRIBER = newSubscriber("100", "acme.example", "secret", "Änne 電話");

const QUESTIONS: { readonly [Op in ControlRequest["op"]]: Extract<ControlRequest, { op: Op }> } = {
  heartbeat: { op: "heartbeat", proofs: "works", page: "http://192.0.2.1:8080/", conditions: [{ code: "hot", severity: "warning", text: "Hot.", next: "" }] },
  status: { op: "status" },
  drain: { op: "drain", on: true },
  restart: { op: "restart" },
  peers: { op: "peers" },
  leave: { op: "leave" },
  "subscriber-add": { op: "subscriber-add", subscriber: SUBSCRIBER, existing: "refuse" },
  "subscriber-remove": { op: "subscriber-remove", username: "100" },
  "subscriber-list": { op: "subscriber-list" },
  "conflict-list": { op: "conflict-list" },
  "conflict-resolve": { op: "conflict-resolve", username: "100", version: "ab" },
  flows: { op: "flows" },
  calls: { op: "calls", life: "a1", revision: 7 },
  "call-messages": { op: "call-messages", name: "0123456789abcdef" },
  "registration-list": { op: "registration-list", aor: null },
  where: { op: "where", aor: "100@acme.example" },
  configuration: { op: "configuration" },
  configure: { op: "configure", document: "<overlay>\n</overlay>" },
  revoke: { op: "revoke", nodeId: "0a1b", statement: "\u0000\u00ff" },
  published: { op: "published" },
  "known-boxes": { op: "known-boxes" },
  rotate: { op: "rotate", document: "<overlay/>", issuingKeyPem: "key" },
  admit: { op: "admit", code: "ABCDEFGH" },
};

suite("frames of the control socket", () => {
  test("every question arrives as it was asked", () => {
    for (const question of Object.values(QUESTIONS)) {
      const line = requestLine(7, question);
      assert.equal(line.indexOf("\n"), line.length - 1);
      assert.deepEqual(parseRequestFrame(line), { id: 7, request: question });
    }
  });

  test("a question with a wrong field is no question, but its id is known", () => {
    const wrong: readonly unknown[] = [
      { op: "where" },
      { op: "where", aor: 1 },
      { op: "where", aor: "a".repeat(2_000) },
      { op: "subscriber-add", subscriber: { ...SUBSCRIBER, ha1Md5: "x".repeat(32) }, existing: "refuse" },
      { op: "subscriber-add", subscriber: { ...SUBSCRIBER, ha1Sha256: "" }, existing: "refuse" },
      { op: "subscriber-add", subscriber: SUBSCRIBER, existing: "maybe" },
      { op: "toString" },
    ];
    for (const question of wrong) assert.deepEqual(parseRequestFrame(JSON.stringify({ id: 3, ...Object(question) })), { id: 3, request: undefined });
  });

  test("what is more than asked for does not pass", () => {
    const line = '{"id":1,"op":"status","__proto__":{"x":1},"constructor":2,"more":3}';
    assert.deepEqual(parseRequestFrame(line), { id: 1, request: { op: "status" } });
  });

  test("no line makes the parser throw", () => {
    const line = fc.oneof(fc.string(), fc.json(), fc.json().map((json) => `{"id":1,"op":"where","aor":${json}}`));
    fc.assert(fc.property(line, (text) => void parseRequestFrame(text)));
    assert.equal(parseRequestFrame("[".repeat(60_000)), undefined);
    assert.equal(parseRequestFrame(`${"[".repeat(30_000)}${"]".repeat(30_000)}`), undefined);
  });

  test("an answer is one line, whatever is in it", () => {
    const line = replyLine(1, { ok: false, fault: "invalid", text: "two\nlines\u2028" });
    assert.equal(line.indexOf("\n"), line.length - 1);
  });
});
