// Connections that say what they have to say one octet at a time, on every transport: they are ended, and honest phones
// are served the while. `npm run soak` opens two thousand, an octet every five seconds.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { suite, type TestContext, test } from "node:test";
import { connect as connectSecurely } from "node:tls";
import { PATIENCE, until } from "../../lab/until.ts";
import { addSubscriber, atEnd, type BuiltBox, DOMAIN, servingBox, SIP_PORT, skipWithoutBox, succeed } from "../../support/built-ring.ts";
import { CallingPhone } from "../../support/calling-phone.ts";

const CONNECTIONS = Number(process.env["RINGBOX_SLOW_CONNECTIONS"] ?? 120);
const OCTET_MS = Number(process.env["RINGBOX_SLOW_OCTET_MS"] ?? 500);
const ROUNDS = Number(process.env["RINGBOX_SLOW_ROUNDS"] ?? 1);
/** Of each transport. */
const AT_ONCE = 20;
/** The bounds are ten seconds until something is said, and ten for a header section: docs/limits.md. */
const ENDED = 40;
const PORTS = { tcp: SIP_PORT, tls: SIP_PORT + 1, ws: SIP_PORT + 6, wss: SIP_PORT + 7 } as const;

const TRANSPORTS = Object.keys(PORTS) as (keyof typeof PORTS)[];

/** Never more than begun. */
const DRIPS: Readonly<Record<keyof typeof PORTS, Buffer>> = {
  tcp: Buffer.from(`OPTIONS sip:${DOMAIN} SIP/2.0\r\nSubject: ${"x".repeat(1_000)}`),
  tls: Buffer.concat([Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]), Buffer.alloc(500, 1)]),
  ws: Buffer.from(`GET / HTTP/1.1\r\nHost: ${DOMAIN}\r\nX: ${"x".repeat(1_000)}`),
  wss: Buffer.concat([Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]), Buffer.alloc(500, 1)]),
};

/** 2^31, 2^53, 10 MiB, and what is no number of this world. */
const LENGTHS = ["2147483648", "9007199254740992", "10485760", "9".repeat(40)] as const;
const GIANTS = 120;
/** Were what is announced reserved, the ones of 10 MiB alone would take nearly five times this. */
const GIANTS_SHARE_KIB = 64 * 1_024;

interface Slow {
  readonly socket: Socket;
  readonly drip: Buffer;
  at: number;
}

/** Opened, and its first octet is on its way. */
async function slow({ address }: BuiltBox, transport: keyof typeof PORTS): Promise<Slow> {
  const socket = connect(PORTS[transport], address);
  socket.on("error", () => {});
  await once(socket, "connect");
  const drip = DRIPS[transport];
  socket.write(drip.subarray(0, 1));
  return { socket, drip, at: 1 };
}

function dripOn(connections: readonly Slow[]): void {
  for (const one of connections) {
    if (!one.socket.destroyed && one.at < one.drip.length) one.socket.write(one.drip.subarray(one.at, ++one.at));
  }
}

const descriptors = ({ pid }: BuiltBox): number => readdirSync(`/proc/${pid}/fd`).length;
const residentKib = ({ pid }: BuiltBox): number => Number(/VmRSS:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);

/** Milliseconds that each of so many honest REGISTERs took; every one was answered with 200. */
async function registers(phone: CallingPhone, count: number): Promise<readonly number[]> {
  const took: number[] = [];
  for (let time = 0; time < count; time++) {
    const since = performance.now();
    assert.equal((await phone.register("secret")).status, 200);
    took.push(performance.now() - since);
  }
  return took.sort((a, b) => a - b);
}

const told = (took: readonly number[]): string =>
  `p50 ${took[Math.floor(took.length / 2)]?.toFixed(1)} ms, p99 ${took[Math.floor(took.length * 0.99)]?.toFixed(1)} ms of ${took.length}`;

async function phones(t: TestContext, box: BuiltBox): Promise<readonly [CallingPhone, CallingPhone]> {
  for (const name of ["alice", "bob"]) succeed(addSubscriber(box, name));
  return [await CallingPhone.at(t, box, "alice", "secret"), await CallingPhone.at(t, box, "bob", "secret")];
}

suite("slow connections", { skip: skipWithoutBox, timeout: 900_000 }, () => {
  test("a header section, a TLS handshake and an upgrade that come one octet at a time are ended; honest phones register and call", async (t) => {
    const { box } = await servingBox(t);
    const [alice, bob] = await phones(t, box);
    t.diagnostic(`REGISTER without them ${told(await registers(alice, 100))}`);
    for (let round = 1; round <= ROUNDS; round++) {
      const [files, memory, since] = [descriptors(box), residentKib(box), performance.now()];
      const all: Slow[] = [];
      const dripping = setInterval(() => dripOn(all), OCTET_MS);
      atEnd(t, () => {
        clearInterval(dripping);
        all.forEach(({ socket }) => socket.destroy());
      });
      while (all.length < CONNECTIONS) all.push(...(await Promise.all(TRANSPORTS.flatMap((transport) => Array.from({ length: AT_ONCE }, () => slow(box, transport))))));
      const under = await registers(alice, 100);
      const [filesHeld, memoryHeld] = [descriptors(box), residentKib(box)];
      await alice.call(bob.user);
      await until("every slow connection is ended", ENDED, () => assert.equal(all.filter(({ socket }) => !socket.destroyed).length, 0));
      const ended = (performance.now() - since) / 1_000;
      await until("its descriptors are free", PATIENCE, () => assert.ok(descriptors(box) <= files, `${descriptors(box)}, before ${files}`));
      await registers(alice, 10);
      t.diagnostic(`${all.length} slow connections: descriptors ${files}, ${filesHeld}, ${descriptors(box)}; resident ${memory}, ${memoryHeld}, ${residentKib(box)} KiB; all ended after ${ended.toFixed(1)} s; REGISTER ${told(under)}`);
    }
  });

  test("bodies that are announced and would fill the memory are refused at their header over TCP and TLS", async (t) => {
    const { box } = await servingBox(t);
    for (const transport of ["tcp", "tls"] as const) {
      const memory = residentKib(box);
      const answers = await Promise.all(Array.from({ length: GIANTS }, (_, index) => announce(t, box, transport, LENGTHS[index % LENGTHS.length] ?? "")));
      for (const answer of answers) assert.match(answer, /^SIP\/2\.0 (?:400|513) /);
      const grown = residentKib(box) - memory;
      assert.ok(grown < GIANTS_SHARE_KIB, `${grown} KiB more`);
      t.diagnostic(`${GIANTS} of them over ${transport}: ${grown} KiB more`);
    }
    assert.equal((await box.status()).phase, "serving");
  });
});

/** What the box says to the header section before it ends the connection. */
async function announce(t: TestContext, { address }: BuiltBox, transport: "tcp" | "tls", length: string): Promise<string> {
  const socket = transport === "tcp" ? connect(PORTS.tcp, address) : connectSecurely({ host: address, port: PORTS.tls, rejectUnauthorized: false });
  atEnd(t, () => socket.destroy());
  let said = "";
  socket.on("data", (octets) => { said += octets.toString("latin1"); });
  socket.on("error", () => {});
  await once(socket, transport === "tcp" ? "connect" : "secureConnect");
  socket.write(`MESSAGE sip:${DOMAIN} SIP/2.0\r\nVia: SIP/2.0/${transport.toUpperCase()} ${address}:5090;branch=z9hG4bK${length}\r\nMax-Forwards: 70\r\nFrom: <sip:x@far.example>;tag=1\r\nTo: <sip:${DOMAIN}>\r\nCall-ID: ${length}\r\nCSeq: 1 MESSAGE\r\nContent-Length: ${length}\r\n\r\nthe beginning`);
  await once(socket, "close");
  return said;
}
