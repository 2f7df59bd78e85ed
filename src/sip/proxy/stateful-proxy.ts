// The stateful proxy (RFC 3261 16): what is checked of a request, who may send it, where it goes.

import type { Instant } from "../../base/time.ts";
import type { Gatekeeper } from "../auth/gatekeeper.ts";
import { isProofUser } from "../auth/proof-user.ts";
import type { CoreContext } from "../core-context.ts";
import type { Events } from "../events/events.ts";
import { CORE_LIMITS } from "../limits.ts";
import type { GruuTarget } from "../gruu.ts";
import { type NameAndValue, responseTo } from "../message/build.ts";
import type { DigestCredentials } from "../message/digest.ts";
import type { ValidRequest } from "../message/message.ts";
import { addressOfRecord, isSipUri, type SipUri } from "../message/uri.ts";
import { MAGIC_COOKIE } from "../message/via.ts";
import { MediaRelay } from "../media/media-relay.ts";
import { Keeper } from "../messages/keeper.ts";
import { NO_TICKET } from "../outbox.ts";
import { answerForBox, answerOptions } from "../own-answers.ts";
import type { Flow, FoundBinding, UserLookup } from "../ports.ts";
import type { Registrar } from "../registrar/registrar.ts";
import { statelessTag, textHash } from "../transaction/transaction-key.ts";
import { type Hop, responseFlow } from "../transport/transport.ts";
import { type Forwarding, forwardedRequest } from "./forwarding.ts";
import { isLooped, routingHash } from "./loop-detection.ts";
import { lastingBranch } from "./lasting-branch.ts";
import { movedPhone } from "./moved-phone.ts";
import { NOBODY, ProxyClockwork, ResponseContext } from "./response-context.ts";
import { ReturnedPhones } from "./returned-phones.ts";
import { type Preprocessed, preprocessRoutes } from "./route-preprocessing.ts";
import { flowTarget, type ProxyTarget, targetGroups, wayToSipUri } from "./target-set.ts";

type Destination =
  | { readonly type: "registrar" }
  | { readonly type: "box" }
  /** A user of our domain. */
  | { readonly type: "user"; readonly aor: string; readonly gruu: GruuTarget | undefined }
  /** One place that the request itself names: a flow of ours, a Route, or a Request-URI outside. */
  | { readonly type: "target"; readonly target: ProxyTarget };

interface Asker {
  /** Whether it is to be TLS all the way. */
  readonly secure: boolean;
  readonly isKnownCaller: boolean;
}

type UserDestination = Extract<Destination, { type: "user" }>;

/** A request on its way through the checks. */
interface Passage {
  readonly request: ValidRequest;
  readonly flow: Flow;
  readonly route: Preprocessed;
  readonly destination: Destination;
}

/** What a phone that knows several boxes can as well ask another one for. Trial calls go on: they tell how the box is. */
function isNewHere({ toTag, from }: ValidRequest, { type }: Destination): boolean {
  if (toTag !== "" || (type !== "registrar" && type !== "user")) return false;
  return !(isSipUri(from.uri) && isProofUser(from.uri.user ?? ""));
}

export class StatefulProxy {
  readonly #core: CoreContext;
  readonly #gatekeeper: Gatekeeper;
  readonly #registrar: Registrar;
  readonly #events: Events;
  readonly #keeper: Keeper;
  readonly #clockwork: ProxyClockwork;
  readonly media: MediaRelay;
  readonly returned = new ReturnedPhones();
  serving = true;
  /** New calls and registrations are sent elsewhere; what runs goes on. */
  draining = false;
  page = "";

  constructor(core: CoreContext, gatekeeper: Gatekeeper, registrar: Registrar, events: Events, branchPrefix: string) {
    this.#core = core;
    this.#gatekeeper = gatekeeper;
    this.#registrar = registrar;
    this.#events = events;
    this.#keeper = new Keeper(core);
    this.media = new MediaRelay(core);
    this.#clockwork = new ProxyClockwork(branchPrefix);
  }

  get responseContexts(): number {
    return this.#clockwork.alive;
  }
  nextDeadline(): Instant | undefined {
    return this.#clockwork.timers.next();
  }
  tick(now: Instant): void {
    const { timers } = this.#clockwork;
    for (let fire = timers.takeDue(now); fire !== undefined; fire = timers.takeDue(now)) fire(now);
  }

  /** A request that belongs to no transaction yet; no ACK and no CANCEL. */
  receive(now: Instant, request: ValidRequest, flow: Flow): void {
    const refusal = this.#refusal(request, flow);
    if (refusal !== undefined) return this.#core.answer(request, flow, refusal[0], "", refusal[1]);
    if (request.maxForwards === 0) return this.#atLastHop(request, flow);
    const route = preprocessRoutes(request, flow, this.#core.ends, this.#core.tokens);
    if (route === "tampered") {
      this.#core.outbox.count("flow-token-tampered");
      return this.#core.answer(request, flow, 403, "Flow Token Tampered");
    }
    const destination = this.#destination(request, route);
    if (typeof destination === "number") return this.#core.answer(request, flow, destination);
    if (this.draining && isNewHere(request, destination)) {
      this.#core.outbox.count("request-while-draining");
      return this.#core.answer(request, flow, 503, "", [this.#core.retryAfter()]);
    }
    this.#admit(now, { request, flow, route, destination });
  }

  /** An ACK to a 2xx goes on without a transaction (RFC 3261 16.11): to a phone of ours, or on a way that the fleet laid. */
  forwardAck(now: Instant, request: ValidRequest, flow: Flow): void {
    // The ACK to a stateless answer of ours (a challenge, mostly) ends here.
    if (request.toTag === statelessTag(request)) return;
    const route = preprocessRoutes(request, flow, this.#core.ends, this.#core.tokens);
    if (request.maxForwards === 0 || route === "tampered") return this.#core.outbox.count("ack-dropped");
    const destination = this.#destination(request, route);
    if (route.vouched) this.#core.budgets.wanted(flow.remote.host);
    const forwarding: Forwarding = { request, source: flow, callerFlow: undefined, route };
    if (typeof destination === "number") return this.#core.outbox.count("ack-dropped");
    if (destination.type === "user") return this.#findAckers(now, destination, forwarding);
    if (destination.type !== "target" || !route.vouched) return this.#core.outbox.count("ack-dropped");
    this.#routeAck(now, forwarding, destination.target);
  }

  /** A caller that ignores Record-Route sends its ACK to the AoR again; the phones that know nothing of it drop it. */
  #findAckers(now: Instant, { aor, gruu }: UserDestination, forwarding: Forwarding): void {
    this.#core.questions.findUser(now, aor, (at, lookup) => {
      if (lookup.outcome === "unavailable") return;
      const { ends, tokens } = this.#core;
      const turns = targetGroups(aor, meant(lookup.bindings, gruu), this.#core.wallClock(), ends, tokens, isSecure(forwarding.request)).flat();
      for (const [target] of turns.slice(0, CORE_LIMITS.branches)) {
        if (target !== undefined) this.#routeAck(at, forwarding, target);
      }
    });
  }

  #routeAck(now: Instant, forwarding: Forwarding, target: ProxyTarget): void {
    if (target.way.type === "hop") this.#sendAck(forwarding, target, target.way.hop);
    if (target.way.type !== "resolve") return;
    const { way } = target;
    this.#core.questions.resolve(now, way, (_, [first]) => {
      if (first === undefined) return;
      this.#sendAck(forwarding, target, { type: "address", transport: first.transport, remote: first.address, name: way.host });
    });
  }

  #sendAck(forwarding: Forwarding, target: ProxyTarget, hop: Hop): void {
    const { request } = forwarding;
    const { ends } = this.#core;
    if (hop.type === "address" && !(target.isNamed === true ? ends.mayRelayTo(hop.remote) : ends.mayReach(hop.remote))) return;
    const alive = hop.type === "flow" ? this.#core.transport.alive(hop.flow) : undefined;
    if (hop.type === "flow" && alive === undefined) return;
    const branch = this.#branchOfDead(request, target) ?? `${MAGIC_COOKIE}ack${textHash([request.topVia.branch, request.fromTag, request.toTag, request.callId])}`;
    const usable: Hop = alive === undefined ? hop : { type: "flow", flow: alive };
    this.#core.transport.sendTo(usable, NO_TICKET, forwardedRequest(this.#core, forwarding, target, usable, branch).octets);
  }

  // After an INVITE of a box that is dead

  /** The branch under which the INVITE went that this ACK or CANCEL belongs to, if a box with a service address sent it on. */
  #branchOfDead(request: ValidRequest, { uriText }: ProxyTarget): string | undefined {
    return lastingBranch(this.#core, request, uriText, 0, routingHash(request, this.#core.settings.domain, ""));
  }

  /** A CANCEL without its INVITE, at an address that moves: the box that had it may be dead. Whether it was passed on. */
  cancelOfDead(now: Instant, cancel: ValidRequest, source: Flow): boolean {
    const { ends, tokens } = this.#core;
    if (!ends.isServiceAddress(source.local.host)) return false;
    const route = preprocessRoutes(cancel, source, ends, tokens);
    const destination = route === "tampered" ? 403 : this.#destination(cancel, route);
    if (route === "tampered" || typeof destination === "number") return false;
    const forwarding: Forwarding = { request: cancel, source, callerFlow: undefined, route };
    if (destination.type === "target") return route.vouched && this.#sendCancel(now, forwarding, destination.target);
    if (destination.type !== "user") return false;
    this.#core.questions.findUser(now, destination.aor, (at, lookup) => {
      if (lookup.outcome === "unavailable") return;
      const bindings = meant(lookup.bindings, destination.gruu);
      const turns = targetGroups(destination.aor, bindings, this.#core.wallClock(), ends, tokens, isSecure(cancel)).flat();
      for (const [target] of turns.slice(0, CORE_LIMITS.branches)) if (target !== undefined) this.#sendCancel(at, forwarding, target);
    });
    return true;
  }

  #sendCancel(now: Instant, forwarding: Forwarding, target: ProxyTarget): boolean {
    const { way } = target;
    const branch = this.#branchOfDead(forwarding.request, target);
    if (branch !== undefined && this.#cancelHere(now, branch, forwarding.source.local.host)) return true;
    if (way.type !== "hop" || branch === undefined || !this.#core.transactions.hasRoom()) return false;
    if (way.hop.type === "address" && !this.#core.ends.mayReach(way.hop.remote)) return false;
    // As the dead box sent its INVITE: from the address to which the CANCEL came.
    const hop: Hop = way.hop.type === "address" && way.hop.transport === "udp" ? { ...way.hop, from: forwarding.source.local.host } : way.hop;
    this.#core.transactions.request(now, forwardedRequest(this.#core, forwarding, target, hop, branch), branch, hop, NOBODY);
    return true;
  }

  /** Whether the dead box had sent its INVITE to this one, which then cancels what it made of it. */
  #cancelHere(now: Instant, branch: string, host: string): boolean {
    const { ends, transactions } = this.#core;
    const invite = transactions.findInvite(branch, { host, port: ends.localFor(host).port });
    invite?.user?.cancelled(now);
    return invite !== undefined;
  }

  /** RFC 3261 16.3, but for Max-Forwards. */
  #refusal(request: ValidRequest, flow: Flow): readonly [status: number, fields: readonly NameAndValue[]] | undefined {
    if (!isSipUri(request.uri)) return [416, []];
    // RFC 5630 3.1: what is to be secure all the way did not come so.
    if (request.uri.scheme === "sips" && flow.transport !== "tls" && flow.transport !== "wss") return [416, []];
    if (isLooped(request, this.#core.ends, this.#core.settings.domain)) {
      this.#core.outbox.count("loop");
      return [482, []];
    }
    if (request.proxyRequire.length > 0) return [420, [["Unsupported", request.proxyRequire.join(", ")]]];
    return undefined;
  }

  #atLastHop(request: ValidRequest, flow: Flow): void {
    if (request.method === "OPTIONS") answerOptions(this.#core, request, flow, this);
    else this.#core.answer(request, flow, 483);
  }

  #destination(request: ValidRequest, route: Preprocessed): Destination | number {
    const { uri, uriText, flow, remaining } = route;
    if (!isSipUri(uri)) return 416;
    const gruu = remaining.length === 0 && this.#core.ends.isOurs(uri.host, uri.port) ? this.#core.gruus.read(uri) : undefined;
    if (gruu === "void") return 404;
    if (gruu !== undefined) return { type: "user", aor: gruu.aor, gruu };
    if (flow !== undefined) {
      const { ends, transport, settings } = this.#core;
      const isAlive = flow.ours && transport.alive(flow.flow) !== undefined;
      const returned = isAlive ? undefined : this.returned.find(request, transport);
      if (returned !== undefined) return { type: "target", target: flowTarget(uriText, returned) };
      const moved = isAlive ? undefined : movedPhone(request, uri, ends, settings.domain);
      if (moved !== undefined) return { type: "user", aor: moved.aor, gruu: moved };
      // Another box's flow: that box is gone, and this one has taken its address.
      return flow.ours ? { type: "target", target: flowTarget(uriText, flow.flow) } : 430;
    }
    const next = remaining[0];
    if (next !== undefined) {
      return isSipUri(next.uri) ? { type: "target", target: this.#outside(uriText, next.uri) } : 416;
    }
    if (!this.#core.ends.isOurs(uri.host, uri.port)) return { type: "target", target: this.#outside(uriText, uri) };
    if (request.method === "REGISTER") return { type: "registrar" };
    const aor = addressOfRecord({ ...uri, host: this.#core.settings.domain });
    return aor === undefined ? { type: "box" } : { type: "user", aor, gruu: undefined };
  }

  #outside(uriText: string, uri: SipUri): ProxyTarget {
    return { uriText, routes: [], way: wayToSipUri(uri), binding: undefined, isNamed: true };
  }

  // Who may

  #admit(now: Instant, passage: Passage): void {
    const { request, flow, destination } = passage;
    if (destination.type === "registrar") return this.#registrar.receive(now, request, flow);
    if (destination.type === "box" && this.#events.takeHint(now, request, flow)) return;
    if (destination.type === "box") return answerForBox(this.#core, request, flow, this);
    if (this.#isBeyondProof(passage)) return this.#core.answer(request, flow, 403, "For Trial Calls Only");
    const isNew = request.toTag === "";
    if (destination.type === "user" && (request.method === "SUBSCRIBE" || request.method === "PUBLISH")) {
      return this.#events.receive(now, request, flow, destination.aor);
    }
    // To a flow of ours anybody may come who was given its token. For the way onward a token counts only
    // within a dialog: else a stranger could have a new call relayed by the token of his own last one.
    if (passage.route.flow !== undefined || (passage.route.vouched && !isNew)) {
      this.#core.budgets.wanted(flow.remote.host);
      return this.#begin(now, passage);
    }
    const isLocalTarget = destination.type === "user";
    if (!this.#isOurCaller(request)) {
      return isLocalTarget ? this.#begin(now, passage) : this.#core.answer(request, flow, 403, "Relaying Denied");
    }
    // A caller that ignores Record-Route must be able to hang up; for the rest a To tag proves nothing.
    if (isLocalTarget && ((!isNew && request.method === "BYE") || this.#isOpen)) return this.#begin(now, passage);
    this.#authenticate(now, passage);
  }

  /**
   * A proof user reaches itself, and OPTIONS (to see whether a phone is there) whatever flow of this box it has the
   * token of; nobody else reaches it.
   */
  #isBeyondProof({ request, destination, route }: Passage): boolean {
    if (route.flow !== undefined || (route.vouched && request.toTag !== "")) return false;
    const from = isSipUri(request.from.uri) ? (request.from.uri.user ?? "") : "";
    const to = destination.type === "user" ? destination.aor : "";
    if (!isProofUser(from) && !isProofUser(to)) return false;
    return to !== `${from}@${this.#core.settings.domain}`;
  }

  get #isOpen(): boolean {
    return this.#core.settings.registration === "open";
  }

  #isOurCaller({ from }: ValidRequest): boolean {
    return isSipUri(from.uri) && this.#core.ends.isOurs(from.uri.host, from.uri.port);
  }

  #authenticate(now: Instant, passage: Passage): void {
    const { request, flow } = passage;
    const inspection = this.#gatekeeper.inspect(request.proxyAuthorization);
    if (inspection.type === "challenge") {
      this.#core.outbox.count("request-challenged");
      return this.#core.answer(request, flow, 407, "", this.#challenge(request, inspection.stale));
    }
    const context = this.#open(now, passage);
    if (context === undefined) return;
    const { credentials } = inspection;
    this.#core.questions.findUser(now, `${credentials.username}@${this.#core.settings.domain}`, (at, lookup) => {
      if (this.#isProved(at, passage, context, credentials, lookup)) this.#route(at, passage, context);
    });
  }

  #isProved(now: Instant, { request, flow }: Passage, context: ResponseContext, credentials: DigestCredentials, lookup: UserLookup): boolean {
    if (lookup.outcome === "unavailable") {
      context.refuse(now, 503, "", [this.#core.retryAfter()]);
      return false;
    }
    const verdict = this.#gatekeeper.verify(request, credentials, lookup.credentials);
    if (verdict === "right") this.#core.budgets.proved(flow.remote.host);
    if (verdict === "wrong") this.#core.budgets.wrong(flow.remote.host);
    if (verdict !== "right") {
      this.#core.outbox.count(verdict === "wrong" ? "request-wrong-credentials" : "request-replayed");
      context.refuse(now, 407, "", this.#challenge(request, verdict === "replayed"));
      return false;
    }
    const from = isSipUri(request.from.uri) ? addressOfRecord({ ...request.from.uri, host: this.#core.settings.domain }) : undefined;
    if (from === `${credentials.username}@${this.#core.settings.domain}`) return true;
    this.#core.outbox.count("from-forged");
    context.refuse(now, 403, "Not Your Address");
    return false;
  }

  #challenge(request: ValidRequest, stale: boolean): readonly NameAndValue[] {
    return this.#gatekeeper.challenges(request, stale).map((value) => ["Proxy-Authenticate", value]);
  }

  // Where to

  #begin(now: Instant, passage: Passage): void {
    const context = this.#open(now, passage);
    if (context !== undefined) this.#route(now, passage, context);
  }

  /** Whoever watches the caller or the called user is told of the call. */
  #watchCall(now: Instant, { request, flow, destination, route }: Passage, context: ResponseContext): void {
    if (request.toTag !== "") return this.#events.calls.passed(now, request, this.#hasOutlived(request, flow, route));
    if (request.method !== "INVITE" || route.flow !== undefined) return;
    const callee = destination.type === "user" ? destination.aor : undefined;
    const { uri } = request.from;
    const caller = this.#isOurCaller(request) && isSipUri(uri) ? addressOfRecord({ ...uri, host: this.#core.settings.domain }) : undefined;
    context.observer = this.#events.calls.begin(now, request, watchable(caller), watchable(callee));
  }

  /** Whether a box that laid its way is dead: its service address is here now, or what the next Route names is no box any more. */
  #hasOutlived({ callId }: ValidRequest, { local }: Flow, { vouched, remaining: [next] }: Preprocessed): boolean {
    const { ends, tokens } = this.#core;
    if (!vouched || ends.hasTaken(local.host)) return vouched;
    if (next === undefined || !isSipUri(next.uri) || next.uri.user === undefined || ends.isFleetHost(next.uri.host)) return false;
    return tokens.read(next.uri.user, callId).type !== "tampered";
  }

  /** From here on the request has a transaction and somebody who answers it. */
  #open(now: Instant, { request, flow, route }: Passage): ResponseContext | undefined {
    const server = this.#core.serve(now, request, flow);
    if (server === undefined) return undefined;
    if (request.method === "INVITE") this.#core.transactions.respond(now, server, responseTo(request, 100, ""));
    const isDirect = request.vias?.length === 1;
    const forwarding: Forwarding = { request, source: flow, callerFlow: isDirect ? responseFlow(request, flow) : undefined, route };
    const context = new ResponseContext(this.#core, this.#clockwork, forwarding, server, routingHash(request, this.#core.settings.domain));
    server.user = context;
    return context;
  }

  #route(now: Instant, passage: Passage, context: ResponseContext): void {
    const { request, destination } = passage;
    this.#watchCall(now, passage, context);
    if (request.toTag !== "") context.relaying = this.media.within(request, passage.route.media);
    else if (destination.type === "user") context.relaying = this.media.begin(request, passage.flow);
    if (destination.type === "target") context.start(now, [[[destination.target]]]);
    if (destination.type !== "user") return;
    // What is to be secure all the way is not kept: whoever takes it later may have no TLS.
    if (request.method === "MESSAGE" && request.toTag === "" && destination.gruu === undefined && !isSecure(request) && this.#isOurCaller(request) && !isProofUser(destination.aor)) {
      context.keeping = this.#keeper.keeping(request, destination.aor);
    }
    const asker = { secure: isSecure(request), isKnownCaller: this.#isOurCaller(request) };
    this.#core.questions.findUser(now, destination.aor, (at, lookup) => this.#fork(at, destination, asker, lookup, context));
  }

  #fork(now: Instant, { aor, gruu }: UserDestination, { secure, isKnownCaller }: Asker, lookup: UserLookup, context: ResponseContext): void {
    if (lookup.outcome === "unavailable") return context.refuse(now, 503, "", [this.#core.retryAfter()]);
    // To a stranger nobody's name is told from that of somebody who is not there.
    if (lookup.credentials === undefined && !this.#isOpen) return context.refuse(now, isKnownCaller ? 404 : 480);
    const { ends, tokens } = this.#core;
    const groups = targetGroups(aor, meant(lookup.bindings, gruu), this.#core.wallClock(), ends, tokens, secure);
    if (groups.length === 0) return context.refuse(now, gruu?.absent ?? 480);
    context.start(now, groups);
  }
}

const watchable = (aor: string | undefined): string | undefined => (aor === undefined || isProofUser(aor) ? undefined : aor);

const isSecure = ({ uri }: ValidRequest): boolean => isSipUri(uri) && uri.scheme === "sips";

/** Of a user's phones the one that a GRUU means, or all. */
const meant = (bindings: readonly FoundBinding[], gruu: GruuTarget | undefined): readonly FoundBinding[] =>
  gruu === undefined ? bindings : bindings.filter(gruu.means);
