// A phone with a password that registers, calls with a session description, is called, answers and hangs up.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import type { TestContext } from "node:test";
import { seconds } from "../../src/base/time.ts";
import type { SipTransport } from "../../src/health/report.ts";
import { SipClient } from "../../src/io/agent/sip-client.ts";
import { NodeCrypto } from "../../src/io/crypto.ts";
import { ackTo, type NameAndValue, responseTo } from "../../src/sip/message/build.ts";
import { digestHa1, digestResponse, parseChallenge } from "../../src/sip/message/digest.ts";
import type { SipRequest, SipResponse } from "../../src/sip/message/message.ts";
import { PATIENCE } from "../lab/until.ts";
import { atEnd, type BuiltBox, DOMAIN, SIP_PORT } from "./built-ring.ts";

const SDP: NameAndValue = ["Content-Type", "application/sdp"];

export class CallingPhone {
  readonly user: string;
  readonly #password: string;
  readonly #client: SipClient;
  /** The session description it calls and answers with. */
  readonly session: string;
  readonly #tag = randomBytes(6).toString("hex");
  readonly #crypto = new NodeCrypto(undefined);
  readonly #model: string;
  /** Nonces that it got, and what it made of them. */
  readonly proofs: string[] = [];
  /** What it sent, and what it answered. */
  readonly heardAndSaid: string[];
  #cseq = 0;

  private constructor(client: SipClient, user: string, password: string, session: string, model: string, said: string[]) {
    this.#client = client;
    this.heardAndSaid = said;
    this.user = user;
    this.#password = password;
    this.session = session;
    this.#model = model;
  }

  /** Registered at `box`. */
  static async at(t: TestContext, box: BuiltBox, user: string, password: string, { transport = "UDP" as SipTransport, session = "v=0\r\n", model = "Desk/1" } = {}): Promise<CallingPhone> {
    const said: string[] = [];
    const client = await SipClient.open(transport, { host: box.address, port: SIP_PORT }, (request, by) => {
      if (request.method === "ACK") return;
      const routes = request.headers("record-route").map((value): NameAndValue => ["Record-Route", value]);
      if (request.method !== "INVITE") return by.send(responseTo(request, 200, "", { toTag: user, fields: routes }));
      by.send(responseTo(request, 180, "", { toTag: user, fields: routes }));
      const ok = responseTo(request, 200, "", { toTag: user, fields: [...routes, ["Contact", `<${by.contact(user)}>`], SDP] });
      const answer = withBody(ok, session);
      said.push(answer.octets);
      setTimeout(() => by.send(answer), RINGS_MS);
    });
    atEnd(t, () => client.close());
    const phone = new CallingPhone(client, user, password, session, model, said);
    assert.equal((await phone.register(password)).status, 200);
    return phone;
  }

  async register(password = this.#password): Promise<SipResponse> {
    const to = `<sip:${this.user}@${DOMAIN}>`;
    return await this.#authenticated("REGISTER", `sip:${DOMAIN}`, [["To", to], ["Call-ID", `register-${this.#tag}-${password.length}`], ["Contact", `<${this.#client.contact(this.user)}>`], ["Expires", "600"]], "", password);
  }

  /** Answered, and hung up after a moment; the Call-ID. */
  async call(user: string, fields: readonly NameAndValue[] = []): Promise<string> {
    const callId = `call-${randomBytes(8).toString("hex")}`;
    const uri = `sip:${user}@${DOMAIN}`;
    const answer = await this.#authenticated("INVITE", uri, [["To", `<${uri}>`], ["Call-ID", callId], ["Contact", `<${this.#client.contact(this.user)}>`], ...fields, SDP], this.session);
    assert.equal(answer.status, 200, answer.octets);
    const routes = answer.headers("record-route").toReversed().map((value): NameAndValue => ["Route", value]);
    const [contact] = answer.contacts === "*" ? [] : (answer.contacts ?? []);
    const inDialog: readonly NameAndValue[] = [["To", answer.header("to") ?? ""], ["Call-ID", callId], ...routes];
    this.#client.send(this.#make("ACK", contact?.uriText ?? "", inDialog, "", this.#cseq));
    await new Promise((resolve) => setTimeout(resolve, RINGS_MS));
    const { response } = await this.#client.ask(this.#make("BYE", contact?.uriText ?? "", inDialog), seconds(PATIENCE));
    assert.equal(response.status, 200);
    return callId;
  }

  async #authenticated(method: string, uri: string, fields: readonly NameAndValue[], body = "", password = this.#password): Promise<SipResponse> {
    const first = this.#make(method, uri, fields, body);
    const { response } = await this.#client.ask(first, seconds(PATIENCE));
    if (method === "INVITE" && response.status >= 300) this.#client.send(ackTo(first, response));
    const isProxy = response.status === 407;
    const challenge = parseChallenge(response.header(isProxy ? "proxy-authenticate" : "www-authenticate") ?? "");
    if (challenge === undefined) return response;
    const { realm, nonce, algorithm } = challenge;
    const parts = { username: this.user, realm, nonce, uri, algorithm, qop: "auth", nc: "00000001", cnonce: this.#tag, opaque: undefined };
    const digest = digestResponse(this.#crypto, parts, method, digestHa1(this.#crypto, algorithm, this.user, realm, password));
    this.proofs.push(nonce, digest);
    const value = `Digest username="${this.user}", realm="${realm}", nonce="${nonce}", uri="${uri}", response="${digest}", algorithm=${algorithm}, qop=auth, nc=00000001, cnonce="${this.#tag}"`;
    return (await this.#client.ask(this.#make(method, uri, [...fields, [isProxy ? "Proxy-Authorization" : "Authorization", value]], body), seconds(PATIENCE))).response;
  }

  #nextCseq(): number {
    this.#cseq += 1;
    return this.#cseq;
  }

  #make(method: string, uri: string, fields: readonly NameAndValue[], body = "", cseq = this.#nextCseq()): SipRequest {
    const request = this.#client.make(method, uri, [["From", `<sip:${this.user}@${DOMAIN}>;tag=${this.#tag}`], ["CSeq", `${cseq} ${method}`], ["User-Agent", this.#model], ...fields], body);
    this.heardAndSaid.push(request.octets);
    return request;
  }
}

/** How long it rings, and is talked. */
const RINGS_MS = 100;

function withBody(response: SipResponse, body: string): SipResponse {
  const octets = response.octets.replace("Content-Length: 0", `Content-Length: ${body.length}`) + body;
  return { ...response, octets } as SipResponse;
}
