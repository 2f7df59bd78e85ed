// Two real boxes with their agents, and two phones that call through both: what a technician gets to see of it.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { createHash, createPrivateKey, generateKeyPairSync } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { boxWords } from "../../../src/health/box-words.ts";
import type { CallEntry, CallLadder, HealthReport } from "../../../src/health/report.ts";
import { AGENT_SCHEMAS } from "../../../src/build/report-schema.ts";
import { DIST } from "../../lab/box.ts";
import { PATIENCE, until } from "../../lab/until.ts";
import { tarGz } from "../../../src/io/agent/evidence/tar.ts";
import { fleetSecret } from "../../../src/io/pki.ts";
import { type Canaries, canariesIn } from "../../support/canaries.ts";
import { atEnd, type BuiltBox, DOMAIN, scratch, servingBox, servingPair, skipWithoutBox } from "../../support/built-ring.ts";
import { CallingPhone } from "../../support/calling-phone.ts";
import { PageAgent, skipWithoutAgent } from "../../support/page-visitor.ts";

const ringbox = (box: BuiltBox, ...parameters: readonly string[]): string => execFileSync(join(DIST, "ringbox"), ["--data", box.dataDirectory, ...parameters], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });

function addSubscriber(box: BuiltBox, name: string, password: string): void {
  const added = spawnSync(join(DIST, "ringbox"), ["--data", box.dataDirectory, "subscriber", "add", name, "--password-stdin"], { input: `${password}\n`, encoding: "utf8" });
  assert.equal(added.status, 0, added.stderr);
}

const SESSION = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/SAVP 8\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:SECRETKEY\r\n";

/** As a browser shows it, for whoever looks at the artefacts of a run. */
function keepForPictures(page: string): void {
  const folder = join(import.meta.dirname, "../../../artefacts");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "ladder.html"), page);
}

suite("recent calls", { skip: skipWithoutBox === false ? skipWithoutAgent : skipWithoutBox, timeout: 900_000 }, () => {
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
        keepForPictures(page.text);
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

  test("the evidence pack of a real box holds its calls and none of its secrets", async (t) => {
    const bin = scratch(t);
    const privateKey = generateKeyPairSync("ec", { namedCurve: "P-256", privateKeyEncoding: { type: "pkcs8", format: "pem" }, publicKeyEncoding: { type: "spki", format: "pem" } }).privateKey;
    const journal = `ringboxd: In service.\npassword=journal-canary\n${privateKey}`;
    writeFileSync(join(bin, "journal"), journal);
    writeFileSync(join(bin, "journalctl"), `#!/bin/sh\ncat '${join(bin, "journal")}'\n`, { mode: 0o755 });
    const path = process.env["PATH"] ?? "";
    process.env["PATH"] = `${bin}:${path}`;
    atEnd(t, () => (process.env["PATH"] = path));

    const { box, fleet } = await servingBox(t);
    const password = "subscriber-password-canary";
    addSubscriber(box, "204", password);
    addSubscriber(box, "205", password);
    const agent = await PageAgent.start(t, box.address, box.dataDirectory);
    const session = SESSION.replace("SECRETKEY", "media-key-canary-0123456789");
    const caller = await CallingPhone.at(t, box, "204", password, { session });
    const called = await CallingPhone.at(t, box, "205", password, { session: `${session}a=ice-pwd:ice-canary-01234\r\nk=base64:old-key-canary\r\n` });
    const callId = await caller.call("205", [["Identity", "passport-canary"], ["X-Auth", "vendor-canary"], ["Contact", "<sip:204:uri-password-canary@127.0.0.1>"]]);
    const unused = agent.code();
    const signedIn = await agent.signIn();
    await until("the agent knows of the call", PATIENCE, async () => assert.match((await agent.ask("/api/calls", { headers: { cookie: signedIn.cookie } })).text, /"outcome":"answered/));

    const { issuingKey } = JSON.parse(readFileSync(join(box.dataDirectory, "fleet.json"), "utf8")) as { readonly issuingKey: string };
    const der = (pem: string): Buffer => createPrivateKey(pem).export({ format: "der", type: "pkcs8" });
    const ha1 = createHash("md5").update(`204:${DOMAIN}:${password}`).digest();
    const ticket = readFileSync(fleet.ticket, "utf8").trim();
    const canaries: Canaries = {
      password, ha1, "ticket": ticket.slice(-60), "fleet secret": Buffer.from(fleetSecret(issuingKey)), "issuing key": der(issuingKey),
      "identity key": der(readFileSync(join(box.dataDirectory, "identity.key"), "utf8")), "fleet key": der(readFileSync(join(fleet.directory, "fleet.key"), "utf8")),
      "key in the journal": der(privateKey), "password in the journal": "journal-canary", "web code": unused, "session cookie": signedIn.cookie.split("=")[1] ?? "", "token of the page": signedIn.token,
      "media key": "media-key-canary-0123456789", "ICE password": "ice-canary-01234", "old media key": "old-key-canary", "Identity": "passport-canary", "vendor's field": "vendor-canary", "password in a URI": "uri-password-canary",
      ...Object.fromEntries([...caller.proofs, ...called.proofs].map((proof, index) => [`nonce or answer ${index}`, proof])),
    };
    const out = join(bin, "evidence.tar.gz");
    assert.equal(ringbox(box, "evidence", "--out", out).trim(), out);
    const overHttps = await agent.download("/api/evidence", signedIn);
    for (const pack of [readFileSync(out), overHttps]) assert.deepEqual(canariesIn(pack, canaries), []);
    const held = execFileSync("tar", ["-xzOf", out], { encoding: "utf8", maxBuffer: 64 << 20 });
    for (const said of [callId, "180 Ringing", "AES_CM_128_HMAC_SHA1_80 (removed)", "ringbox_verdict", "ringboxd: In service."]) assert.ok(held.includes(said), said);
    assert.equal(statSync(out).mode & 0o777, 0o600);

    // What goes into it, without anything that holds secrets back.
    const bare = tarGz([...readdirSync(box.dataDirectory).filter((name) => /\.(?:key|json)$/.test(name)).map((name) => ({ name, content: readFileSync(join(box.dataDirectory, name), "utf8") })),
      { name: "journal", content: journal }, { name: "wire", content: caller.heardAndSaid.join("") + called.heardAndSaid.join("") }], 0);
    const found = canariesIn(bare, canaries);
    for (const name of ["issuing key", "identity key", "key in the journal", "password in the journal", "media key", "ICE password", "old media key", "Identity", "vendor's field", "password in a URI", "nonce or answer 0", "nonce or answer 1"]) assert.ok(found.includes(name), `the search does not find the ${name} where it is`);

    for (const headers of [{}, { cookie: signedIn.cookie, origin: agent.origin }]) assert.ok([401, 403].includes((await agent.ask("/api/evidence", { method: "POST", headers, body: {} })).status));
    assert.equal((await agent.ask("/api/evidence", { method: "POST", plain: true, body: {} })).status, 403);
    t.diagnostic(`${overHttps.length} bytes, ${Object.keys(canaries).length} canaries looked for`);
  });

  const nameOf = ({ columns }: CallLadder, name: string): string => {
    const column = columns.find((candidate) => candidate.name === name);
    return column?.isBox === true ? (columns.indexOf(column) === 1 ? "A" : "B") : (column?.label ?? "?");
  };
});
