// Calls whose sound goes through the relay of this box (rtpengine), and what each message of theirs says instead of
// its own description. A relay that does not answer changes nothing: the message goes on as it is.

import { BoundedMap } from "../../base/bounded-map.ts";
import type { Instant } from "../../base/time.ts";
import type { CoreContext } from "../core-context.ts";
import { CORE_LIMITS } from "../limits.ts";
import type { ValidRequest, ValidResponse } from "../message/message.ts";
import type { Flow } from "../ports.ts";
import { describedMedia, hasDescription, type MediaSide } from "./description.ts";
import { callerEnd, calleeEnd, type MediaEnd, needsRelay } from "./relay-need.ts";
import type { ProxyTarget } from "../proxy/target-set.ts";

/** What is to be sent on in the place of the description; `undefined`: the description itself. */
type Then = (now: Instant, body: string | undefined) => void;

/** A request for one phone whose sound goes through the relay. */
export interface RelayedOffer {
  readonly body: string;
  /** In Record-Route: what whoever gets a later offer of the call must know to go on with it. */
  readonly mark: string;
  readonly answered: (now: Instant, response: ValidResponse, then: Then) => void;
}

/** One INVITE or UPDATE on its way. */
export interface Relaying {
  /** `then` at once with `undefined` if this phone needs no relay. */
  readonly offer: (now: Instant, target: ProxyTarget, then: (now: Instant, offer: RelayedOffer | undefined) => void) => void;
  /** Nobody took the call. */
  readonly failed: () => void;
}

interface RelayedCall {
  readonly callerTag: string;
  readonly caller: MediaSide;
  /** By their tags. BOUNDED: by the branches of a call that were answered. */
  readonly callees: Map<string, MediaSide>;
}

export class MediaRelay {
  /** Whether there is a relay and it answers. */
  isReady = false;
  readonly #core: CoreContext;
  /** By Call-ID. */
  readonly #calls = new BoundedMap<string, RelayedCall>(CORE_LIMITS.relayedCalls, "evict");
  #branches = 0;

  constructor(core: CoreContext) {
    this.#core = core;
  }

  get size(): number {
    return this.#calls.size;
  }

  /** For a call that begins. One without a description, whose answerer offers, is left alone. */
  begin(request: ValidRequest, flow: Flow): Relaying | undefined {
    const described = this.isReady && request.method === "INVITE" ? describedMedia(request) : undefined;
    if (described === undefined) return undefined;
    const caller = callerEnd(request, flow, described);
    return {
      offer: (now, target, then) => this.#offerTo(now, request, caller, target, then),
      failed: () => this.#forget(request),
    };
  }

  /** For what follows within a dialog: a relayed call stays one, and its end is told. `mark`: from a Route of this box, or of one whose address it has taken. */
  within(request: ValidRequest, mark: string | undefined): Relaying | undefined {
    const isKnown = this.#calls.has(request.callId);
    const sides = isKnown ? this.#knownSides(request) : this.isReady ? this.#markedSides(request, mark) : undefined;
    if (request.method === "BYE") {
      if (isKnown) this.#forget(request);
      else if (sides !== undefined) this.#end(request);
    }
    if (sides === undefined || (request.method !== "INVITE" && request.method !== "UPDATE") || !hasDescription(request)) return undefined;
    const [from, to] = sides;
    return {
      offer: (now, _target, then) => this.#ask(now, request, request.toTag, "", from, to, (at, offer) => then(at, offer)),
      failed: () => undefined, // the session stays as it was
    };
  }

  /** Of who sent the request, and who gets it. */
  #knownSides({ callId, fromTag, toTag }: ValidRequest): Sides | undefined {
    const call = this.#calls.get(callId);
    const isCallers = fromTag === call?.callerTag;
    const callee = call?.callees.get(isCallers ? toTag : fromTag);
    if (call === undefined || callee === undefined) return undefined;
    return isCallers ? [call.caller, callee] : [callee, call.caller];
  }

  /** Of a call that another box began to relay, or this one in an earlier life. */
  #markedSides({ callId, fromTag, toTag }: ValidRequest, mark: string | undefined): Sides | undefined {
    const caller = mark === undefined ? undefined : SIDES[mark.charAt(0)];
    const callee = mark === undefined ? undefined : SIDES[mark.charAt(1)];
    if (mark === undefined || caller === undefined || callee === undefined) return undefined;
    const isCallers = (tag: string): boolean => this.#core.tokens.isMark(textOfMark(caller, callee, callId, tag), mark.slice(2));
    if (isCallers(fromTag)) return [caller, callee];
    return isCallers(toTag) ? [callee, caller] : undefined;
  }

  #markOf(caller: MediaSide, callee: MediaSide, { callId, fromTag }: ValidRequest): string {
    return `${caller.charAt(0)}${callee.charAt(0)}${this.#core.tokens.mark(textOfMark(caller, callee, callId, fromTag))}`;
  }

  #offerTo(now: Instant, request: ValidRequest, caller: MediaEnd, { phone }: ProxyTarget, then: (now: Instant, offer: RelayedOffer | undefined) => void): void {
    const callee = phone === undefined ? undefined : calleeEnd(phone);
    if (callee === undefined || !needsRelay(caller, callee)) return then(now, undefined);
    const call = this.#calls.get(request.callId) ?? { callerTag: request.fromTag, caller: caller.side, callees: new Map() };
    this.#calls.set(request.callId, call);
    this.#branches += 1;
    this.#core.outbox.count("media-relayed");
    this.#ask(now, request, "", `b${this.#branches}`, caller.side, callee.side, then, (toTag) => call.callees.set(toTag, callee.side));
  }

  #ask(
    now: Instant,
    request: ValidRequest,
    toTag: string,
    branch: string,
    from: MediaSide,
    to: MediaSide,
    then: (now: Instant, offer: RelayedOffer | undefined) => void,
    learn: (toTag: string) => void = () => undefined,
  ): void {
    const { callId, fromTag, body } = request;
    const changes = from !== to;
    this.#core.questions.relayMedia(now, { verb: "offer", callId, fromTag, toTag, branch, sdp: body, towards: to, changes }, (at, relayed) => {
      if (relayed === undefined) {
        this.#core.outbox.count("media-relay-unanswered");
        return then(at, undefined);
      }
      const answered = (when: Instant, response: ValidResponse, go: Then): void => {
        if (!hasDescription(response)) return go(when, undefined);
        learn(response.toTag);
        const answer = { verb: "answer", callId, fromTag, toTag: response.toTag, branch, sdp: response.body, towards: from, changes } as const;
        this.#core.questions.relayMedia(when, answer, go);
      };
      then(at, { body: relayed, mark: this.#markOf(from, to, request), answered });
    });
  }

  #forget(request: ValidRequest): void {
    if (this.#calls.delete(request.callId)) this.#end(request);
  }

  #end({ callId, fromTag }: ValidRequest): void {
    this.#core.questions.endMedia({ verb: "delete", callId, fromTag });
  }
}

type Sides = readonly [from: MediaSide, to: MediaSide];

/** By their first letters. */
const SIDES: Readonly<Record<string, MediaSide>> = { w: "webrtc", p: "plain" };

const textOfMark = (caller: MediaSide, callee: MediaSide, callId: string, callerTag: string): string => `media ${caller} ${callee} ${callId} ${callerTag}`;
