// JsSIP, the library of browser phones, at two real boxes: one phone over WebSocket, one over secure WebSocket.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { suite, test, type TestContext } from "node:test";
import { WebSocket } from "ws";
import { atEnd, type BuiltBox, DOMAIN, scratch, servingPair, skipWithoutBox } from "../../support/built-ring.ts";
import { PATIENCE, until } from "../../lab/until.ts";

/** As much of JsSIP as is used here; its own types lack a package. */
interface UserAgent {
  on(event: string, listener: (data: { readonly response?: { readonly status_code: number }; readonly originator?: string; readonly request?: { readonly body: string } }) => void): void;
  start(): void;
  stop(): void;
  isRegistered(): boolean;
  sendMessage(target: string | object, body: string, options: { readonly eventHandlers: { succeeded(): void; failed(told: { readonly cause: string }): void } }): void;
}
interface JsSip {
  readonly UA: new (configuration: Record<string, unknown>) => UserAgent;
  readonly URI: new (scheme: string, user: string, host: string) => object;
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

const send = (agent: UserAgent, to: string | object, body: string): Promise<void> =>
  new Promise((resolve, reject) => agent.sendMessage(typeof to === "string" ? `sip:${to}` : to, body, { eventHandlers: { succeeded: resolve, failed: ({ cause }) => reject(new Error(cause)) } }));

suite("browser phones", { skip: skipWithoutBox, timeout: 360_000 }, () => {
  test("one on WebSocket and one on secure WebSocket at two boxes reach each other, and by sips: those on secure ones only", async (t) => {
    const { first, second } = await servingPair(t);
    const users = join(scratch(t), "users.csv");
    writeFileSync(users, "alice,secret\nbob,secret\ncarol,secret\n");
    await first.command("subscriber", "import", users);
    const ca = readFileSync(join(second.dataDirectory, "fleet-root.pem"));
    const came: string[] = [];
    class Trusting extends WebSocket {
      constructor(url: string, protocol: string) {
        super(url, protocol, { ca });
        this.on("message", (octets) => came.push(String(octets)));
      }
    }
    const before = globalThis.WebSocket;
    Object.assign(globalThis, { WebSocket: Trusting });
    atEnd(t, () => Object.assign(globalThis, { WebSocket: before }));
    const jsSip: JsSip = createRequire(import.meta.url)("jssip");
    const alice = phone(t, jsSip, "alice", `ws://${first.address}:${await portOf(first, "ws")}`);
    const bob = phone(t, jsSip, "bob", `wss://${second.address}:${await portOf(second, "wss")}`);
    const carol = phone(t, jsSip, "carol", `wss://${first.address}:${await portOf(first, "wss")}`);
    await until("all are registered", PATIENCE, () => assert([alice, bob, carol].every(({ agent }) => agent.isRegistered())));
    assert.deepEqual((await second.where(alice.aor)).bindings.map(({ transport }) => transport), ["ws"]);
    assert.deepEqual((await first.where(bob.aor)).bindings.map(({ transport }) => transport), ["wss"]);
    await send(alice.agent, bob.aor, "grüße");
    await send(bob.agent, alice.aor, "zurück");
    assert.deepEqual([bob.heard, alice.heard], [["grüße"], ["zurück"]]);
    const secure = (user: string): object => new jsSip.URI("sips", user, DOMAIN); // of a text it makes sip:
    // JsSIP itself says 416 to what was sent to a sips: address, whatever the Request-URI is.
    await assert.rejects(send(carol.agent, secure("bob"), "geheim"), { message: "SIP Failure Code" });
    const [secret, ...others] = came.filter((octets) => octets.includes("geheim"));
    const ways = secret?.split("\r\n").flatMap((line) => /^Via: SIP\/2.0\/(\w+)/.exec(line)?.[1] ?? []);
    assert.deepEqual([ways, others], [["WSS", "TLS", "WSS"], []], "over TLS from box to box");
    await assert.rejects(send(carol.agent, secure("alice"), "geht nicht"), { message: "Unavailable" });
    assert(!came.some((octets) => octets.includes("geht nicht")), "Alice has no TLS");
  });
});
