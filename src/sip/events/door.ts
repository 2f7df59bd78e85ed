// Who asks: SUBSCRIBE and PUBLISH end here, so their senders prove themselves with 401 (RFC 3261 section 22.2).

import type { Instant } from "../../base/time.ts";
import type { Gatekeeper } from "../auth/gatekeeper.ts";
import type { CoreContext } from "../core-context.ts";
import { type NameAndValue, responseTo } from "../message/build.ts";
import type { DigestCredentials } from "../message/digest.ts";
import type { ValidRequest } from "../message/message.ts";
import { addressOfRecord, isSipUri } from "../message/uri.ts";
import type { Flow, UserLookup } from "../ports.ts";
import type { ServerTransaction } from "../transaction/transaction-layer.ts";

/** A request whose sender is known. */
export interface Admitted {
  readonly request: ValidRequest;
  readonly server: ServerTransaction;
  /** The AoR that the sender proved, or in an open fleet says, to be. */
  readonly sender: string;
}

export class Door {
  readonly #core: CoreContext;
  readonly #gatekeeper: Gatekeeper;

  constructor(core: CoreContext, gatekeeper: Gatekeeper) {
    this.#core = core;
    this.#gatekeeper = gatekeeper;
  }

  /** `then` is called for those who may come in; the others have been answered. */
  admit(now: Instant, request: ValidRequest, flow: Flow, then: (now: Instant, admitted: Admitted) => void): void {
    const sender = this.#senderOf(request);
    if (sender === undefined) return this.#core.answer(request, flow, 403, "For Users Of This Domain");
    if (this.#core.settings.registration === "open") {
      const server = this.#core.serve(now, request, flow);
      if (server !== undefined) then(now, { request, server, sender });
      return;
    }
    const inspection = this.#gatekeeper.inspect([...request.authorization, ...request.proxyAuthorization]);
    if (inspection.type === "challenge") {
      this.#core.outbox.count("request-challenged");
      return this.#core.answer(request, flow, 401, "", this.#challenge(request, inspection.stale));
    }
    const server = this.#core.serve(now, request, flow);
    if (server === undefined) return;
    const { credentials } = inspection;
    this.#core.questions.findUser(now, `${credentials.username}@${this.#core.settings.domain}`, (at, lookup) => {
      if (this.#isProved(at, { request, server, sender }, credentials, lookup)) then(at, { request, server, sender });
    });
  }

  answer(now: Instant, { request, server }: Pick<Admitted, "request" | "server">, status: number, reason = "", fields: readonly NameAndValue[] = []): void {
    this.#core.transactions.respond(now, server, responseTo(request, status, reason, this.#core.answerOptions(request, fields)));
  }

  #senderOf({ from }: ValidRequest): string | undefined {
    if (!isSipUri(from.uri) || !this.#core.ends.isOurs(from.uri.host, from.uri.port)) return undefined;
    return addressOfRecord({ ...from.uri, host: this.#core.settings.domain });
  }

  #isProved(now: Instant, admitted: Admitted, credentials: DigestCredentials, lookup: UserLookup): boolean {
    const { request, server, sender } = admitted;
    if (lookup.outcome === "unavailable") {
      this.answer(now, admitted, 503, "", [this.#core.retryAfter()]);
      return false;
    }
    const verdict = this.#gatekeeper.verify(request, credentials, lookup.credentials);
    if (verdict !== "right") {
      if (verdict === "wrong") this.#core.budgets.wrong(server.source.remote.host);
      this.#core.outbox.count(verdict === "wrong" ? "request-wrong-credentials" : "request-replayed");
      this.answer(now, admitted, 401, "", this.#challenge(request, verdict === "replayed"));
      return false;
    }
    this.#core.budgets.proved(server.source.remote.host);
    if (sender === `${credentials.username}@${this.#core.settings.domain}`) return true;
    this.#core.outbox.count("from-forged");
    this.answer(now, admitted, 403, "Not Your Address");
    return false;
  }

  #challenge(request: ValidRequest, stale: boolean): readonly NameAndValue[] {
    return this.#gatekeeper.challenges(request, stale).map((value) => ["WWW-Authenticate", value]);
  }
}
