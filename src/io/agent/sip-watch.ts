// Asks the box's SIP port OPTIONS every second, on each transport: whether somebody is there at all shows sooner than
// a trial call can tell.

import type { Address } from "../../base/address.ts";
import { type Duration, milliseconds } from "../../base/time.ts";
import type { SipTransport } from "../../health/report.ts";
import type { SipResponse } from "../../sip/message/message.ts";
import { type Answer, SipClient } from "./sip-client.ts";

const PATIENCE = milliseconds(1_500);

export interface OptionsQuestion {
  readonly transport: SipTransport;
  readonly box: Address;
  readonly domain: string;
  readonly user: string;
}

/** One connection to one port, kept as long as it answers. */
export class SipWatch {
  readonly #question: OptionsQuestion;
  readonly #patience: Duration;
  #client: SipClient | undefined;
  #cseq = 0;

  constructor(question: OptionsQuestion, patience: Duration = PATIENCE) {
    this.#question = question;
    this.#patience = patience;
  }

  /** `undefined`: no answer. */
  async ask(): Promise<Answer | undefined> {
    const { transport, box, domain, user } = this.#question;
    if (this.#client?.isBroken === true) this.close();
    try {
      this.#client ??= await this.#open(transport, box);
      const tag = (++this.#cseq).toString(36);
      const from = `<sip:${user}@${domain}>;tag=${tag}`;
      const request = this.#client.make("OPTIONS", `sip:${domain}`, [
        ["From", from], ["To", `<sip:${domain}>`], ["Call-ID", `ringbox-proof-options-${tag}`], ["CSeq", `${this.#cseq} OPTIONS`], ["User-Agent", "ringbox-agent"],
      ]);
      return await this.#client.ask(request, this.#patience);
    } catch {
      this.close(); // the reason is the same for whoever asks: nobody answered
      return undefined;
    }
  }

  close(): void {
    this.#client?.close();
    this.#client = undefined;
  }

  async #open(transport: SipTransport, box: Address): Promise<SipClient> {
    const opening = SipClient.open(transport, box, () => undefined);
    const late = new Promise<never>((_, failed) => setTimeout(() => failed(new Error("no connection")), this.#patience).unref());
    opening.then(
      (client) => setImmediate(() => (this.#client === client ? undefined : client.close())),
      () => undefined,
    );
    return await Promise.race([opening, late]);
  }
}

/** Address of the page in an answer to OPTIONS (Call-Info, purpose=info); `undefined` if there is none. */
export function pageIn(response: SipResponse): string | undefined {
  const value = response.header("call-info") ?? "";
  const end = value.indexOf(">");
  if (!value.startsWith("<http://") || end < 0 || !value.includes("purpose=info")) return undefined;
  return value.slice(1, end);
}
