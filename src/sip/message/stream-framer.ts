// Cuts a TCP stream into messages by Content-Length (RFC 3261 18.3), with CRLF keep-alives (RFC 5626 4.4.1).
// Each octet is looked at once when it arrives, and a message is put together once, when its last octet is here:
// nothing is reserved for what a header only announces. Time limits are the owner's.

import { HeaderField } from "./header-field.ts";
import { LIMITS } from "./limits.ts";
import { parseMessage } from "./parse.ts";
import { CR, isBlank, LF, parseUnsigned, SPACE, standsAt } from "./scan.ts";
import { isAnswerable, reject, type Rejection } from "./validate.ts";

export type Framed =
  /** One whole message, for `readMessage`. */
  | { readonly type: "message"; readonly octets: string }
  /** A double CRLF between messages: answer with one CRLF. At most one for each `push`. */
  | { readonly type: "ping" }
  /** The stream cannot be framed any further: answer if there is a rejection, then close. Nothing follows. */
  | Broken;

export interface Broken {
  readonly type: "broken";
  readonly event: "no-content-length" | "bad-content-length" | "too-large" | "garbage";
  readonly rejection: Rejection | undefined;
}

type State = "between" | "header-section" | "body" | "broken";

/** Chunks that are joined into one, so that a message in many small pieces costs few objects. */
const CHUNKS_JOINED = 256;

export class StreamFramer {
  #state: State = "between";
  // BOUNDED: both together hold one message, within LIMITS.headerSection + LIMITS.body octets; beyond, the stream is broken.
  #joined: string[] = [];
  #chunks: string[] = [];
  #held = 0;
  /** What the current line of the header section has so far: nothing, one CR, or more. */
  #line: "empty" | "cr" | "text" = "empty";
  /** Line ends since the last message. */
  #lineEnds = 0;
  /** Octets of the whole message, once its header section is here. */
  #wanted = 0;

  /** The next octets of the stream; what became complete, in order. */
  push(octets: string): readonly Framed[] {
    const framed: Framed[] = [];
    let at = 0;
    let hasPing = false;
    while (at < octets.length && this.#state !== "broken") {
      if (this.#state === "between") {
        at = this.#skipBetween(octets, at);
        if (this.#lineEnds >= 2 && !hasPing) {
          framed.push({ type: "ping" });
          hasPing = true;
        }
        this.#lineEnds %= 2;
      } else {
        at = this.#state === "header-section" ? this.#takeHeaderSection(octets, at, framed) : this.#takeBody(octets, at, framed);
      }
    }
    return framed;
  }

  /** Octets held: of a message whose rest has not come. */
  get pending(): number {
    return this.#held;
  }

  /** Whether a header section has begun whose end has not come. */
  get inHeaderSection(): boolean {
    return this.#state === "header-section";
  }

  #skipBetween(octets: string, start: number): number {
    let at = start;
    while (at < octets.length) {
      const code = octets.charCodeAt(at);
      if (code === LF) this.#lineEnds++;
      else if (code !== CR) {
        this.#state = "header-section";
        this.#line = "empty";
        return at;
      }
      at++;
    }
    return at;
  }

  /** Up to the empty line. */
  #takeHeaderSection(octets: string, start: number, framed: Framed[]): number {
    if (this.#held === 0 && octets.charCodeAt(start) <= SPACE) return this.#break("garbage", undefined, framed, octets);
    const end = this.#endOfHeaderSection(octets, start);
    const taken = end < 0 ? octets.length : end;
    if (this.#held + taken - start > LIMITS.headerSection) {
      return this.#break("too-large", tooLarge(this.#take("") + octets.slice(start, taken)), framed, octets);
    }
    this.#hold(octets.slice(start, taken));
    if (end >= 0) this.#announce(framed, octets);
    return this.#state === "broken" ? octets.length : taken;
  }

  /** Past the empty line, or -1; the line that it ends in is remembered for the next chunk. */
  #endOfHeaderSection(octets: string, start: number): number {
    let at = start;
    for (;;) {
      const lf = octets.indexOf("\n", at);
      const stop = lf < 0 ? octets.length : lf;
      if (stop > at) this.#line = this.#line === "empty" && stop === at + 1 && octets.charCodeAt(at) === CR ? "cr" : "text";
      if (lf < 0) return -1;
      if (this.#line !== "text") return lf + 1;
      this.#line = "empty";
      at = lf + 1;
    }
  }

  /** The header section is whole: how long is the message? */
  #announce(framed: Framed[], octets: string): void {
    const section = this.#take("");
    const length = announcedLength(section);
    if (typeof length === "string") {
      const reason = length === "no-content-length" ? "Missing Content-Length" : "Malformed Content-Length";
      this.#break(length, refusal(section, 400, reason), framed, octets);
    } else if (length > LIMITS.body) {
      this.#break("too-large", refusal(section, 513, "Message Too Large"), framed, octets);
    } else {
      this.#hold(section);
      this.#wanted = section.length + length;
      this.#state = "body";
      if (length === 0) this.#finish(framed, "");
    }
  }

  #takeBody(octets: string, start: number, framed: Framed[]): number {
    const end = Math.min(octets.length, start + this.#wanted - this.#held);
    const chunk = octets.slice(start, end);
    if (this.#held + chunk.length === this.#wanted) this.#finish(framed, chunk);
    else this.#hold(chunk);
    return end;
  }

  #finish(framed: Framed[], last: string): void {
    framed.push({ type: "message", octets: this.#take(last) });
    this.#state = "between";
    this.#lineEnds = 0;
  }

  #hold(chunk: string): void {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    if (this.#chunks.length < CHUNKS_JOINED) return;
    this.#joined.push(this.#chunks.join(""));
    this.#chunks = [];
  }

  /** Everything held and `last`, in one piece; nothing is held any more. */
  #take(last: string): string {
    const whole = this.#held === 0 ? last : [...this.#joined, ...this.#chunks, last].join("");
    this.#joined = [];
    this.#chunks = [];
    this.#held = 0;
    return whole;
  }

  #break(event: Broken["event"], rejection: Rejection | undefined, framed: Framed[], octets: string): number {
    this.#take("");
    this.#state = "broken";
    framed.push({ type: "broken", event, rejection });
    return octets.length;
  }
}

/** What the header section says of the body, without reading the rest of it. */
function announcedLength(section: string): number | "no-content-length" | "bad-content-length" {
  let length: number | undefined;
  for (let at = section.indexOf("\n") + 1; at > 0; at = section.indexOf("\n", at) + 1) {
    const colon = afterContentLengthName(section, at);
    if (colon < 0) continue;
    if (length !== undefined) return "bad-content-length";
    length = parseUnsigned(valueAt(section, colon), Number.MAX_SAFE_INTEGER);
    if (length === undefined) return "bad-content-length";
  }
  return length ?? "no-content-length";
}

/** Past the colon if the line is a Content-Length, else -1. */
function afterContentLengthName(section: string, at: number): number {
  for (const name of ["content-length", "l"]) {
    if (!standsAt(section, at, name)) continue;
    let colon = at + name.length;
    while (isBlank(section.charCodeAt(colon))) colon++;
    if (section.charAt(colon) === ":") return colon + 1;
  }
  return -1;
}

/** The field's value from `start`, through folds. */
function valueAt(section: string, start: number): string {
  let lf = section.indexOf("\n", start);
  while (isBlank(section.charCodeAt(lf + 1))) lf = section.indexOf("\n", lf + 1);
  return new HeaderField("content-length", section, start, start, lf + 1).value;
}

/** An answer, if what came is a request that can be answered. */
function refusal(section: string, status: number, reason: string): Rejection | undefined {
  const parsed = parseMessage(section);
  if (!parsed.ok) {
    if (parsed.fault.type !== "rejected" || !isAnswerable(parsed.fault.request)) return undefined;
    return parsed.fault.reason === "Incomplete Body" ? reject(parsed.fault.request, status, reason) : parsed.fault;
  }
  const { value } = parsed;
  return value.type === "request" && isAnswerable(value) ? reject(value, status, reason) : undefined;
}

/** For a header section without an end: what of it is whole lines within the limit. */
function tooLarge(section: string): Rejection | undefined {
  const lastLine = section.lastIndexOf("\n", LIMITS.headerSection - 4);
  return lastLine < 0 ? undefined : refusal(`${section.slice(0, lastLine + 1)}\r\n`, 513, "Message Too Large");
}
