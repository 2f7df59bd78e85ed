import assert from "node:assert/strict";
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { describe, type TestContext, test } from "node:test";
import { ListenError } from "../../../src/io/listen-error.ts";
import { isOnLink, localAddresses } from "../../../src/io/local-addresses.ts";
import { type SipEvent, SipSockets } from "../../../src/io/sip-sockets.ts";
import { until } from "../../support/until.ts";

const OPTIONS = "OPTIONS sip:x SIP/2.0\r\n\r\nbody \xff\x00\xe9";
const hasIpv6 = Object.values(networkInterfaces()).flat().some((entry) => entry?.address === "::1");

interface Served {
  readonly sockets: SipSockets;
  readonly events: SipEvent[];
}

async function serve(t: TestContext, listen: string | undefined, limitLoopback = false): Promise<Served> {
  const events: SipEvent[] = [];
  const sockets = new SipSockets({
    port: 0, listen, limitLoopback, onInput: (event) => events.push(event), onAddresses: () => {}, onReport: () => {},
  });
  await sockets.open();
  t.after(() => sockets.close());
  return { sockets, events };
}

async function phone(t: TestContext, type: "udp4" | "udp6" = "udp4"): Promise<{ readonly socket: UdpSocket; readonly got: string[]; readonly port: number }> {
  const socket = createSocket(type);
  const got: string[] = [];
  socket.on("message", (bytes) => got.push(bytes.toString("latin1")));
  socket.bind(0, type === "udp4" ? "127.0.0.1" : "::1");
  await once(socket, "listening");
  t.after(() => socket.close());
  return { socket, got, port: socket.address().port };
}

async function dial(t: TestContext, port: number): Promise<{ readonly socket: Socket; text: string }> {
  const socket = connect(port, "127.0.0.1");
  const phone = { socket, text: "" };
  socket.on("data", (bytes) => { phone.text += bytes.toString("latin1"); });
  socket.on("error", () => {});
  t.after(() => socket.destroy());
  await once(socket, "connect");
  return phone;
}

const firstOf = <Type extends SipEvent["type"]>(events: readonly SipEvent[], type: Type): Extract<SipEvent, { type: Type }> | undefined =>
  events.find((event): event is Extract<SipEvent, { type: Type }> => event.type === type);

describe("SIP sockets", { timeout: 300_000 }, () => {
  test("bring a datagram octet for octet with both its ends, and send the answer back from there", async (t) => {
    const { sockets, events } = await serve(t, "127.0.0.1");
    const { socket, got, port } = await phone(t);
    socket.send(Buffer.from(OPTIONS, "latin1"), sockets.port, "127.0.0.1");
    await until(() => events.length === 1);
    const received = firstOf(events, "received");
    assert.deepEqual(received, {
      type: "received", octets: OPTIONS,
      flow: { transport: "udp", local: { host: "127.0.0.1", port: sockets.port }, remote: { host: "127.0.0.1", port }, connection: 0 },
    });
    if (received !== undefined) sockets.perform([{ type: "send", flow: received.flow, octets: OPTIONS }]);
    await until(() => got.length === 1);
    assert.equal(got[0], OPTIONS);
  });

  test("send from the address they serve, also one that the system does not list", async (t) => {
    const { sockets, events } = await serve(t, "127.0.0.2");
    const { got, port } = await phone(t);
    sockets.perform([{ type: "connect", ticket: 1, transport: "udp", remote: { host: "127.0.0.1", port }, octets: OPTIONS }]);
    await until(() => got.length === 1 || events.length > 0);
    assert.deepEqual([got, events], [[OPTIONS], []]);
  });

  test("serve every address of the box by itself, IPv6 too, so that the local end is known", async (t) => {
    const { sockets, events } = await serve(t, undefined);
    assert.deepEqual(new Set(sockets.addresses), new Set(localAddresses().map(({ address }) => address)));
    if (!hasIpv6) return t.skip("this machine has no IPv6 loopback");
    const { socket } = await phone(t, "udp6");
    socket.send("x", sockets.port, "::1");
    await until(() => events.length === 1);
    assert.equal(firstOf(events, "received")?.flow.local.host, "::1");
  });

  test("send to an address over UDP from the local address on its link", async (t) => {
    const { sockets } = await serve(t, undefined);
    const { got, port } = await phone(t);
    const remote = { host: "127.0.0.1", port };
    sockets.perform([{ type: "connect", ticket: 1, transport: "udp", remote, octets: "hello" }]);
    await until(() => got.length === 1);
    assert.deepEqual(sockets.localFor(remote), { host: "127.0.0.1", port: sockets.port });
  });

  test("tell that an address cannot be reached over UDP", async (t) => {
    const { sockets, events } = await serve(t, "127.0.0.1");
    sockets.perform([{ type: "connect", ticket: 7, transport: "udp", remote: { host: "::1", port: 5060 }, octets: "x" }]);
    assert.deepEqual(events, [{ type: "transport-error", ticket: 7 }]);
  });

  test("bring a TCP stream and its end, and answer on it", async (t) => {
    const { sockets, events } = await serve(t, "127.0.0.1");
    const caller = await dial(t, sockets.port);
    caller.socket.write(Buffer.from(OPTIONS, "latin1"));
    await until(() => events.length === 1);
    const { flow, octets } = firstOf(events, "received") ?? assert.fail();
    assert.equal(octets, OPTIONS);
    assert.deepEqual([flow.transport, flow.local, flow.remote.host], ["tcp", { host: "127.0.0.1", port: sockets.port }, "127.0.0.1"]);
    sockets.perform([{ type: "send", flow, octets: OPTIONS }]);
    await until(() => caller.text === OPTIONS);
    caller.socket.end();
    await until(() => events.length === 2);
    assert.deepEqual(events[1], { type: "connection-closed", connection: flow.connection });
  });

  test("tell the end of a connection that was reset", async (t) => {
    const { sockets, events } = await serve(t, "127.0.0.1");
    const caller = await dial(t, sockets.port);
    caller.socket.write("x");
    await until(() => events.length === 1);
    caller.socket.resetAndDestroy();
    await until(() => firstOf(events, "connection-closed") !== undefined);
  });

  test("open one TCP connection to an address and use it again", async (t) => {
    const { sockets, events } = await serve(t, "127.0.0.1");
    const accepted: Socket[] = [];
    let text = "";
    const server = createServer((socket) => {
      accepted.push(socket);
      socket.on("data", (bytes) => { text += bytes.toString("latin1"); });
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => {
      for (const socket of accepted) socket.destroy();
      server.close();
    });
    const remote = { host: "127.0.0.1", port: (server.address() as { port: number }).port };
    const send = (ticket: number, octets: string) => sockets.perform([{ type: "connect", ticket, transport: "tcp", remote, octets }]);
    send(1, "one ");
    send(2, "two ");
    await until(() => events.length === 2);
    send(3, "three");
    await until(() => text === "one two three");
    assert.equal(accepted.length, 1);
    assert.deepEqual(events.map((event) => event.type === "connected" && event.ticket), [1, 2, 3]);
    accepted[0]?.write("answer");
    await until(() => firstOf(events, "received")?.octets === "answer");
    accepted[0]?.destroy();
    await until(() => firstOf(events, "connection-closed") !== undefined);
    send(4, "four");
    await until(() => accepted.length === 2);
  });

  test("tell that a TCP connection could not be opened", async (t) => {
    const { sockets, events } = await serve(t, "127.0.0.1");
    sockets.perform([
      { type: "connect", ticket: 1, transport: "tcp", remote: { host: "127.0.0.1", port: 1 }, octets: "x" },
      { type: "connect", ticket: 2, transport: "tcp", remote: { host: "a.name", port: 5060 }, octets: "x" },
    ]);
    await until(() => events.length === 2);
    assert.deepEqual(events.map((event) => event.type), ["transport-error", "transport-error"]);
  });

  test("close a connection when told to, after what was written", async (t) => {
    const { sockets, events } = await serve(t, "127.0.0.1");
    const caller = await dial(t, sockets.port);
    caller.socket.write("x");
    await until(() => events.length === 1);
    const { flow } = firstOf(events, "received") ?? assert.fail();
    sockets.perform([{ type: "send", flow, octets: "SIP/2.0 400 Bad\r\n\r\n" }, { type: "close-connection", connection: flow.connection }]);
    await until(() => caller.socket.destroyed);
    assert.equal(caller.text, "SIP/2.0 400 Bad\r\n\r\n");
  });

  test("take at most 32 connections from one address", async (t) => {
    const { sockets, events } = await serve(t, "127.0.0.1", true);
    const callers = await Promise.all(Array.from({ length: 40 }, () => dial(t, sockets.port)));
    await until(() => callers.filter(({ socket }) => socket.destroyed).length === 8);
    for (const { socket } of callers) if (!socket.destroyed) socket.end();
    await until(() => events.filter(({ type }) => type === "connection-closed").length === 32);
    const again = await dial(t, sockets.port);
    again.socket.write("x");
    await until(() => firstOf(events, "received") !== undefined);
  });

  test("on a taken port are refused in plain words, whichever transport it is taken for", async (t) => {
    const { sockets } = await serve(t, "127.0.0.1");
    const make = (port: number, listen = "127.0.0.1") => new SipSockets({ port, listen, onInput: () => {}, onAddresses: () => {}, onReport: () => {} });
    await assert.rejects(make(sockets.port).open(), (error) => error instanceof ListenError && /^the SIP port \d+ \(UDP\) on 127.0.0.1 is taken by another program; choose another with --sip-port$/.test(error.message));
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => server.close());
    const { port } = server.address() as { port: number };
    await assert.rejects(make(port).open(), /\(TCP\) on 127.0.0.1 is taken by another program/);
    await assert.rejects(make(0, "192.0.2.1").open(), /192.0.2.1 is not an address of this machine/);
  });
});

test("an address is on the link of another by its netmask", () => {
  const v4 = { address: "10.1.2.3", netmask: "255.255.254.0", family: "IPv4", interface: "e", internal: false } as const;
  assert.ok(isOnLink("10.1.3.200", v4));
  assert.ok(!isOnLink("10.1.4.1", v4));
  assert.ok(!isOnLink("fd00::1", v4));
  const v6 = { address: "fd00:1:2:3::4", netmask: "ffff:ffff:ffff:ffff::", family: "IPv6", interface: "e", internal: false } as const;
  assert.ok(isOnLink("fd00:1:2:3:ffff::", v6));
  assert.ok(!isOnLink("fd00:1:2:4::", v6));
  assert.ok(!isOnLink("nonsense", v4));
  assert.ok(!isOnLink("::g", v6));
});
