// A whole RELOAD message: forwarding header, MessageContents (RFC 6940 section 6.3.3), SecurityBlock.

import type { Crypto } from "../../base/crypto.ts";
import type { Result } from "../../base/result.ts";
import type { DecodedHeader, ForwardingHeader } from "./forwarding-header.ts";
import type { MessageBody } from "./message-body.ts";
import type { SecurityBlock, Signer } from "./security-block.ts";
import type { WireFault } from "./wire-fault.ts";

export interface MessageExtension {
  readonly type: number;
  readonly critical: boolean;
  readonly contents: Uint8Array;
}

export interface Message {
  readonly header: ForwardingHeader;
  readonly body: MessageBody;
  readonly extensions: readonly MessageExtension[];
}

export interface SignedMessage extends Message {
  readonly security: SecurityBlock;
}

export interface DecodedMessage extends SignedMessage {
  readonly header: DecodedHeader;
  /** The message as it came; `contents` and `identity` are where the signed parts of it lie. */
  readonly bytes: Uint8Array;
  readonly signed: { readonly contents: Uint8Array; readonly identity: Uint8Array };
}

/** Without a signature: for one hop between two enrolled boxes. The hot path. */
export declare function encodeMessage(message: Message): Uint8Array;

/** Signed by this box, its certificate inside: for what is source-routed or forwarded. */
export declare function encodeSignedMessage(message: Message, signer: Signer): Uint8Array;

/** With a security block as given. */
export declare function encodeWithSecurity(message: SignedMessage): Uint8Array;

/**
 * Everything but signatures and data models is checked. Views into `bytes` are handed out, so `bytes`
 * must not change afterwards. Fragments are refused: reassemble first (`fragments.ts`).
 */
export declare function decodeMessage(bytes: Uint8Array, overlay: number): Result<DecodedMessage, WireFault>;

/** The certificate (DER) whose key signed the message: it is in its bucket. Not whether it is to be trusted. */
export declare function verifyMessage(message: DecodedMessage, crypto: Crypto): Result<Uint8Array, WireFault>;

/** Code of the body without decoding anything else; `undefined` if the message is too short for one. */
export declare function peekMessageCode(message: Uint8Array, headerLength: number): number | undefined;
