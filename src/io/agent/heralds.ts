// Tells other systems when a condition comes and goes: an HTTP POST to a webhook, a datagram to a syslog server. Both
// are told once and not waited for; what must not be missed is read from /metrics or /api/report.

import { createSocket } from "node:dgram";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { type Address, isIpv6 } from "../../base/address.ts";
import { seconds } from "../../base/time.ts";
import type { ConditionWords } from "../../health/condition-board.ts";
import type { BoxName } from "../../health/report.ts";
import type { Report } from "../journal.ts";

const WEBHOOK_WAIT = seconds(5);
/** Calls under way; above it a change is not told, and the journal says so. */
const WEBHOOKS_MAX = 16;

export interface Change {
  readonly at: number;
  readonly fleet: string;
  readonly box: BoxName;
  readonly appeared: boolean;
  readonly condition: ConditionWords;
}

export interface HeraldSettings {
  /** `http:` or `https:`; `undefined`: nobody is told. */
  readonly webhook: string | undefined;
  readonly syslog: Address | undefined;
  readonly onReport: Report;
}

export class Heralds {
  readonly #settings: HeraldSettings;
  #underWay = 0;

  constructor(settings: HeraldSettings) {
    this.#settings = settings;
  }

  tell(change: Change): void {
    const { webhook, syslog } = this.#settings;
    if (webhook !== undefined) this.#callWebhook(webhook, JSON.stringify(change));
    if (syslog !== undefined) this.#sendSyslog(syslog, syslogMessage(change));
  }

  #callWebhook(url: string, body: string): void {
    const failed = (reason: string): void => this.#settings.onReport("warning", `The webhook was not told: ${reason}.`);
    if (this.#underWay >= WEBHOOKS_MAX) return failed("too many calls are under way");
    this.#underWay += 1;
    const ask = url.startsWith("https:") ? httpsRequest : httpRequest;
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body), "user-agent": "ringbox-agent" };
    const call = ask(url, { method: "POST", headers, signal: AbortSignal.timeout(WEBHOOK_WAIT) });
    call.on("response", (response) => {
      const { statusCode = 0 } = response;
      if (statusCode < 200 || statusCode > 299) failed(`it answered ${statusCode}`);
      response.resume();
    });
    call.on("error", (error) => failed(error.message));
    call.on("close", () => {
      this.#underWay -= 1;
    });
    call.end(body);
  }

  #sendSyslog({ host, port }: Address, message: string): void {
    const socket = createSocket(isIpv6(host) ? "udp6" : "udp4");
    socket.on("error", (error) => {
      this.#settings.onReport("warning", `The syslog server was not told: ${error.message}.`);
      socket.close();
    });
    socket.send(Buffer.from(message, "utf8"), port, host, (error) => {
      if (error === null) socket.close();
    });
  }
}

/** RFC 5424 6.2.1: facility 1, user-level. */
const FACILITY = 1 * 8;
const LEVELS = { alarm: 1, warning: 4, notice: 5 } as const;

/** RFC 5424. The box's name is its host name: it is the same everywhere. */
export function syslogMessage({ at, box, appeared, condition }: Change): string {
  const priority = FACILITY + (appeared ? LEVELS[condition.severity] : LEVELS.notice);
  const data = `[ringbox@32473 code="${condition.code}" state="${appeared ? "began" : "over"}" nodeId="${box.nodeId ?? ""}"]`;
  return `<${priority}>1 ${new Date(at).toISOString()} ${box.words.replaceAll(" ", "-")} ringbox-agent - ${condition.code} ${data} \ufeff${appeared ? "" : "Over: "}${condition.text}`;
}
