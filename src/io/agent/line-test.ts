// Rings a phone so that a person hears which one it is: a call from "Line test" through the box and the flow that calls
// take. It hangs up by itself, also when somebody answers.

import { randomBytes } from "node:crypto";
import { type Address, formatAddress } from "../../base/address.ts";
import { milliseconds, seconds } from "../../base/time.ts";
import type { FlowReport } from "../../peer/reports.ts";
import { ackTo, cancelOf, type NameAndValue, responseTo } from "../../sip/message/build.ts";
import type { SipRequest, SipResponse, ValidRequest } from "../../sip/message/message.ts";
import { isSipUri, parseUri } from "../../sip/message/uri.ts";
import { SipClient } from "./sip-client.ts";

/** Long enough to be heard across a room. */
const RINGS_FOR = seconds(6);
/** To the first sign of life, and after CANCEL to the end. */
const PATIENCE = seconds(5);
const WHOLE_CALL = seconds(20);

export interface LineTest {
  readonly rang: boolean;
  /** In plain words: what the phone did. */
  readonly detail: string;
}

export async function ringPhone(flow: FlowReport, box: Address, domain: string): Promise<LineTest> {
  const uri = parseUri(flow.contact);
  if (uri === undefined || !isSipUri(uri)) return { rang: false, detail: "its contact cannot be called" };
  let client: SipClient | undefined;
  try {
    client = await SipClient.open("UDP", box, (request, by) => refuseOrAgree(request, by));
    return await new TestCall(client, flow, box, domain).run();
  } catch (error) {
    return { rang: false, detail: error instanceof Error ? error.message : String(error) };
  } finally {
    const open = client;
    setTimeout(() => open?.close(), milliseconds(500)); // what was sent last is sent
  }
}

class TestCall {
  readonly #client: SipClient;
  readonly #flow: FlowReport;
  readonly #box: Address;
  readonly #domain: string;
  readonly #id = randomBytes(8).toString("hex");
  readonly #invite: SipRequest;
  #rangAfter: number | undefined;
  #early = false;

  constructor(client: SipClient, flow: FlowReport, box: Address, domain: string) {
    this.#client = client;
    this.#flow = flow;
    this.#box = box;
    this.#domain = domain;
    this.#invite = this.#make("INVITE", this.#flow.contact, `<sip:${flow.aor}>`, this.#toPhone(), silentSdp(client.contact("x")));
  }

  async run(): Promise<LineTest> {
    const started = performance.now();
    const timers = [setTimeout(() => this.#cancelUnless(() => this.#early), PATIENCE)];
    try {
      const { response } = await this.#client.ask(this.#invite, WHOLE_CALL, ({ status }) => {
        if (status === 100 || this.#early) return;
        this.#early = true;
        this.#rangAfter = Math.round(performance.now() - started);
        timers.push(setTimeout(() => this.#cancelUnless(() => false), RINGS_FOR));
      });
      return this.#judge(response);
    } finally {
      for (const timer of timers) clearTimeout(timer);
    }
  }

  #judge(response: SipResponse): LineTest {
    const { status, reason } = response;
    if (status >= 200 && status < 300) {
      this.#hangUp(response);
      return { rang: true, detail: "it was answered, and hung up again" };
    }
    this.#client.send(ackTo(this.#invite, response));
    if (this.#rangAfter !== undefined) return { rang: true, detail: `it rang after ${this.#rangAfter} ms, for ${RINGS_FOR / 1_000} s` };
    if (status === 486) return { rang: false, detail: "it is busy" };
    return { rang: false, detail: status === 408 || status === 487 ? "it does not answer" : `it refused: ${status} ${reason}` };
  }

  #cancelUnless(isAlive: () => boolean): void {
    if (!isAlive()) this.#client.send(cancelOf(this.#invite));
  }

  #hangUp(answer: SipResponse): void {
    const routes = answer.headers("record-route").toReversed().map((value): NameAndValue => ["Route", value]);
    const [contact] = answer.contacts === "*" ? [] : (answer.contacts ?? []);
    const target = contact?.uriText ?? this.#flow.contact;
    const to = answer.header("to") ?? "";
    this.#client.send(this.#make("ACK", target, to, routes));
    this.#client.send(this.#make("BYE", target, to, routes, "", 2));
  }

  #toPhone(): readonly NameAndValue[] {
    return this.#flow.token === "" ? [] : [["Route", `<sip:${this.#flow.token}@${formatAddress(this.#box)};lr>`]];
  }

  #make(method: string, uri: string, to: string, routes: readonly NameAndValue[], body = "", cseq = 1): SipRequest {
    const contact: readonly NameAndValue[] = method === "INVITE" ? [["Contact", `<${this.#client.contact("line-test")}>`], ["Content-Type", "application/sdp"]] : [];
    return this.#client.make(
      method, uri,
      [...routes, ["From", `"Line test" <sip:line-test@${this.#domain}>;tag=${this.#id}`], ["To", to], ["Call-ID", `ringbox-line-test-${this.#id}`], ["CSeq", `${cseq} ${method}`], ["User-Agent", "ringbox-agent"], ...contact],
      body,
    );
  }
}

/** A call without sound: nothing is sent, and nothing expected. */
const silentSdp = (contact: string): string => {
  const host = /@(\[[^\]]+\]|[^:;]+)/.exec(contact)?.[1] ?? "127.0.0.1";
  const family = host.startsWith("[") ? `IP6 ${host.slice(1, -1)}` : `IP4 ${host}`;
  return `v=0\r\no=line-test 1 1 IN ${family}\r\ns=-\r\nc=IN ${family}\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\na=inactive\r\n`;
};

/** The phone may hang up itself. */
function refuseOrAgree(request: ValidRequest, client: SipClient): void {
  if (request.method !== "ACK") client.send(responseTo(request, request.method === "BYE" ? 200 : 481));
}
