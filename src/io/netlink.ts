// Two messages of rtnetlink(7), as the kernel of this machine's byte order reads them: put an address on an interface
// for some seconds, take it off.

import { endianness } from "node:os";
import { parseNumericHost } from "../sip/transport/numeric-host.ts";

const HEADER = 16;
const ADDRESS_MESSAGE = 8;
const NEW_ADDRESS = 20;
const DELETE_ADDRESS = 21;
/** REQUEST and ACK; of a new one CREATE and REPLACE too. */
const ASKED = 0x005;
const PUT = 0x505;
const INET = 2;
const INET6 = 10;
const ADDRESS = 1;
const LOCAL = 2;
const CACHE_INFO = 6;

/** An address alone, on the interface of that number, for so many seconds; deprecated: nobody's source who does not ask for it. */
export const putAddress = (address: string, interfaceIndex: number, seconds: number): Buffer =>
  message(NEW_ADDRESS, PUT, address, interfaceIndex, [attribute(CACHE_INFO, words(0, seconds, 0, 0))]);

export const deleteAddress = (address: string, interfaceIndex: number): Buffer => message(DELETE_ADDRESS, ASKED, address, interfaceIndex, []);

function message(type: number, flags: number, address: string, interfaceIndex: number, more: readonly Buffer[]): Buffer {
  const bytes = Buffer.from(parseNumericHost(address) ?? []);
  const body = Buffer.concat([
    Buffer.from([bytes.length === 4 ? INET : INET6, 8 * bytes.length, 0, 0]), words(interfaceIndex),
    attribute(LOCAL, bytes), attribute(ADDRESS, bytes), ...more,
  ]);
  const whole = Buffer.concat([words(HEADER + body.length), halves(type, flags), words(1, 0), body]);
  if (body.length < ADDRESS_MESSAGE || bytes.length === 0) throw new RangeError(`not an address: ${address}`);
  return whole;
}

/** Addresses are of 4 or 16 bytes: nothing has to be filled up to a multiple of four. */
const attribute = (type: number, value: Buffer): Buffer => Buffer.concat([halves(4 + value.length, type), value]);

const isLittle = endianness() === "LE";

function words(...values: readonly number[]): Buffer {
  const buffer = Buffer.alloc(4 * values.length);
  for (const [i, value] of values.entries()) if (isLittle) buffer.writeUInt32LE(value, 4 * i); else buffer.writeUInt32BE(value, 4 * i);
  return buffer;
}
function halves(...values: readonly number[]): Buffer {
  const buffer = Buffer.alloc(2 * values.length);
  for (const [i, value] of values.entries()) if (isLittle) buffer.writeUInt16LE(value, 2 * i); else buffer.writeUInt16BE(value, 2 * i);
  return buffer;
}
