// The ping between two link layers: an unsigned RELOAD Ping to the wildcard Node-ID, which its
// receiver always consumes (RFC 6940 sections 6.1.1 and 6.5.3). It stays below the core.

import { toHex } from "../../base/bytes.ts";
import type { Random } from "../../base/random.ts";
import type { WallTime } from "../../base/time.ts";
import type { NodeId } from "../ports.ts";
import { MESSAGE_CODE } from "../wire/code-points.ts";
import { FIXED_HEADER_LENGTH, INITIAL_TTL } from "../wire/forwarding-header.ts";
import { ID_LENGTH, newTransactionId, type TransactionId, WILDCARD_NODE_ID } from "../wire/identifiers.ts";
import { encodeMessage } from "../wire/message.ts";
import type { MessageBody } from "../wire/message-body.ts";

/** Bytes of a destination list that is one Node-ID. */
const ONE_NODE = 2 + ID_LENGTH;
const CODE_AT = FIXED_HEADER_LENGTH + ONE_NODE;
const TRANSACTION_AT = 20;

export interface KeepAlive {
  readonly transactionId: TransactionId;
  readonly message: Uint8Array;
}

export function makePing(overlay: number, random: Random): KeepAlive {
  const transactionId = newTransactionId(random);
  const message = oneHop(overlay, transactionId, WILDCARD_NODE_ID, { type: "ping_req", padding: new Uint8Array(0) });
  return { transactionId, message };
}

export const answerPing = (
  overlay: number,
  ping: Uint8Array,
  asker: NodeId,
  random: Random,
  wall: WallTime,
): Uint8Array =>
  oneHop(overlay, transactionOf(ping), asker, { type: "ping_ans", responseId: toHex(random.bytes(8)), time: wall });

const oneHop = (overlay: number, transactionId: TransactionId, to: NodeId, body: MessageBody): Uint8Array =>
  encodeMessage({
    header: {
      overlay,
      configurationSequence: 0,
      ttl: INITIAL_TTL,
      transactionId,
      maxResponseLength: 0,
      via: [],
      destinations: [{ type: "node", nodeId: to }],
      options: [],
    },
    body,
    extensions: [],
  });

export const transactionOf = (message: Uint8Array): TransactionId =>
  toHex(message.subarray(TRANSACTION_AT, TRANSACTION_AT + 8)) as TransactionId;

/** Whether a message is a Ping to the wildcard Node-ID from the other end of the link itself. */
export function isKeepAlive(message: Uint8Array): boolean {
  if (!isOneHop(message) || codeOf(message) !== MESSAGE_CODE.ping_req) return false;
  for (let i = CODE_AT - ID_LENGTH; i < CODE_AT; i++) if (message[i] !== 0xff) return false;
  return true;
}

/** Whether a message may be the answer to a keep-alive: the transaction decides. */
export const isPingAnswer = (message: Uint8Array): boolean =>
  isOneHop(message) && codeOf(message) === MESSAGE_CODE.ping_ans;

const codeOf = (message: Uint8Array): number => (message[CODE_AT] ?? 0) * 256 + (message[CODE_AT + 1] ?? 0);

/** Via list empty, destination list of one Node-ID, no options. */
const isOneHop = (message: Uint8Array): boolean =>
  message.length > CODE_AT + 1 &&
  (message[32] as number) + (message[33] as number) + (message[34] as number) === 0 &&
  message[35] === ONE_NODE &&
  (message[36] as number) + (message[37] as number) === 0;
