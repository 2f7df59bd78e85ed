// The box's own screen, as lines.

import assert from "node:assert/strict";
import { test } from "node:test";
import { consoleLines } from "../../../src/cli/console/live-commands.ts";
import { reportLines, type ScreenReport } from "../../../src/cli/console/report-view.ts";

const REPORT: ScreenReport = {
  at: 1_000_000, firstLine: "Phones work. 41 of 41 phones proved in the last minute. 3 of 3 boxes. You can lose 2.", verdict: "works", box: { words: "amber-otter-42" }, fleet: "Acme", domain: "acme.example",
  peer: { state: "waiting-for-admission", code: "ABCDEFGH" }, conditions: [{ severity: "warning", text: "evil \u001b[6n", next: "" }], proofs: [],
  boxes: Array.from({ length: 50 }, () => ({ words: "a\u001b]52;c;x\u0007", self: false, state: "serving", verdict: "works", provedAt: 999_000, share: 0.3, sip: "", roundTripMs: 1 })),
  phones: { registered: 0, proved: 0, list: [] }, facts: [], timeLine: [], calls: [],
};

test("the screen fits 80 by 25, with the address, its QR code, the waiting code and the keys", () => {
  const lines = consoleLines(REPORT, "https://192.0.2.7:8443/operate", [], 79, 24, true);
  assert.ok(lines.length <= 24 && lines.every((line) => line.length <= 79));
  const text = lines.join("\n");
  for (const words of ["Phones work.", "https://192.0.2.7:8443/operate", "ABCD-EFGH", "amber-otter-42", "█▄", "Keys:", "r (held) reset"]) assert.ok(text.includes(words), words);
});

test("a narrow screen goes without the picture", () => {
  const lines = consoleLines(REPORT, "https://192.0.2.7:8443/operate", [], 39, 24);
  assert.ok(lines.every((line) => !line.includes("█")));
});

test("no control octet of what was sent reaches a terminal", () => {
  const lines = [...consoleLines(REPORT, "", [], 79, 24), ...reportLines(REPORT, 79, 60)];
  assert.equal([...lines.join("")].filter((character) => character < " ").length, 0);
});
