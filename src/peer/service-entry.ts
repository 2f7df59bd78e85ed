// What the boxes of one link tell each other of their service addresses: one dictionary a link, an entry for each
// address and owner. docs/profile.md has the table.

import { ByteReader, ByteWriter, DecodeError, fromOctets, toHex, toOctets } from "../base/bytes.ts";
import type { Crypto } from "../base/crypto.ts";
import type { Entry, NodeId, ResourceId } from "../overlay/ports.ts";

const VERSION = 1;

/** An address by which phones know a box, and the box that it belongs to. */
export interface ServiceEntry {
  readonly owner: NodeId;
  /** Numeric, as the owner writes it. */
  readonly address: string;
  /** Only a box with the same one can answer in the owner's place. */
  readonly sipPort: number;
}

/** `link`: its prefix, as `192.0.2.0/24`: boxes on one link find one another under it. */
export const serviceResource = (crypto: Crypto, link: string): ResourceId =>
  toHex(crypto.sha1(fromOctets(`service-addresses ${link}`)).subarray(0, 16)) as ResourceId;

/** Each box writes under keys of its own. */
export const serviceKey = ({ owner, address }: ServiceEntry): string => `${owner}${toHex(fromOctets(address))}`;

export function encodeServiceEntry({ owner, address, sipPort }: ServiceEntry): Uint8Array {
  return new ByteWriter(64).u8(VERSION).hex(owner).u16(sipPort).u16(address.length).octets(address).finish();
}

/** `undefined`: not one that this version understands, or not under its own key. */
export function decodeServiceEntry({ key, value }: Pick<Entry, "key" | "value">): ServiceEntry | undefined {
  try {
    const reader = new ByteReader(value);
    if (reader.u8() !== VERSION) return undefined;
    const owner = toHex(reader.bytes(16)) as NodeId;
    const sipPort = reader.u16();
    const address = toOctets(reader.bytes(reader.u16()));
    reader.end();
    const entry = { owner, address, sipPort };
    return serviceKey(entry) === key ? entry : undefined;
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}
