// A whole RELOAD message: forwarding header, MessageContents (RFC 6940 section 6.3.3), SecurityBlock.

import { ByteReader, ByteWriter, concatBytes } from "../../base/bytes.ts";
import type { Crypto } from "../../base/crypto.ts";
import { fault, ok, type Result } from "../../base/result.ts";
import { codeOf, readBody, writeBody } from "./body-codec.ts";
import { EXTENSION, MESSAGE_CODE } from "./code-points.ts";
import { endAt, readBoolean, readItems, readOpaque, writeBoolean, writeOpaque } from "./fields.ts";
import { type DecodedHeader, endMessage, type ForwardingHeader, readHeader, writeHeader } from "./forwarding-header.ts";
import type { MessageBody } from "./message-body.ts";
import {
  certificateOf,
  ECDSA_WITH_SHA256,
  isEcdsaWithSha256,
  readCertificates,
  readSignature,
  type SecurityBlock,
  type Signer,
  UNSIGNED,
  writeCertificates,
  writeIdentity,
  writeSecurityBlock,
} from "./security-block.ts";
import { WireError, type WireFault, wireFaultOf } from "./wire-fault.ts";

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
  /** The message as it came. */
  readonly bytes: Uint8Array;
  /** Where MessageContents end and the security block begins in `bytes`. */
  readonly contentsEnd: number;
}

// An allocation outside the heap costs as much as all the rest of a message, so the writer is kept
// between messages, and small messages are carved out of one larger piece of memory.
const WRITER = new ByteWriter(4096);
const SLAB_BYTES = 32_768;
const CARVED_BYTES = 2_048;
let slab = new Uint8Array(0);
let carved = 0;

/** What was written, in memory that nobody else writes to. */
function finished(writer: ByteWriter): Uint8Array {
  const length = writer.length;
  if (length > CARVED_BYTES) return writer.finish();
  if (carved + length > slab.length) {
    slab = new Uint8Array(SLAB_BYTES);
    carved = 0;
  }
  writer.copyTo(slab, carved);
  const message = slab.subarray(carved, carved + length);
  carved += length;
  return message;
}

/** Without a signature: for one hop between two enrolled boxes. */
export function encodeMessage(message: Message): Uint8Array {
  const writer = WRITER.reset();
  writeUpToContents(writer, message);
  writeSecurityBlock(writer, UNSIGNED);
  endMessage(writer, 0);
  return finished(writer);
}

/** With a security block as given. */
export function encodeWithSecurity(message: SignedMessage): Uint8Array {
  const writer = WRITER.reset();
  writeUpToContents(writer, message);
  writeSecurityBlock(writer, message.security);
  endMessage(writer, 0);
  return finished(writer);
}

/** Signed by this box, its certificate inside: for what is source-routed or forwarded. */
export function encodeSignedMessage(message: Message, signer: Signer): Uint8Array {
  const writer = WRITER.reset();
  const contentsStart = writeUpToContents(writer, message);
  const contents = writer.view(contentsStart, writer.length);
  const value = signer.crypto.sign(signedBytes(message.header, contents, signer.identity));
  writeCertificates(writer, [signer.certificate]);
  writer.u8(ECDSA_WITH_SHA256.hash).u8(ECDSA_WITH_SHA256.signature);
  writeIdentity(writer, signer.identity);
  writeOpaque(writer, 2, value);
  endMessage(writer, 0);
  return finished(writer);
}

/** Where the contents begin. */
function writeUpToContents(writer: ByteWriter, { header, body, extensions }: Message): number {
  writeHeader(writer, header);
  const start = writer.length;
  writer.u16(codeOf(body)).u32(0);
  writeBody(writer, body);
  const bodyEnd = writer.length;
  writer.u32At(start + 2, bodyEnd - start - 6).u32(0);
  for (const extension of extensions) writeExtension(writer, extension);
  writer.u32At(bodyEnd, writer.length - bodyEnd - 4);
  return start;
}

function writeExtension(writer: ByteWriter, { type, critical, contents }: MessageExtension): void {
  writer.u16(type);
  writeBoolean(writer, critical);
  writeOpaque(writer, 4, contents);
}

/** What a message's signature covers (RFC 6940 section 6.3.4). */
function signedBytes(header: ForwardingHeader, contents: Uint8Array, identity: SecurityBlock["signature"]["identity"]): Uint8Array {
  const before = new ByteWriter(12).u32(header.overlay).hex(header.transactionId);
  const after = new ByteWriter(48);
  writeIdentity(after, identity);
  return concatBytes(before.finish(), contents, after.finish());
}

/**
 * Everything but signatures and data models is checked. Views into `bytes` are handed out: `bytes`
 * must not change afterwards, and who keeps a part for long copies it. Fragments are refused:
 * reassemble first (`fragments.ts`).
 */
export function decodeMessage(bytes: Uint8Array, overlay: number): Result<DecodedMessage, WireFault> {
  const reader = new ByteReader(bytes);
  let header: DecodedHeader | undefined;
  try {
    header = readHeader(reader, overlay);
    return ok(readAfterHeader(reader, header, bytes));
  } catch (thrown) {
    return fault(addressed(wireFaultOf(thrown), header, bytes));
  }
}

/** The same, of a message whose header has been read already. */
export function decodeContents(bytes: Uint8Array, header: DecodedHeader): Result<DecodedMessage, WireFault> {
  const reader = new ByteReader(bytes);
  try {
    reader.skip(header.headerLength);
    return ok(readAfterHeader(reader, header, bytes));
  } catch (thrown) {
    return fault(addressed(wireFaultOf(thrown), header, bytes));
  }
}

function readAfterHeader(reader: ByteReader, header: DecodedHeader, bytes: Uint8Array): DecodedMessage {
  if (header.fragment !== undefined) throw new WireError(undefined, "a fragment");
  const code = reader.u16();
  const bodyLength = reader.u32();
  const bodyEnd = reader.position + bodyLength;
  const body = readBody(reader, code, bodyLength);
  endAt(reader, bodyEnd);
  const extensionsLength = reader.u32();
  const extensions = extensionsLength === 0 ? NO_EXTENSIONS : readItems(reader, extensionsLength, readExtension, 32);
  const contentsEnd = reader.position;
  const security = { certificates: readCertificates(reader), signature: readSignature(reader) };
  reader.end();
  return { header, body, extensions, security, bytes, contentsEnd };
}

const NO_EXTENSIONS: readonly MessageExtension[] = [];

const KNOWN_EXTENSIONS: ReadonlySet<number> = new Set(Object.values(EXTENSION));

function readExtension(reader: ByteReader): MessageExtension {
  const type = reader.u16();
  const critical = readBoolean(reader);
  const contents = readOpaque(reader, 4);
  if (critical && !KNOWN_EXTENSIONS.has(type)) throw new WireError("Error_Unknown_Extension", `extension ${type} is unknown`);
  return { type, critical, contents };
}

/** The fault with the header to answer to; answers and errors themselves are never answered. */
function addressed(wireFault: WireFault, header: DecodedHeader | undefined, bytes: Uint8Array): WireFault {
  if (header === undefined) return wireFault;
  const code = peekMessageCode(bytes, header.headerLength);
  const isRequest = code !== undefined && code % 2 === 1 && code !== MESSAGE_CODE.error;
  return { ...wireFault, error: isRequest ? wireFault.error : undefined, header };
}

/** Code of the body without decoding anything else; `undefined` if the message is too short for one. */
export function peekMessageCode(message: Uint8Array, headerLength: number): number | undefined {
  const high = message[headerLength];
  const low = message[headerLength + 1];
  return high === undefined || low === undefined ? undefined : high * 256 + low;
}

/**
 * The certificate (DER, of the message's own bucket) whose key signed the message. Whether it is to
 * be trusted is another question. A message with a bad signature is dropped without an answer.
 */
export function verifyMessage(message: DecodedMessage, crypto: Crypto): Result<Uint8Array, WireFault> {
  const { certificates, signature } = message.security;
  if (!isEcdsaWithSha256(signature.algorithm)) return fault(notSigned("not signed with ECDSA and SHA-256"));
  const certificate = certificateOf(signature.identity, certificates, crypto);
  if (certificate === undefined) return fault(notSigned("the signer's certificate is not in the message"));
  const contents = message.bytes.subarray(message.header.headerLength, message.contentsEnd);
  const signed = signedBytes(message.header, contents, signature.identity);
  return crypto.verify(certificate, signed, signature.value) ? ok(certificate) : fault(notSigned("wrong signature"));
}

const notSigned = (reason: string): WireFault => ({ error: undefined, reason });
