import type { NodeId } from "../ports.ts";
import { ERROR, MESSAGE_CODE } from "../wire/code-points.ts";
import { decodeHeader, INITIAL_TTL } from "../wire/forwarding-header.ts";
import { encodeMessage, peekMessageCode } from "../wire/message.ts";

/** Where a header says how long the message is. */
const LENGTH_AT = 16;

/**
 * Error_Message_Too_Large for a request whose beginning is there (RFC 6940 section 6.6): nothing of the rest is
 * read. `undefined` if its header is not whole, or if it is no request.
 */
export function refuseTooLarge(overlay: number, beginning: Uint8Array, remote: NodeId): Uint8Array | undefined {
  const whole = beginning.slice();
  if (whole.length < LENGTH_AT + 4) return undefined;
  new DataView(whole.buffer).setUint32(LENGTH_AT, whole.length);
  const header = decodeHeader(whole, overlay);
  if (!header.ok) return undefined;
  const code = peekMessageCode(whole, header.value.headerLength);
  if (code === undefined || code % 2 === 0 || code === MESSAGE_CODE.error) return undefined;
  const { configurationSequence, transactionId, via } = header.value;
  return encodeMessage({
    header: {
      overlay, configurationSequence, ttl: INITIAL_TTL, transactionId, maxResponseLength: 0, via: [],
      destinations: [{ type: "node", nodeId: remote }, ...[...via].reverse()], options: [],
    },
    body: { type: "error", code: ERROR.Error_Message_Too_Large, info: new Uint8Array(0) },
    extensions: [],
  });
}
