// The calls that this box began to forward, as the busy lamps of both ends are to show them (RFC 4235). It looked the
// called user up, so it sees the answers; it is record-routed, so it sees the BYE. Written to the ring only for users
// who are watched (docs/decisions/0028).

import { BoundedMap } from "../../base/bounded-map.ts";
import { DeadlineQueue } from "../../base/deadline-queue.ts";
import { after, type Duration, hours, type Instant, minutes, seconds, wallAfter } from "../../base/time.ts";
import type { CoreContext } from "../core-context.ts";
import type { SipMessage, ValidRequest, ValidResponse } from "../message/message.ts";
import type { NameAddress } from "../message/name-address.ts";
import { parseUnsigned } from "../message/scan.ts";
import { addressOfRecord, isSipUri } from "../message/uri.ts";
import type { EventState, FoundEventState } from "../ports.ts";
import { DIALOG_INFO, dialogElement, endedElement, type DialogState, type DialogView, type Party } from "./dialog-info.ts";
import { EVENT_LIMITS } from "./limits.ts";
import type { Teller } from "./teller.ts";

/** What is written of a call lives so long, and is renewed meanwhile: if this box dies, the lamp goes out by itself. */
const STATE_LIFE = minutes(3);
const RENEW_EACH = minutes(1);
/** The same while it only rings: a phone that is called through a dead box does not ring for long. */
const RINGING_LIFE = seconds(30);
const RENEW_RINGING = seconds(10);
/** That a call is over is remembered as long as an older copy might come back from a box that was away. */
const FINAL_LIFE = seconds(90);
/** A call whose BYE never came is over then, if it has no session timer (RFC 4028). */
const LONGEST_CALL = hours(12);
/** A write that the ring did not take is tried again. */
const WRITE_AGAIN = seconds(1);

/** So often, then with the next renewal. */
const WRITES = 20;

/** Octets of what is told of a call at one place: longer names are left out, longer tags not followed. */
const WORD_MAX = 256;

type Ending = Pick<DialogView, "event" | "code">;

/** One end of a call that is a user of ours. */
interface Side {
  readonly aor: string;
  readonly key: string;
  readonly direction: DialogView["direction"];
  /** Whether somebody watches; `undefined`: not asked yet. */
  isWatched: boolean | undefined;
  /** Stored, or under way. */
  writing: "no" | "writing" | "again";
  /** Whether the ring was told of anything yet. */
  isWritten: boolean;
  /** Looks and writes in a row that the ring did not take. */
  failures: number;
}

interface Call {
  readonly key: string;
  readonly callId: string;
  readonly fromTag: string;
  toTag: string;
  readonly caller: Party;
  callee: Party;
  state: DialogState | "begun";
  ending: Ending;
  readonly sides: readonly Side[];
  /** From the session timer (RFC 4028), if the call has one. */
  session: Duration;
  endsAt: Instant;
  readonly renew: (now: Instant) => void;
}

/** Told by the response context of an INVITE how it goes. */
export interface CallObserver {
  provisional(now: Instant, response: ValidResponse): void;
  answered(now: Instant, response: ValidResponse): void;
  failed(now: Instant, status: number, isCancelled: boolean): void;
}

export class CallWatch {
  readonly #core: CoreContext;
  readonly #teller: Teller;
  /** By Call-ID and From tag. */
  readonly #calls = new BoundedMap<string, Call>(EVENT_LIMITS.calls, "evict");
  /** BOUNDED: two a call, and one a side. */
  readonly #timers = new DeadlineQueue<(now: Instant) => void>();

  constructor(core: CoreContext, teller: Teller) {
    this.#core = core;
    this.#teller = teller;
  }

  get size(): number {
    return this.#calls.size;
  }
  nextDeadline(): Instant | undefined {
    return this.#timers.next();
  }
  tick(now: Instant): void {
    for (let fire = this.#timers.takeDue(now); fire !== undefined; fire = this.#timers.takeDue(now)) fire(now);
  }

  /** An INVITE that begins a call; `caller` and `callee` are AoRs of our domain, `undefined` if they are none. */
  begin(now: Instant, request: ValidRequest, caller: string | undefined, callee: string | undefined): CallObserver | undefined {
    const key = keyOf(request.callId, request.fromTag);
    const isTooLong = request.callId.length > WORD_MAX || request.fromTag.length > WORD_MAX;
    if ((caller === undefined && callee === undefined) || isTooLong || this.#calls.has(key)) return undefined;
    const sides: Side[] = [];
    if (caller !== undefined) sides.push(this.#side(caller, key, "initiator"));
    if (callee !== undefined) sides.push(this.#side(callee, key, "recipient"));
    const call: Call = {
      key, callId: request.callId, fromTag: request.fromTag, toTag: "", sides,
      caller: party(request.from, targetOf(request)),
      callee: party(request.to, ""),
      state: "begun",
      ending: NO_ENDING,
      session: LONGEST_CALL,
      endsAt: after(now, LONGEST_CALL),
      renew: (at) => this.#renew(at, call),
    };
    this.#calls.set(key, call);
    // An INVITE that never gets an answer does not stay.
    this.#timers.set(call.renew, after(now, RENEW_EACH));
    return {
      provisional: (at, response) => this.#provisional(at, call, response),
      answered: (at, response) => this.#answered(at, call, response),
      failed: (at, status, isCancelled) => this.#end(at, call, failure(status, isCancelled)),
    };
  }

  #nameOf(key: string, direction: Side["direction"]): string {
    return this.#core.crypto.sha256Hex(`dialog\n${direction}\n${key}`).slice(0, 24);
  }

  #side(aor: string, key: string, direction: Side["direction"]): Side {
    return { aor, key: this.#nameOf(key, direction), direction, isWatched: undefined, writing: "no", isWritten: false, failures: 0 };
  }

  /** A request within a dialog that passes through. `outlived`: a box on its way has died, which may be the one that followed the call. */
  passed(now: Instant, request: ValidRequest, outlived: boolean): void {
    const { method, callId, fromTag, toTag } = request;
    const asCaller = this.#calls.get(keyOf(callId, fromTag));
    const call = asCaller ?? this.#calls.get(keyOf(callId, toTag));
    if (call === undefined && method === "BYE" && outlived) return this.#endOrphan(now, request);
    if (call?.state !== "confirmed") return;
    if (method === "INVITE" || method === "UPDATE") call.endsAt = after(now, call.session);
    if (method === "BYE") this.#end(now, call, { event: asCaller === undefined ? "remote-bye" : "local-bye", code: 0 });
  }

  /** Somebody began to watch this user, who may be talking. */
  watched(now: Instant, aor: string): void {
    for (const call of this.#calls.values()) {
      for (const side of call.sides) {
        if (side.aor !== aor || side.isWatched === true || call.state === "begun" || call.state === "terminated") continue;
        side.isWatched = true;
        this.#write(now, call, side);
      }
    }
  }

  #provisional(now: Instant, call: Call, response: ValidResponse): void {
    if (response.status === 100 || (call.state !== "begun" && call.state !== "early")) return;
    const isNew = call.state === "begun";
    if (isNew) this.#timers.set(call.renew, after(now, RENEW_RINGING));
    call.state = "early";
    if (call.toTag === "") call.toTag = short(response.toTag);
    if (isNew) this.#changed(now, call);
  }

  #answered(now: Instant, call: Call, response: ValidResponse): void {
    if (call.state === "confirmed" || call.state === "terminated") return;
    call.state = "confirmed";
    this.#timers.set(call.renew, after(now, RENEW_EACH));
    call.toTag = short(response.toTag);
    call.callee = { ...call.callee, target: targetOf(response) };
    call.session = sessionTime(response);
    call.endsAt = after(now, call.session);
    this.#changed(now, call);
  }

  #end(now: Instant, call: Call, ending: Ending): void {
    if (call.state === "terminated") return;
    const wasShown = call.state !== "begun";
    call.state = "terminated";
    call.ending = ending;
    if (wasShown) this.#changed(now, call);
    this.#calls.delete(call.key);
    this.#timers.delete(call.renew);
  }

  /** The box that followed the call is dead: what the ring has of it at the two ends is over. */
  #endOrphan(now: Instant, { callId, fromTag, toTag, from, to }: ValidRequest): void {
    const { settings, ends } = this.#core;
    for (const [{ uri }, event] of [[from, "local-bye"], [to, "remote-bye"]] as const) {
      const aor = isSipUri(uri) && ends.isOurs(uri.host, uri.port) ? addressOfRecord({ ...uri, host: settings.domain }) : undefined;
      if (aor === undefined) continue;
      // The caller's tag names the call: whoever hangs up is the one or the other.
      const names = [fromTag, toTag].flatMap((tag) => DIRECTIONS.map((direction) => this.#nameOf(keyOf(callId, tag), direction)));
      this.#core.questions.readEvents(now, aor, (at, lookup) => {
        if (lookup.outcome === "unavailable") return;
        const upserts = lookup.states.filter(({ key, isFinal }) => !isFinal && names.includes(key)).map((state) => this.#ended(state, event));
        if (upserts.length === 0) return;
        this.#core.outbox.count("call-of-dead-box-over");
        this.#core.questions.changeEvents(at, aor, { of: "states", upserts, removals: [] }, (later, { outcome }) => (outcome === "stored" ? this.#teller.tell(later, aor) : undefined));
      });
    }
  }

  #ended({ writtenAt: _, ...state }: FoundEventState, event: Ending["event"]): EventState {
    const expiresAt = wallAfter(this.#core.wallClock(), FINAL_LIFE);
    return { ...state, content: endedElement(state.content, event), isFinal: true, expiresAt };
  }

  #changed(now: Instant, call: Call): void {
    for (const side of call.sides) {
      if (side.isWatched === undefined) this.#ask(now, call, side);
      else if (side.isWatched) this.#write(now, call, side);
    }
  }

  /** Whether anybody wants to know. */
  #ask(now: Instant, call: Call, side: Side): void {
    side.isWatched = false;
    this.#core.questions.readEvents(now, side.aor, (at, lookup) => {
      if (lookup.outcome === "unavailable") return this.#soon(at, side, (later) => this.#ask(later, call, side));
      side.failures = 0;
      if (!lookup.subscriptions.some((one) => one.package === "dialog")) return;
      side.isWatched = true;
      this.#write(at, call, side);
    });
  }

  /** Once more, a moment later; if that goes on, with the next renewal. */
  #soon(now: Instant, side: Side, act: (now: Instant) => void): void {
    side.failures += 1;
    if (side.failures < WRITES) this.#timers.set(act, after(now, WRITE_AGAIN));
  }

  /** One write at a time, so that they arrive in order; the next one writes what is true by then. */
  #write(now: Instant, call: Call, side: Side, isRenewal = false): void {
    if (side.writing !== "no") {
      side.writing = "again";
      return;
    }
    // Begun and over before anybody was told: there is nothing to take back.
    if (call.state === "begun" || (call.state === "terminated" && !side.isWritten)) return;
    side.writing = "writing";
    side.isWritten = true;
    const upserts = [this.#stateOf(call, side, call.state)];
    this.#core.questions.changeEvents(now, side.aor, { of: "states", upserts, removals: [] }, (at, { outcome }) => {
      const isOld = side.writing === "again";
      side.writing = "no";
      if (outcome === "stored" && !isRenewal) this.#teller.tell(at, side.aor);
      if (outcome === "stored") side.failures = 0;
      if (isOld) this.#write(at, call, side);
      else if (outcome === "unavailable") this.#soon(at, side, (later) => this.#write(later, call, side));
    });
  }

  #stateOf(call: Call, { key, direction }: Side, state: DialogState): EventState {
    const isInitiator = direction === "initiator";
    const content = dialogElement({
      id: key.slice(0, 16),
      callId: call.callId,
      localTag: isInitiator ? call.fromTag : call.toTag,
      remoteTag: isInitiator ? call.toTag : call.fromTag,
      direction,
      state,
      event: isInitiator ? call.ending.event : mirrored(call.ending.event),
      code: call.ending.code,
      local: isInitiator ? call.caller : call.callee,
      remote: isInitiator ? call.callee : call.caller,
    });
    const expiresAt = wallAfter(this.#core.wallClock(), LIVES[state]);
    return { key, package: "dialog", content, contentType: DIALOG_INFO, etag: "", isFinal: state === "terminated", expiresAt };
  }

  /** What the ring has of it is kept alive; who is not watched may be by now. */
  #renew(now: Instant, call: Call): void {
    if (call.endsAt <= now) return this.#end(now, call, { event: "timeout", code: 0 });
    this.#timers.set(call.renew, after(now, call.state === "early" ? RENEW_RINGING : RENEW_EACH));
    if (call.state === "begun") return;
    for (const side of call.sides) {
      if (side.isWatched === true) this.#write(now, call, side, true);
      else if (call.state === "confirmed") this.#ask(now, call, side);
    }
  }
}

const LIVES: Readonly<Record<DialogState, Duration>> = { early: RINGING_LIFE, confirmed: STATE_LIFE, terminated: FINAL_LIFE };
const DIRECTIONS = ["initiator", "recipient"] as const;
const NO_ENDING: Ending = { event: "", code: 0 };

const keyOf = (callId: string, fromTag: string): string => `${callId}\n${fromTag}`;

const party = ({ uriText, displayName }: NameAddress, target: string): Party => ({ identity: short(uriText), displayName: short(displayName), target });

const short = (word: string): string => (word.length > WORD_MAX ? "" : word);

function targetOf({ contacts }: SipMessage): string {
  return contacts === undefined || contacts === "*" ? "" : short(contacts[0]?.uriText ?? "");
}

function sessionTime(response: ValidResponse): Duration {
  const value = response.header("session-expires") ?? "";
  const semicolon = value.indexOf(";");
  const timer = parseUnsigned((semicolon < 0 ? value : value.slice(0, semicolon)).trim(), 1_000_000);
  return timer === undefined ? LONGEST_CALL : seconds(timer);
}

const failure = (status: number, isCancelled: boolean): Ending => ({
  event: isCancelled ? "cancelled" : status === 408 ? "timeout" : status >= 500 && status < 600 ? "error" : "rejected",
  code: isCancelled ? 0 : status,
});

/** The same end as the other side of the call has it. */
const mirrored = (event: DialogView["event"]): DialogView["event"] =>
  event === "local-bye" ? "remote-bye" : event === "remote-bye" ? "local-bye" : event;
