// The forwarding header (RFC 6940 section 6.3.2).

import { ByteReader, type ByteWriter, DecodeError } from "../../base/bytes.ts";
import { fault, ok, type Result } from "../../base/result.ts";
import { type Destination, readDestinations, writeDestinations } from "./destination.ts";
import { readItems, writeOpaque } from "./fields.ts";
import { readTransactionId, type TransactionId } from "./identifiers.ts";
import { WireError, type WireFault, wireFaultOf } from "./wire-fault.ts";

export type { Destination } from "./destination.ts";

export interface ForwardingOption {
  readonly type: number;
  /** See `OPTION_FLAG`. */
  readonly flags: number;
  readonly value: Uint8Array;
}

/** RFC 6940 section 6.3.2.3. */
export const OPTION_FLAG = { forwardCritical: 1, destinationCritical: 2, responseCopy: 4 } as const;

export interface ForwardingHeader {
  /** Hash of the overlay's name, see `overlayHash`. */
  readonly overlay: number;
  readonly configurationSequence: number;
  readonly ttl: number;
  readonly transactionId: TransactionId;
  /** Bytes; 0 is unlimited. */
  readonly maxResponseLength: number;
  readonly via: readonly Destination[];
  readonly destinations: readonly Destination[];
  readonly options: readonly ForwardingOption[];
  /** Absent: whole. Otherwise where this piece begins, in bytes after the header. */
  readonly fragment?: Fragment;
}

export interface Fragment {
  readonly offset: number;
  readonly last: boolean;
}

export interface DecodedHeader extends ForwardingHeader {
  /** Where the header ends and the contents begin. */
  readonly headerLength: number;
}

export const INITIAL_TTL = 100;

/** Bytes of a header before its lists. */
export const FIXED_HEADER_LENGTH = 38;

export const RELO_TOKEN = 0xd2454c4f;
const VERSION_1_0 = 10;
const WHOLE = 0xc0000000;

/** Token, version, overlay, length and lists are checked; the contents are not looked at. */
export function decodeHeader(message: Uint8Array, overlay: number): Result<DecodedHeader, WireFault> {
  try {
    return ok(readHeader(new ByteReader(message), overlay));
  } catch (thrown) {
    const wireFault = wireFaultOf(thrown);
    return fault(thrown instanceof Incompatible ? { ...wireFault, header: thrown.header } : wireFault);
  }
}

/** Of another overlay or version, and readable all the same: so it can be answered. */
class Incompatible extends WireError {
  readonly header: DecodedHeader;

  constructor(reason: string, header: DecodedHeader) {
    super("Error_Incompatible_with_Overlay", reason);
    this.header = header;
  }
}

/** Throws `DecodeError`. A message whose header is unreadable is not answered: there is nowhere to. */
export function readHeader(reader: ByteReader, overlay: number): DecodedHeader {
  const messageLength = reader.remaining;
  if (messageLength < FIXED_HEADER_LENGTH) throw new WireError(undefined, `message of ${messageLength} bytes`);
  if (reader.u32() !== RELO_TOKEN) throw new WireError(undefined, "not a RELOAD message");
  const foreign = reader.u32();
  const configurationSequence = reader.u16();
  const version = reader.u8();
  const ttl = reader.u8();
  const fragment = fragmentOf(reader.u32());
  const length = reader.u32();
  if (length !== messageLength) throw new WireError(undefined, `length ${length} in a message of ${messageLength} bytes`);
  const transactionId = readTransactionId(reader);
  const maxResponseLength = reader.u32();
  const viaLength = reader.u16();
  const destinationLength = reader.u16();
  const optionsLength = reader.u16();
  const via = readDestinations(reader, viaLength);
  const destinations = readDestinations(reader, destinationLength);
  const options = optionsLength === 0 ? NO_OPTIONS : readItems(reader, optionsLength, readOption);
  const header = { overlay, configurationSequence, ttl, transactionId, maxResponseLength, via, destinations, options };
  const headerLength = reader.position;
  const decoded = fragment === undefined ? { ...header, headerLength } : { ...header, fragment, headerLength };
  if (foreign !== overlay) throw new Incompatible(`message of overlay ${foreign}`, decoded);
  if (version !== VERSION_1_0) throw new Incompatible(`version ${version}`, decoded);
  return decoded;
}

const NO_OPTIONS: readonly ForwardingOption[] = [];

function fragmentOf(field: number): Fragment | undefined {
  if (field === WHOLE) return undefined;
  if (field < 0x80000000) throw new DecodeError("the first bit of the fragment field is not set");
  return { offset: field & 0xffffff, last: (field & 0x40000000) !== 0 };
}

function readOption(reader: ByteReader): ForwardingOption {
  return { type: reader.u8(), flags: reader.u8(), value: reader.bytes(reader.u16()) };
}

/** Writes the header at the writer's position; `endMessage` sets the length it leaves open. */
export function writeHeader(writer: ByteWriter, header: ForwardingHeader): void {
  const start = writer.length;
  writer
    .u32(RELO_TOKEN)
    .u32(header.overlay)
    .u16(header.configurationSequence)
    .u8(VERSION_1_0)
    .u8(header.ttl)
    .u32(header.fragment === undefined ? WHOLE : fragmentField(header.fragment))
    .u32(0)
    .hex(header.transactionId)
    .u32(header.maxResponseLength)
    .u32(0)
    .u16(0);
  writeDestinations(writer, header.via);
  const viaEnd = writer.length;
  writeDestinations(writer, header.destinations);
  const destinationsEnd = writer.length;
  for (const option of header.options) {
    writer.u8(option.type).u8(option.flags);
    writeOpaque(writer, 2, option.value);
  }
  writeListLengths(writer, start, viaEnd, destinationsEnd);
}

function writeListLengths(writer: ByteWriter, start: number, viaEnd: number, destinationsEnd: number): void {
  const viaLength = viaEnd - start - FIXED_HEADER_LENGTH;
  const destinationLength = destinationsEnd - viaEnd;
  const optionsLength = writer.length - destinationsEnd;
  if (viaLength > 0xffff || destinationLength > 0xffff || optionsLength > 0xffff) {
    throw new RangeError("a list of the forwarding header is too long");
  }
  writer.u32At(start + 32, viaLength * 65_536 + destinationLength);
  writer.u16At(start + 36, optionsLength);
}

/** The message that began at `start` ends here. */
export const endMessage = (writer: ByteWriter, start: number): void => {
  writer.u32At(start + 16, writer.length - start);
};

const fragmentField = ({ offset, last }: Fragment): number => 0x80000000 + (last ? 0x40000000 : 0) + offset;

/**
 * The first option we must understand and do not: we understand none. Error_Unsupported_Forwarding_Option
 * is the answer (RFC 6940 section 6.3.2.3).
 */
export function unsupportedOption(header: ForwardingHeader, role: "forwarder" | "destination"): ForwardingOption | undefined {
  const critical = role === "forwarder" ? OPTION_FLAG.forwardCritical : OPTION_FLAG.destinationCritical;
  return header.options.find((option) => (option.flags & critical) !== 0);
}
