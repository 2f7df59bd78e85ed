// What comes from the network to a running box and is not what it should be. After each of these it answers
// a phone, its link to the other box has not been touched, and it has printed nothing that is for programmers.

import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from "node:tls";
import { NodeCrypto } from "../../../src/io/crypto.ts";
import { certificatePem, issueBoxCertificate, makePrivateKey, makeRootAuthority, publicKeyOf } from "../../../src/io/pki.ts";
import { SystemRandom } from "../../../src/io/random.ts";
import { parseMembership } from "../../../src/io/identity-files.ts";
import { makePing } from "../../../src/overlay/link/keep-alive.ts";
import type { NodeId } from "../../../src/overlay/ports.ts";
import { DATA_OVERHEAD, putDataFrame } from "../../../src/overlay/wire/framing.ts";
import { overlayHash } from "../../../src/overlay/wire/identifiers.ts";
import { PATIENCE, until } from "../../lab/until.ts";
import { assertNoTrace, type BuiltBox, logOf, OVERLAY_PORT, serving, servingPair, SIP_PORT, skipWithoutBox } from "../../support/built-ring.ts";
import { Phone } from "../../support/phone.ts";

const noise = (length: number): Buffer => Buffer.from(Uint8Array.from({ length }, (_, index) => (index * 197 + (index >> 4) * 31 + 13) & 0xff));

const HTTP = Buffer.from("GET / HTTP/1.1\r\nHost: box\r\nUser-Agent: curious\r\n\r\n");
/** RFC 5389 Binding Request. */
const STUN = Buffer.from("000100002112a442000102030405060708090a0b", "hex");
/** The beginning of a ClientHello. */
const TLS_HELLO = Buffer.concat([Buffer.from("16030100c8010000c40303", "hex"), noise(193)]);
const LARGEST_DATAGRAM = 65_507;

suite("malformed input", { skip: skipWithoutBox, timeout: 900_000 }, () => {
  let box: BuiltBox;
  let neighbor: BuiltBox;
  let phone: Phone;
  const cleanups: (() => unknown)[] = [];
  before(async (context) => {
    // A suite's hook has no end of its own to tie the boxes to.
    const t = Object.assign(Object.create(context), { after: (act: () => unknown) => cleanups.push(act) });
    ({ first: box, second: neighbor } = await servingPair(t, ["--open-registration"]));
    phone = await Phone.at(t, box.address, SIP_PORT);
  });
  after(async () => {
    for (const act of cleanups) await act();
  });

  /** Runs an attack, and looks at the box and its link before and after. */
  async function unharmed(attack: () => Promise<unknown>): Promise<Readonly<Record<string, number>>> {
    const before = await box.status();
    await attack();
    assert.equal((await phone.options()).status, 200);
    for (const side of [box, neighbor]) {
      await serving(side, 2);
      assert.doesNotMatch(logOf(side), /does not answer|link .* was cut/);
      assertNoTrace(logOf(side));
    }
    const now = await box.status();
    assert.ok(now.uptimeSeconds >= before.uptimeSeconds, "it is the same process");
    return Object.fromEntries(Object.entries(now.counters).filter(([name, count]) => count > (before.counters[name] ?? 0)));
  }

  for (const [what, octets] of [
    ["noise", noise(700)], ["STUN", STUN], ["HTTP", HTTP], ["a TLS hello", TLS_HELLO], ["nothing at all", Buffer.alloc(0)],
    ["zeros", Buffer.alloc(1_200)], ["65,507 bytes of noise", noise(LARGEST_DATAGRAM)],
    ["a SIP header of 65,507 bytes", Buffer.from("OPTIONS sip:a SIP/2.0\r\nVia: ".padEnd(LARGEST_DATAGRAM, "a;"))],
  ] as const) {
    test(`${what} over UDP at the SIP port is counted or let be`, async (t) => {
      const rose = await unharmed(() => datagram(box, octets));
      t.diagnostic(JSON.stringify(rose));
      // RFC 5626 keep-alives are no fault, and an empty datagram is one of them.
      if (octets.length > 0 && what !== "STUN") assert.ok(Object.keys(rose).length > 0, "no counter rose");
    });
    test(`${what} over TCP at the SIP port ends that connection at most`, async (t) => {
      t.diagnostic(JSON.stringify(await unharmed(() => overTcp(box, SIP_PORT, octets))));
    });
    test(`${what} at the overlay port, without TLS, ends that connection`, async () => {
      const rose = await unharmed(() => overTcp(box, OVERLAY_PORT, octets));
      if (octets.length > 0) assert.ok((rose["link-without-tls"] ?? 0) > 0, JSON.stringify(rose));
    });
  }

  test("a Content-Length without end over SIP/TCP ends the connection, or is waited for without harm", async (t) => {
    for (const length of ["99999999999999999999", "4294967296", "-1", "1e9", "2000000"]) {
      const request = Buffer.from(`OPTIONS sip:${DOMAIN_OF(box)} SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKx\r\nContent-Length: ${length}\r\n\r\n`);
      t.diagnostic(JSON.stringify(await unharmed(() => overTcp(box, SIP_PORT, request))));
    }
  });

  test("fifty connections that send a header a byte at a time leave room for a phone", async () => {
    const slow = await Promise.all(Array.from({ length: 50 }, () => opened(box, SIP_PORT)));
    try {
      await unharmed(async () => {
        for (const octet of "OPTIONS sip:") {
          for (const socket of slow) if (!socket.destroyed) socket.write(octet);
          await pause(20);
        }
      });
    } finally {
      for (const socket of slow) socket.destroy();
    }
  });

  test("an overlay port full of connections that say nothing leaves room for the link", async () => {
    const mute = await Promise.all(Array.from({ length: 100 }, () => opened(box, OVERLAY_PORT)));
    await unharmed(() => pause(200));
    for (const socket of mute) socket.destroy();
  });

  test("TLS without a certificate is refused with a reason", async () => {
    const rose = await unharmed(async () => assert.match(await overTls(box, {}, Buffer.alloc(0)), /^refused: .*no certificate/));
    assert.ok((rose["link-refused"] ?? 0) > 0, JSON.stringify(rose));
  });

  test("TLS with a certificate of one's own making is refused with a reason", async () => {
    const own = await makeRootAuthority("acme");
    const identity = { cert: certificatePem(own.certificate), key: own.privateKeyPem };
    await unharmed(async () => assert.match(await overTls(box, identity, noise(500)), /^refused: .*not of this fleet/));
    await until("it says so", PATIENCE, () => assert.match(logOf(box), /refused: its certificate is not of this fleet/));
  });

  test("TLS 1.2 and other protocols in TLS are not spoken", async () => {
    await unharmed(async () => {
      await assert.rejects(overTls(box, { minVersion: "TLSv1.2", maxVersion: "TLSv1.2" }, noise(50)));
      await assert.rejects(overTls(box, { ALPNProtocols: ["h2"] }, noise(50)));
      assert.equal(await overTls(box, { ALPNProtocols: [] }, noise(50)), "");
    });
  });

  test("HTTP that is no enrollment is answered as HTTP", async () => {
    const asked: readonly (readonly [string, RegExp])[] = [
      ["GET /enroll HTTP/1.1\r\nHost: box\r\n\r\n", /^HTTP\/1\.1 405 /],
      ["POST /admin HTTP/1.1\r\nHost: box\r\nContent-Length: 0\r\n\r\n", /^HTTP\/1\.1 404 /],
      ["POST /enroll HTTP/1.1\r\nHost: box\r\nContent-Length: 99999999999\r\n\r\nx", /^(HTTP\/1\.1 4|$)/],
      [`POST /enroll HTTP/1.1\r\nHost: box\r\nContent-Length: 20000\r\n\r\n${"x".repeat(20_000)}`, /^HTTP\/1\.1 413 /],
      ["POST /enroll HTTP/1.1\r\nHost: box\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 3\r\n\r\n--b", /^HTTP\/1\.1 400 /],
      [`GET / HTTP/1.1\r\n${"a: b\r\n".repeat(5_000)}\r\n`, /^HTTP\/1\.1 431 /],
      [noise(400).toString("latin1"), /^HTTP\/1\.1 400 /],
    ];
    for (const [request, answer] of asked) {
      await unharmed(async () => assert.match(await overTls(box, { ALPNProtocols: ["http/1.1"] }, Buffer.from(request, "latin1")), answer));
    }
  });

  test("a member of the fleet that sends what is not RELOAD loses its own link and harms no other", async (t) => {
    const { identity, overlayName } = await member(neighbor);
    const overlay = overlayHash(overlayName, new NodeCrypto(undefined));
    const ping = makePing(overlay, new SystemRandom()).message.slice();
    ping[40] = 0x11; // not to whoever is at the other end of the link: that would be a keep-alive, which stays below the core
    const changed = (at: number, octet: number): Uint8Array => Uint8Array.from(ping, (old, index) => (index === at ? octet : old));
    const attacks: Readonly<Record<string, Uint8Array>> = {
      "noise": noise(3_000),
      "noise in frames": Buffer.concat([1, 2, 3].map((sequence) => framed(noise(sequence * 100), sequence))),
      "an empty frame": framed(new Uint8Array(0), 1),
      "a frame that announces 16 MB": Buffer.concat([Buffer.from([128, 0, 0, 0, 1, 0xff, 0xff, 0xff]), noise(100)]),
      "a frame of 300,000 bytes": framed(noise(300_000), 1),
      "a message of another overlay": framed(changed(5, 0xee), 1),
      "a message with a changed length": framed(changed(16, 0xff), 1),
      "a message of another version": framed(changed(10, 0xff), 1),
      "a message cut short": framed(ping.subarray(0, ping.length - 5), 1),
      ...Object.fromEntries([20, 30, 40, 57, 60, 65, 70].map((at) => [`a message changed at ${at}`, framed(changed(at, 0xaa), 1)])),
    };
    for (const [what, octets] of Object.entries(attacks)) {
      const rose = await unharmed(() => overTls(box, identity, octets, 300));
      t.diagnostic(`${what}: ${JSON.stringify(rose)}`);
      if (!what.startsWith("a message changed at")) assert.ok(Object.keys(rose).length > 0, `${what}: no counter rose`);
    }
  });
});

const DOMAIN_OF = ({ address }: BuiltBox): string => `${address}:${SIP_PORT}`;

async function datagram({ address }: BuiltBox, octets: Uint8Array): Promise<void> {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve, reject) => socket.send(octets, SIP_PORT, address, (error) => (error === null ? resolve() : reject(error))));
  socket.close();
}

async function opened({ address }: BuiltBox, port: number): Promise<Socket> {
  const socket = connect(port, address);
  socket.on("error", () => {}); // the box may well have had enough
  await once(socket, "connect");
  return socket;
}

/** Sends and reads on until the box closes, or for a moment. */
async function overTcp(box: BuiltBox, port: number, octets: Uint8Array): Promise<void> {
  const socket = await opened(box, port);
  socket.resume();
  socket.write(octets);
  await Promise.race([once(socket, "close"), pause(300)]);
  socket.destroy();
}

/** What the box answers in TLS until it closes, or for a moment; rejects if there is no TLS with it. */
async function overTls({ address }: BuiltBox, options: ConnectionOptions, octets: Uint8Array, patience = 1_500): Promise<string> {
  const socket: TLSSocket = connectTls({ host: address, port: OVERLAY_PORT, rejectUnauthorized: false, ALPNProtocols: ["reload/1"], ...options });
  let said = "";
  socket.on("data", (bytes: Buffer) => (said += bytes.toString("latin1")));
  const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()));
  try {
    await once(socket, "secureConnect");
    socket.on("error", () => {}); // the box may well have had enough
    socket.write(octets);
    await Promise.race([closed, pause(patience)]);
    return said;
  } finally {
    socket.destroy();
  }
}

/** Somebody who is enrolled as well as the box is, and means ill. */
async function member(box: BuiltBox) {
  const membership = parseMembership(readFileSync(join(box.dataDirectory, "fleet.json"), "utf8"));
  assert.ok(membership !== undefined);
  const { overlayName, enrolled } = membership;
  const key = makePrivateKey();
  const nodeId = "abcdef0123456789abcdef0123456789" as NodeId;
  const certificate = await issueBoxCertificate(enrolled.issuing, { publicKey: await publicKeyOf(key), nodeId, overlayName });
  return { overlayName, identity: { key, cert: certificatePem(certificate) + certificatePem(enrolled.issuing.certificate) } };
}

function framed(message: Uint8Array, sequence: number): Uint8Array {
  const frame = new Uint8Array(message.length + DATA_OVERHEAD);
  putDataFrame(frame, 0, sequence, message);
  return frame;
}
