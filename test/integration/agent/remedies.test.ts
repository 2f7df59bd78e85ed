// What the agent mends by itself on a real box.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import type { HealthReport } from "../../../src/health/report.ts";
import { PATIENCE, until } from "../../lab/until.ts";
import { assertNoTrace, serving, servingBox, skipWithoutBox } from "../../support/built-ring.ts";
import { PageAgent } from "../../support/page-visitor.ts";

suite("remedies on a real box", { skip: skipWithoutBox, timeout: 900_000 }, () => {
  test("a peer that stands still is stopped, so that it is started again; journal, time line and page say why, and then all is well", async (t) => {
    const { box } = await servingBox(t);
    const agent = await PageAgent.start(t, box.address, box.dataDirectory, ["--supervised"]);
    const report = async (): Promise<HealthReport> => JSON.parse((await agent.ask("/api/report", { plain: true })).text) as HealthReport;
    await until("phones work", PATIENCE, async () => assert.equal((await report()).verdict, "works"));
    box.pause();
    const stoodStill = performance.now();
    await until("the page says so", PATIENCE, async () => assert.equal((await report()).verdict, "broken"));
    await until("it is stopped", PATIENCE, () => assert.ok(!box.isRunning));
    t.diagnostic(`stopped ${((performance.now() - stoodStill) / 1_000).toFixed(1)} s after it stood still`);
    const reason = "ringboxd does not answer: it is stopped, to be started again.";
    assert.ok(agent.log.includes(reason), agent.log);
    assert.ok((await report()).timeLine.some(({ text }) => text === reason));
    box.start(); // as systemd does
    await serving(box);
    await until("phones work again", PATIENCE, async () => assert.equal((await report()).verdict, "works"));
    assertNoTrace(agent.log);
  });
});
