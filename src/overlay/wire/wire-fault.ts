// What is wrong with bytes another side sent, and what to answer.

import type { ErrorName } from "./code-points.ts";
import type { ForwardingHeader } from "./forwarding-header.ts";

export interface WireFault {
  /** The RFC 6940 error to answer with; `undefined`: drop it without an answer. */
  readonly error: ErrorName | undefined;
  /** In plain words, for a log line. */
  readonly reason: string;
  /** `error_info` of the answer, where the RFC gives it a form (unknown extension). */
  readonly info?: Uint8Array;
  /** Present if it was readable, so that an answer can be addressed. */
  readonly header?: ForwardingHeader;
}
