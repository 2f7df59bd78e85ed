// What a hostile visitor of the page tries, against the agent as it is shipped: rows W01 to W08 of the fault matrix.
// Each test prints its figure.

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { connect as connectTcp } from "node:net";
import { join } from "node:path";
import { suite, test, type TestContext } from "node:test";
import { connect as connectTls } from "node:tls";
import { ACTIONS } from "../../../src/io/agent/actions.ts";
import { until } from "../../lab/until.ts";
import { ownAddress, scratch } from "../../support/built-ring.ts";
import { HTTP_PORT, HTTPS_PORT, PageAgent, skipWithoutAgent } from "../../support/page-visitor.ts";

async function agentAlone(t: TestContext): Promise<PageAgent> {
  const directory = join(scratch(t), "data");
  mkdirSync(directory);
  return await PageAgent.start(t, ownAddress(), directory);
}

/** Every POST but signing in. */
const POSTS = [...ACTIONS.map((action) => `/api/actions/${action}`), "/api/terminal", "/api/evidence", "/api/sign-out"];

suite("attacks on the page", { skip: skipWithoutAgent }, () => {
  test("W01: no password opens it, and five wrong codes lock one source out", async (t) => {
    const agent = await agentAlone(t);
    const usual = ["", "admin", "password", "0000-0000", "RINGBOX", "AAAA-AAAA", "2222-2222", "1234-5678"];
    const code = agent.code();
    const answers: number[] = [];
    for (let i = 0; i < 100; i++) answers.push((await agent.trySignIn(usual[i % usual.length] ?? "")).status);
    assert.equal(answers.filter((status) => status === 200).length, 0);
    const judged = answers.filter((status) => status === 403).length;
    assert.ok(judged >= 5 && judged <= 6, `${judged} tries were judged`);
    assert.ok(answers.slice(6).every((status) => status === 429));
    assert.equal((await agent.trySignIn(code)).status, 429, "not even the right one while it is locked");
    for (const header of ["Basic YWRtaW46YWRtaW4=", "Bearer admin"]) assert.equal((await agent.ask("/api/terminals", { headers: { authorization: header } })).status, 401);
    t.diagnostic(`W01: 0 of 100 tries signed in, ${judged} were judged, the rest refused unread`);
  });

  test("W02: only its own names and addresses are answered", async (t) => {
    const agent = await agentAlone(t);
    const { address } = agent;
    const hosts = [
      "evil.example", `evil.example:${HTTP_PORT}`, `127.0.0.1.evil.example:${HTTP_PORT}`, `${address}`, `${address}:80`, `${address}:1`, `${address}.evil.example:${HTTP_PORT}`, `0.0.0.0:${HTTP_PORT}`, "0",
      `[::ffff:7f00:1]:${HTTP_PORT}`, `${address}:${HTTP_PORT}@evil.example`, `user@${address}:${HTTP_PORT}`, `${address}:${HTTP_PORT},evil.example`, `2130706433:${HTTP_PORT}`, `0x7f.1:${HTTP_PORT}`,
      `evil.local:${HTTP_PORT}`, `localhost.evil.example:${HTTP_PORT}`, `${address}%00.evil:${HTTP_PORT}`, `ringbox:${HTTP_PORT}`, `169.254.169.254:${HTTP_PORT}`,
    ];
    const served: string[] = [];
    for (const host of hosts) {
      for (const path of ["/", "/api/report"]) {
        const { status } = await agent.ask(path, { plain: true, headers: { host, "x-forwarded-host": `${address}:${HTTP_PORT}`, forwarded: `host=${address}:${HTTP_PORT}` } });
        if (status !== 421 && status !== 400) served.push(`${host} ${status}`);
      }
    }
    assert.deepEqual(served, []);
    t.diagnostic(`W02: ${served.length} of ${hosts.length} foreign hosts served`);
  });

  test("W03: no POST works without its page's token, from another origin, or over plain HTTP", async (t) => {
    const agent = await agentAlone(t);
    const signedIn = await agent.signIn();
    const { cookie, token } = signedIn;
    const forged: readonly (readonly [name: string, headers: Readonly<Record<string, string>>])[] = [
      ["no token", { cookie, origin: agent.origin }],
      ["a wrong token", { cookie, origin: agent.origin, "x-ringbox-token": "0".repeat(48) }],
      ["another origin", { cookie, origin: "https://evil.example", "x-ringbox-token": token }],
      ["no origin", { cookie, "x-ringbox-token": token }],
      ["origin null", { cookie, origin: "null", "x-ringbox-token": token }],
      ["the plain page's origin", { cookie, origin: `http://${agent.address}:${HTTP_PORT}`, "x-ringbox-token": token }],
      ["no cookie", { origin: agent.origin, "x-ringbox-token": token }],
      ["a cookie that is none", { cookie: "__Host-ringbox=1", origin: agent.origin, "x-ringbox-token": token }],
    ];
    let sent = 0;
    for (const path of POSTS) {
      for (const [name, headers] of forged) {
        sent += 1;
        const { status, headers: answered } = await agent.ask(path, { method: "POST", headers, body: {} });
        assert.ok(status === 401 || status === 403, `${path} with ${name}: ${status}`);
        assert.equal(answered["access-control-allow-origin"], undefined);
      }
      assert.equal((await agent.ask(path, { method: "POST", plain: true, headers: { cookie, origin: agent.origin, "x-ringbox-token": token }, body: {} })).status, 403, `${path} over HTTP`);
      assert.equal((await agent.ask(path, { headers: { cookie } })).status, 405, `GET ${path}`);
      sent += 2;
    }
    assert.equal((await agent.ask("/api/code", { method: "POST", headers: { cookie, origin: agent.origin, "x-ringbox-token": token }, body: {} })).status, 404, "codes are made on the box only");
    assert.equal((await agent.ask("/api/session", { headers: { cookie } })).status, 200, "the session itself was good all the time");
    t.diagnostic(`W03: 0 of ${sent} forged requests on ${POSTS.length} routes did anything`);
  });

  test("W05: a terminal opens with its own token from its own page, and leaves nothing behind", async (t) => {
    const agent = await agentAlone(t);
    const signedIn = await agent.signIn("--shell");
    for (const wishes of [{ origin: "https://evil.example" }, { token: "" }, { token: "0".repeat(48) }]) await assert.rejects(agent.terminal(signedIn, wishes), /refused: 403/);
    await assert.rejects(agent.socket("/terminal?token=1", { origin: agent.origin }), /refused: 401/);
    assert.equal(ptysOf(agent).length, 0, "no program was started for any of them");
    const before = agent.memory;
    const opened: Awaited<ReturnType<PageAgent["terminal"]>>[] = [];
    let refused = 0;
    for (let i = 0; i < 100; i++) await agent.terminal(signedIn).then((socket) => opened.push(socket), () => refused++);
    assert.equal(opened.length, 4);
    const [flood, deaf, resized] = opened;
    assert(flood !== undefined && deaf !== undefined && resized !== undefined);
    for (const [columns, rows] of [[0, 0], [65_535, 65_535], [-1, 1e9], [Number.NaN, 1]]) resized.send(JSON.stringify({ columns, rows }));
    for (const socket of [flood, deaf]) socket.send(Buffer.from("10\rtrap '' HUP; yes 0123456789012345678901234567890123456789\r"));
    deaf.pause(); // reads nothing any more
    const largest = await largestMemory(agent, 4_000);
    const growth = (largest - before) / 1_048_576;
    assert.ok(growth <= 50, `${growth.toFixed(1)} MiB`);
    assert.ok(ptysOf(agent).length >= 6, "menus and shells run");
    assert.equal((await agent.post("/api/sign-out", signedIn)).status, 200);
    const { seconds } = await until("no program of a terminal is left", 10, () => assert.deepEqual(ptysOf(agent), []));
    t.diagnostic(`W05: ${refused} of 100 terminals refused, memory +${growth.toFixed(1)} MiB, 0 programs left ${seconds.toFixed(1)} s after signing out`);
  });

  test("W07: malformed, oversized and slow requests end, and nothing outside the page is served", async (t) => {
    const agent = await agentAlone(t);
    const host = `Host: ${agent.address}:${HTTP_PORT}\r\n`;
    const paths = ["/../../../../etc/passwd", "/assets/../../../../etc/passwd", "/assets/%2e%2e/%2e%2e/etc/passwd", "/assets/..%2f..%2fetc%2fpasswd", "/assets//etc/passwd", "/api/terminals/../page.key", "/assets/....//etc/passwd", "/%2e%2e/page.key", "//etc/passwd", "/assets/%00"];
    const raw = [
      ...paths.map((path) => `GET ${path} HTTP/1.1\r\n${host}\r\n`),
      `TRACE / HTTP/1.1\r\n${host}\r\n`, `CONNECT evil.example:80 HTTP/1.1\r\n${host}\r\n`, `GET http://evil.example/ HTTP/1.1\r\n${host}\r\n`, `GET / HTTP/1.1\r\n\r\n`, `GET / HTTP/1.1\r\n${host}Host: evil.example\r\n\r\n`,
      `POST / HTTP/1.1\r\n${host}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /api/report HTTP/1.1\r\n${host}\r\n`, `POST / HTTP/1.1\r\n${host}Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde`,
      `GET / HTTP/1.1\r\n${host}X: ${"a".repeat(1_048_576)}\r\n\r\n`, `GET / HTTP/1.1\n${host.trim()}\n X: folded\n\n`, "\u0000\u0001\u0002\r\n\r\n", `POST /api/sign-in HTTP/1.1\r\n${host}Content-Type: application/json\r\nContent-Length: 999999999\r\n\r\n{`,
    ];
    const statuses: number[] = [];
    for (const request of raw) {
      const said = await exchange(agent, request);
      assert.doesNotMatch(said, /root:x:0|PRIVATE KEY/);
      const status = Number(/^HTTP\/1.1 (\d{3})/.exec(said)?.[1] ?? 0);
      assert.ok(status === 0 || status >= 400, `${request.slice(0, 60)}: ${said.slice(0, 100)}`);
      assert.equal(said.match(/HTTP\/1\.1 /g)?.length ?? 0, status === 0 ? 0 : 1, `one answer to ${request.slice(0, 60)}`);
      statuses.push(status);
    }
    const signedIn = await agent.signIn();
    assert.equal((await agent.post("/api/actions/locate", signedIn, { target: "x".repeat(5_000) })).status, 413);
    const slow = Array.from({ length: 500 }, () => slowly(agent));
    const started = performance.now();
    // The attacker has its 32 connections; who is on the box itself is served meanwhile.
    assert.match(agent.code(), /^\S{9}$/);
    await until("slow connections are ended", 30, () => assert.equal(slow.filter((socket) => !socket.destroyed).length, 0), started);
    t.diagnostic(`W07: ${raw.length} raw requests: ${statuses.join(" ")}; of 500 slow connections at most 32 were open, all ended after ${((performance.now() - started) / 1_000).toFixed(1)} s`);
  });

  test("W08: what the box keeps secret is on no page, in no answer and in no log", async (t) => {
    const agent = await agentAlone(t);
    const signedIn = await agent.signIn("--for", "Ada");
    const key = readFileSync(join(agent.directory, "page.key"), "utf8").split("\n")[1] ?? "";
    const code = agent.code();
    const canaries = [key, code, code.replace("-", ""), signedIn.token, signedIn.cookie.split("=")[1] ?? ""];
    const seen: string[] = [];
    for (const path of ["/", "/operate", "/api/report", "/api/phones", "/metrics", "/api/series", "/api/session", "/api/terminals", "/nothing", "/%", "/assets/operate.js"]) {
      for (const plain of [true, false]) {
        const { text, headers } = await agent.ask(path, { plain });
        seen.push(text + JSON.stringify(headers));
      }
    }
    seen.push(agent.log);
    const found = canaries.filter((canary) => canary.length < 8 || seen.some((text) => text.includes(canary)));
    assert.deepEqual(found, []);
    assert.match(agent.log, /Ada at 127\.\S+ signed in/, "who signed in is in the log");
    t.diagnostic(`W08: ${found.length} of ${canaries.length} canaries in ${seen.length} texts`);
  });
});

/** Process ids of what runs in terminals of the agent. */
function ptysOf(agent: PageAgent): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "latin1");
      const [, parent = "0", , session = "0"] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      parents.set(Number(name), session === name || Number(parent) === agent.process.pid ? Number(parent) : Number(session));
    } catch {
      // It ended meanwhile.
    }
  }
  const isBelow = (pid: number): boolean => {
    const parent = parents.get(pid);
    return parent !== undefined && parent !== 0 && parent !== pid && (parent === agent.process.pid || isBelow(parent));
  };
  return [...parents.keys()].filter((pid) => isBelow(pid));
}

async function largestMemory(agent: PageAgent, milliseconds: number): Promise<number> {
  const end = performance.now() + milliseconds;
  let largest = 0;
  while (performance.now() < end) {
    largest = Math.max(largest, agent.memory);
    await new Promise((go) => setTimeout(go, 50));
  }
  return largest;
}

/** Everything that comes back until the agent closes, or is quiet for a moment after an answer. */
function exchange(agent: PageAgent, request: string): Promise<string> {
  return new Promise((said) => {
    const socket = connectTcp(HTTP_PORT, agent.address);
    let text = "";
    const end = (): void => {
      socket.destroy();
      said(text);
    };
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      setTimeout(end, 200);
    });
    socket.on("error", end);
    socket.on("close", end);
    socket.write(request, "latin1");
  });
}

/** A connection that sends a header field now and then. */
function slowly(agent: PageAgent) {
  const socket = connectTls({ host: agent.address, port: HTTPS_PORT, rejectUnauthorized: false });
  socket.on("error", () => socket.destroy());
  socket.on("secureConnect", () => {
    socket.write(`GET / HTTP/1.1\r\nHost: ${agent.host}\r\n`);
    const timer = setInterval(() => (socket.writable ? socket.write("X: y\r\n") : clearInterval(timer)), 1_000);
    socket.on("close", () => clearInterval(timer));
  });
  return socket;
}

