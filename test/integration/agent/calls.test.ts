// Two real boxes with their agents, and two phones that call through both: what a technician gets to see of it.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";
import { suite, test } from "node:test";
import { boxWords } from "../../../src/health/box-words.ts";
import type { CallEntry, CallLadder, HealthReport } from "../../../src/health/report.ts";
import { AGENT_SCHEMAS } from "../../../src/build/report-schema.ts";
import { DIST } from "../../lab/box.ts";
import { until } from "../../lab/until.ts";
import { type BuiltBox, DOMAIN, PATIENCE, servingPair, skipWithoutBox } from "../../support/built-ring.ts";
import { CallingPhone } from "../../support/calling-phone.ts";
import { PageAgent, skipWithoutAgent } from "../../support/page-visitor.ts";

const ringbox = (box: BuiltBox, ...parameters: readonly string[]): string => execFileSync(join(DIST, "ringbox"), ["--data", box.dataDirectory, ...parameters], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });

function addSubscriber(box: BuiltBox, name: string, password: string): void {
  const added = spawnSync(join(DIST, "ringbox"), ["--data", box.dataDirectory, "subscriber", "add", name, "--password-stdin"], { input: `${password}\n`, encoding: "utf8" });
  assert.equal(added.status, 0, added.stderr);
}

const SESSION = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/SAVP 8\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:SECRETKEY\r\n";

suite("recent calls", { skip: skipWithoutBox === false ? skipWithoutAgent : skipWithoutBox, timeout: 180_000 }, () => {
  test("a call through two boxes is one ladder on the page and in the terminal of each; without signing in it says that there was a call", async (t) => {
    const { first, second } = await servingPair(t);
    addSubscriber(first, "204", "caller's password");
    addSubscriber(first, "205", "other password");
    const agents = [await PageAgent.start(t, first.address, first.dataDirectory), await PageAgent.start(t, second.address, second.dataDirectory)] as const;
    const caller = await CallingPhone.at(t, first, "204", "caller's password", { transport: "TCP", session: SESSION });
    const called = await CallingPhone.at(t, second, "205", "other password", { session: SESSION });
    assert.equal((await called.register("wrong password")).status, 401);
    const callId = await caller.call("205");

    const { seconds: took } = await until("both pages tell of the call", PATIENCE, async () => {
      for (const agent of agents) {
        const answer = await agent.ask("/api/report", { plain: true });
        const { calls, callsUnderWay } = JSON.parse(answer.text) as HealthReport;
        assert.deepEqual(calls.map(({ from, to, outcome }) => [from, to, outcome]), [[`204@${DOMAIN}`, `205@${DOMAIN}`, "answered after 0 s, talked 0 s; the caller hung up"]]);
        assert.equal(callsUnderWay, 0);
        assert.ok(!answer.text.includes(callId), "the Call-ID is not for everybody");
        assert.match((await agent.ask("/", { plain: true })).text, /<b>204@acme\.example<\/b> called <b>205@acme\.example<\/b>/);
      }
    });
    t.diagnostic(`on both pages ${took.toFixed(1)} s after it ended`);

    const [A, B] = [boxWords((await first.status()).nodeId), boxWords((await second.status()).nodeId)];
    // The agents know of one another after some rounds of talk.
    await until("each box's agent has the whole ladder", PATIENCE, async () => {
      for (const agent of agents) {
        const { cookie } = await agent.signIn();
        const entries = JSON.parse((await agent.ask("/api/calls", { headers: { cookie } })).text) as CallEntry[];
        assert.ok(AGENT_SCHEMAS["api/calls"].safeParse(entries).success);
        const id = entries.find(({ kind }) => kind === "call")?.id ?? "";
        const answer = await agent.ask(`/api/calls/${id}`, { headers: { cookie } });
        const ladder = JSON.parse(answer.text) as CallLadder;
        assert.ok(AGENT_SCHEMAS["api/call"].safeParse(ladder).success);
        assert.deepEqual(ladder.silent, []);
        assert.deepEqual(ladder.columns.map(({ label, isBox, name }) => (isBox ? name : label)), ["204", A, B, "205"]);
        const lines = ladder.messages.map(({ from, to, startLine }) => `${nameOf(ladder, from)} ${nameOf(ladder, to)} ${startLine.split(" ").slice(0, startLine.startsWith("SIP") ? 2 : 1).join(" ").replace("SIP/2.0 ", "")}`);
        assert.deepEqual(lines.filter((line) => line.includes("INVITE") || line.includes(" 180") || line.includes("BYE")), [
          "204 A INVITE", "204 A INVITE", "A B INVITE", "B 205 INVITE", "205 B 180", "B A 180", "A 204 180", "204 A BYE", "A B BYE", "B 205 BYE",
        ]);
        assert.ok(ladder.messages.some(({ from, to, receivedAt }) => nameOf(ladder, from) === "A" && nameOf(ladder, to) === "B" && receivedAt !== null), "told by both ends");
        assert.match(answer.text, /AES_CM_128_HMAC_SHA1_80 \(removed\)/);
        assert.doesNotMatch(answer.text, /SECRETKEY|response=\\"[0-9a-f]|nonce=\\"/);
        const page = await agent.ask(`/calls/${id}`, { headers: { cookie } });
        assert.equal(page.text.match(/<details>/g)?.length, ladder.messages.length);
        for (const path of [`/calls/${id}`, `/api/calls/${id}`, "/api/calls", "/calls"]) {
          assert.equal((await agent.ask(path)).status, 401);
          assert.equal((await agent.ask(path, { plain: true })).status, 403);
        }
        assert.equal((await agent.ask("/api/calls/none", { headers: { cookie } })).status, 404);
      }
    });

    const listed = JSON.parse(ringbox(second, "calls", "--json")) as readonly { readonly callId: string }[];
    assert.deepEqual(listed.map((call) => call.callId), [callId]);
    const shown = ringbox(second, "call", callId);
    for (const said of [A, B, "INVITE", "180 Ringing", "BYE"]) assert.ok(shown.includes(said), shown);
    assert.match(ringbox(second, "calls", "--registrations"), /205@acme\.example: asked for its password, and did not give the right one/);
    t.diagnostic(`\n${shown}`);

    agents[0].process.kill("SIGKILL");
    const alone = JSON.parse(ringbox(second, "call", callId, "--json")) as CallLadder;
    assert.deepEqual(alone.silent.map(({ words }) => words), [A], "a box whose agent does not answer is named");
  });

  const nameOf = ({ columns }: CallLadder, name: string): string => {
    const column = columns.find((candidate) => candidate.name === name);
    return column?.isBox === true ? (columns.findIndex((candidate) => candidate === column) === 1 ? "A" : "B") : (column?.label ?? "?");
  };
});
