// The value of a SUBSCRIBER entry: digest credentials (RFC 7616 A1 hashes), never a password.

import { ByteReader, ByteWriter, DecodeError, fromHex, fromOctets, fromUtf8Octets, toHex, toOctets, utf8Octets } from "../base/bytes.ts";
import type { Credentials } from "../sip/ports.ts";

const VERSION = 1;

export interface Subscriber extends Credentials {
  /** Shown to people; may be empty. UTF-8 in the encoded value. */
  readonly displayName: string;
}

export function encodeSubscriber(subscriber: Subscriber): Uint8Array {
  const writer = new ByteWriter(160);
  writer.u8(VERSION).bytes(fromHex(subscriber.ha1Md5)).bytes(fromHex(subscriber.ha1Sha256));
  for (const text of [subscriber.username, subscriber.realm, utf8Octets(subscriber.displayName)]) {
    writer.u16(text.length).bytes(fromOctets(text));
  }
  return writer.finish();
}

/** `undefined` if the value is not one that this version understands. */
export function decodeSubscriber(value: Uint8Array): Subscriber | undefined {
  try {
    const reader = new ByteReader(value);
    if (reader.u8() !== VERSION) return undefined;
    const ha1Md5 = toHex(reader.bytes(16));
    const ha1Sha256 = toHex(reader.bytes(32));
    const username = toOctets(reader.bytes(reader.u16()));
    const realm = toOctets(reader.bytes(reader.u16()));
    const displayName = fromUtf8Octets(toOctets(reader.bytes(reader.u16())));
    reader.end();
    return { username, realm, displayName, ha1Md5, ha1Sha256 };
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}
