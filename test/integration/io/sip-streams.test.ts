import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import type { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect as connectPlainly } from "node:net";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { connect, type TLSSocket } from "node:tls";
import { WebSocket } from "ws";
import { wallTime } from "../../../src/base/time.ts";
import { type Credential, certificatePem, makeIssuingAuthority, makeRootAuthority } from "../../../src/io/pki.ts";
import { SipCertificate } from "../../../src/io/sip-certificate.ts";
import { type SipEvent, SipSockets } from "../../../src/io/sip-sockets.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { until } from "../../support/until.ts";

const HOST = "127.0.0.1";
const DOMAIN = "example.test";
const OPTIONS = "OPTIONS sip:x SIP/2.0\r\nContent-Length: 6\r\n\r\nbody \xff";

type OwnFiles = NonNullable<ConstructorParameters<typeof SipCertificate>[0]["files"]>;

interface Served {
  readonly sockets: SipSockets;
  readonly events: SipEvent[];
  readonly reports: readonly string[];
  readonly certificate: SipCertificate;
  readonly root: Credential;
  issuing: Credential;
}

async function serve(t: TestContext, more: { readonly limitLoopback?: boolean; readonly wall?: () => number; readonly saved?: { pem: string | undefined }; readonly files?: OwnFiles } = {}): Promise<Served> {
  const root = await makeRootAuthority("test");
  const events: SipEvent[] = [];
  const saved = more.saved ?? { pem: undefined };
  const reports: string[] = [];
  const served = { events, reports, root, issuing: await makeIssuingAuthority(root, "test") };
  const certificate = new SipCertificate({
    domain: DOMAIN, root: root.certificate, issuing: () => served.issuing, addresses: () => [HOST],
    clock: { now: () => assert.fail(), wall: () => wallTime(more.wall?.() ?? Date.now()) }, files: more.files,
    load: () => saved.pem, save: (pem) => { saved.pem = pem; }, onReport: (severity, text) => void reports.push(`${severity}: ${text}`),
  });
  const wanted = { port: 0, wanted: true };
  const sockets = new SipSockets({
    port: 0, listen: HOST, limitLoopback: more.limitLoopback ?? false, onInput: (event) => events.push(event), onAddresses: () => {}, onReport: () => {},
    extra: { tls: wanted, ws: wanted, wss: wanted },
    secure: { ...certificate.access, fleetAuthority: certificatePem(root.certificate) },
  });
  await sockets.open();
  await certificate.start();
  t.after(() => {
    certificate.close();
    return sockets.close();
  });
  return Object.assign(served, { sockets, certificate });
}

const received = (events: readonly SipEvent[]) => events.flatMap((event) => (event.type === "received" ? [event] : []));

async function dialSecurely(t: TestContext, { sockets, root }: Served, servername = DOMAIN): Promise<TLSSocket & { text: string }> {
  const socket = connect({ host: HOST, port: sockets.streamPorts.tls ?? 0, servername, ca: certificatePem(root.certificate) });
  t.after(() => socket.destroy());
  const phone = Object.assign(socket, { text: "" });
  socket.on("data", (bytes) => { phone.text += bytes.toString("latin1"); });
  await once(socket, "secureConnect");
  return phone;
}

describe("SIP over TLS and WebSocket", { timeout: 300_000 }, () => {
  test("a TLS phone that believes the fleet's root is served octet for octet, and its end is told", async (t) => {
    const served = await serve(t);
    const { sockets, events } = served;
    const phone = await dialSecurely(t, served);
    phone.write(Buffer.from(OPTIONS, "latin1"));
    await until(() => received(events).map(({ octets }) => octets).join("") === OPTIONS);
    const flow = received(events)[0]?.flow ?? assert.fail();
    assert.deepEqual([flow.transport, flow.local], ["tls", { host: HOST, port: sockets.streamPorts.tls }]);
    sockets.perform([{ type: "send", flow, octets: OPTIONS }]);
    await until(() => phone.text === OPTIONS);
    phone.destroy();
    await until(() => events.some((event) => event.type === "connection-closed" && event.connection === flow.connection));
  });

  test("the certificate names the SIP domain as RFC 5922 wants it, and the box by its address", async (t) => {
    const served = await serve(t);
    const shown = (await dialSecurely(t, served)).getPeerX509Certificate() ?? assert.fail();
    assert.match(shown.subjectAltName ?? "", new RegExp(`URI:sip:${DOMAIN}`));
    assert.equal(shown.checkHost(DOMAIN), DOMAIN);
    assert.equal(shown.checkIP(HOST), HOST);
    assert.ok(shown.keyUsage?.includes("1.3.6.1.5.5.7.3.20"), "id-kp-sipDomain (RFC 5924)");
  });

  test("the certificate is kept over a start, and renewed while connections stay when its end comes near or another authority issues", async (t) => {
    const saved = { pem: undefined as string | undefined };
    let wall = Date.now();
    const served = await serve(t, { saved, wall: () => wall });
    const phone = await dialSecurely(t, served);
    const serial = async () => (await dialSecurely(t, served)).getPeerX509Certificate()?.serialNumber;
    const first = await serial();
    await served.certificate.look();
    assert.equal(await serial(), first);
    assert.ok(saved.pem?.includes("PRIVATE KEY"));
    wall += 300 * 24 * 3_600_000;
    await served.certificate.look();
    const second = await serial();
    assert.notEqual(second, first);
    served.issuing = await makeIssuingAuthority(served.root, "test");
    await served.certificate.look();
    assert.notEqual(await serial(), second);
    phone.write(OPTIONS);
    await until(() => received(served.events).length > 0);
  });

  test("an operator's own certificate is shown to who asks for one of its names or for none, and read again when it was replaced", async (t) => {
    const directory = temporaryDirectory(t);
    const files: OwnFiles = { certificate: join(directory, "own.pem"), key: join(directory, "own.key") };
    const make = (): void => {
      const subject = ["-subj", "/CN=pbx.example.com", "-addext", "subjectAltName=DNS:pbx.example.com"];
      execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9", "-keyout", files.key, "-out", files.certificate, ...subject], { stdio: "ignore" });
    };
    make();
    const served = await serve(t, { files });
    const { certificate, reports } = served;
    const shownFor = async (servername: string): Promise<X509Certificate> => {
      const socket = connect({ host: HOST, port: served.sockets.streamPorts.tls ?? 0, servername, rejectUnauthorized: false });
      t.after(() => socket.destroy());
      await once(socket, "secureConnect");
      return socket.getPeerX509Certificate() ?? assert.fail();
    };
    const first = await shownFor("pbx.example.com");
    assert.match(first.subject, /pbx\.example\.com/);
    assert.equal((await shownFor("")).serialNumber, first.serialNumber, "without a name");
    for (const name of [DOMAIN, "other.example.com"]) assert.ok((await shownFor(name)).checkHost(DOMAIN) !== undefined, name);

    make();
    await certificate.look();
    const second = await shownFor("pbx.example.com");
    assert.notEqual(second.serialNumber, first.serialNumber);
    writeFileSync(files.key, "rubbish");
    await certificate.look();
    assert.equal((await shownFor("pbx.example.com")).serialNumber, second.serialNumber, "what was good stays");
    assert.match(reports.at(-1) ?? "", /^warning: .*the ones before stay in use/);
  });

  test("a box whose clock shows 1970 issues no certificate that ended long ago", async (t) => {
    const served = await serve(t, { wall: () => 0 });
    await dialSecurely(t, served); // the phone's clock is right, and it believes what it is shown
  });

  test("WebSocket phones send one message a frame, text or binary, plainly or over TLS", async (t) => {
    const { sockets, events, root } = await serve(t);
    const { ws, wss } = sockets.streamPorts;
    for (const [transport, url] of [["ws", `ws://${HOST}:${ws}`], ["wss", `wss://${HOST}:${wss}/any`]] as const) {
      events.length = 0;
      const phone = new WebSocket(url, "sip", { ca: certificatePem(root.certificate) });
      t.after(() => phone.terminate());
      const got: { data: string; binary: boolean }[] = [];
      phone.on("message", (data, binary) => got.push({ data: (data as Buffer).toString("latin1"), binary }));
      await once(phone, "open");
      assert.equal(phone.protocol, "sip");
      phone.send("OPTIONS sip:x SIP/2.0\r\n\r\n");
      phone.send(Buffer.from(OPTIONS, "latin1"));
      await until(() => received(events).length === 2);
      assert.deepEqual(received(events).map(({ octets }) => octets), ["OPTIONS sip:x SIP/2.0\r\n\r\n", OPTIONS]);
      const flow = received(events)[0]?.flow ?? assert.fail();
      assert.equal(flow.transport, transport);
      sockets.perform([{ type: "send", flow, octets: "SIP/2.0 200 \xc3\xa4\r\n\r\n" }, { type: "send", flow, octets: OPTIONS }]);
      await until(() => got.length === 2);
      assert.deepEqual(got, [{ data: "SIP/2.0 200 \xc3\xa4\r\n\r\n", binary: false }, { data: OPTIONS, binary: true }], "what is no UTF-8 goes as binary");
      phone.close();
      await until(() => events.some(({ type }) => type === "connection-closed"));
    }
  });

  test("a WebSocket without the sub-protocol sip, and a mere web browser, are told so", async (t) => {
    const { sockets } = await serve(t);
    const phone = new WebSocket(`ws://${HOST}:${sockets.streamPorts.ws}`, "chat");
    const [error] = await once(phone, "error");
    assert.match(String(error), /400/);
    const page = await fetch(`http://${HOST}:${sockets.streamPorts.ws}/`);
    assert.equal(page.status, 426);
    await page.text();
  });

  test("connections on which TLS or WebSocket has not come about count for the bound of one address", async (t) => {
    const { sockets } = await serve(t, { limitLoopback: true });
    const { tls, ws, wss } = sockets.streamPorts;
    const callers = Array.from({ length: 36 }, (_, i) => connectPlainly([tls, ws, wss][i % 3] ?? 0, HOST).on("error", () => {}));
    t.after(() => callers.forEach((caller) => caller.destroy()));
    await until(() => callers.filter(({ destroyed }) => destroyed).length === 4);
  });

  test("rubbish in place of a TLS handshake or of HTTP ends the connection and nothing else", async (t) => {
    const { sockets } = await serve(t);
    const { tls, ws, wss } = sockets.streamPorts;
    const callers = [tls, ws, wss].map((port) => connectPlainly(port ?? 0, HOST).on("error", () => {}));
    for (const caller of callers) caller.write(`${OPTIONS}${"x".repeat(20_000)}\r\n\r\n`);
    await until(() => callers.every(({ destroyed, readableEnded }) => destroyed || readableEnded));
    callers.forEach((caller) => caller.destroy());
  });

  test("another box of the fleet is dialed over TLS by its address, and one of another fleet is not believed", async (t) => {
    const one = await serve(t);
    const other = await serve(t);
    const remote = { host: HOST, port: other.sockets.streamPorts.tls ?? 0 };
    one.sockets.perform([{ type: "connect", ticket: 5, transport: "tls", remote, octets: OPTIONS }]);
    await until(() => one.events.length > 0);
    assert.deepEqual(one.events, [{ type: "transport-error", ticket: 5 }]);
    const itself = { host: HOST, port: one.sockets.streamPorts.tls ?? 0 };
    one.events.length = 0;
    one.sockets.perform([{ type: "connect", ticket: 6, transport: "tls", remote: itself, octets: OPTIONS }]);
    await until(() => received(one.events).length === 1);
    assert.ok(one.events.some((event) => event.type === "connected" && event.ticket === 6));
    assert.equal(received(one.events)[0]?.octets, OPTIONS);
    one.sockets.perform([{ type: "connect", ticket: 7, transport: "tls", remote: itself, name: "elsewhere.test", octets: OPTIONS }]);
    await until(() => one.events.some((event) => event.type === "transport-error" && event.ticket === 7));
  });
});
