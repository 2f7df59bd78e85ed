// Cuts a TCP stream into messages by Content-Length (RFC 3261 18.3), with CRLF keep-alives (RFC 5626 4.4.1).
import type { Rejection } from "./validate.ts";
export type Framed =
  /** One whole message, for `readMessage`. */
  | { readonly type: "message"; readonly octets: string }
  /** A double CRLF between messages: answer with one CRLF. */
  | { readonly type: "ping" }
  /** The stream cannot be framed any further: answer if there is a rejection, then close. Nothing follows. */
  | { readonly type: "broken"; readonly event: "no-content-length" | "bad-content-length" | "too-large" | "garbage"; readonly rejection: Rejection | undefined };
export declare class StreamFramer {
  /** The next octets of the stream; what became complete, in order. */
  push(octets: string): readonly Framed[];
  /** Octets held: an idle connection with some of a message waits for the rest. */
  get pending(): number;
}
