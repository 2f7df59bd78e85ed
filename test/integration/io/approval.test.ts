// Approval by code among those who mean ill: false members, false boxes, and somebody between.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttpsServer } from "node:https";
import { before, describe, type TestContext, test } from "node:test";
import { connect, createServer, type TLSSocket } from "node:tls";
import { Waiting } from "../../../src/io/approval.ts";
import { systemClock } from "../../../src/io/clock.ts";
import { NodeCrypto } from "../../../src/io/crypto.ts";
import { EnrollmentServer } from "../../../src/io/enrollment-server.ts";
import { Links } from "../../../src/io/links.ts";
import { formatMultipart } from "../../../src/io/multipart.ts";
import { certificatePem, makeCertificateRequest, makePrivateKey, makeRootAuthority } from "../../../src/io/pki.ts";
import { SystemRandom } from "../../../src/io/random.ts";
import { RulesInForce } from "../../../src/io/rules-in-force.ts";
import type { AdmissionRequest } from "../../../src/peer/admission-office.ts";
import { makeBox, makeFleet, nodeIdOf, type TestBox, type TestFleet } from "../../support/test-fleet.ts";
import { until } from "../../support/until.ts";
import { BundleDoor } from "../../../src/io/updates/bundle-door.ts";

const CODE = "ABCDEFGH";

/** A member of a ring in which these codes were typed. */
async function member(t: TestContext, fleet: TestFleet, box: TestBox, codes: string[]) {
  const { ticket } = fleet;
  const asked: AdmissionRequest[] = [];
  const common = { overlayName: ticket.overlayName, random: new SystemRandom(), clock: systemClock, onReport: () => {} };
  const rules = new RulesInForce(ticket, { document: ticket.configuration, revocations: new Uint8Array(0) }, undefined);
  const server = new EnrollmentServer({
    ...common, isRevokedKey: () => false, bundles: new BundleDoor("/nonexistent"), rules: () => rules, trust: box.trust, fleetName: ticket.fleetName, domain: ticket.domain, root: ticket.rootCertificate, issuing: box.enrolled.issuing,
    crypto: new NodeCrypto(box.privateKeyPem), members: () => [],
    askOffice: async (request) => {
      asked.push(request);
      return request.op === "codes" ? { outcome: "codes", codes } : { outcome: "allowed" };
    },
  });
  const links = new Links({
    ...common, certificate: box.enrolled.certificate, issuingCertificate: ticket.issuingCertificate, privateKeyPem: box.privateKeyPem,
    trust: box.trust, maxMessageBytes: 9_999, onInput: () => {}, onEnrollment: (socket) => server.accept(socket),
  });
  await links.open({ host: "127.0.0.1", port: 0 });
  t.after(async () => {
    server.close();
    await links.close();
  });
  return { port: links.port, asked };
}

async function selfMade() {
  const own = await makeRootAuthority("mallory");
  return { cert: certificatePem(own.certificate), key: own.privateKeyPem, ALPNProtocols: ["http/1.1"] };
}

const blank = (code = CODE): Waiting => new Waiting({ code, privateKeyPem: makePrivateKey() });
const portOf = (server: { address(): unknown }): number => (server.address() as { port: number }).port;

/** A request on a connection of one's own, and the answer's status. */
async function post(socket: TLSSocket, path: string, contentType: string, body: Uint8Array): Promise<{ status: number; text: string }> {
  let text = "";
  const read = (bytes: Buffer): void => void (text += bytes.toString("latin1"));
  socket.on("data", read);
  socket.write(Buffer.concat([Buffer.from(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: ${contentType}\r\nContent-Length: ${body.length}\r\n\r\n`), body]));
  await until(() => text.includes("\r\n\r\n") || socket.destroyed);
  socket.off("data", read);
  return { status: Number(text.slice(9, 12)), text };
}

describe("approval by code", { timeout: 300_000 }, () => {
  let fleet: TestFleet;
  let box: TestBox;
  before(async () => {
    fleet = await makeFleet("Ours");
    box = await makeBox(fleet);
  });

  test("enrolls the box whose code was typed, among codes of others", async (t) => {
    const { port, asked } = await member(t, fleet, box, ["22222222", CODE, "33333333"]);
    const answer = await blank().at({ host: "127.0.0.1", port }, new AbortController().signal);
    assert.ok(answer.outcome === "granted", JSON.stringify(answer));
    assert.equal(nodeIdOf(box.trust.inspect(answer.enrolled.certificate)), answer.enrolled.nodeId);
    const { fleetName, overlayName, domain, rootCertificate } = fleet.ticket;
    assert.deepEqual(answer.fleet, { fleetName, overlayName, domain, rootCertificate });
    assert.deepEqual(asked.at(-1), { op: "admitted", code: CODE, nodeId: answer.enrolled.nodeId });
  });

  test("is not to be had from a false member, and shows it neither key nor code", async (t) => {
    const seen: string[] = [];
    let said = "";
    const liar = createHttpsServer(await selfMade(), (request, response) => {
      seen.push(request.url ?? "");
      request.on("data", (bytes: Buffer) => (said += bytes.toString("latin1")));
      request.on("end", () => response.writeHead(200, { "content-type": "application/octet-stream" }).end(Buffer.alloc(4 * 32, 7)));
    });
    await new Promise<void>((resolve) => liar.listen(0, "127.0.0.1", resolve));
    t.after(() => liar.close());
    const stop = new AbortController();
    const answer = blank().at({ host: "127.0.0.1", port: portOf(liar) }, stop.signal);
    await until(() => said.length === 16);
    setTimeout(() => stop.abort(), 500); // the box takes less than this to look at four guesses
    assert.equal((await answer).outcome, "unreachable");
    assert.deepEqual(seen, ["/wait"]);
    assert.equal(said.length, 16, "the nonce, and nothing else");
  });

  test("does not go through somebody who stands between the box and its member", async (t) => {
    const { port } = await member(t, fleet, box, [CODE]);
    const toMember: string[] = [];
    let proofs = 0;
    const between = createServer(await selfMade(), (near) => {
      const far = connect({ host: "127.0.0.1", port, rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] });
      near.on("data", (bytes: Buffer) => {
        toMember.push(bytes.toString("latin1").split(" ")[1] ?? "");
        far.write(bytes);
      });
      far.on("data", (bytes: Buffer) => {
        if (bytes.includes("200 OK")) proofs++;
        near.write(bytes);
      });
      for (const socket of [near, far]) socket.on("error", () => {});
      near.on("close", () => far.destroy());
    });
    await new Promise<void>((resolve) => between.listen(0, "127.0.0.1", resolve));
    t.after(() => between.close());
    const stop = new AbortController();
    const answer = blank().at({ host: "127.0.0.1", port: portOf(between) }, stop.signal);
    await until(() => proofs > 0);
    setTimeout(() => stop.abort(), 500); // the box takes less than this to look at the proof
    assert.equal((await answer).outcome, "unreachable");
    assert.ok(!toMember.includes("/admit"), toMember.join());
  });

  test("is refused to a false box, which has five tries in a minute", async (t) => {
    const { port, asked } = await member(t, fleet, box, [CODE]);
    const csr = await makeCertificateRequest(makePrivateKey());
    const dial = async (): Promise<TLSSocket> => {
      const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] });
      await once(socket, "secureConnect");
      socket.on("error", () => {});
      t.after(() => socket.destroy());
      return socket;
    };
    const form = formatMultipart([
      { name: "csr", contentType: "application/pkcs10", body: csr },
      { name: "proof", contentType: "application/octet-stream", body: Buffer.alloc(32, 7) },
    ], "b");
    for (let attempt = 0; attempt < 5; attempt++) {
      const socket = await dial();
      assert.equal((await post(socket, "/wait", "application/octet-stream", Buffer.alloc(16, attempt))).status, 200);
      assert.equal((await post(socket, "/admit", "multipart/form-data; boundary=b", form)).status, 403);
    }
    assert.equal((await post(await dial(), "/wait", "application/octet-stream", Buffer.alloc(16, 9))).status, 503);
    assert.ok(asked.every(({ op }) => op === "codes"), "no use of the code was counted");
    const without = await post(await dial(), "/admit", "multipart/form-data; boundary=b", form);
    assert.equal(without.status, 403, "nor without having waited");
  });

  test("has room for three boxes of one source", async (t) => {
    const { port } = await member(t, fleet, box, []);
    const sockets: TLSSocket[] = [];
    for (let i = 0; i < 4; i++) {
      const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] });
      await once(socket, "secureConnect");
      socket.on("error", () => {});
      sockets.push(socket);
      t.after(() => socket.destroy());
    }
    const [one, two, three, four] = sockets as [TLSSocket, TLSSocket, TLSSocket, TLSSocket];
    const wait = (socket: TLSSocket) => post(socket, "/wait", "application/octet-stream", Buffer.alloc(16));
    void wait(one);
    void wait(two);
    void wait(three);
    assert.equal((await wait(four)).status, 503);
  });
});
