// The registrar (RFC 3261 10.3). The order is the RFC's: domain, Require, authenticate, authorise,
// valid AoR, Contact. One REGISTER is one look-up and one change; those of one AoR wait for each other.

import { turnField } from "../media/turn-credentials.ts";
import type { Instant } from "../../base/time.ts";
import type { Gatekeeper } from "../auth/gatekeeper.ts";
import type { CoreContext } from "../core-context.ts";
import { CORE_LIMITS } from "../limits.ts";
import { type NameAndValue, responseTo } from "../message/build.ts";
import { formatDate } from "../message/date.ts";
import type { DigestCredentials } from "../message/digest.ts";
import type { ValidRequest } from "../message/message.ts";
import { formatQ, serializeNameAddress } from "../message/name-address.ts";
import { addressOfRecord, formatHostPort, isSipUri, uriParameter } from "../message/uri.ts";
import { validateRegister } from "../message/validate.ts";
import type { Binding, BindingChanges, Flow, UserLookup } from "../ports.ts";
import type { ServerTransaction } from "../transaction/transaction-layer.ts";
import { instanceOf, type Origin, planRegistration, regIdOf } from "./contact-rules.ts";

/** Option tags that a REGISTER may require of us. */
const OPTIONS_HERE: readonly string[] = ["path", "outbound", "gruu"];
const SUPPORTED: NameAndValue = ["Supported", OPTIONS_HERE.join(", ")];

/** A phone may stay silent so long, seconds, before its connection is taken for dead (RFC 5626 section 5.4). */
const FLOW_TIMER = 120;

/** A connection is closed: what was registered over it goes. */
interface Voiding {
  readonly aor: string;
  readonly connection: number;
}

interface Registration {
  readonly server: ServerTransaction;
  readonly request: ValidRequest;
  /** The AoR that is looked up and serialised on: of the credentials' user, who alone may register it. */
  readonly aor: string;
  /** `undefined`: registration is open to everybody. */
  readonly credentials: DigestCredentials | undefined;
}

/** Who wants to know what becomes of REGISTERs. */
export interface RegistrarListener {
  /** A phone of a user for whom messages wait has registered. */
  messagesWait(now: Instant, aor: string): void;
  /** Bindings of a user who is watched have come or gone. */
  registrationChanged(now: Instant, aor: string): void;
}

/** Which AoRs were registered over which connection. */
class RegisteredFlows {
  /** BOUNDED: by the open connections, each list by AORS. */
  readonly #aors = new Map<number, Set<string>>();

  add(connection: number, aor: string, isOpen: boolean): void {
    if (!isOpen) return;
    const known = this.#aors.get(connection);
    if (known === undefined) this.#aors.set(connection, new Set([aor]));
    else if (known.size < CORE_LIMITS.registeredOverConnection) known.add(aor);
  }

  take(connection: number): ReadonlySet<string> {
    const aors = this.#aors.get(connection) ?? NO_AORS;
    this.#aors.delete(connection);
    return aors;
  }
}

/** Whether it is more than a refresh. */
const isChange = ({ upserts, removals }: BindingChanges, stored: readonly Binding[]): boolean =>
  removals.length > 0 || upserts.some((binding) => !stored.some(({ key, edge, contact }) => key === binding.key && edge === binding.edge && contact === binding.contact));

const NO_AORS: ReadonlySet<string> = new Set();

/** Whether the phone keeps flows by RFC 5626 and names the one that this is. */
const isOutbound = (request: ValidRequest): boolean =>
  request.has("supported") && request.supported.includes("outbound") && request.contacts !== "*" && request.contacts.some((contact) => regIdOf(contact) !== 0 && instanceOf(contact) !== "");

/** The proxy next to the phone, which is the last of the Path, keeps the flow (RFC 5626 section 6). */
const hasOutboundFirstHop = ({ paths }: ValidRequest): boolean => {
  const uri = paths?.at(-1)?.uri;
  return uri !== undefined && isSipUri(uri) && uriParameter(uri, "ob") !== undefined;
};

export class Registrar {
  readonly #core: CoreContext;
  readonly #gatekeeper: Gatekeeper;
  /** By AoR: the one under way, then those that wait. BOUNDED: by the transactions, each list by waitingRegisters. */
  readonly #queues = new Map<string, (Registration | Voiding)[]>();
  readonly #registered = new RegisteredFlows();
  readonly #told: RegistrarListener;

  constructor(core: CoreContext, gatekeeper: Gatekeeper, told: RegistrarListener) {
    this.#core = core;
    this.#gatekeeper = gatekeeper;
    this.#told = told;
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

  #enqueue(now: Instant, registration: Registration | Voiding): void {
    const { aor } = registration;
    const queue = this.#queues.get(aor);
    if (queue === undefined) {
      this.#queues.set(aor, [registration]);
      this.#lookUp(now, aor, registration);
    } else if ("server" in registration && queue.length >= CORE_LIMITS.waitingRegisters) {
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

  #lookUp(now: Instant, aor: string, registration: Registration | Voiding): void {
    this.#core.questions.findUser(now, aor, (at, lookup) => {
      if ("server" in registration) this.#judge(at, aor, registration, lookup);
      else this.#void(at, registration, lookup);
    }, true);
  }

  connectionClosed(now: Instant, connection: number): void {
    for (const aor of this.#registered.take(connection)) this.#enqueue(now, { aor, connection });
  }

  /** Only what is still registered over it: the phone may have come back over another one. */
  #void(now: Instant, { aor, connection }: Voiding, lookup: UserLookup): void {
    const { settings, tokens } = this.#core;
    const isOver = ({ edge, flowToken }: Binding): boolean => {
      const reading = edge === settings.nodeId ? tokens.read(flowToken, "") : undefined;
      return reading?.type === "flow" && reading.ours && reading.flow.connection === connection;
    };
    const removals = lookup.outcome === "found" ? lookup.bindings.filter(isOver).map(({ key }) => key) : [];
    if (removals.length === 0) return this.#finish(now, aor);
    this.#core.outbox.count("binding-connection-closed");
    this.#core.questions.changeBindings(now, aor, { upserts: [], removals }, (at) => {
      if (lookup.outcome === "found" && lookup.isWatched === true) this.#told.registrationChanged(at, aor);
      this.#finish(at, aor);
    });
  }

  #judge(now: Instant, aor: string, registration: Registration, lookup: UserLookup): void {
    const { request, credentials } = registration;
    if (lookup.outcome === "unavailable") return this.#end(now, aor, registration, 503, "", [this.#core.retryAfter()]);
    const verdict = credentials === undefined ? "right" : this.#gatekeeper.verify(request, credentials, lookup.credentials);
    if (verdict !== "right") {
      if (verdict === "wrong") this.#core.budgets.wrong(registration.server.source.remote.host);
      this.#core.outbox.count(verdict === "wrong" ? "register-wrong-credentials" : "register-replayed");
      return this.#end(now, aor, registration, 401, "", this.#challenge(request, verdict === "replayed"));
    }
    this.#core.budgets.proved(registration.server.source.remote.host);
    const to = this.#aorOf(request, "to");
    if (to === undefined) return this.#end(now, aor, registration, 404);
    if (to !== aor || this.#aorOf(request, "from") !== aor) {
      this.#core.outbox.count("register-third-party");
      return this.#end(now, aor, registration, 403, "Not Your Address");
    }
    this.#change(now, aor, registration, lookup);
  }

  /** `undefined`: not an address of our domain. */
  #aorOf(request: ValidRequest, field: "to" | "from"): string | undefined {
    const { uri } = request[field];
    if (!isSipUri(uri) || !this.#core.ends.isOurs(uri.host, uri.port)) return undefined;
    return addressOfRecord({ ...uri, host: this.#core.settings.domain });
  }

  #change(now: Instant, aor: string, registration: Registration, lookup: Extract<UserLookup, { outcome: "found" }>): void {
    const { request } = registration;
    const { bindings: stored } = lookup;
    const { settings, crypto } = this.#core;
    const refusal = this.#contactRefusal(request, aor);
    if (refusal !== undefined) return this.#end(now, aor, registration, ...refusal);
    const plan = planRegistration(request, stored, this.#origin(now, registration), settings.expiry, crypto);
    switch (plan.type) {
      case "refuse": {
        const fields: NameAndValue[] = plan.minimumExpires === undefined ? [] : [["Min-Expires", String(plan.minimumExpires)]];
        return this.#end(now, aor, registration, plan.status, plan.reason, fields);
      }
      case "list":
        return this.#end(now, aor, registration, 200, "", this.#listing(registration, plan.bindings));
      case "change":
        this.#core.questions.changeBindings(now, aor, plan.changes, (at, result) => {
          if (result.outcome === "unavailable") return this.#end(at, aor, registration, 503, "", [this.#core.retryAfter()]);
          this.#core.outbox.count("registered");
          const { transport, connection } = registration.server.back;
          if (transport !== "udp" && plan.changes.upserts.length > 0) this.#registered.add(connection, aor, this.#core.transport.isOpen(connection));
          this.#end(at, aor, registration, 200, "", this.#listing(registration, plan.bindings));
          if (lookup.hasMessages === true && plan.changes.upserts.length > 0) this.#told.messagesWait(at, aor);
          if (lookup.isWatched === true && isChange(plan.changes, stored)) this.#told.registrationChanged(at, aor);
        });
    }
  }

  /**
   * The phone's flow; none if another proxy stands between and wrote no Path: then the Contact is the way. Nor is a proxy's
   * TCP connection the way, since the phone is there when it has closed: then the Path is (RFC 3327 section 5.3).
   */
  #origin(now: Instant, { request, server }: Registration): Origin {
    const flow = server.back;
    const behindProxy = (request.vias?.length ?? 1) > 1 && ((request.paths ?? []).length === 0 || flow.transport === "tcp");
    return {
      wall: this.#core.wallClock(),
      edge: this.#core.settings.nodeId,
      flowToken: behindProxy ? "" : this.#core.tokens.forFlow(flow),
      received: flow.remote,
      transport: flow.transport,
      isRewritten: this.#core.rewriting.has(now, server.source),
      securePort: flow.transport === "wss" ? this.#core.ends.streamPorts.tls : undefined,
      shortening: this.#core.random.fraction(),
    };
  }

  #listing({ request, server, aor }: Registration, bindings: readonly Binding[]): readonly NameAndValue[] {
    const withGruus = request.has("supported") && request.supported.includes("gruu");
    const wall = this.#core.wallClock();
    const fields: NameAndValue[] = [];
    for (const binding of bindings) {
      const remaining = Math.max(0, Math.round((binding.expiresAt - wall) / 1_000));
      const q = binding.preference === 1_000 ? "" : `;q=${formatQ(binding.preference)}`;
      fields.push(["Contact", serializeNameAddress(binding.contact, `${binding.parameters}${withGruus ? this.#gruus(aor, binding) : ""}${q};expires=${remaining}`)]);
    }
    for (const path of request.headers("path")) fields.push(["Path", path]);
    if (isOutbound(request)) {
      fields.push(["Require", "outbound"]);
      if (server.back.transport !== "udp") fields.push(["Flow-Timer", String(FLOW_TIMER)]);
    }
    const turn = this.#turn(aor, server.source);
    if (turn !== undefined) fields.push(turn);
    fields.push(["Service-Route", this.#serviceRoute(request, server.source)]);
    fields.push(["Date", formatDate(wall)], SUPPORTED);
    return fields;
  }

  /** Not to whoever registers without having to prove himself. */
  #turn(aor: string, flow: Flow): NameAndValue | undefined {
    const { settings, crypto } = this.#core;
    if (settings.turn === undefined || settings.registration === "open") return undefined;
    return turnField(crypto, settings.turn, this.#core.wallClock(), aor, flow);
  }

  #gruus(aor: string, binding: Binding): string {
    if (binding.instance === "") return "";
    const { gruus } = this.#core;
    return `;pub-gruu="${gruus.publicGruu(aor, binding.instance)}";temp-gruu="${gruus.temporaryGruu(aor, binding)}"`;
  }

  /** RFC 3608: this box, by the name or address under which the phone knows it, since that may be outside a NAT of ours. */
  #serviceRoute(request: ValidRequest, { local, transport }: Flow): string {
    const { ends } = this.#core;
    const known = [request.routes?.[0]?.uri, request.uri].find((uri) => uri !== undefined && isSipUri(uri) && ends.isThisBox(uri.host, uri.port));
    const place = known !== undefined && isSipUri(known) ? known : { host: local.host, port: ends.portOf(transport) };
    return `<sip:${formatHostPort(place.host, place.port)}${transport === "udp" ? "" : `;transport=${transport}`};lr>`;
  }

  /** What is wrong with the Contacts of a REGISTER whatever is registered already. */
  #contactRefusal(request: ValidRequest, aor: string): readonly [status: number, reason: string] | undefined {
    const contacts = request.contacts === "*" ? [] : request.contacts;
    for (const { uri } of contacts) {
      if (!isSipUri(uri) || !this.#core.ends.isOurs(uri.host, uri.port)) continue;
      // RFC 5627 section 5.1: a phone that named its AoR or a GRUU of it would be called in a circle.
      const isOwnAddress = addressOfRecord({ ...uri, host: this.#core.settings.domain }) === aor && uri.host === this.#core.settings.domain;
      if (isOwnAddress || this.#core.gruus.read(uri) !== undefined) return [403, "Contact Is The Address Itself"];
    }
    if (isOutbound(request) && (request.vias?.length ?? 1) > 1 && !hasOutboundFirstHop(request)) return [439, ""];
    return undefined;
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
