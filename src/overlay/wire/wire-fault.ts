// What is wrong with bytes another side sent, and what to answer.

import { DecodeError } from "../../base/bytes.ts";
import { fault, ok, type Result } from "../../base/result.ts";
import type { ErrorName } from "./code-points.ts";
import type { DecodedHeader } from "./forwarding-header.ts";

export interface WireFault {
  /** The RFC 6940 error to answer with; `undefined`: drop it without an answer. */
  readonly error: ErrorName | undefined;
  /** In plain words, for a log line. */
  readonly reason: string;
  /** Present if it was readable, so that an answer can be addressed. */
  readonly header?: DecodedHeader;
}

/** Thrown inside a codec by what calls for something else than Error_Invalid_Message; never leaves it. */
export class WireError extends DecodeError {
  readonly error: ErrorName | undefined;

  constructor(error: ErrorName | undefined, reason: string) {
    super(reason);
    this.error = error;
  }
}

/** An unknown value where the RFC allows no extension: the message is dropped (RFC 6940 section 6.3.1.1). */
export const unknownValue = (what: string, value: number): WireError =>
  new WireError(undefined, `${what} ${value} is unknown`);

/** The border of each codec: what `read` throws about the input becomes a value. */
export function decoded<Value>(read: () => Value): Result<Value, WireFault> {
  try {
    return ok(read());
  } catch (thrown) {
    return fault(wireFaultOf(thrown));
  }
}

/** The fault a codec threw; anything else is our own and goes on. */
export function wireFaultOf(thrown: unknown): WireFault {
  if (thrown instanceof WireError) return { error: thrown.error, reason: thrown.message };
  if (thrown instanceof DecodeError) return { error: "Error_Invalid_Message", reason: thrown.message };
  throw thrown;
}
