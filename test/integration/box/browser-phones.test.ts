// JsSIP, the library of browser phones, at two real boxes: one phone over WebSocket, one over secure WebSocket.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { suite, test, type TestContext } from "node:test";
import { WebSocket } from "ws";
import { atEnd, type BuiltBox, DOMAIN, PATIENCE, scratch, servingPair, skipWithoutBox } from "../../support/built-ring.ts";
import { until } from "../../lab/until.ts";

/** As much of JsSIP as is used here; its own types lack a package. */
interface UserAgent {
  on(event: string, listener: (data: { readonly response?: { readonly status_code: number }; readonly originator?: string; readonly request?: { readonly body: string } }) => void): void;
  start(): void;
  stop(): void;
  isRegistered(): boolean;
  sendMessage(target: string, body: string, options: { readonly eventHandlers: { succeeded(): void; failed(told: { readonly cause: string }): void } }): void;
}
interface JsSip {
  readonly UA: new (configuration: Record<string, unknown>) => UserAgent;
  readonly WebSocketInterface: new (url: string) => unknown;
}

function phone(t: TestContext, jsSip: JsSip, user: string, url: string) {
  const agent = new jsSip.UA({ sockets: [new jsSip.WebSocketInterface(url)], uri: `sip:${user}@${DOMAIN}`, password: "secret", register_expires: 600 });
  const heard: string[] = [];
  agent.on("newMessage", ({ originator, request }) => originator === "remote" && heard.push(request?.body ?? ""));
  agent.start();
  atEnd(t, () => agent.stop());
  return { agent, heard, aor: `${user}@${DOMAIN}` };
}

const portOf = async (box: BuiltBox, name: "ws" | "wss"): Promise<number> =>
  (await box.status()).transports.find(({ transport }) => transport === name)?.port ?? assert.fail(`no ${name}`);

const send = (agent: UserAgent, to: string, body: string): Promise<void> =>
  new Promise((resolve, reject) => agent.sendMessage(`sip:${to}`, body, { eventHandlers: { succeeded: resolve, failed: ({ cause }) => reject(new Error(cause)) } }));

suite("browser phones", { skip: skipWithoutBox, timeout: 120_000 }, () => {
  test("one on WebSocket and one on secure WebSocket at two boxes reach each other", async (t) => {
    const { first, second } = await servingPair(t);
    const users = join(scratch(t), "users.csv");
    writeFileSync(users, "alice,secret\nbob,secret\n");
    await first.command("subscriber", "import", users);
    const ca = readFileSync(join(second.dataDirectory, "fleet-root.pem"));
    class Trusting extends WebSocket {
      constructor(url: string, protocol: string) {
        super(url, protocol, { ca });
      }
    }
    const before = globalThis.WebSocket;
    Object.assign(globalThis, { WebSocket: Trusting });
    atEnd(t, () => Object.assign(globalThis, { WebSocket: before }));
    const jsSip: JsSip = createRequire(import.meta.url)("jssip");
    const alice = phone(t, jsSip, "alice", `ws://${first.address}:${await portOf(first, "ws")}`);
    const bob = phone(t, jsSip, "bob", `wss://${second.address}:${await portOf(second, "wss")}`);
    await until("both are registered", PATIENCE, () => assert.deepEqual([alice.agent.isRegistered(), bob.agent.isRegistered()], [true, true]));
    assert.deepEqual((await second.where(alice.aor)).bindings.map(({ transport }) => transport), ["ws"]);
    assert.deepEqual((await first.where(bob.aor)).bindings.map(({ transport }) => transport), ["wss"]);
    await send(alice.agent, bob.aor, "grüße");
    await send(bob.agent, alice.aor, "zurück");
    assert.deepEqual([bob.heard, alice.heard], [["grüße"], ["zurück"]]);
  });
});
