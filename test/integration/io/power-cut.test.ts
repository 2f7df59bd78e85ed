// Power cuts of single files: what a real writer does is recorded, cut anywhere, and opened again.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test, type TestContext } from "node:test";
import { DataDirectory } from "../../../src/io/data-directory.ts";
import { StoredRows } from "../../../src/io/stored-rows.ts";
import { DIST } from "../../lab/box.ts";
import { makeFleet, ownAddress, skipWithoutBox } from "../../support/built-ring.ts";
import { cutPower, layOut, type PowerCut } from "../../support/power-cut/power-cut.ts";
import { type Operation, record, skipWithoutStrace } from "../../support/power-cut/recording.ts";
import { lostRows } from "../../support/power-cut/written-rows.ts";
import { SeededRandom } from "../../support/seeded-random.ts";
import { memoryDirectory } from "../../support/temporary-directory.ts";

/** `npm run soak` looks at more. */
const STATES = Number(process.env["RINGBOX_POWER_CUTS"] ?? 400);
const WRITES = Number(process.env["RINGBOX_POWER_CUT_WRITES"] ?? 120);

const WRITER = join(import.meta.dirname, "../../support/power-cut/store-writer.ts");

async function recordWriter(t: TestContext, how: "store" | "FULL" | "NORMAL"): Promise<readonly Operation[]> {
  const scratch = memoryDirectory(t);
  const directory = join(scratch, "data");
  mkdirSync(directory);
  return await record({ directory, command: [process.execPath, WRITER, directory, String(WRITES), how], traceFile: join(scratch, "trace") });
}

/** Cuts all over the recording, each with its own luck. */
function* cuts(operations: readonly Operation[], count: number): Generator<PowerCut, void, void> {
  for (let i = 0; i < count; i++) {
    const luck = new SeededRandom(1_000 + i);
    yield cutPower(operations, 1 + luck.below(operations.length), luck);
  }
}

interface Verdict {
  readonly lost: number;
  readonly damaged: number;
  readonly acknowledged: number;
}

/** Opens `durable.db` after each cut, as a box does. */
function judge(t: TestContext, operations: readonly Operation[], states = STATES, synchronous: "FULL" | "NORMAL" = "FULL"): Verdict {
  const directory = join(memoryDirectory(t), "state");
  let [lost, damaged, acknowledged] = [0, 0, 0];
  for (const cut of cuts(operations, states)) {
    layOut(cut, directory);
    const file = new StoredRows(join(directory, "durable.db"), synchronous);
    const loaded = file.open();
    file.close();
    if (loaded.movedTo !== undefined || loaded.damaged.length > 0 || loaded.lostCommits > 0) damaged++;
    const missing = lostRows(cut.said, loaded.rows);
    if (missing.length > 0 && lost === 0) t.diagnostic(`first loss, after operation ${cut.after}: ${missing.slice(0, 3).join("; ")}`);
    if (missing.length > 0) lost++;
    acknowledged += cut.said.filter((line) => line.startsWith("acknowledged")).length;
  }
  const syncs = operations.filter(({ type }) => type === "sync").length;
  t.diagnostic(`${operations.length} operations, ${syncs} synchronizations; ${states} cuts: ${damaged} damaged, ${lost} with a loss; ${acknowledged} acknowledgements looked at`);
  return { lost, damaged, acknowledged };
}

suite("a power cut", { skip: skipWithoutStrace, timeout: 1_800_000 }, () => {
  test("of the store at any of its writes leaves a whole database with all that was acknowledged", async (t) => {
    const { lost, damaged, acknowledged } = judge(t, await recordWriter(t, "store"));
    assert.deepEqual({ lost, damaged }, { lost: 0, damaged: 0 });
    assert.ok(acknowledged > STATES, "and there was something to lose");
  });

  test("of a database that is not synchronized at each commit loses what was acknowledged: this test can fail", async (t) => {
    const states = STATES / 4;
    assert.equal(judge(t, await recordWriter(t, "FULL"), states).lost, 0);
    const { lost, damaged } = judge(t, await recordWriter(t, "NORMAL"), states, "NORMAL");
    assert.ok(lost > states / 10, `${lost} losses`);
    assert.equal(damaged, 0, "it loses, but it is whole");
  });

  test("at the first start of a box leaves one whole identity or none", { skip: skipWithoutBox }, async (t) => {
    const scratch = memoryDirectory(t);
    const { ticket } = makeFleet(scratch);
    const directory = join(scratch, "data");
    mkdirSync(directory);
    const operations = await record({
      directory,
      command: [join(DIST, "ringboxd"), "--data", directory, "--ticket", ticket, "--listen", ownAddress(), "--no-mdns"],
      enough: (line) => /In service/.test(line),
      traceFile: join(scratch, "trace"),
    });
    const final = identityIn(directory).identity;
    assert.ok(final.nodeId !== undefined);
    const outcomes: Record<string, number> = {};
    for (const cut of cuts(operations, STATES)) {
      const state = join(scratch, "state");
      layOut(cut, state);
      const outcome = judgeIdentity(state, cut, final);
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    }
    t.diagnostic(`${operations.length} operations; ${STATES} cuts: ${JSON.stringify(outcomes)}`);
    assert.ok(Object.keys(outcomes).length >= 3, "before, between and after");
  });
});

interface Identity {
  readonly key: string;
  readonly nodeId: string | undefined;
}

/** What a box that starts on a directory takes itself for, and what it found damaged. */
function identityIn(directory: string): { readonly identity: Identity; readonly reports: readonly string[] } {
  const reports: string[] = [];
  const data = new DataDirectory(directory, (_, text) => reports.push(text));
  data.open();
  try {
    const membership = data.membership();
    return { identity: { key: createHash("sha256").update(data.identityKey()).digest("hex"), nodeId: membership?.enrolled.nodeId }, reports };
  } finally {
    data.close();
  }
}

function judgeIdentity(directory: string, cut: PowerCut, final: Identity): string {
  const hadKey = existsSync(join(directory, "identity.key"));
  const hadCertificate = existsSync(join(directory, "identity.crt"));
  const { identity, reports } = identityIn(directory);
  assert.deepEqual(reports, [], `after operation ${cut.after}: nothing is torn`);
  assert.deepEqual(identityIn(directory).identity, identity, "and it stays what it is");
  if (hadKey) assert.equal(identity.key, final.key);
  if (hadCertificate) assert.equal(identity.key, final.key, "a certificate, and the key that it is for");
  if (cut.said.some((line) => /In service/.test(line))) assert.equal(identity.nodeId, final.nodeId, "who has served stays a member");
  if (identity.nodeId === undefined) return hadKey ? "a key" : "nothing";
  assert.deepEqual(identity, final);
  assert.match(readFileSync(join(directory, "fleet.json"), "utf8"), new RegExp(identity.nodeId));
  return "a member";
}
