// The values of EVENT-SUBSCRIPTION, EVENT-STATE and KEPT-MESSAGE entries. Version 1; a box skips values of a version it does not
// know. docs/profile.md has the tables.

import { ByteReader, ByteWriter, DecodeError, fromOctets, toHex, toOctets } from "../base/bytes.ts";
import { wallTime } from "../base/time.ts";
import type { EventPackage, EventState, KeptMessage, Subscription, TransportName } from "../sip/ports.ts";

const VERSION = 1;
const TRANSPORTS: readonly TransportName[] = ["udp", "tcp", "tls", "ws", "wss"];
const PACKAGES: readonly EventPackage[] = ["dialog", "presence", "message-summary", "reg"];
const ROUTES_MAX = 16;

export function encodeSubscription(subscription: Subscription): Uint8Array {
  const writer = new ByteWriter(512).u8(VERSION).u8(PACKAGES.indexOf(subscription.package)).hex(subscription.edge);
  writer.u64(subscription.startedAt).u64(subscription.expiresAt).u32(subscription.remoteCseq);
  writer.u8(TRANSPORTS.indexOf(subscription.transport)).u16(subscription.received.port);
  const { id, callId, localTag, local, remote, target, flowToken, received, routes } = subscription;
  for (const text of [id, callId, localTag, local, remote, target, flowToken, received.host]) writeText(writer, text);
  writer.u8(routes.length);
  for (const route of routes) writeText(writer, route);
  return writer.finish();
}

/** The subscription under this key, or `undefined` if the value is not one that this version understands. */
export const decodeSubscription = (key: string, value: Uint8Array): Subscription | undefined =>
  decoded(value, (reader) => {
    const name = readPackage(reader);
    const edge = toHex(reader.bytes(16));
    const startedAt = wallTime(reader.u64());
    const expiresAt = wallTime(reader.u64());
    const remoteCseq = reader.u32();
    const transport = TRANSPORTS[reader.u8()];
    if (transport === undefined) throw new DecodeError("unknown transport");
    const port = reader.u16();
    const [id, callId, localTag, local, remote, target, flowToken, host] = [
      readText(reader), readText(reader), readText(reader), readText(reader), readText(reader), readText(reader), readText(reader), readText(reader),
    ];
    const count = reader.u8();
    if (count > ROUTES_MAX) throw new DecodeError("too many routes");
    const routes = Array.from({ length: count }, () => readText(reader));
    return {
      key, package: name, id, callId, localTag, local, remote, target, routes, remoteCseq, startedAt, expiresAt, edge, flowToken,
      received: { host, port }, transport,
    };
  });

export function encodeEventState(state: EventState): Uint8Array {
  const writer = new ByteWriter(512).u8(VERSION).u8(PACKAGES.indexOf(state.package)).u8(state.isFinal ? 1 : 0).u64(state.expiresAt);
  for (const text of [state.contentType, state.etag, state.content]) writeText(writer, text);
  return writer.finish();
}

export const decodeEventState = (key: string, value: Uint8Array): EventState | undefined =>
  decoded(value, (reader) => {
    const name = readPackage(reader);
    const isFinal = reader.u8() === 1;
    const expiresAt = wallTime(reader.u64());
    const [contentType, etag, content] = [readText(reader), readText(reader), readText(reader)];
    return { key, package: name, content, contentType, etag, isFinal, expiresAt };
  });

export function encodeMessage(message: KeptMessage): Uint8Array {
  const writer = new ByteWriter(512).u8(VERSION).u8(message.state === "delivered" ? 1 : 0);
  writer.u64(message.takenAt).u64(message.expiresAt).u64(message.courierUntil).u32(message.cseq);
  for (const text of [message.from, message.callId, message.contentType, message.body, message.courier]) writeText(writer, text);
  return writer.finish();
}

export const decodeMessage = (key: string, value: Uint8Array): KeptMessage | undefined =>
  decoded(value, (reader) => {
    const state = reader.u8() === 1 ? "delivered" : "waiting";
    const [takenAt, expiresAt, courierUntil] = [wallTime(reader.u64()), wallTime(reader.u64()), wallTime(reader.u64())];
    const cseq = reader.u32();
    const [from, callId, contentType, body, courier] = [readText(reader), readText(reader), readText(reader), readText(reader), readText(reader)];
    return { key, from, callId, cseq, contentType, body, takenAt, expiresAt, state, courier, courierUntil };
  });

function decoded<Value>(value: Uint8Array, read: (reader: ByteReader) => Value): Value | undefined {
  try {
    const reader = new ByteReader(value);
    if (reader.u8() !== VERSION) return undefined;
    const result = read(reader);
    reader.end();
    return result;
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

function readPackage(reader: ByteReader): EventPackage {
  const name = PACKAGES[reader.u8()];
  if (name === undefined) throw new DecodeError("unknown package");
  return name;
}

const writeText = (writer: ByteWriter, octets: string): void => {
  writer.u16(octets.length).bytes(fromOctets(octets));
};
const readText = (reader: ByteReader): string => toOctets(reader.bytes(reader.u16()));
