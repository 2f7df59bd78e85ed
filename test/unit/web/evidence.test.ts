import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test } from "node:test";
import { gzipSync } from "node:zlib";
import { ladderOf } from "../../../src/health/calls/ladder.ts";
import { ownSecrets, SecretFilter } from "../../../src/io/agent/evidence/secret-filter.ts";
import { tarGz } from "../../../src/io/agent/evidence/tar.ts";
import { evidenceFiles, type EvidenceSources, type Filter } from "../../../src/web/server/evidence.ts";
import { type Canaries, canariesIn } from "../../support/canaries.ts";
import { BOXES, sampleCall, sampleLegs, START } from "../../support/sample-calls.ts";
import { SAMPLE_HEALTH } from "../../support/sample-health.ts";

const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256", privateKeyEncoding: { type: "pkcs8", format: "pem" }, publicKeyEncoding: { type: "spki", format: "pem" } });
const [PASSWORD, NONCE, RESPONSE, COOKIE, CODE, TICKET] = ["hunter2-canary", "nonce-canary-1", "0f1e2d3c4b5a69788796a5b4c3d2e1f0", "session-canary", "WXYZ-2345", "T".repeat(60)];
/** Announced by nothing, and in no list: only a filter that knows it finds it. */
const KEY_LINE = privateKey.split("\n")[1] ?? "";
const CANARIES: Canaries = { PASSWORD, NONCE, RESPONSE, COOKIE, CODE, TICKET, KEY_LINE, KEY: Buffer.from(privateKey.split("\n").slice(1, -2).join(""), "base64") };

/** What careless programs might write. */
const JOURNAL = [
  "ringboxd: In service.", `password: ${PASSWORD}`, `Authorization: Digest username="204", nonce="${NONCE}", response="${RESPONSE}"`, `response=${RESPONSE}`,
  `Cookie: __Host-ringbox=${COOKIE}`, `a code ${CODE} was made`, `ticket ${TICKET}`, privateKey, `key as hex ${Buffer.from(KEY_LINE).toString("hex")}`, "ringboxd: Left.",
].join("\n");

function sources(directory = "/nowhere"): EvidenceSources {
  // A key in the middle of a document, spelled as a program might: only the filter that knows it can find it there.
  const report = { ...SAMPLE_HEALTH, timeLine: [{ id: "1", at: START, box: SAMPLE_HEALTH.box, severity: "notice" as const, text: `saw ${KEY_LINE} and ${Buffer.from(`xx${KEY_LINE}`).toString("base64")}` }] };
  return {
    directory, report: () => report, phones: () => [], series: () => [],
    entries: () => [{ ...sampleCall(), outcome: "talking" }],
    ladder: () => Promise.resolve(ladderOf(sampleLegs(), BOXES, [], START)),
    peerSays: () => Promise.resolve({ status: { phase: "serving" } }),
    record: () => undefined,
  };
}

const pack = async (filter: Filter): Promise<Buffer> => tarGz(await evidenceFiles(sources(), filter, () => Promise.resolve(JOURNAL)), START);

suite("the evidence pack", () => {
  test("holds no planted secret in any spelling; without its filter it holds them all", async () => {
    const bare = await pack({ document: (text) => text, freeText: (text) => text });
    assert.deepEqual(canariesIn(bare, CANARIES).sort(), Object.keys(CANARIES).sort(), "the search finds what is there");
    const directory = mkdtempSync(join(tmpdir(), "ringbox-evidence-"));
    writeFileSync(join(directory, "identity.key"), privateKey);
    try {
      assert.deepEqual(canariesIn(await pack(new SecretFilter(ownSecrets(directory))), CANARIES), []);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test("keeps what somebody needs to understand the box", async () => {
    const files = new Map((await evidenceFiles(sources(), new SecretFilter([]), () => Promise.resolve(JOURNAL))).map(({ name, content }) => [name, content]));
    for (const name of ["README.txt", "report.json", "calls.json", "metrics.txt", "versions.json", "peer-status.json", "journal.txt", "calls/call-0123456789abcdef.json", "calls/call-0123456789abcdef.html"]) assert.ok(files.has(name), name);
    assert.match(files.get("journal.txt") ?? "", /^ringboxd: In service\.\n[\s\S]*ringboxd: Left\.$/);
    assert.match(files.get("README.txt") ?? "", /journal\.txt {2}\d+ characters/);
    assert.match(files.get("calls/call-0123456789abcdef.json") ?? "", /180 Ringing/);
  });

  test("without a journal, and with a peer that says nothing, there is a pack all the same", async () => {
    const files = await evidenceFiles({ ...sources(), peerSays: () => Promise.resolve({}), ladder: () => Promise.resolve(undefined) }, new SecretFilter([]), () => Promise.resolve(undefined));
    assert.deepEqual(files.map(({ name }) => name), ["README.txt", "report.json", "phones.json", "series.json", "calls.json", "metrics.txt", "versions.json"]);
  });

  test("every tar reads it", () => {
    const directory = mkdtempSync(join(tmpdir(), "ringbox-tar-"));
    try {
      writeFileSync(join(directory, "pack.tar.gz"), tarGz([{ name: "a.txt", content: "x".repeat(513) }, { name: "calls/ü.txt", content: "ä\n" }, { name: "empty", content: "" }], START));
      execFileSync("tar", ["-xzf", "pack.tar.gz"], { cwd: directory });
      assert.equal(readFileSync(join(directory, "a.txt"), "utf8"), "x".repeat(513));
      assert.equal(readFileSync(join(directory, "calls/ü.txt"), "utf8"), "ä\n");
      assert.equal(readFileSync(join(directory, "empty"), "utf8"), "");
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

test("a canary is found in hex, in base64 wherever it begins, in JSON, and packed twice", () => {
  const secret = 'canary "7" of a key';
  const hidden = [Buffer.from(secret), Buffer.from(Buffer.from(secret).toString("hex").toUpperCase()), ...["", "a", "ab"].map((before) => Buffer.from(Buffer.from(`${before}${secret}zz`).toString("base64"))), Buffer.from(JSON.stringify({ secret }))];
  for (const bytes of hidden) {
    assert.deepEqual(canariesIn(bytes, { secret }), ["secret"]);
    assert.deepEqual(canariesIn(Buffer.concat([Buffer.from("head"), gzipSync(gzipSync(bytes))]), { secret }), ["secret"]);
  }
  assert.deepEqual(canariesIn(Buffer.from("nothing"), { secret }), []);
});

test("what was captured is in the pack as text; a file that is no capture is named", async () => {
  const directory = mkdtempSync(join(tmpdir(), "ringbox-captures-"));
  try {
    mkdirSync(join(directory, "captures"));
    writeFileSync(join(directory, "captures", "20260101T000000Z.pcap"), "no capture");
    const files = await evidenceFiles(sources(directory), new SecretFilter([]), () => Promise.resolve(undefined));
    assert.match(files.find(({ name }) => name === "captures/20260101T000000Z.pcap.txt")?.content ?? "", /cannot be read/);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
