import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { PageAgent, skipWithoutAgent } from "../../support/page-visitor.ts";
import { ownAddress, scratch } from "../../support/built-ring.ts";
import { PATIENCE, until } from "../../lab/until.ts";

suite("the machine's inventory", { skip: skipWithoutAgent }, () => {
  test("is among the facts soon after the agent's start, box or no box", async (t) => {
    const agent = await PageAgent.start(t, ownAddress(), scratch(t));
    await until("the machine has told what it is", PATIENCE, async () => {
      const { facts } = JSON.parse((await agent.ask("/api/report", { plain: true })).text) as { facts: { name: string; value: string }[] };
      assert.match(facts.find(({ name }) => name === "system")?.value ?? "", /\S/);
    });
  });
});
