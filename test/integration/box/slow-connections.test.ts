// Connections that never finish what they began, an octet at a time, over every transport that has connections: the box ends them in
// its own time and goes on as before.

import assert from "node:assert/strict";
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { suite, test, type TestContext } from "node:test";
import { until } from "../../lab/until.ts";
import { atEnd, type BuiltBox, DOMAIN, PATIENCE, servingBox, SIP_PORT, skipWithoutBox } from "../../support/built-ring.ts";

/** `npm run soak` opens two thousand. */
const CONNECTIONS = Number(process.env["RINGBOX_CONNECTIONS"] ?? 120);
const OCTET_EVERY_MS = 5_000;
/** Twice the patience that a box has with a message that was begun. Seconds. */
const ENDED = 64;
const REGISTERS = 200;
const IN_VIEW_OF_ATTACK = 1_000;

/** What is never finished, by port. */
const UNFINISHED: readonly { readonly port: number; readonly text: string }[] = [
  { port: SIP_PORT, text: `REGISTER sip:${DOMAIN} SIP/2.0\r\nSubject: ${"x".repeat(100)}` },
  // Of a handshake: a record of TLS that is longer than what follows.
  { port: SIP_PORT + 1, text: `\x16\x03\x01\x02\x00${"\x01".repeat(100)}` },
  { port: 5066, text: `GET / HTTP/1.1\r\nHost: ${DOMAIN}\r\nCookie: ${"x".repeat(100)}` },
];

suite("slow connections", { skip: skipWithoutBox, timeout: 600_000 }, () => {
  test("are ended in time, leave nothing behind, and phones are served meanwhile", async (t) => {
    const { box } = await servingBox(t, ["--open-registration"]);
    const phone = await honestPhone(t, box);
    const before = { registers: await registers(phone, box, 0), descriptors: descriptorsOf(box), memory: memoryOf(box) };
    const sockets = Array.from({ length: CONNECTIONS }, (_, index) => slowConnection(t, box, index));
    await until("all are open", PATIENCE, () => assert.ok(descriptorsOf(box) >= before.descriptors + CONNECTIONS, `${descriptorsOf(box)} descriptors`));
    const during = { registers: await registers(phone, box, IN_VIEW_OF_ATTACK), descriptors: descriptorsOf(box), memory: memoryOf(box) };
    await until("the box has ended them all", ENDED, () => assert.equal(sockets.filter(({ destroyed }) => !destroyed).length, 0));
    await until("their descriptors are free again", PATIENCE, () => assert.ok(descriptorsOf(box) <= before.descriptors, `${descriptorsOf(box)} descriptors, ${before.descriptors} before`));
    assert.equal((await box.status()).phase, "serving");
    for (const [when, { registers: took, descriptors, memory }] of Object.entries({ before, during, after: { registers: await registers(phone, box, 2 * IN_VIEW_OF_ATTACK), descriptors: descriptorsOf(box), memory: memoryOf(box) } })) {
      t.diagnostic(`${when}: ${REGISTERS} REGISTERs answered, p50 ${quantile(took, 0.5)} ms, p99 ${quantile(took, 0.99)} ms; ${descriptors} descriptors, ${memory}`);
    }
  });

  test("a body that is longer than any is refused at its header", async (t) => {
    const { box } = await servingBox(t);
    for (const length of ["2147483648", "9007199254740992", "10485760", "99999999999999999999"]) {
      const socket = connect(SIP_PORT, box.address);
      atEnd(t, () => socket.destroy());
      socket.on("error", () => undefined);
      socket.write(request("OPTIONS", box.address, `giant-${length}`).replace("Content-Length: 0", `Content-Length: ${length}`).replace("SIP/2.0/UDP", "SIP/2.0/TCP"));
      const closed = once(socket, "close");
      let said = "";
      socket.on("data", (octets) => (said += octets.toString("latin1")));
      await closed;
      assert.match(said, length.length > 15 ? /^SIP\/2\.0 (400|513) / : /^SIP\/2\.0 513 /, `Content-Length: ${length}`);
    }
    assert.equal((await box.status()).phase, "serving");
  });
});

/** From an address of its own for each twenty, as an attacker has many. */
function slowConnection(t: TestContext, { address }: BuiltBox, index: number): Socket {
  const { port, text } = UNFINISHED[index % UNFINISHED.length] ?? assert.fail();
  const socket = connect({ port, host: address, localAddress: `127.9.${(index / 20 / 250) | 0}.${1 + (((index / 20) | 0) % 250)}` });
  let sent = 0;
  const timer = setInterval(() => socket.write(Buffer.from(text.charAt(sent++ % text.length), "latin1")), OCTET_EVERY_MS);
  socket.write(Buffer.from(text.charAt(sent++), "latin1"));
  socket.on("error", () => undefined);
  // What the box says at the end, if it says anything.
  socket.resume();
  socket.on("close", () => clearInterval(timer));
  atEnd(t, () => socket.destroy());
  return socket;
}

async function honestPhone(t: TestContext, { address }: BuiltBox): Promise<UdpSocket> {
  const socket = createSocket("udp4").bind(0, address);
  t.after(() => socket.close());
  await once(socket, "listening");
  return socket;
}

/** Milliseconds that each took to its 200, in order of size. */
async function registers(phone: UdpSocket, { address }: BuiltBox, first: number): Promise<readonly number[]> {
  const took: number[] = [];
  for (let number = first; number < first + REGISTERS; number++) {
    const begun = performance.now();
    const answered = once(phone, "message");
    phone.send(request("REGISTER", `${address}:${phone.address().port}`, `r${number}`), SIP_PORT, address);
    assert.match(String((await answered)[0]), /^SIP\/2\.0 200 /);
    took.push(performance.now() - begun);
  }
  return took.sort((a, b) => a - b);
}

const request = (method: string, sentBy: string, id: string): string =>
  `${method} sip:${DOMAIN} SIP/2.0\r\nVia: SIP/2.0/UDP ${sentBy};rport;branch=z9hG4bK${id}\r\nMax-Forwards: 70\r\nFrom: <sip:201@${DOMAIN}>;tag=${id}\r\nTo: <sip:201@${DOMAIN}>\r\nCall-ID: ${id}\r\nCSeq: 1 ${method}\r\nContact: <sip:201@${sentBy}>\r\nContent-Length: 0\r\n\r\n`;

const quantile = (sorted: readonly number[], part: number): string => (sorted[Math.floor(part * (sorted.length - 1))] ?? Number.NaN).toFixed(1);
const descriptorsOf = ({ pid }: BuiltBox): number => readdirSync(`/proc/${pid}/fd`).length;
/** Resident memory, as the kernel has it. */
const memoryOf = ({ pid }: BuiltBox): string => /VmRSS:\s*(.*)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "?";
