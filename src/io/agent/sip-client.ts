// A small SIP user agent on one wire: sends requests and waits for their final answers (RFC 3261 17.1), and gives what
// others ask of it to whoever plays the phone.

import { randomBytes } from "node:crypto";
import { type Address, formatAddress } from "../../base/address.ts";
import { type Duration, milliseconds } from "../../base/time.ts";
import type { SipTransport } from "../../health/report.ts";
import { makeRequest, type NameAndValue } from "../../sip/message/build.ts";
import type { SipRequest, SipResponse, ValidRequest } from "../../sip/message/message.ts";
import { readMessage } from "../../sip/message/parse.ts";
import { MAGIC_COOKIE } from "../../sip/message/via.ts";
import { openWire, type SipWire } from "./sip-wire.ts";

/** RFC 3261 timer T1. */
const FIRST_REPEAT = milliseconds(500);
/** Requests without a final answer; a trial has two. */
const WAITING_MAX = 64;

export interface Answer {
  readonly response: SipResponse;
  readonly tookMs: number;
}

interface Waiting {
  readonly answered: (response: SipResponse) => void;
  readonly provisional: (response: SipResponse) => void;
  readonly failed: (error: Error) => void;
}

export class SipClient {
  readonly remote: Address;
  /** Its wire carries nothing any more. */
  isBroken = false;
  readonly #wire: SipWire;
  /** By branch and method. BOUNDED: by WAITING_MAX. */
  readonly #waiting: Map<string, Waiting>;

  /** Rejects with an error in plain words. `onRequest`: what somebody asks of this user agent, every time it comes. */
  static async open(transport: SipTransport, remote: Address, onRequest: (request: ValidRequest, client: SipClient) => void): Promise<SipClient> {
    const waiting = new Map<string, Waiting>(); // BOUNDED: as #waiting
    let client: SipClient | undefined;
    const wire = await openWire(transport, remote, {
      message: (octets) => {
        const read = readMessage(octets);
        if (!read.ok || client === undefined) return;
        if (read.value.type === "request") onRequest(read.value, client);
        else client.#receive(read.value);
      },
      broken: (reason) => {
        if (client !== undefined) client.isBroken = true;
        for (const { failed } of [...waiting.values()]) failed(new Error(reason));
      },
    });
    client = new SipClient(remote, wire, waiting);
    return client;
  }

  private constructor(remote: Address, wire: SipWire, waiting: Map<string, Waiting>) {
    this.remote = remote;
    this.#wire = wire;
    this.#waiting = waiting;
  }

  /** `sip:user@host:port` by which this user agent is reached over its wire. */
  contact(user: string): string {
    const { local, transport } = this.#wire;
    return `sip:${user}@${formatAddress(local)}${CONTACT_PARAMETERS[transport]}`;
  }

  close(): void {
    this.#wire.close();
    for (const { failed } of [...this.#waiting.values()]) failed(new Error("it was stopped"));
  }

  send(message: SipRequest | SipResponse): void {
    this.#wire.send(message.octets);
  }

  /** Header fields without Via and Max-Forwards, which come first. A new branch for each. */
  make(method: string, uri: string, fields: readonly NameAndValue[], body = ""): SipRequest {
    const { local, transport } = this.#wire;
    const via = `SIP/2.0/${transport} ${formatAddress(local)};branch=${MAGIC_COOKIE}${randomBytes(9).toString("hex")};rport`;
    return makeRequest(method, uri, [["Via", via], ["Max-Forwards", "70"], ...fields], body);
  }

  /** The final answer; `provisional` is told what comes before it. Rejects with an error in plain words. */
  ask(request: SipRequest, patience: Duration, provisional: (response: SipResponse) => void = () => undefined): Promise<Answer> {
    const key = keyOf(request.topVia?.branch ?? "", request.method);
    const asked = performance.now();
    return new Promise((answered, failed) => {
      if (this.#waiting.size >= WAITING_MAX) return failed(new Error("too much is under way"));
      const timers: NodeJS.Timeout[] = []; // BOUNDED: by the repeats within the patience
      const end = (): void => {
        for (const timer of timers) clearTimeout(timer);
        this.#waiting.delete(key);
      };
      this.#waiting.set(key, {
        provisional,
        answered: (response) => {
          end();
          answered({ response, tookMs: performance.now() - asked });
        },
        failed: (error) => {
          end();
          failed(error);
        },
      });
      timers.push(setTimeout(() => this.#waiting.get(key)?.failed(new Error(`no answer to ${request.method}`)), patience));
      this.send(request);
      if (!this.#wire.lossy) return;
      for (let at = FIRST_REPEAT, step = FIRST_REPEAT; at < patience; step = milliseconds(2 * step), at = milliseconds(at + step)) {
        timers.push(setTimeout(() => this.send(request), at));
      }
    });
  }

  #receive(response: SipResponse): void {
    const waiting = this.#waiting.get(keyOf(response.topVia?.branch ?? "", response.cseq?.method ?? ""));
    if (response.status < 200) waiting?.provisional(response);
    else waiting?.answered(response);
  }
}

/** RFC 3261 19.1.1, RFC 7118 5: WebSocket is one transport in a URI, secure or not. */
const CONTACT_PARAMETERS: Readonly<Record<SipTransport, string>> = {
  UDP: "", TCP: ";transport=tcp", TLS: ";transport=tls", WS: ";transport=ws", WSS: ";transport=ws",
};

const keyOf = (branch: string, method: string): string => `${branch} ${method}`;
