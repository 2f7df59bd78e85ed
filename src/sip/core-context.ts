// What the parts of the SIP core share: made once by SipCore, by hand.

import type { Crypto } from "../base/crypto.ts";
import type { Random } from "../base/random.ts";
import type { Instant, WallTime } from "../base/time.ts";
import { isEmergencyUri } from "./emergency.ts";
import type { FlowTokens } from "./flow-token.ts";
import type { Gruus } from "./gruu.ts";
import { CORE_LIMITS } from "./limits.ts";
import { type NameAndValue, type ResponseOptions, responseTo } from "./message/build.ts";
import type { SipRequest, ValidRequest } from "./message/message.ts";
import type { Outbox } from "./outbox.ts";
import type { Flow, SipSettings } from "./ports.ts";
import type { Questions } from "./questions.ts";
import { statelessTag } from "./transaction/transaction-key.ts";
import type { ServerTransaction, ServerUser, TransactionLayer } from "./transaction/transaction-layer.ts";
import type { LocalEnds } from "./transport/local-ends.ts";
import type { RewritingSigns } from "./transport/rewriting.ts";
import type { SourceBudgets } from "./transport/source-budgets.ts";
import { responseFlow, type Transport } from "./transport/transport.ts";

export interface CoreParts {
  readonly settings: SipSettings;
  readonly crypto: Crypto;
  readonly random: Random;
  readonly wallClock: () => WallTime;
  readonly outbox: Outbox;
  readonly ends: LocalEnds;
  readonly budgets: SourceBudgets;
  readonly tokens: FlowTokens;
  readonly gruus: Gruus;
  readonly transport: Transport;
  readonly transactions: TransactionLayer;
  readonly questions: Questions;
  readonly rewriting: RewritingSigns;
}

export class CoreContext implements CoreParts {
  settings: SipSettings;
  readonly crypto: Crypto;
  readonly random: Random;
  readonly wallClock: () => WallTime;
  readonly outbox: Outbox;
  readonly ends: LocalEnds;
  readonly budgets: SourceBudgets;
  readonly tokens: FlowTokens;
  readonly gruus: Gruus;
  readonly transport: Transport;
  readonly transactions: TransactionLayer;
  readonly questions: Questions;
  readonly rewriting: RewritingSigns;

  constructor(parts: CoreParts) {
    this.settings = parts.settings;
    this.crypto = parts.crypto;
    this.random = parts.random;
    this.wallClock = parts.wallClock;
    this.outbox = parts.outbox;
    this.ends = parts.ends;
    this.budgets = parts.budgets;
    this.tokens = parts.tokens;
    this.gruus = parts.gruus;
    this.transport = parts.transport;
    this.transactions = parts.transactions;
    this.questions = parts.questions;
    this.rewriting = parts.rewriting;
  }

  /** A stateless answer (RFC 3261 8.2.7). ACKs are never answered. */
  answer(request: SipRequest, flow: Flow, status: number, reason = "", fields: readonly NameAndValue[] = []): void {
    if (request.method === "ACK") return;
    const response = responseTo(request, status, reason, this.answerOptions(request, fields));
    this.transport.send(responseFlow(request, flow), response.octets);
  }

  answerOptions(request: SipRequest, fields: readonly NameAndValue[]): ResponseOptions {
    return { toTag: statelessTag(request), fields: [...fields, ["Server", this.settings.software]] };
  }

  /** A server transaction for the request, or a stateless 503 where there is no room for one. */
  serve(now: Instant, request: ValidRequest, flow: Flow, user?: ServerUser): ServerTransaction | undefined {
    if (this.transactions.hasRoom(this.reserveFor(request, flow))) return this.transactions.serve(now, request, flow, user);
    this.outbox.count("transactions-at-limit");
    this.answer(request, flow, 503, "", [this.retryAfter()]);
    return undefined;
  }

  /** Calls for help find room when others do not, and known phones when strangers do not. */
  reserveFor({ method, uri }: ValidRequest, { remote }: Flow): number {
    if (method === "INVITE" && isEmergencyUri(uri)) return CORE_LIMITS.knownTransactions + CORE_LIMITS.emergencyTransactions;
    return this.budgets.isKnown(remote.host) ? CORE_LIMITS.knownTransactions : 0;
  }

  /** Spread over some seconds, so that the phones that were turned away do not all come back at once. */
  retryAfter(): NameAndValue {
    return ["Retry-After", String(5 + this.random.below(10))];
  }
}
