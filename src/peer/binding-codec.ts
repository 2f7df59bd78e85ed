// The value of an EDGE-BINDING entry: what every box must know to reach a phone through the box that
// holds its flow. Version 1; a box skips values of a version it does not know. docs/profile.md has the table.

import type { Address } from "../base/address.ts";
import { ByteReader, ByteWriter, DecodeError, equalBytes, toHex, toOctets } from "../base/bytes.ts";
import { type WallTime, wallTime } from "../base/time.ts";
import type { Binding, TransportName } from "../sip/ports.ts";

const VERSION = 1;
const TRANSPORTS: readonly TransportName[] = ["udp", "tcp", "tls", "ws", "wss"];
const PATH_LIMIT = 16;
/** The marks. */
const REWRITTEN = 1;
const HAS_SECURE_PORT = 2;

/** The AoR is in the value because its Resource-ID, a hash, does not tell it. */
export interface StoredBinding {
  readonly aor: string;
  readonly binding: Binding;
}

/** Used again and again; what leaves is a copy. */
const WRITER = new ByteWriter(512);

export function encodeBinding(aor: string, binding: Binding): Uint8Array {
  const writer = WRITER.reset();
  writer.u8(VERSION).hex(binding.edge).u64(Math.max(0, Math.round(binding.expiresAt)));
  writer.u32(binding.cseq).u16(binding.preference).u32(binding.regId).u8(TRANSPORTS.indexOf(binding.transport));
  writer.u16(binding.received.port);
  writeText(writer, aor);
  writeText(writer, binding.contact);
  writeText(writer, binding.callId);
  writeText(writer, binding.instance);
  writeText(writer, binding.userAgent);
  writeText(writer, binding.parameters);
  writeText(writer, binding.flowToken);
  writeText(writer, binding.received.host);
  writer.u8(binding.path.length);
  for (const uri of binding.path) writeText(writer, uri);
  const marks = (binding.isRewritten === true ? REWRITTEN : 0) | (binding.securePort === undefined ? 0 : HAS_SECURE_PORT);
  if (marks !== 0) writer.u8(marks);
  if (binding.securePort !== undefined) writer.u16(binding.securePort);
  return writer.finish();
}

/** The binding under this key, or `undefined` if the value is not one that this version understands. */
export function decodeBinding(key: string, value: Uint8Array): StoredBinding | undefined {
  try {
    const reader = new ByteReader(value);
    if (reader.u8() !== VERSION) return undefined;
    return readBinding(key, reader);
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

/** Whether two bindings of a key lead to the same phone in the same way: a REGISTER changed no more than when it ends. */
export const isSameReach = (one: StoredBinding, other: StoredBinding): boolean =>
  equalBytes(encodeBinding(one.aor, timeless(one.binding)), encodeBinding(other.aor, timeless(other.binding)));

const timeless = (binding: Binding): Binding => ({ ...binding, callId: "", cseq: 0, expiresAt: wallTime(0) });

function readBinding(key: string, reader: ByteReader): StoredBinding {
  const edge = toHex(reader.bytes(16));
  const expiresAt: WallTime = wallTime(reader.u64());
  const cseq = reader.u32();
  const preference = reader.u16();
  const regId = reader.u32();
  const transport = TRANSPORTS[reader.u8()];
  if (transport === undefined) throw new DecodeError("unknown transport");
  const port = reader.u16();
  const aor = readText(reader);
  const contact = readText(reader);
  const callId = readText(reader);
  const instance = readText(reader);
  const userAgent = readText(reader);
  const parameters = readText(reader);
  const flowToken = readText(reader);
  const received: Address = { host: readText(reader), port };
  const hops = reader.u8();
  if (hops > PATH_LIMIT) throw new DecodeError("path too long");
  const path = Array.from({ length: hops }, () => readText(reader));
  // Marks are there if one is set. What stands behind them a later version has added.
  const marks = reader.remaining > 0 ? reader.u8() : 0;
  const securePort = (marks & HAS_SECURE_PORT) === 0 ? undefined : reader.u16();
  const binding: Binding = {
    contact, key, callId, cseq, preference, expiresAt, instance, regId, path, userAgent, parameters, edge, flowToken,
    received, transport, ...((marks & REWRITTEN) === 0 ? {} : { isRewritten: true }), ...(securePort === undefined ? {} : { securePort }),
  };
  return { aor, binding };
}

const writeText = (writer: ByteWriter, octets: string): void => {
  writer.u16(octets.length).octets(octets);
};

const readText = (reader: ByteReader): string => toOctets(reader.bytes(reader.u16()));
