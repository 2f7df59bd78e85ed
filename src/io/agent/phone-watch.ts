// Asks the phones that hang on this box whether they are there (OPTIONS), through the box and the flow that calls would
// take. Paced: a box with many phones asks each less often.

import { randomBytes } from "node:crypto";
import { type Address, formatAddress } from "../../base/address.ts";
import { milliseconds } from "../../base/time.ts";
import type { FlowReport } from "../../peer/reports.ts";
import { isSipUri, parseUri } from "../../sip/message/uri.ts";
import { SipClient } from "./sip-client.ts";

const PATIENCE = milliseconds(4_000);

export class PhoneWatch {
  #client: SipClient | undefined;

  /** Milliseconds to its answer, whatever it answers; `null`: it does not. */
  async ask(flow: FlowReport, box: Address, domain: string): Promise<number | null> {
    const uri = parseUri(flow.contact);
    if (uri === undefined || !isSipUri(uri)) return null;
    try {
      if (this.#client === undefined || this.#client.isBroken) this.#client = await SipClient.open("UDP", box, () => undefined);
      const id = randomBytes(8).toString("hex");
      const routes = flow.token === "" ? [] : ([["Route", `<sip:${flow.token}@${formatAddress(box)};lr>`]] as const);
      const request = this.#client.make("OPTIONS", flow.contact, [
        ...routes, ["From", `<sip:ringbox-agent@${domain}>;tag=${id}`], ["To", `<sip:${flow.aor}>`], ["Call-ID", `ringbox-proof-options-${id}`],
        ["CSeq", "1 OPTIONS"], ["User-Agent", "ringbox-agent"],
      ]);
      const { response, tookMs } = await this.#client.ask(request, PATIENCE);
      return NOT_FROM_THE_PHONE.includes(response.status) ? null : Math.round(tookMs * 10) / 10;
    } catch {
      this.close();
      return null;
    }
  }

  close(): void {
    this.#client?.close();
    this.#client = undefined;
  }
}

/** What the box answers itself when a phone does not, or its flow is gone. */
const NOT_FROM_THE_PHONE: readonly number[] = [408, 430, 480, 403, 404, 503, 502, 500];
