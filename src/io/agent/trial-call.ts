// A real call through a box's own sockets, to itself: register, call, ring, answer, hang up, unregister. It takes the
// way that a phone's call takes: the SIP port, the registrar, a look-up in the ring, the proxy, the flow back.

import { randomBytes } from "node:crypto";
import type { Address } from "../../base/address.ts";
import { milliseconds } from "../../base/time.ts";
import type { SipTransport } from "../../health/report.ts";
import { proofPassword, proofUser } from "../../sip/auth/proof-user.ts";
import { ackTo, type NameAndValue, responseTo } from "../../sip/message/build.ts";
import { digestHa1, digestResponse, parseChallenge } from "../../sip/message/digest.ts";
import type { SipRequest, SipResponse, ValidRequest } from "../../sip/message/message.ts";
import { isSipUri } from "../../sip/message/uri.ts";
import { NodeCrypto } from "../crypto.ts";
import { SipClient } from "./sip-client.ts";

/** Each request of a trial call. A box that takes longer is broken for a person who waits. */
const PATIENCE = milliseconds(3_000);
const ANSWER_REPEAT = milliseconds(500);
/** The box keeps the registration so long if the trial ends in the middle: the shortest that every fleet takes. */
const REGISTERED_SECONDS = 3_600;

export interface TrialSettings {
  readonly transport: SipTransport;
  /** The SIP port of the box that is tried. */
  readonly box: Address;
  readonly domain: string;
  /** Node-ID of the box whose agent tries. */
  readonly by: string;
  readonly fleetSecret: Uint8Array;
}

export interface TrialOutcome {
  readonly succeeded: boolean;
  readonly tookMs: number;
  readonly detail: string;
}

export async function tryCall(settings: TrialSettings): Promise<TrialOutcome> {
  const started = performance.now();
  const outcome = (succeeded: boolean, detail: string): TrialOutcome => ({ succeeded, detail, tookMs: Math.round((performance.now() - started) * 10) / 10 });
  const phone = new ProofPhone();
  let client: SipClient | undefined;
  try {
    client = await SipClient.open(settings.transport, settings.box, (request, by) => phone.asked(request, by));
    await new TrialCall(settings, client, phone).run();
    return outcome(true, "registered, rang, answered, hung up");
  } catch (error) {
    return outcome(false, error instanceof Error ? error.message : String(error));
  } finally {
    phone.stop();
    client?.close();
  }
}

/** The called side: rings and answers, and says goodbye. */
class ProofPhone {
  rang = false;
  hungUp = false;
  #repeat: NodeJS.Timeout | undefined;

  asked(request: ValidRequest, client: SipClient): void {
    switch (request.method) {
      case "INVITE": {
        this.rang = true;
        const options = { toTag: "called", fields: recordRoutes(request) };
        client.send(responseTo(request, 180, "", options));
        this.#answer(client, responseTo(request, 200, "", { ...options, fields: [...options.fields, ["Contact", `<${client.contact("called")}>`]] }));
        return;
      }
      case "ACK":
        this.stop();
        return;
      case "BYE":
        this.hungUp = true;
        this.stop();
        client.send(responseTo(request, 200));
        return;
      default:
        client.send(responseTo(request, 200, "", { toTag: "called" }));
    }
  }

  stop(): void {
    clearInterval(this.#repeat);
  }

  /** RFC 3261 13.3.1.4: again and again until the ACK, for nobody else repeats it. */
  #answer(client: SipClient, response: SipResponse): void {
    this.stop();
    client.send(response);
    this.#repeat = setInterval(() => client.send(response), ANSWER_REPEAT);
  }
}

const recordRoutes = (request: SipRequest): readonly NameAndValue[] => request.headers("record-route").map((value) => ["Record-Route", value]);

class TrialCall {
  readonly #settings: TrialSettings;
  readonly #client: SipClient;
  readonly #phone: ProofPhone;
  readonly #user: string;
  readonly #tag = randomBytes(6).toString("hex");
  readonly #callId = `ringbox-proof-${randomBytes(9).toString("hex")}`;
  readonly #crypto = new NodeCrypto(undefined);
  #cseq = 0;

  constructor(settings: TrialSettings, client: SipClient, phone: ProofPhone) {
    this.#settings = settings;
    this.#client = client;
    this.#phone = phone;
    this.#user = proofUser(settings.by, settings.transport);
  }

  async run(): Promise<void> {
    await this.#register(REGISTERED_SECONDS);
    try {
      await this.#call();
    } finally {
      await this.#register(0);
    }
  }

  async #register(seconds: number): Promise<void> {
    const contact = `<${this.#client.contact(this.#user)}>;+sip.instance="<urn:uuid:${instanceOf(this.#settings.by)}>";expires=${seconds}`;
    const request = (extra: readonly NameAndValue[]): SipRequest =>
      this.#make("REGISTER", `sip:${this.#settings.domain}`, this.#to(), [["Contact", contact], ...extra]);
    expect(await this.#authenticated(request), "REGISTER");
  }

  async #call(): Promise<void> {
    const contact: NameAndValue = ["Contact", `<${this.#client.contact(this.#user)}>`];
    const invite = (extra: readonly NameAndValue[]): SipRequest => this.#make("INVITE", `sip:${this.#aor}`, this.#to(), [contact, ...extra]);
    const answer = expect(await this.#authenticated(invite), "INVITE");
    if (!this.#phone.rang) throw new Error("the call was answered by somebody else");
    const routes = answer.headers("record-route").toReversed().map((value): NameAndValue => ["Route", value]);
    const target = targetOf(answer);
    const to = answer.header("to") ?? "";
    this.#client.send(this.#make("ACK", target, to, routes, this.#cseq));
    const bye = await this.#client.ask(this.#make("BYE", target, to, routes), PATIENCE);
    expect(bye.response, "BYE");
    if (!this.#phone.hungUp) throw new Error("the goodbye did not reach the called side");
  }

  /** Asks, is challenged, and asks again. */
  async #authenticated(make: (extra: readonly NameAndValue[]) => SipRequest): Promise<SipResponse> {
    const first = make([]);
    const { response } = await this.#client.ask(first, PATIENCE);
    if (first.method === "INVITE" && response.status >= 300) this.#client.send(ackTo(first, response));
    const isProxy = response.status === 407;
    if (!isProxy && response.status !== 401) return response;
    const challenge = parseChallenge(response.header(isProxy ? "proxy-authenticate" : "www-authenticate") ?? "");
    if (challenge === undefined) throw new Error(`no challenge to ${first.method} that can be answered`);
    const { realm, nonce, algorithm } = challenge;
    const password = proofPassword(this.#crypto, this.#settings.fleetSecret, this.#user);
    const ha1 = digestHa1(this.#crypto, algorithm, this.#user, realm, password);
    const parts = { username: this.#user, realm, nonce, uri: first.uriText, algorithm, qop: "auth", nc: "00000001", cnonce: this.#tag, opaque: undefined };
    const digest = digestResponse(this.#crypto, parts, first.method, ha1);
    const value = `Digest username="${this.#user}", realm="${realm}", nonce="${nonce}", uri="${first.uriText}", algorithm=${algorithm}, qop=auth, nc=00000001, cnonce="${this.#tag}", response="${digest}"`;
    const second = make([[isProxy ? "Proxy-Authorization" : "Authorization", value]]);
    const answer = await this.#client.ask(second, PATIENCE);
    if (second.method === "INVITE" && answer.response.status >= 300) this.#client.send(ackTo(second, answer.response));
    return answer.response;
  }

  #nextCseq(): number {
    this.#cseq += 1;
    return this.#cseq;
  }

  get #aor(): string {
    return `${this.#user}@${this.#settings.domain}`;
  }
  #to(): string {
    return `<sip:${this.#aor}>`;
  }

  /** `cseq`: that of the INVITE for its ACK; a new one for all others. */
  #make(method: string, uri: string, to: string, fields: readonly NameAndValue[], cseq = this.#nextCseq()): SipRequest {
    return this.#client.make(method, uri, [
      ["From", `<sip:${this.#aor}>;tag=${this.#tag}`], ["To", to], ["Call-ID", this.#callId], ["CSeq", `${cseq} ${method}`],
      ["User-Agent", "ringbox-agent"], ...fields,
    ]);
  }
}

/** Where the rest of the call goes: the Contact of whoever answered. */
function targetOf(answer: SipResponse): string {
  const [contact] = answer.contacts === "*" ? [] : (answer.contacts ?? []);
  if (contact === undefined || !isSipUri(contact.uri)) throw new Error("the answer to INVITE has no Contact");
  return contact.uriText;
}

function expect(response: SipResponse, method: string): SipResponse {
  if (response.status >= 200 && response.status < 300) return response;
  throw new Error(`${method} was refused: ${response.status} ${response.reason}`);
}

/** One binding a user, however often it is tried: the same instance each time. */
const instanceOf = (nodeId: string): string => `${nodeId.slice(0, 8)}-${nodeId.slice(8, 12)}-${nodeId.slice(12, 16)}-${nodeId.slice(16, 20)}-${nodeId.slice(20)}`;
