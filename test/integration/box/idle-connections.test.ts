// Many connections that are open and say nothing more: the box goes on as before.

import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { suite, test } from "node:test";
import { PATIENCE, until } from "../../lab/until.ts";
import { atEnd, type BuiltBox, DOMAIN, servingBox, SIP_PORT, skipWithoutBox } from "../../support/built-ring.ts";

/** `npm run soak` opens ten thousand. */
const CONNECTIONS = Number(process.env["RINGBOX_CONNECTIONS"] ?? 500);
const AT_ONCE = 200;

/** A connection that was heard once: it sent a keep-alive and got its answer. */
async function open({ address }: BuiltBox): Promise<Socket> {
  const socket = connect(SIP_PORT, address);
  socket.on("error", () => {});
  socket.write("\r\n\r\n");
  const [answer] = await once(socket, "data");
  assert.equal(String(answer), "\r\n");
  return socket;
}

async function answersOptions({ address }: BuiltBox, branch: number): Promise<void> {
  const socket = createSocket("udp4");
  const message = `OPTIONS sip:${DOMAIN} SIP/2.0\r\nVia: SIP/2.0/UDP ${address}:5090;rport;branch=z9hG4bK${branch}\r\nMax-Forwards: 70\r\nFrom: <sip:x@far.example>;tag=1\r\nTo: <sip:${DOMAIN}>\r\nCall-ID: ${branch}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n`;
  try {
    const answered = once(socket, "message");
    socket.send(message, SIP_PORT, address);
    const [octets] = await answered;
    assert.match(String(octets), /^SIP\/2\.0 200 /);
  } finally {
    socket.close();
  }
}

suite("idle connections", { skip: skipWithoutBox, timeout: 900_000 }, () => {
  test("a box with many of them answers, and forgets them when they close", async (t) => {
    const { box } = await servingBox(t);
    const sockets: Socket[] = [];
    atEnd(t, () => sockets.forEach((socket) => socket.destroy()));
    while (sockets.length < CONNECTIONS) sockets.push(...(await Promise.all(Array.from({ length: AT_ONCE }, () => open(box)))));
    for (let branch = 1; branch <= 20; branch++) await answersOptions(box, branch);
    assert.ok(sockets.every(({ destroyed }) => !destroyed), "none was closed");
    assert.equal((await box.status()).phase, "serving");
    t.diagnostic(`${sockets.length} connections; the box holds ${memoryOf(box)}`);
    for (const socket of sockets) socket.destroy();
    await until("the box answers after they are gone", PATIENCE, () => answersOptions(box, 99));
  });
});

/** Resident memory, as the kernel has it. */
function memoryOf(box: BuiltBox): string {
  return /VmRSS:\s*(.*)/.exec(readFileSync(`/proc/${box.pid}/status`, "utf8"))?.[1] ?? "?";
}
