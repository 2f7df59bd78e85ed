// The response context of one proxied request (RFC 3261 16.6 to 16.10): its branches, the best of their
// answers, CANCEL and timer C.

import { DeadlineQueue } from "../../base/deadline-queue.ts";
import { after, type Duration, type Instant, milliseconds } from "../../base/time.ts";
import type { CoreContext } from "../core-context.ts";
import type { CallObserver } from "../events/call-watch.ts";
import { CORE_LIMITS } from "../limits.ts";
import { cancelOf, type NameAndValue, responseTo } from "../message/build.ts";
import { ResponseEdit } from "../message/edit.ts";
import type { ValidResponse } from "../message/message.ts";
import type { Relaying } from "../media/media-relay.ts";
import type { Keeping } from "../messages/keeper.ts";
import { MAGIC_COOKIE } from "../message/via.ts";
import type { ClientTransaction, ClientUser, ServerTransaction, ServerUser } from "../transaction/transaction-layer.ts";
import { TIMER_C } from "../transaction/timers.ts";
import type { Hop } from "../transport/transport.ts";
import { bestFailure, type Failure, outwardStatus } from "./best-response.ts";
import { breadthOf, type Forwarding, forwardedRequest } from "./forwarding.ts";
import { lastingBranch } from "./lasting-branch.ts";
import { SilentServers } from "./silent-servers.ts";
import type { Target } from "../ports.ts";
import type { ProxyTarget, Turns } from "./target-set.ts";

/** A larger request goes by TCP to whoever has not shown by registering that UDP of any size arrives (18.1.1). */
const LARGEST_DATAGRAM = 1_300;

/** A box answers an INVITE at once with a 100; one that says nothing for so long is probably dead. */
const BOX_PATIENCE = milliseconds(2_000);

/** A message that no phone has answered by then is kept: its sender waits 32 s, and no longer. */
const MESSAGE_PATIENCE = milliseconds(8_000);

/** Answers that say that nobody is there. */
const NOBODY_THERE: readonly number[] = [408, 430, 480, 503];

interface Attempt {
  readonly hop: Hop;
  /** UDP after all, where TCP could not be had (18.1.1). */
  readonly fallback: boolean;
}

interface Branch {
  turns: Turns;
  /** The Max-Breadth that it hands on. */
  readonly breadth: number;
  turn: number;
  /** Hops still to try for the present target. */
  attempts: Attempt[];
  client: ClientTransaction | undefined;
  /** The server outside that is asked now. */
  server: Target | undefined;
  id: string;
  provisional: boolean;
  cancel: "no" | "wanted" | "sent";
  finished: boolean;
}

type BranchFailure = Failure<ValidResponse>;

/** What all response contexts of a box share. */
export class ProxyClockwork {
  /** Timer C of each branch, and the patience with boxes. BOUNDED: two a branch. */
  readonly timers = new DeadlineQueue<(now: Instant) => void>();
  readonly silentServers = new SilentServers();
  readonly #prefix: string;
  #branches = 0;
  /** Contexts that are not at their end. BOUNDED: by the server transactions. */
  alive = 0;

  /** `prefix`: random, so that no branch repeats one of an earlier life of this process. */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  nextBranch(routingHash: string): string {
    this.#branches += 1;
    return `${MAGIC_COOKIE}${this.#prefix}${this.#branches.toString(36)}.${routingHash}`;
  }
}

export class ResponseContext implements ClientUser, ServerUser {
  readonly #core: CoreContext;
  readonly #clockwork: ProxyClockwork;
  readonly #forwarding: Forwarding;
  readonly #server: ServerTransaction;
  readonly #routingHash: string;
  readonly #isInvite: boolean;
  /** Groups still to come, in order. */
  #groups: readonly (readonly Turns[])[] = [];
  readonly #branches: Branch[] = [];
  readonly #byClient = new Map<ClientTransaction, Branch>();
  readonly #timersC = new Map<Branch, (now: Instant) => void>();
  readonly #patience = new Map<Branch, (now: Instant) => void>();
  readonly #failures: BranchFailure[] = [];
  /** By the Request-URI that they were made with. BOUNDED: by the branches' turns. */
  readonly #attempts = new Map<string, number>();
  readonly #breadth: number;
  /** Of an INVITE that begins a call, if somebody is to be told how it goes. */
  observer: CallObserver | undefined;
  /** Of an offer that may need the media relay. */
  relaying: Relaying | undefined;
  /** Of a MESSAGE that may be kept if nobody is there. */
  keeping: Keeping | undefined;
  #isKept = false;
  #started = false;
  #cancelled = false;
  #ended = false;

  constructor(core: CoreContext, clockwork: ProxyClockwork, forwarding: Forwarding, server: ServerTransaction, routingHash: string) {
    this.#core = core;
    this.#clockwork = clockwork;
    this.#forwarding = forwarding;
    this.#server = server;
    this.#routingHash = routingHash;
    this.#breadth = breadthOf(forwarding.request);
    this.#isInvite = forwarding.request.method === "INVITE";
    clockwork.alive += 1;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Sends the request to the first group of targets; the others follow if that one fails. */
  start(now: Instant, groups: readonly (readonly Turns[])[]): void {
    if (this.#ended) return;
    this.#started = true;
    this.#groups = groups;
    if (this.keeping !== undefined) this.#clockwork.timers.set((at) => (this.#ended ? undefined : this.#keep(at)), after(now, MESSAGE_PATIENCE));
    this.#startNextGroup(now);
  }

  /** Whoever sent the message is told as soon as the ring has it; a phone may still answer. */
  #keep(now: Instant): void {
    if (this.#isKept) return;
    this.#isKept = true;
    this.keeping?.keep(now, (at, status, fields) => this.#answerLocally(at, status, "", fields));
  }

  /** Ends it with an answer of our own before anything was sent on. */
  refuse(now: Instant, status: number, reason = "", fields: readonly NameAndValue[] = []): void {
    if (this.#ended) return;
    this.observer?.failed(now, status, this.#cancelled);
    if (this.keeping !== undefined && status === 480) this.#keep(now);
    else this.#answerLocally(now, status, reason, fields);
    this.#end();
  }

  cancelled(now: Instant): void {
    if (this.#ended || this.#cancelled) return;
    this.#cancelled = true;
    if (!this.#started) return this.refuse(now, 487);
    this.#cancelOthers(now, undefined);
    this.#endIfDone(now);
  }

  received(now: Instant, client: ClientTransaction, response: ValidResponse): void {
    const branch = this.#byClient.get(client);
    if (branch === undefined) return;
    if (branch.server !== undefined && response.status !== 503) this.#clockwork.silentServers.answered(branch.server);
    if (response.status < 200) this.#receiveProvisional(now, branch, response);
    else if (response.status < 300) this.#receiveSuccess(now, branch, response);
    else this.#branchFailed(now, branch, { status: response.status, response }, "response");
  }

  failed(now: Instant, client: ClientTransaction, cause: "timeout" | "transport-error"): void {
    const branch = this.#byClient.get(client);
    if (branch === undefined) return;
    this.#core.outbox.count(cause === "timeout" ? "branch-timeout" : "branch-transport-error");
    this.#branchFailed(now, branch, { status: cause === "timeout" ? 408 : 503, response: undefined }, cause);
  }

  // Branches: starting

  #startNextGroup(now: Instant): void {
    const [group, ...rest] = this.#groups;
    if (group === undefined) return this.#endIfDone(now);
    // RFC 5393 5.3.3.1: what came may become so many branches at once, and each hands on its share.
    const atOnce = Math.min(CORE_LIMITS.branches, this.#breadth);
    if (atOnce === 0) return this.refuse(now, 440);
    const later = group.slice(atOnce);
    this.#groups = later.length > 0 ? [later, ...rest] : rest;
    const breadth = Math.floor(this.#breadth / Math.min(atOnce, group.length));
    const started = group.slice(0, atOnce).map((turns) => this.#newBranch(turns, breadth));
    for (const branch of started) this.#startTurn(now, branch);
    this.#endIfDone(now);
  }

  #newBranch(turns: Turns, breadth: number): Branch {
    const branch: Branch = { turns, breadth, turn: 0, attempts: [], client: undefined, server: undefined, id: "", provisional: false, cancel: "no", finished: false };
    this.#branches.push(branch);
    return branch;
  }

  #startTurn(now: Instant, branch: Branch): void {
    const target = branch.turns[branch.turn];
    if (target === undefined) return this.#finish(branch);
    if (this.relaying === undefined) return this.#follow(now, branch, target);
    this.relaying.offer(now, target, (at, offer) => {
      if (branch.finished) return;
      const described = offer === undefined ? target : { ...target, offer };
      branch.turns = branch.turns.with(branch.turn, described);
      this.#follow(at, branch, described);
    });
  }

  #follow(now: Instant, branch: Branch, target: ProxyTarget): void {
    const { way } = target;
    switch (way.type) {
      case "none":
        return this.#branchFailed(now, branch, { status: way.status, response: undefined }, "response");
      case "hop":
        branch.attempts = [{ hop: way.hop, fallback: false }];
        return this.#launch(now, branch, target);
      case "resolve":
        this.#core.questions.resolve(now, way, (at, found) => {
          if (branch.finished) return;
          branch.attempts = this.#clockwork.silentServers
            .lastOf(at, found)
            .slice(0, CORE_LIMITS.resolvedTargets)
            .map(({ transport, address }) => ({ hop: { type: "address", transport, remote: address, name: way.host }, fallback: false }));
          if (branch.attempts.length === 0) this.#branchFailed(at, branch, { status: 480, response: undefined }, "response");
          else this.#launch(at, branch, target);
        });
    }
  }

  #launch(now: Instant, branch: Branch, target: ProxyTarget): void {
    const attempt = branch.attempts.shift();
    if (attempt === undefined) return;
    const hop = this.#usableHop(attempt.hop, target);
    if (hop === undefined) {
      if (attempt.hop.type === "address") {
        return this.#branchFailed(now, branch, { status: 403, response: undefined }, "transport-error");
      }
      this.#forgetBinding(now, target);
      return this.#branchFailed(now, branch, { status: 430, response: undefined }, "response");
    }
    if (!this.#core.transactions.hasRoom(this.#core.reserveFor(this.#forwarding.request, this.#server.source))) {
      return this.#branchFailed(now, branch, { status: 503, response: undefined }, "response");
    }
    this.#send(now, branch, target, { hop, fallback: attempt.fallback });
  }

  #usableHop(hop: Hop, { isNamed = false }: ProxyTarget): Hop | undefined {
    const { ends } = this.#core;
    if (hop.type === "address") return (isNamed ? ends.mayRelayTo(hop.remote) : ends.mayReach(hop.remote)) ? this.#fromService(hop) : undefined;
    const { flow } = hop;
    // A datagram from an address that this box has no more goes from another; it may still pass.
    if (flow.transport === "udp" && !this.#core.ends.isLocal(flow.local.host)) {
      return this.#fromService({ type: "address", transport: "udp", remote: flow.remote });
    }
    const alive = this.#core.transport.alive(flow);
    return alive === undefined ? undefined : { type: "flow", flow: alive };
  }

  /** The response to an INVITE may come when this box is dead. */
  #fromService(hop: Extract<Hop, { type: "address" }>): Hop {
    const from = this.#isInvite && hop.transport === "udp" ? this.#core.ends.serviceFor(hop.remote.host) : undefined;
    return from === undefined ? hop : { ...hop, from };
  }

  #nameBranch(target: ProxyTarget): string {
    const { request } = this.#forwarding;
    const attempt = this.#attempts.get(target.uriText) ?? 0;
    this.#attempts.set(target.uriText, attempt + 1);
    const lasting = this.#isInvite ? lastingBranch(this.#core, request, target.uriText, attempt, this.#routingHash) : undefined;
    return lasting ?? this.#clockwork.nextBranch(this.#routingHash);
  }

  #send(now: Instant, branch: Branch, target: ProxyTarget, { hop, fallback }: Attempt): void {
    branch.id = this.#nameBranch(target);
    let request = forwardedRequest(this.#core, this.#forwarding, target, hop, branch.id, branch.breadth);
    let way = hop;
    if (hop.type === "address" && hop.transport === "udp" && !fallback && request.octets.length > LARGEST_DATAGRAM) {
      branch.attempts.unshift({ hop, fallback: true });
      way = { ...hop, transport: "tcp" }; // its Via names the service address: a new connection comes there when this box is dead
      request = forwardedRequest(this.#core, this.#forwarding, target, way, branch.id, branch.breadth);
    }
    branch.provisional = false;
    branch.server = target.way.type === "resolve" && way.type === "address" ? { transport: way.transport, address: way.remote } : undefined;
    branch.client = this.#core.transactions.request(now, request, branch.id, way, this);
    this.#byClient.set(branch.client, branch);
    this.#startTimerC(now, branch);
    if (target.rescue !== undefined && this.#isInvite) this.#startPatience(now, branch, target.rescue);
  }

  /** The box on the way has said nothing: the phone is called past it as well. */
  #startPatience(now: Instant, branch: Branch, rescue: ProxyTarget): void {
    this.#startTimer(now, this.#patience, branch, BOX_PATIENCE, (at) => {
      if (branch.finished || branch.provisional || branch.cancel !== "no") return;
      this.#core.outbox.count("box-silent");
      this.#startTurn(at, this.#newBranch([rescue], branch.breadth));
    });
  }

  // Branches: answers

  #receiveProvisional(now: Instant, branch: Branch, response: ValidResponse): void {
    branch.provisional = true;
    if (branch.cancel === "wanted") this.#sendCancel(now, branch);
    if (response.status === 100 || branch.finished || !this.#isInvite) return;
    this.#startTimerC(now, branch);
    this.#passOf(now, branch, response);
    this.observer?.provisional(now, response);
  }

  /** Sent on at once, each one for an INVITE (16.7 step 5); the other branches are not needed any more. */
  #receiveSuccess(now: Instant, branch: Branch, response: ValidResponse): void {
    this.#finish(branch);
    if (this.#isKept) this.keeping?.takeBack(now);
    if (this.#isInvite || !this.#ended) this.#passOf(now, branch, response);
    this.observer?.answered(now, response);
    this.#cancelOthers(now, branch);
    this.#end();
  }

  #branchFailed(now: Instant, branch: Branch, failure: BranchFailure, cause: "response" | "timeout" | "transport-error"): void {
    if (branch.finished) return;
    const target = branch.turns[branch.turn];
    if (failure.status === 430 && failure.response !== undefined && target !== undefined) this.#forgetBinding(now, target);
    if (branch.cancel === "no" && this.#tryElsewhere(now, branch, failure, cause)) return;
    this.#failures.push(this.#outward(failure, target));
    this.#finish(branch);
    if (failure.status >= 600) this.#cancelOthers(now, branch);
    this.#endIfDone(now);
  }

  /** The next address of the same target (RFC 3263 4.3), or the next contact of the same instance (RFC 5626 7). */
  #tryElsewhere(now: Instant, branch: Branch, { status }: BranchFailure, cause: "response" | "timeout" | "transport-error"): boolean {
    if (branch.client !== undefined) this.#byClient.delete(branch.client);
    branch.client = undefined;
    if (branch.attempts[0]?.fallback === true && cause !== "transport-error") branch.attempts.shift();
    const target = branch.turns[branch.turn];
    const isUnreachable = cause !== "response" || status === 503;
    if (isUnreachable && branch.server !== undefined) this.#clockwork.silentServers.failed(now, branch.server);
    if (isUnreachable && target !== undefined && branch.attempts.length > 0) {
      this.#launch(now, branch, target);
      return true;
    }
    if (!isUnreachable && status !== 430 && status !== 408 && status !== 480) return false;
    if (branch.turn + 1 >= branch.turns.length) return false;
    branch.turn += 1;
    branch.attempts = [];
    this.#startTurn(now, branch);
    return true;
  }

  #outward({ status, response }: BranchFailure, target: ProxyTarget | undefined): BranchFailure {
    const bound = target?.binding !== undefined;
    // A binding that could not even be asked is a phone that is not there.
    const outward = response === undefined && bound && status === 503 ? 480 : outwardStatus(status, bound);
    return outward === status ? { status, response } : { status: outward, response: undefined };
  }

  /** The binding's flow is dead: it would only be tried in vain by everybody who calls. */
  #forgetBinding(now: Instant, target: ProxyTarget): void {
    if (target.binding === undefined) return;
    this.#core.outbox.count("binding-flow-dead");
    const changes = { upserts: [], removals: [target.binding.key] };
    this.#core.questions.changeBindings(now, target.binding.aor, changes, nothing);
  }

  #finish(branch: Branch): void {
    branch.finished = true;
    this.#stopTimer(this.#timersC, branch);
    this.#stopTimer(this.#patience, branch);
  }

  // CANCEL and timer C

  #cancelOthers(now: Instant, winner: Branch | undefined): void {
    this.#groups = [];
    for (const branch of this.#branches) {
      if (branch === winner || branch.finished || branch.cancel !== "no") continue;
      this.#cancelBranch(now, branch);
    }
  }

  #cancelBranch(now: Instant, branch: Branch): void {
    branch.cancel = "wanted";
    if (branch.client === undefined) {
      this.#failures.push({ status: 487, response: undefined });
      this.#finish(branch);
    } else if (this.#isInvite && branch.provisional) this.#sendCancel(now, branch);
  }

  #sendCancel(now: Instant, branch: Branch): void {
    const { client } = branch;
    if (client === undefined || branch.cancel === "sent") return;
    branch.cancel = "sent";
    this.#stopTimer(this.#timersC, branch);
    this.#core.transactions.noteCancel(now, client);
    if (this.#core.transactions.hasRoom()) {
      this.#core.transactions.request(now, cancelOf(client.request), branch.id, client.hop, NOBODY);
    }
  }

  #startTimerC(now: Instant, branch: Branch): void {
    if (!this.#isInvite || branch.cancel === "sent") return;
    this.#startTimer(now, this.#timersC, branch, TIMER_C, (at) => this.#timerCFired(at, branch));
  }

  #startTimer(now: Instant, timers: Map<Branch, (now: Instant) => void>, branch: Branch, delay: Duration, fire: (now: Instant) => void): void {
    this.#stopTimer(timers, branch);
    timers.set(branch, fire);
    this.#clockwork.timers.set(fire, after(now, delay));
  }

  #stopTimer(timers: Map<Branch, (now: Instant) => void>, branch: Branch): void {
    const fire = timers.get(branch);
    if (fire !== undefined) this.#clockwork.timers.delete(fire);
    timers.delete(branch);
  }

  /** 16.8: a branch that rings is cancelled; one that says nothing counts as timed out. */
  #timerCFired(now: Instant, branch: Branch): void {
    this.#timersC.delete(branch);
    if (branch.finished) return;
    this.#core.outbox.count("timer-c");
    if (branch.provisional) this.#cancelBranch(now, branch);
    else this.#branchFailed(now, branch, { status: 408, response: undefined }, "timeout");
  }

  // The answer

  #endIfDone(now: Instant): void {
    if (this.#ended || this.#branches.some((branch) => !branch.finished)) return;
    if (this.#groups.length > 0 && !this.#cancelled) return this.#startNextGroup(now);
    this.#answerBest(now);
    this.#end();
  }

  #answerBest(now: Instant): void {
    const best = bestFailure(this.#failures);
    this.relaying?.failed();
    this.observer?.failed(now, best?.status ?? 480, this.#cancelled);
    if (this.#isKept) return;
    if (this.keeping !== undefined && NOBODY_THERE.includes(best?.status ?? 480)) return this.#keep(now);
    if (best === undefined) return this.#answerLocally(now, this.#cancelled ? 487 : 480);
    // RFC 4320 4.2: nobody tells a non-INVITE client what its own timer tells it.
    if (best.status === 408 && !this.#isInvite) return;
    if (best.response === undefined) return this.#answerLocally(now, this.#cancelled ? 487 : best.status);
    this.#pass(now, best.response, best.status === 401 || best.status === 407);
  }

  /** With what the relay makes of its description, if the offer went through it. */
  #passOf(now: Instant, branch: Branch, response: ValidResponse): void {
    const offer = branch.turns[branch.turn]?.offer;
    if (offer === undefined) return this.#pass(now, response);
    offer.answered(now, response, (at, body) => this.#pass(at, response, false, body));
  }

  #pass(now: Instant, response: ValidResponse, withAllChallenges = false, body?: string): void {
    const edit = new ResponseEdit(response).popVia().setContentLength();
    if (body !== undefined) edit.setBody(body);
    if (withAllChallenges) this.#addChallenges(edit, response);
    this.#core.transactions.respond(now, this.#server, edit.response());
  }

  /** 16.7 step 7: the challenges of all branches, so that one answer can satisfy them all. */
  #addChallenges(edit: ResponseEdit, chosen: ValidResponse): void {
    for (const { status, response } of this.#failures) {
      if (response === undefined || response === chosen || (status !== 401 && status !== 407)) continue;
      for (const name of ["WWW-Authenticate", "Proxy-Authenticate"]) {
        for (const value of response.headers(name.toLowerCase())) edit.append(name, value);
      }
    }
  }

  #answerLocally(now: Instant, status: number, reason = "", fields: readonly NameAndValue[] = []): void {
    const { request } = this.#forwarding;
    const response = responseTo(request, status, reason, this.#core.answerOptions(request, fields));
    this.#core.transactions.respond(now, this.#server, response);
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#clockwork.alive -= 1;
  }
}

/** What becomes of a CANCEL is told by the INVITE's own answer. */
const nothing = (): void => undefined;
export const NOBODY: ClientUser = { received: nothing, failed: nothing };
