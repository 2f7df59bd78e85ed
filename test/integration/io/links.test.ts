import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, connect as connectTcp, type Socket } from "node:net";
import { before, describe, type TestContext, test } from "node:test";
import { connect } from "node:tls";
import { systemClock } from "../../../src/io/clock.ts";
import { type LinkEvent, Links } from "../../../src/io/links.ts";
import { ListenError } from "../../../src/io/listen-error.ts";
import { certificatePem, issueBoxCertificate, makePrivateKey, publicKeyOf } from "../../../src/io/pki.ts";
import { SystemRandom } from "../../../src/io/random.ts";
import type { NodeId } from "../../../src/overlay/ports.ts";
import { overlayHash } from "../../../src/overlay/wire/identifiers.ts";
import { wallTime } from "../../../src/base/time.ts";
import { CertificateTrust } from "../../../src/io/trust.ts";
import { makePing } from "../../../src/overlay/link/keep-alive.ts";
import { NodeCrypto } from "../../../src/io/crypto.ts";
import { makeBox, makeFleet, type TestBox, type TestFleet } from "../../support/test-fleet.ts";
import { until } from "../../support/until.ts";

class Host {
  readonly events: LinkEvent[] = [];
  readonly reports: string[] = [];
  readonly links: Links;
  constructor(fleet: TestFleet, box: TestBox) {
    this.links = new Links({
      overlayName: fleet.ticket.overlayName,
      certificate: box.enrolled.certificate,
      issuingCertificate: fleet.ticket.issuingCertificate,
      privateKeyPem: box.privateKeyPem,
      trust: box.trust,
      random: new SystemRandom(),
      clock: systemClock,
      maxMessageBytes: 262_144,
      onInput: (event) => this.events.push(event),
      onEnrollment: (socket) => socket.end("HTTP/1.1 503 Busy\r\n\r\n"),
      onReport: (_, text) => this.reports.push(text),
    });
  }
  dial(to: Host, ticket = 1): void {
    this.links.perform([{ type: "dial", dial: ticket, address: { host: "127.0.0.1", port: to.links.port } }]);
  }
  find<Type extends LinkEvent["type"]>(type: Type): Extract<LinkEvent, { type: Type }> | undefined {
    return this.events.find((event): event is Extract<LinkEvent, { type: Type }> => event.type === type);
  }
}

async function host(t: TestContext, fleet: TestFleet, box: TestBox): Promise<Host> {
  const made = new Host(fleet, box);
  await made.links.open({ host: "127.0.0.1", port: 0 });
  t.after(() => made.links.close());
  return made;
}

describe("links", { timeout: 300_000 }, () => {
  let fleet: TestFleet;
  let other: TestFleet;
  let one: TestBox;
  let two: TestBox;
  before(async () => {
    fleet = await makeFleet("Ours");
    other = await makeFleet("Theirs");
    one = await makeBox(fleet);
    two = await makeBox(fleet);
  });

  async function pair(t: TestContext): Promise<readonly [Host, Host]> {
    const [a, b] = [await host(t, fleet, one), await host(t, fleet, two)];
    a.dial(b);
    await until(() => a.find("link-opened") !== undefined && b.find("link-opened") !== undefined);
    return [a, b];
  }
  const linkOf = (side: Host): number => side.find("link-opened")?.link ?? 0;
  const message = (): Uint8Array => {
    // A Ping that is not to the wildcard Node-ID goes up to the core.
    const ping = makePing(overlayHash(fleet.ticket.overlayName, new NodeCrypto(undefined)), new SystemRandom()).message.slice();
    ping[40] = 0x11;
    return ping;
  };

  test("open on both sides with the Node-ID and certificate of the other, at once", async (t) => {
    const [a, b] = await pair(t);
    const atA = a.find("link-opened");
    const atB = b.find("link-opened");
    assert.equal(atA?.nodeId, two.enrolled.nodeId);
    assert.equal(atB?.nodeId, one.enrolled.nodeId);
    assert.deepEqual(Buffer.from(atA?.certificate ?? []), Buffer.from(two.enrolled.certificate));
    assert.deepEqual([atA?.outbound, atA?.dial, atB?.outbound, atB?.dial], [true, 1, false, undefined]);
    assert.equal(atB?.remote.host, "127.0.0.1");
  });

  test("carry messages both ways, in order", async (t) => {
    const [a, b] = await pair(t);
    const sent = Array.from({ length: 200 }, () => message());
    a.links.perform(sent.map((bytes) => ({ type: "link-send", link: linkOf(a), message: bytes })));
    b.links.perform([{ type: "link-send", link: linkOf(b), message: message() }]);
    const received = () => b.events.filter((event) => event.type === "link-message");
    await until(() => received().length === 200 && a.find("link-message") !== undefined);
    assert.deepEqual(received().map((event) => Buffer.from(event.message)), sent.map((bytes) => Buffer.from(bytes)));
    await until(() => a.links.roundTrip(linkOf(a)) !== undefined);
  });

  test("close on both sides with the reason of the side that closes", async (t) => {
    const [a, b] = await pair(t);
    a.links.perform([{ type: "link-close", link: linkOf(a), reason: "told to" }]);
    assert.equal(a.find("link-closed")?.reason, "told to");
    await until(() => b.find("link-closed") !== undefined);
  });

  test("say what was sent in the same batch before they close", async (t) => {
    const [a, b] = await pair(t);
    const last = message();
    a.links.perform([{ type: "link-send", link: linkOf(a), message: last }, { type: "link-close", link: linkOf(a), reason: "told to" }]);
    await until(() => b.find("link-closed") !== undefined);
    assert.deepEqual(Buffer.from(b.find("link-message")?.message ?? []), Buffer.from(last));
  });

  test("go quiet no sooner than they are asked: a silent wire keeps them open", async (t) => {
    const [a, b] = await pair(t);
    await new Promise((resolve) => setTimeout(resolve, 2_500)); // longer than the silence that would be told
    assert.equal(a.find("link-silent") ?? b.find("link-silent") ?? a.find("link-closed"), undefined);
  });

  test("tell silence when the wire swallows everything, and hear again when it does not", async (t) => {
    const [a, b] = [await host(t, fleet, one), await host(t, fleet, two)];
    const wire = await swallowingWire(t, b.links.port);
    a.links.perform([{ type: "dial", dial: 1, address: { host: "127.0.0.1", port: wire.port } }]);
    await until(() => a.find("link-opened") !== undefined);
    wire.pause();
    await until(() => a.find("link-silent") !== undefined);
    wire.resume();
    await until(() => a.find("link-heard") !== undefined);
  });

  test("are closed at once when the other side's process is killed", async (t) => {
    const a = await host(t, fleet, one);
    const source = `import { makeBox } from ${JSON.stringify(new URL("../../support/test-fleet.ts", import.meta.url).href)};
      import { Links } from ${JSON.stringify(new URL("../../../src/io/links.ts", import.meta.url).href)};
      import { SystemRandom } from ${JSON.stringify(new URL("../../../src/io/random.ts", import.meta.url).href)};
      import { systemClock } from ${JSON.stringify(new URL("../../../src/io/clock.ts", import.meta.url).href)};
      import { readTicket } from ${JSON.stringify(new URL("../../support/test-fleet.ts", import.meta.url).href)};
      const ticket = readTicket(process.env.TICKET); const box = await makeBox({ ticket });
      const links = new Links({ overlayName: ticket.overlayName, certificate: box.enrolled.certificate, issuingCertificate: ticket.issuingCertificate,
        privateKeyPem: box.privateKeyPem, trust: box.trust, random: new SystemRandom(), clock: systemClock, maxMessageBytes: 9999,
        onInput: () => {}, onEnrollment: () => {}, onReport: () => {} });
      await links.open({ host: "127.0.0.1", port: 0 }); console.log(links.port);`;
    const process_ = spawn(process.execPath, ["--input-type=module-typescript", "-e", source], {
      env: { ...process.env, TICKET: fleet.text }, stdio: ["ignore", "pipe", "inherit"],
    });
    t.after(() => process_.kill("SIGKILL"));
    const [line] = (await once(process_.stdout, "data")) as [Buffer];
    a.links.perform([{ type: "dial", dial: 1, address: { host: "127.0.0.1", port: Number(line.toString()) } }]);
    await until(() => a.find("link-opened") !== undefined);
    process_.kill("SIGKILL");
    await until(() => a.find("link-closed") !== undefined);
    assert.equal(a.find("link-silent"), undefined, "the close came before any silence");
  });

  test("with a box of another fleet do not open, and both sides say why", async (t) => {
    const [a, stranger] = [await host(t, fleet, one), await host(t, other, await makeBox(other))];
    a.dial(stranger);
    await until(() => a.find("dial-failed") !== undefined);
    assert.match(a.find("dial-failed")?.reason ?? "", /its certificate is not of this fleet/);
    await until(() => stranger.reports.length > 0);
    assert.match(stranger.reports.join(), /127.0.0.1 refused: its certificate is not of this fleet/);
    assert.equal(a.find("link-opened") ?? stranger.find("link-opened"), undefined);
  });

  test("with an expired certificate do not open, whichever side dials, and its owner learns why", async (t) => {
    const privateKeyPem = makePrivateKey();
    const nodeId = "ab".repeat(16) as NodeId;
    const issuing = { certificate: fleet.ticket.issuingCertificate, privateKeyPem: fleet.ticket.issuingKeyPem };
    const certificate = await issueBoxCertificate(issuing, {
      publicKey: await publicKeyOf(privateKeyPem), nodeId, overlayName: fleet.ticket.overlayName, notAfter: new Date("2020-01-01"),
    });
    const expired = { privateKeyPem, trust: one.trust, enrolled: { nodeId, certificate, issuing } };
    const [a, old] = [await host(t, fleet, one), await host(t, fleet, expired)];
    old.dial(a);
    await until(() => old.find("dial-failed") !== undefined);
    assert.equal(old.find("dial-failed")?.reason, "refused by the other side: your certificate expired on 2020-01-01");
    a.dial(old);
    await until(() => a.find("dial-failed") !== undefined);
    assert.match(a.find("dial-failed")?.reason ?? "", /its certificate expired on 2020-01-01/);
    await until(() => old.reports.length > 0);
    assert.match(old.reports.join(), /refused by the other side: your certificate expired/);
    assert.equal(a.find("link-opened") ?? old.find("link-opened"), undefined);
  });

  test("outlive the certificate they were opened with if a newer one of the same key was shown, and only then", async (t) => {
    const issuing = { certificate: fleet.ticket.issuingCertificate, privateKeyPem: fleet.ticket.issuingKeyPem };
    const { overlayName, rootCertificate } = fleet.ticket;
    const clock = { at: systemClock.wall() };
    const make = async (privateKeyPem: string, nodeId: NodeId, days: number): Promise<Uint8Array> =>
      issueBoxCertificate(issuing, { publicKey: await publicKeyOf(privateKeyPem), nodeId, overlayName, notAfter: new Date(systemClock.wall() + days * 86_400_000) });
    const trust = new CertificateTrust({ root: rootCertificate, issuing: [issuing.certificate], overlayName, wall: () => clock.at });
    const a = await host(t, fleet, { ...one, trust });
    const peers: { readonly side: Host; readonly privateKeyPem: string; readonly nodeId: NodeId }[] = [];
    for (const digit of ["a", "b", "c"]) {
      const [privateKeyPem, nodeId] = [makePrivateKey(), digit.repeat(32) as NodeId];
      const side = await host(t, fleet, { privateKeyPem, trust: one.trust, enrolled: { nodeId, issuing, certificate: await make(privateKeyPem, nodeId, 30) } });
      a.dial(side, peers.length + 1);
      peers.push({ side, privateKeyPem, nodeId });
    }
    const opened = () => a.events.filter(({ type }) => type === "link-opened");
    await until(() => opened().length === 3);
    const [renewed, silent, other] = peers as [(typeof peers)[0], (typeof peers)[0], (typeof peers)[0]];
    a.links.showed(renewed.nodeId, await make(renewed.privateKeyPem, renewed.nodeId, 60));
    a.links.showed(other.nodeId, await make(makePrivateKey(), other.nodeId, 60));
    a.links.judgeAnew();
    assert.equal(a.find("link-closed"), undefined, "all three are good still");
    clock.at = wallTime(clock.at + 31 * 86_400_000);
    a.links.judgeAnew();
    await until(() => silent.side.find("link-closed") !== undefined && other.side.find("link-closed") !== undefined);
    const closed = a.events.flatMap((event) => (event.type === "link-closed" ? [event.reason] : []));
    assert.equal(closed.length, 2);
    for (const reason of closed) assert.match(reason, /its certificate expired on/);
    assert.equal(renewed.side.find("link-closed"), undefined);
  });

  test("without a certificate, or with one that names no Node-ID of the overlay, do not open", async (t) => {
    const a = await host(t, fleet, one);
    const issuing = { certificate: fleet.ticket.issuingCertificate, privateKeyPem: fleet.ticket.issuingKeyPem };
    const key = makePrivateKey();
    const publicKey = await publicKeyOf(key);
    const misnamed = await issueBoxCertificate(issuing, { publicKey, nodeId: "ab".repeat(16) as NodeId, overlayName: "elsewhere" });
    const said: string[] = [];
    for (const identity of [{}, { key, cert: certificatePem(misnamed) }, { key: fleet.ticket.issuingKeyPem, cert: certificatePem(issuing.certificate) }]) {
      const socket = connect({ host: "127.0.0.1", port: a.links.port, ALPNProtocols: ["reload/1"], rejectUnauthorized: false, ...identity });
      t.after(() => socket.destroy());
      let text = "";
      socket.on("data", (bytes) => { text += bytes.toString(); });
      socket.on("error", () => {});
      await once(socket, "close");
      said.push(text.trim());
    }
    assert.match(said[1] ?? "", /refused: your certificate does not name exactly one Node-ID of this overlay/);
    assert.match(said[2] ?? "", /refused: your certificate is not of this fleet/);
    assert.equal(a.find("link-opened"), undefined);
    assert.match(a.reports.join(), /it showed no certificate/);
  });

  test("are TLS 1.3 with the right protocol, or nothing", async (t) => {
    const a = await host(t, fleet, one);
    for (const options of [{ maxVersion: "TLSv1.2" as const, ALPNProtocols: ["reload/1"] }, { ALPNProtocols: ["h2"] }, {}]) {
      const socket = connect({ host: "127.0.0.1", port: a.links.port, rejectUnauthorized: false, ...options });
      socket.on("error", () => {});
      socket.resume();
      await until(() => socket.destroyed);
    }
    assert.deepEqual(a.events, []);
  });

  test("close when the other side sends what is no frame", async (t) => {
    const a = await host(t, fleet, one);
    const socket = connect({
      host: "127.0.0.1", port: a.links.port, ALPNProtocols: ["reload/1"], rejectUnauthorized: false,
      key: two.privateKeyPem, cert: certificatePem(two.enrolled.certificate),
    });
    socket.on("error", () => {});
    socket.resume();
    await once(socket, "secureConnect");
    socket.write("GET / HTTP/1.0\r\n\r\n");
    await once(socket, "close");
    assert.match(a.find("link-closed")?.reason ?? "", /does not keep to the protocol/);
  });

  test("that cannot be dialed fail with a reason, each dial once", async (t) => {
    const a = await host(t, fleet, one);
    const closed = createServer().listen(0, "127.0.0.1");
    await once(closed, "listening");
    const { port } = closed.address() as { port: number };
    closed.close();
    a.links.perform(Array.from({ length: 100 }, (_, dial) => ({ type: "dial", dial, address: { host: "127.0.0.1", port } }) as const));
    await until(() => a.events.length === 100);
    assert.deepEqual(new Set(a.events.map((event) => event.type === "dial-failed" && event.reason)), new Set(["nothing listens there"]));
    assert.equal(new Set(a.events.map((event) => event.type === "dial-failed" && event.dial)).size, 100);
  });

  test("hand a connection that chose http/1.1 to enrollment", async (t) => {
    const a = await host(t, fleet, one);
    const socket = connect({ host: "127.0.0.1", port: a.links.port, ALPNProtocols: ["http/1.1"], rejectUnauthorized: false });
    const [bytes] = (await once(socket, "data")) as [Buffer];
    assert.match(bytes.toString(), /503 Busy/);
  });

  test("on a taken port are refused in plain words", async (t) => {
    const a = await host(t, fleet, one);
    const second = new Host(fleet, two);
    await assert.rejects(
      second.links.open({ host: "127.0.0.1", port: a.links.port }),
      (error) => error instanceof ListenError && /the overlay port \d+ \(TCP\) on 127.0.0.1 is taken by another program; choose another with --overlay-port/.test(error.message),
    );
    await assert.rejects(second.links.open({ host: "192.0.2.1", port: 0 }), /192.0.2.1 is not an address of this machine/);
  });
});

/** A TCP relay that can stop passing bytes on without closing anything. */
async function swallowingWire(t: TestContext, to: number): Promise<{ readonly port: number; pause(): void; resume(): void }> {
  const sockets: Socket[] = [];
  const relay = createServer((inside) => {
    const outside = connectTcp(to, "127.0.0.1");
    sockets.push(inside, outside);
    for (const socket of [inside, outside]) socket.on("error", () => {});
    inside.pipe(outside).pipe(inside);
  });
  relay.listen(0, "127.0.0.1");
  await once(relay, "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    relay.close();
  });
  const { port } = relay.address() as { port: number };
  const each = (act: (socket: Socket, peer: Socket) => void): void => {
    for (let i = 0; i < sockets.length; i += 2) {
      const [inside, outside] = [sockets[i], sockets[i + 1]];
      if (inside !== undefined && outside !== undefined) act(inside, outside);
    }
  };
  return {
    port,
    pause: () => each((inside, outside) => { inside.unpipe(outside); outside.unpipe(inside); inside.pause(); outside.pause(); }),
    resume: () => each((inside, outside) => { inside.pipe(outside); outside.pipe(inside); }),
  };
}
