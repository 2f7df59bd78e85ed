// MESSAGEs (RFC 3428) to users whose phones are away: kept in the ring, and answered with 202 when they are on disk.

import { type Duration, hours, type Instant, minutes, wallAfter, wallTime } from "../../base/time.ts";
import type { CoreContext } from "../core-context.ts";
import type { NameAndValue } from "../message/build.ts";
import type { ValidRequest } from "../message/message.ts";
import type { KeptMessage } from "../ports.ts";

/** Octets of a body that is kept. */
const BODY_MAX = 2_048;
/** Octets of what is kept of its header. */
const FIELDS_MAX = 900;
/** Messages that wait for one user: beyond it the sender is told that nobody is there. */
const WAITING_MAX = 50;
/** A message waits so long, or as long as its Expires says. */
const WAITING_TIME: Duration = hours(24 * 7);
/** A message that was delivered, or taken back, is known so long: a sender that repeats it does not send another one. */
const KNOWN_TIME: Duration = minutes(2);

type Answer = (now: Instant, status: number, fields?: readonly NameAndValue[]) => void;

/** What became of a message that nobody answered, of one request. */
export interface Keeping {
  /** Nobody answered: it is kept, and whoever sent it is told. */
  keep(now: Instant, answer: Answer): void;
  /** A phone has answered after all. */
  takeBack(now: Instant): void;
}

export class Keeper {
  readonly #core: CoreContext;

  constructor(core: CoreContext) {
    this.#core = core;
  }

  /** For a MESSAGE of a user who has proved himself, to a user of our domain. */
  keeping(request: ValidRequest, aor: string): Keeping {
    let kept: KeptMessage | undefined;
    let isTakenBack = false;
    const remove = (now: Instant, message: KeptMessage): void => this.#core.questions.changeMessages(now, aor, [delivered(message, this.#core)], () => undefined);
    return {
      keep: (now, answer) =>
        this.#keep(now, request, aor, (at, status, fields, message) => {
          kept = message;
          if (isTakenBack && message !== undefined) remove(at, message);
          answer(at, status, fields);
        }),
      takeBack: (now) => {
        isTakenBack = true;
        if (kept !== undefined) remove(now, kept);
      },
    };
  }

  #keep(now: Instant, request: ValidRequest, aor: string, told: (...parts: readonly [...Parameters<Answer>, message?: KeptMessage]) => void): void {
    if (request.body.length > BODY_MAX) return told(now, 413);
    const message = this.#messageOf(request);
    if (message === undefined) return told(now, 480);
    if (message.from.length + message.callId.length + message.contentType.length > FIELDS_MAX) return told(now, 413);
    this.#core.questions.readMessages(now, aor, (at, lookup) => {
      if (lookup.outcome === "unavailable") return told(at, 503, [this.#core.retryAfter()]);
      if (lookup.messages.some(({ key }) => key === message.key)) return told(at, 202);
      if (lookup.messages.filter(({ state }) => state === "waiting").length >= WAITING_MAX) {
        this.#core.outbox.count("messages-at-limit");
        return told(at, 480);
      }
      this.#core.questions.changeMessages(at, aor, [message], (later, { outcome }) => {
        if (outcome === "unavailable") return told(later, 503, [this.#core.retryAfter()]);
        this.#core.outbox.count("message-kept");
        told(later, 202, [], message);
      });
    });
  }

  /** `undefined`: it is over already. */
  #messageOf(request: ValidRequest): KeptMessage | undefined {
    const takenAt = this.#core.wallClock();
    const wanted = request.expires === undefined ? WAITING_TIME : request.expires * 1_000;
    if (wanted === 0) return undefined;
    const { callId, fromTag, cseq } = request;
    return {
      key: this.#core.crypto.sha256Hex(`message\n${cseq.number}\n${fromTag}\n${callId}`).slice(0, 24),
      from: request.header("from") ?? "",
      callId,
      cseq: cseq.number,
      contentType: request.header("content-type") ?? "text/plain",
      body: request.body,
      takenAt,
      expiresAt: wallTime(takenAt + Math.min(wanted, WAITING_TIME)),
      state: "waiting",
      courier: "",
      courierUntil: wallTime(0),
    };
  }
}

/** What is left of a message that needs no keeping any more. */
export const delivered = (message: KeptMessage, core: CoreContext): KeptMessage => ({
  ...message,
  body: "",
  state: "delivered",
  expiresAt: wallAfter(core.wallClock(), KNOWN_TIME),
});
