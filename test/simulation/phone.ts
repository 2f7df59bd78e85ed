// A desk phone over UDP, as RFC 3261 wants one: retransmits, answers challenges, refreshes its binding,
// goes to another box when its own does not answer, calls and is called.

import type { Address } from "../../src/base/address.ts";
import type { Crypto } from "../../src/base/crypto.ts";
import type { SeededRandom } from "../support/seeded-random.ts";
import {
  addressOf, headerOf, headersOf, listOf, methodOf, parameterOf, readSip, type SipText, statusOf, uriOf, writeSip,
} from "../support/sip-text.ts";
import type { World } from "../support/world.ts";

const T1 = 500;
const T2 = 4_000;
const GIVES_UP = 64 * T1;

type Headers = readonly (readonly [string, string])[];
/** The final response, or `undefined` if none came. */
type Finished = (response: SipText | undefined) => void;

interface ClientTransaction {
  readonly invite: boolean;
  readonly finished: Finished;
  proceeding: boolean;
  over: boolean;
}

interface Request {
  readonly method: string;
  readonly uri: string;
  readonly to: Address;
  readonly from: string;
  readonly toHeader: string;
  readonly callId: string;
  readonly cseq: number;
  readonly extra: Headers;
}

/** A call as this phone's end sees it, after the 200. */
interface Dialog {
  readonly callId: string;
  readonly local: string;
  readonly remote: string;
  readonly target: string;
  readonly route: readonly string[];
  cseq: number;
}

interface IncomingCall {
  /** Further branches of the same INVITE, refused with 482 (RFC 3261 8.2.2.2). BOUNDED: by the proxies on the way. */
  readonly refused: Set<string>;
  readonly branch: string;
  readonly callId: string;
  response: string;
  readonly back: Address;
  /** The caller heard of the final response: by ACK, or does not want it, by CANCEL. */
  acknowledged: boolean;
  cancelled: boolean;
  readonly invite: SipText;
}

interface Challenge {
  readonly realm: string;
  readonly nonce: string;
  readonly algorithm: "MD5" | "SHA-256";
  readonly header: "Authorization" | "Proxy-Authorization";
  uses: number;
}

export interface Account {
  readonly user: string;
  readonly domain: string;
  readonly password: string;
}

export class Phone {
  readonly account: Account;
  readonly address: Address;
  readonly place: number;
  /** Lies somewhere without anybody near, or off: takes no call, and says nothing about it. */
  deaf = false;
  /** Calls answered here, and not yet over. BOUNDED: forgets the first beyond 16. */
  readonly #incoming = new Map<string, IncomingCall>();
  readonly #transactions = new Map<string, ClientTransaction>();
  readonly #acks = new Map<string, string>();
  #challenge: Challenge | undefined;
  #serial = 0;
  #registerCseq = 0;
  readonly #registerCallId: string;
  readonly #world: World;
  readonly #crypto: Crypto;
  readonly #random: SeededRandom;

  constructor(world: World, crypto: Crypto, account: Account, place: number, address: Address) {
    this.#world = world;
    this.#crypto = crypto;
    this.account = account;
    this.place = place;
    this.address = address;
    this.#random = world.random.fork(`phone ${account.user}`);
    this.#registerCallId = `r${this.#random.uint32().toString(16)}@${address.host}`;
    world.network.bindDatagrams(address, place, (from, octets) => this.#receive(from, octets));
  }

  get aor(): string {
    return `${this.account.user}@${this.account.domain}`;
  }
  get contact(): string {
    return `sip:${this.account.user}@${this.address.host}:${this.address.port}`;
  }

  // --- what it wants ------------------------------------------------------------------------

  /** `finished` hears the last response, after challenges. */
  register(box: Address, expires: number, finished: Finished): void {
    const identity = `<sip:${this.aor}>`;
    this.#authenticated(
      () => ({
        method: "REGISTER", uri: `sip:${this.account.domain}`, to: box, from: `${identity};tag=${this.#tag()}`, toHeader: identity,
        callId: this.#registerCallId, cseq: ++this.#registerCseq,
        extra: [["Contact", `<${this.contact}>`], ["Expires", String(expires)]],
      }),
      finished,
    );
  }

  /** Calls, talks for `talk` milliseconds and hangs up; `answered` hears the final response to the INVITE. */
  call(box: Address, aor: string, talk: number, answered: Finished, hungUp: Finished): void {
    const callId = `c${this.#random.uint32().toString(16)}@${this.address.host}`;
    const local = `<sip:${this.aor}>;tag=${this.#tag()}`;
    let cseq = 0;
    this.#authenticated(
      () => ({
        method: "INVITE", uri: `sip:${aor}`, to: box, from: local, toHeader: `<sip:${aor}>`, callId, cseq: ++cseq,
        extra: [["Contact", `<${this.contact}>`]],
      }),
      (response) => {
        answered(response);
        if (response === undefined || statusOf(response) !== 200) return;
        const dialog: Dialog = {
          callId, local, remote: headerOf(response, "to"), cseq, target: uriOf(headerOf(response, "contact")),
          route: [...listOf(response, "record-route")].reverse(),
        };
        this.#acknowledge(dialog, box);
        this.#world.queue.after(talk, () => this.#hangUp(dialog, box, hungUp));
      },
    );
  }

  #acknowledge(dialog: Dialog, box: Address): void {
    const request = this.#inDialog("ACK", dialog, box);
    const ack = this.#write(request, this.#branch());
    this.#acks.set(dialog.callId, ack);
    this.#send(request.to, ack);
    this.#world.queue.after(GIVES_UP, () => this.#acks.delete(dialog.callId));
  }

  #hangUp(dialog: Dialog, box: Address, finished: Finished): void {
    dialog.cseq++;
    this.#request(this.#inDialog("BYE", dialog, box), finished);
  }

  #inDialog(method: string, { callId, local, remote, target, route, cseq }: Dialog, box: Address): Request {
    const [first] = route;
    return {
      method, uri: target, to: first === undefined ? box : addressOf(uriOf(first)), from: local, toHeader: remote, callId, cseq,
      extra: route.map((value) => ["Route", value] as const),
    };
  }

  // --- client transactions ------------------------------------------------------------------

  /** Sends a request with what is known of the realm, and once more if it is challenged. */
  #authenticated(make: () => Request, finished: Finished): void {
    const attempt = (left: number): void => {
      const request = make();
      const extra = [...request.extra, ...this.#credentials(request)];
      this.#request({ ...request, extra }, (response) => {
        const status = response === undefined ? 0 : statusOf(response);
        if (response === undefined || (status !== 401 && status !== 407) || left === 0) return finished(response);
        this.#challenge = readChallenge(response);
        attempt(left - 1);
      });
    };
    attempt(2);
  }

  #credentials({ method, uri }: Request): Headers {
    const challenge = this.#challenge;
    if (challenge === undefined) return [];
    const { realm, nonce, algorithm } = challenge;
    const { user, password } = this.account;
    const hash = (text: string): string => (algorithm === "MD5" ? this.#crypto.md5Hex(text) : this.#crypto.sha256Hex(text));
    const count = (++challenge.uses).toString(16).padStart(8, "0");
    const cnonce = this.#random.uint32().toString(16);
    const response = hash([hash(`${user}:${realm}:${password}`), nonce, count, cnonce, "auth", hash(`${method}:${uri}`)].join(":"));
    const value =
      `Digest username="${user}", realm="${realm}", nonce="${nonce}", uri="${uri}", response="${response}", ` +
      `algorithm=${algorithm}, cnonce="${cnonce}", qop=auth, nc=${count}`;
    return [[method === "REGISTER" ? "Authorization" : challenge.header, value]];
  }

  #request(request: Request, finished: Finished): void {
    const branch = this.#branch();
    const octets = this.#write(request, branch);
    const invite = request.method === "INVITE";
    const transaction: ClientTransaction = { invite, finished, proceeding: false, over: false };
    this.#transactions.set(branch, transaction);
    const resend = (wait: number): void => {
      if (transaction.over || (invite && transaction.proceeding)) return;
      this.#send(request.to, octets);
      this.#world.queue.after(wait, () => resend(invite ? 2 * wait : Math.min(2 * wait, T2)));
    };
    resend(T1);
    const limit = (): void => {
      if (transaction.over) return;
      if (invite && transaction.proceeding) return this.#world.queue.after(6 * GIVES_UP, () => this.#finish(branch, undefined));
      this.#finish(branch, undefined);
    };
    this.#world.queue.after(GIVES_UP, limit);
  }

  #finish(branch: string, response: SipText | undefined): void {
    const transaction = this.#transactions.get(branch);
    if (transaction === undefined || transaction.over) return;
    transaction.over = true;
    this.#world.queue.after(GIVES_UP, () => this.#transactions.delete(branch));
    transaction.finished(response);
  }

  #write({ method, uri, from, toHeader, callId, cseq, extra }: Request, branch: string): string {
    const via = `SIP/2.0/UDP ${this.address.host}:${this.address.port};branch=${branch};rport`;
    return writeSip(`${method} ${uri} SIP/2.0`, [
      ["Via", via], ["Max-Forwards", "70"], ["From", from], ["To", toHeader], ["Call-ID", callId], ["CSeq", `${cseq} ${method}`],
      ...extra,
    ]);
  }

  #receiveResponse(from: Address, response: SipText): void {
    const status = statusOf(response);
    const branch = parameterOf(headerOf(response, "via"), "branch");
    const transaction = this.#transactions.get(branch);
    if (transaction === undefined) return;
    if (status < 200) {
      transaction.proceeding = true;
      return;
    }
    if (transaction.invite && status >= 300) this.#send(from, this.#writeAckOfFailure(response, branch));
    if (transaction.over && status < 300) {
      const ack = this.#acks.get(headerOf(response, "call-id"));
      const dialogAck = transaction.invite && ack !== undefined ? ack : undefined;
      if (dialogAck !== undefined) this.#send(from, dialogAck);
      return;
    }
    this.#finish(branch, response);
  }

  #writeAckOfFailure(response: SipText, branch: string): string {
    const cseq = Number.parseInt(headerOf(response, "cseq"), 10);
    return this.#write(
      {
        method: "ACK", uri: uriOf(headerOf(response, "to")), to: this.address, from: headerOf(response, "from"),
        toHeader: headerOf(response, "to"), callId: headerOf(response, "call-id"), cseq, extra: [],
      },
      branch,
    );
  }

  // --- being called -------------------------------------------------------------------------

  #receive(from: Address, octets: string): void {
    const text = readSip(octets);
    if (statusOf(text) > 0) return this.#receiveResponse(from, text);
    const method = methodOf(text);
    const callId = headerOf(text, "call-id");
    if (this.deaf && (method === "INVITE" || method === "CANCEL")) return;
    if (method === "INVITE") return this.#ring(from, text, callId);
    const call = this.#incoming.get(callId);
    if (method === "ACK") {
      // The ACK to a 482 is for that branch only; the call itself still waits for its own.
      if (call !== undefined && !call.refused.has(parameterOf(headerOf(text, "via"), "branch"))) call.acknowledged = true;
      return;
    }
    if (method === "BYE" && call !== undefined) call.acknowledged = true;
    if (method === "CANCEL" && call !== undefined && call.branch === parameterOf(headerOf(text, "via"), "branch")) this.#cancel(from, call);
    this.#send(from, this.#respond(text, "200 OK"));
  }

  #ring(from: Address, invite: SipText, callId: string): void {
    const branch = parameterOf(headerOf(invite, "via"), "branch");
    const known = this.#incoming.get(callId);
    if (known !== undefined && known.branch === branch) return this.#send(from, known.response);
    if (known !== undefined) {
      known.refused.add(branch);
      return this.#send(from, this.#respond(invite, "482 Loop Detected"));
    }
    const call: IncomingCall = { branch, refused: new Set(), callId, response: this.#respond(invite, "180 Ringing"), back: from, acknowledged: false, cancelled: false, invite };
    if (this.#incoming.size >= 16) this.#incoming.delete(this.#incoming.keys().next().value ?? "");
    this.#incoming.set(callId, call);
    this.#send(from, call.response);
    this.#world.queue.after(this.#random.between(300, 4_000), () => this.#answer(call));
    this.#world.queue.after(4 * GIVES_UP, () => this.#incoming.delete(callId));
  }

  #cancel(from: Address, call: IncomingCall): void {
    if (!call.response.startsWith("SIP/2.0 180")) return;
    call.cancelled = true;
    call.response = this.#respond(call.invite, "487 Request Terminated");
    this.#send(from, call.response);
  }

  #answer(call: IncomingCall): void {
    if (call.cancelled) return;
    call.response = this.#respond(call.invite, "200 OK");
    const resend = (wait: number, sent: number): void => {
      if (call.acknowledged || sent > GIVES_UP) return;
      this.#send(call.back, call.response);
      this.#world.queue.after(wait, () => resend(Math.min(2 * wait, T2), sent + wait));
    };
    resend(T1, 0);
  }

  #respond(request: SipText, status: string): string {
    const to = headerOf(request, "to");
    const callId = headerOf(request, "call-id");
    const tagged = parameterOf(to, "tag") === "" ? `${to};tag=${this.account.user}${callId.slice(0, 9)}` : to;
    return writeSip(`SIP/2.0 ${status}`, [
      ...headersOf(request, "via").map((value) => ["Via", value] as const),
      ...headersOf(request, "record-route").map((value) => ["Record-Route", value] as const),
      ["From", headerOf(request, "from")], ["To", tagged], ["Call-ID", callId], ["CSeq", headerOf(request, "cseq")],
      ["Contact", `<${this.contact}>`],
    ]);
  }

  #send(to: Address, octets: string): void {
    this.#world.network.sendDatagram(this.address, this.place, to, octets);
  }
  #tag(): string {
    return this.#random.uint32().toString(16);
  }
  #branch(): string {
    return `z9hG4bK${this.account.user}${(++this.#serial).toString(16)}`;
  }
}

/** Prefers SHA-256 where it is offered. */
function readChallenge(response: SipText): Challenge {
  const proxy = statusOf(response) === 407;
  const offers = headersOf(response, proxy ? "proxy-authenticate" : "www-authenticate");
  const offer = offers.find((value) => parameterOf(value, "algorithm").toUpperCase() === "SHA-256") ?? offers[0] ?? "";
  return {
    realm: parameterOf(offer.replace(/^Digest /i, ""), "realm"),
    nonce: parameterOf(offer.replace(/^Digest /i, ""), "nonce"),
    algorithm: parameterOf(offer.replace(/^Digest /i, ""), "algorithm").toUpperCase() === "SHA-256" ? "SHA-256" : "MD5",
    header: proxy ? "Proxy-Authorization" : "Authorization",
    uses: 0,
  };
}
