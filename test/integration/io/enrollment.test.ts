import assert from "node:assert/strict";
import { once } from "node:events";
import { request as httpsRequest } from "node:https";
import type { IncomingMessage } from "node:http";
import { before, describe, type TestContext, test } from "node:test";
import { type Duration, wallTime } from "../../../src/base/time.ts";
import { systemClock } from "../../../src/io/clock.ts";
import { NodeCrypto } from "../../../src/io/crypto.ts";
import { type EnrollmentAnswer, requestEnrollment } from "../../../src/io/enrollment.ts";
import { EnrollmentServer } from "../../../src/io/enrollment-server.ts";
import { createJoinTicket } from "../../../src/io/fleet.ts";
import { Links } from "../../../src/io/links.ts";
import { formatMultipart, parseMultipart } from "../../../src/io/multipart.ts";
import { makeCertificateRequest, makePrivateKey } from "../../../src/io/pki.ts";
import { SystemRandom } from "../../../src/io/random.ts";
import { RulesInForce } from "../../../src/io/rules-in-force.ts";
import type { AdmissionTicket } from "../../../src/provision/ticket.ts";
import { days } from "../../support/days.ts";
import { makeBox, makeFleet, nodeIdOf, readTicket, type TestBox, type TestFleet } from "../../support/test-fleet.ts";
import { BundleDoor } from "../../../src/io/updates/bundle-door.ts";

interface Member {
  readonly port: number;
  readonly reports: string[];
}

/** A member of the fleet, whose clock is `ahead` of ours. */
async function member(t: TestContext, fleet: TestFleet, box: TestBox, ahead = 0, office: "allowed" | "used-up" | "unknown" = "allowed"): Promise<Member> {
  const reports: string[] = [];
  const { ticket } = fleet;
  const onReport = (_: string, text: string): void => void reports.push(text);
  const rules = new RulesInForce(ticket, { document: ticket.configuration, revocations: new Uint8Array(0) }, undefined);
  const server = new EnrollmentServer({
    fleetName: ticket.fleetName, overlayName: ticket.overlayName, domain: ticket.domain, root: ticket.rootCertificate, issuing: box.enrolled.issuing, onReport,
    crypto: new NodeCrypto(box.privateKeyPem), random: new SystemRandom(),
    clock: { ...systemClock, wall: () => wallTime(systemClock.wall() + ahead) },
    rules: () => rules, isRevokedKey: () => false, trust: box.trust, bundles: new BundleDoor("/nonexistent"),
    members: () => [{ nodeId: box.enrolled.nodeId, zone: "" }],
    askOffice: async ({ op }) => ({ outcome: op === "use" ? office : "unknown" }),
  });
  const links = new Links({
    overlayName: ticket.overlayName, certificate: box.enrolled.certificate, issuingCertificate: ticket.issuingCertificate,
    privateKeyPem: box.privateKeyPem, trust: box.trust, random: new SystemRandom(), clock: systemClock, maxMessageBytes: 9_999,
    onInput: () => {}, onEnrollment: (socket) => server.accept(socket), onReport,
  });
  await links.open({ host: "127.0.0.1", port: 0 });
  t.after(async () => {
    server.close();
    await links.close();
  });
  return { port: links.port, reports };
}

describe("enrollment", { timeout: 300_000 }, () => {
  let fleet: TestFleet;
  let first: TestBox;
  let join: AdmissionTicket;
  before(async () => {
    fleet = await makeFleet("Ours");
    first = await makeBox(fleet);
    join = ticketFor(days(1));
  });
  const ticketFor = (expires: Duration): AdmissionTicket =>
    readTicket(createJoinTicket({ rootKeyPem: fleet.rootKeyPem, fleetTicket: fleet.text, expires, uses: 3, hints: [], zone: "z1" }));
  const ask = (at: Member, ticket: AdmissionTicket, privateKeyPem = makePrivateKey(), previousCertificate?: Uint8Array): Promise<EnrollmentAnswer> =>
    requestEnrollment({ address: { host: "127.0.0.1", port: at.port }, ticket, privateKeyPem, previousCertificate });

  test("with a join ticket brings a certificate that the fleet believes, a place opposite, and the issuing credential", async (t) => {
    const at = await member(t, fleet, first);
    const answer = await ask(at, join);
    assert.ok(answer.outcome === "granted", JSON.stringify(answer));
    const { nodeId, certificate, issuing } = answer.enrolled;
    assert.equal(nodeIdOf(first.trust.inspect(certificate)), nodeId);
    assert.deepEqual(issuing, first.enrolled.issuing);
    const distance = (BigInt(`0x${nodeId}`) - BigInt(`0x${first.enrolled.nodeId}`) + (1n << 128n)) % (1n << 128n);
    const share = Number((distance * 1000n) >> 128n);
    assert.ok(share >= 449 && share <= 551, `${share} thousandths of the ring after the first box`);
    assert.match(at.reports.join(), /enrolled the box at 127.0.0.1 as/);
  });

  test("is refused when the fleet's configuration has ended", async (t) => {
    const at = await member(t, fleet, first, days(365 * 21));
    const answer = await ask(at, fleet.ticket);
    assert.ok(answer.outcome === "unreachable" && /503: the fleet's configuration ended on 20\d\d-/.test(answer.reason), JSON.stringify(answer));
  });

  test("with the fleet ticket works as well", async (t) => {
    assert.equal((await ask(await member(t, fleet, first), fleet.ticket)).outcome, "granted");
  });

  test("lets an enrolled box admit the next one", async (t) => {
    const privateKeyPem = makePrivateKey();
    const answer = await ask(await member(t, fleet, first), join, privateKeyPem);
    assert.ok(answer.outcome === "granted");
    const second = { enrolled: answer.enrolled, privateKeyPem, trust: first.trust };
    assert.equal((await ask(await member(t, fleet, second), join)).outcome, "granted");
  });

  test("of one key twice gives one Node-ID; also at a member that knows it only by its last certificate", async (t) => {
    const privateKeyPem = makePrivateKey();
    const at = await member(t, fleet, first);
    const answers = [await ask(at, join, privateKeyPem), await ask(at, join, privateKeyPem)];
    const [a, b] = answers.map((answer) => (answer.outcome === "granted" ? answer.enrolled : undefined));
    assert.equal(a?.nodeId, b?.nodeId);
    const elsewhere = await ask(await member(t, fleet, first), join, privateKeyPem, a?.certificate);
    assert.equal(elsewhere.outcome === "granted" && elsewhere.enrolled.nodeId, a?.nodeId);
  });

  test("with somebody else's certificate as the last one gives a Node-ID of its own", async (t) => {
    const answer = await ask(await member(t, fleet, first), join, makePrivateKey(), first.enrolled.certificate);
    assert.ok(answer.outcome === "granted");
    assert.notEqual(answer.enrolled.nodeId, first.enrolled.nodeId);
  });

  test("of two boxes at the same time gives two Node-IDs", async (t) => {
    const at = await member(t, fleet, first);
    const ids = (await Promise.all([ask(at, join), ask(at, join), ask(at, join)])).map((answer) => answer.outcome === "granted" && answer.enrolled.nodeId);
    assert.equal(new Set(ids).size, 3);
  });

  test("with a ticket that has expired by the member's clock is declined, and both sides say why", async (t) => {
    const at = await member(t, fleet, first, days(2));
    const answer = await ask(at, join);
    assert.ok(answer.outcome === "declined");
    assert.match(answer.reason, /^the ticket expired on \d{4}-\d\d-\d\d$/);
    assert.match(at.reports.join(), /refused to enroll the box at 127.0.0.1: the ticket expired on/);
  });

  test("with a ticket that the ring says is used up is declined, and with one of which it cannot say is worth another try", async (t) => {
    const usedUp = await ask(await member(t, fleet, first, 0, "used-up"), join);
    assert.ok(usedUp.outcome === "declined" && /has admitted the 3 boxes/.test(usedUp.reason), JSON.stringify(usedUp));
    const unknown = await ask(await member(t, fleet, first, 0, "unknown"), join);
    assert.ok(unknown.outcome === "unreachable" && /503.*how often/.test(unknown.reason), JSON.stringify(unknown));
    assert.equal((await ask(await member(t, fleet, first, 0, "used-up"), fleet.ticket)).outcome, "granted", "a fleet ticket has no count");
  });

  test("with a token that was changed is declined", async (t) => {
    const [claims = "", signature = ""] = join.token.split(".");
    const longer = JSON.parse(Buffer.from(claims, "base64url").toString()) as { expires: number };
    longer.expires += 1e10;
    const token = `${Buffer.from(JSON.stringify(longer)).toString("base64url")}.${signature}`;
    const answer = await ask(await member(t, fleet, first), { ...join, token });
    assert.deepEqual(answer, { outcome: "declined", reason: "the ticket was not signed by this fleet's root key" });
  });

  test("with a ticket of another fleet does not even send it", async (t) => {
    const other = await makeFleet("Theirs");
    const at = await member(t, fleet, first);
    const answer = await ask(at, other.ticket);
    assert.deepEqual(answer, { outcome: "unreachable", reason: "it is not believed: its certificate is not of this fleet" });
    assert.deepEqual(at.reports, []);
  });

  test("with another fleet's token at ours is declined", async (t) => {
    const other = await makeFleet("Theirs");
    const answer = await ask(await member(t, fleet, first), { ...join, token: other.ticket.token });
    assert.ok(answer.outcome === "declined");
    assert.match(answer.reason, /belongs to fleet theirs-\w+.ringbox.internal, this box to fleet ours-/);
  });

  test("where nobody is, is unreachable with a reason", async () => {
    const answer = await ask({ port: 1, reports: [] }, join);
    assert.deepEqual(answer, { outcome: "unreachable", reason: "nothing listens there" });
  });

  describe("answers", () => {
    const post = async (at: Member, body: Buffer, headers: Record<string, string> = {}, path = "/enroll", method = "POST") => {
      const options = { ALPNProtocols: ["http/1.1"], rejectUnauthorized: false };
      const request = httpsRequest({ host: "127.0.0.1", port: at.port, path, method, agent: false, headers, ...options });
      request.on("error", () => {});
      request.end(body);
      const [response] = (await once(request, "response")) as [IncomingMessage];
      const chunks: Buffer[] = [];
      for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
      return { status: response.statusCode, type: response.headers["content-type"], body: Buffer.concat(chunks) };
    };
    const form = async (token: string, csr?: Uint8Array): Promise<Buffer> =>
      formatMultipart([
        { name: "csr", contentType: "application/pkcs10", body: csr ?? (await makeCertificateRequest(makePrivateKey())) },
        { name: "password", contentType: "text/plain", body: Buffer.from(token) },
      ], "b");
    const headers = { "content-type": 'multipart/form-data; boundary="b"' };

    test("with the bare certificate whoever accepts no more than that", async (t) => {
      const answer = await post(await member(t, fleet, first), await form(join.token), headers);
      assert.equal(answer.status, 200);
      assert.equal(answer.type, "application/pkix-cert");
      assert.ok("nodeId" in first.trust.inspect(answer.body));
    });

    test("403 with the RFC's word before the sentence", async (t) => {
      const at = await member(t, fleet, first);
      const wrong = await post(at, await form("nonsense"), headers);
      assert.deepEqual([wrong.status, wrong.type, wrong.body.toString()], [403, "text/plain", "failed_authentication\nthe ticket's token cannot be read\n"]);
      const csr = await makeCertificateRequest(makePrivateKey());
      csr[csr.length - 3] = (csr[csr.length - 3] as number) ^ 1;
      for (const bad of [csr, new Uint8Array(0), Buffer.from("nonsense")]) {
        const answer = await post(at, await form(join.token, bad), headers);
        assert.equal(answer.status, 403);
        assert.match(answer.body.toString(), /^bad_CSR\n/);
      }
    });

    test("an error to what is no enrollment, and lives on", async (t) => {
      const at = await member(t, fleet, first);
      assert.equal((await post(at, Buffer.from("x"), headers)).status, 400);
      assert.equal((await post(at, Buffer.from("x"))).status, 400);
      assert.equal((await post(at, Buffer.alloc(0), {}, "/", "GET")).status, 404);
      assert.equal((await post(at, Buffer.alloc(0), {}, "/enroll", "GET")).status, 405);
      assert.equal((await post(at, Buffer.alloc(20_000), headers)).status, 413);
      assert.equal((await ask(at, join)).outcome, "granted");
    });

    test("429 to a source that asks too often", async (t) => {
      const at = await member(t, fleet, first);
      const statuses: (number | undefined)[] = [];
      for (let i = 0; i < 25; i++) statuses.push((await post(at, Buffer.from("x"), headers)).status);
      assert.ok(statuses.includes(429), statuses.join());
      const answer = await ask(at, join);
      assert.ok(answer.outcome === "unreachable" && /429.*try again/.test(answer.reason));
    });
  });

  test("multipart bodies are read back, and broken ones are not", () => {
    const parts = [
      { name: "a", contentType: "text/plain", body: Buffer.from("one\r\n--not the boundary\r\n") },
      { name: "", contentType: "application/pkcs8", body: Buffer.from([0, 13, 10, 255]) },
    ];
    const body = formatMultipart(parts, "b");
    assert.deepEqual(parseMultipart(body, "multipart/mixed; boundary=b"), parts);
    assert.equal(parseMultipart(body, "multipart/mixed"), undefined);
    assert.equal(parseMultipart(body, "multipart/mixed; boundary=c"), undefined);
    for (let length = 0; length < body.length - 4; length++) assert.equal(parseMultipart(body.subarray(0, length), "x; boundary=b"), undefined);
    assert.equal(parseMultipart(formatMultipart(Array.from({ length: 17 }, () => ({ name: "", contentType: "a/b", body: Buffer.alloc(0) })), "b"), "x; boundary=b"), undefined);
  });
});
