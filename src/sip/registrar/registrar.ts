// The registrar (RFC 3261 10.3). The order is the RFC's: domain, Require, authenticate, authorise,
// valid AoR, Contact. One REGISTER is one look-up and one change; those of one AoR wait for each other.

import type { Instant } from "../../base/time.ts";
import type { Gatekeeper } from "../auth/gatekeeper.ts";
import type { CoreContext } from "../core-context.ts";
import { CORE_LIMITS } from "../limits.ts";
import { type NameAndValue, responseTo } from "../message/build.ts";
import { formatDate } from "../message/date.ts";
import type { DigestCredentials } from "../message/digest.ts";
import type { ValidRequest } from "../message/message.ts";
import { formatQ, serializeNameAddress } from "../message/name-address.ts";
import { addressOfRecord, isSipUri } from "../message/uri.ts";
import { validateRegister } from "../message/validate.ts";
import type { Binding, Flow, UserLookup } from "../ports.ts";
import type { ServerTransaction } from "../transaction/transaction-layer.ts";
import { type Origin, planRegistration } from "./contact-rules.ts";

/** Option tags that a REGISTER may require of us. */
const OPTIONS_HERE: readonly string[] = ["path"];

interface Registration {
  readonly server: ServerTransaction;
  readonly request: ValidRequest;
  /** The AoR that is looked up and serialised on: of the credentials' user, who alone may register it. */
  readonly aor: string;
  /** `undefined`: registration is open to everybody. */
  readonly credentials: DigestCredentials | undefined;
}

export class Registrar {
  readonly #core: CoreContext;
  readonly #gatekeeper: Gatekeeper;
  /** By AoR: the one under way, then those that wait. BOUNDED: by the transactions, each list by waitingRegisters. */
  readonly #queues = new Map<string, Registration[]>();

  constructor(core: CoreContext, gatekeeper: Gatekeeper) {
    this.#core = core;
    this.#gatekeeper = gatekeeper;
  }

  /** A REGISTER for a domain of ours that belongs to no transaction yet. */
  receive(now: Instant, request: ValidRequest, flow: Flow): void {
    const rejection = validateRegister(request);
    if (rejection !== undefined) return this.#core.answer(request, flow, rejection.status, rejection.reason);
    const unsupported = request.require.filter((tag) => !OPTIONS_HERE.includes(tag));
    if (unsupported.length > 0) {
      return this.#core.answer(request, flow, 420, "", [["Unsupported", unsupported.join(", ")]]);
    }
    if (this.#core.settings.registration === "open") {
      const aor = this.#aorOf(request, "to");
      if (aor === undefined) return this.#core.answer(request, flow, 404);
      return this.#accept(now, request, flow, aor, undefined);
    }
    const inspection = this.#gatekeeper.inspect(request.authorization);
    if (inspection.type === "challenge") {
      this.#core.outbox.count(inspection.stale ? "register-stale-nonce" : "register-challenged");
      return this.#core.answer(request, flow, 401, "", this.#challenge(request, inspection.stale));
    }
    const { credentials } = inspection;
    this.#accept(now, request, flow, `${credentials.username}@${this.#core.settings.domain}`, credentials);
  }

  #accept(now: Instant, request: ValidRequest, flow: Flow, aor: string, credentials: DigestCredentials | undefined): void {
    const server = this.#core.serve(now, request, flow);
    if (server !== undefined) this.#enqueue(now, { server, request, aor, credentials });
  }

  get waiting(): number {
    return this.#queues.size;
  }

  #challenge(request: ValidRequest, stale: boolean): readonly NameAndValue[] {
    return this.#gatekeeper.challenges(request, stale).map((value) => ["WWW-Authenticate", value]);
  }

  #enqueue(now: Instant, registration: Registration): void {
    const { aor } = registration;
    const queue = this.#queues.get(aor);
    if (queue === undefined) {
      this.#queues.set(aor, [registration]);
      this.#lookUp(now, aor, registration);
    } else if (queue.length >= CORE_LIMITS.waitingRegisters) {
      this.#answer(now, registration, 503, "", [this.#core.retryAfter()]);
    } else queue.push(registration);
  }

  #finish(now: Instant, aor: string): void {
    const queue = this.#queues.get(aor);
    queue?.shift();
    const next = queue?.[0];
    if (next === undefined) this.#queues.delete(aor);
    else this.#lookUp(now, aor, next);
  }

  #lookUp(now: Instant, aor: string, registration: Registration): void {
    this.#core.questions.findUser(now, aor, (at, lookup) => this.#judge(at, aor, registration, lookup));
  }

  #judge(now: Instant, aor: string, registration: Registration, lookup: UserLookup): void {
    const { request, credentials } = registration;
    if (lookup.outcome === "unavailable") return this.#end(now, aor, registration, 503, "", [this.#core.retryAfter()]);
    const verdict = credentials === undefined ? "right" : this.#gatekeeper.verify(request, credentials, lookup.credentials);
    if (verdict !== "right") {
      this.#core.outbox.count(verdict === "wrong" ? "register-wrong-credentials" : "register-replayed");
      return this.#end(now, aor, registration, 401, "", this.#challenge(request, verdict === "replayed"));
    }
    const to = this.#aorOf(request, "to");
    if (to === undefined) return this.#end(now, aor, registration, 404);
    if (to !== aor || this.#aorOf(request, "from") !== aor) {
      this.#core.outbox.count("register-third-party");
      return this.#end(now, aor, registration, 403, "Not Your Address");
    }
    this.#change(now, aor, registration, lookup.bindings);
  }

  /** `undefined`: not an address of our domain. */
  #aorOf(request: ValidRequest, field: "to" | "from"): string | undefined {
    const { uri } = request[field];
    if (!isSipUri(uri) || !this.#core.ends.isOurs(uri.host, uri.port)) return undefined;
    return addressOfRecord({ ...uri, host: this.#core.settings.domain });
  }

  #change(now: Instant, aor: string, registration: Registration, stored: readonly Binding[]): void {
    const { request } = registration;
    const { settings, crypto } = this.#core;
    const plan = planRegistration(request, stored, this.#origin(registration), settings.expiry, crypto);
    switch (plan.type) {
      case "refuse": {
        const fields: NameAndValue[] = plan.minimumExpires === undefined ? [] : [["Min-Expires", String(plan.minimumExpires)]];
        return this.#end(now, aor, registration, plan.status, plan.reason, fields);
      }
      case "list":
        return this.#end(now, aor, registration, 200, "", this.#listing(request, plan.bindings));
      case "change":
        this.#core.questions.changeBindings(now, aor, plan.changes, (at, result) => {
          if (result.outcome === "unavailable") return this.#end(at, aor, registration, 503, "", [this.#core.retryAfter()]);
          this.#core.outbox.count("registered");
          this.#end(at, aor, registration, 200, "", this.#listing(request, plan.bindings));
        });
    }
  }

  /** The phone's flow; none if another proxy stands between and wrote no Path: then the Contact is the way. */
  #origin({ request, server }: Registration): Origin {
    const flow = server.back;
    const behindProxy = (request.vias?.length ?? 1) > 1 && (request.paths ?? []).length === 0;
    return {
      wall: this.#core.wallClock(),
      edge: this.#core.settings.nodeId,
      flowToken: behindProxy ? "" : this.#core.tokens.forFlow(flow),
      received: flow.remote,
      transport: flow.transport,
    };
  }

  #listing(request: ValidRequest, bindings: readonly Binding[]): readonly NameAndValue[] {
    const wall = this.#core.wallClock();
    const fields: NameAndValue[] = [];
    for (const binding of bindings) {
      const remaining = Math.max(0, Math.round((binding.expiresAt - wall) / 1_000));
      const q = binding.preference === 1_000 ? "" : `;q=${formatQ(binding.preference)}`;
      fields.push(["Contact", serializeNameAddress(binding.contact, `${binding.parameters}${q};expires=${remaining}`)]);
    }
    for (const path of request.headers("path")) fields.push(["Path", path]);
    fields.push(["Date", formatDate(wall)], ["Supported", "path"]);
    return fields;
  }

  #end(now: Instant, aor: string, registration: Registration, status: number, reason = "", fields: readonly NameAndValue[] = []): void {
    this.#answer(now, registration, status, reason, fields);
    this.#finish(now, aor);
  }

  #answer(now: Instant, { server, request }: Registration, status: number, reason: string, fields: readonly NameAndValue[]): void {
    const response = responseTo(request, status, reason, this.#core.answerOptions(request, fields));
    this.#core.transactions.respond(now, server, response);
  }
}
