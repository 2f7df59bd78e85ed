// IpAddressPort (RFC 6940 section 6.3.1.1): type, length, address, port.

import { type ByteReader, type ByteWriter, DecodeError, fromHex } from "../../base/bytes.ts";
import { type Address, isIpv6 } from "../../base/address.ts";
import { unknownValue } from "./wire-fault.ts";

const IPV4 = 1;
const IPV6 = 2;

export function readIpAddressPort(reader: ByteReader): Address {
  const type = reader.u8();
  const length = reader.u8();
  if (type === IPV4 && length === 6) return { host: readIpv4(reader), port: reader.u16() };
  if (type === IPV6 && length === 18) return { host: readIpv6(reader), port: reader.u16() };
  if (type === IPV4 || type === IPV6) throw new DecodeError(`address type ${type} of ${length} bytes`);
  throw unknownValue("address type", type);
}

/** `address` is numeric, as everywhere in the core. */
export function writeIpAddressPort(writer: ByteWriter, { host, port }: Address): void {
  if (isIpv6(host)) writer.u8(IPV6).u8(18).hex(ipv6Hex(host));
  else writeIpv4(writer.u8(IPV4).u8(6), host);
  writer.u16(port);
}

const readIpv4 = (reader: ByteReader): string => `${reader.u8()}.${reader.u8()}.${reader.u8()}.${reader.u8()}`;

function writeIpv4(writer: ByteWriter, host: string): void {
  const parts = host.split(".");
  if (parts.length !== 4) throw new RangeError(`not an IPv4 address: ${host}`);
  for (const part of parts) writer.u8(Number.parseInt(part, 10));
}

/** RFC 5952: lower case, no leading zeros, the first longest run of zero groups (two or more) as `::`. */
function readIpv6(reader: ByteReader): string {
  const groups = Array.from({ length: 8 }, () => reader.u16());
  const { start, length } = longestZeroRun(groups);
  const text = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(":");
  return length < 2 ? text(groups) : `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`;
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let longest = { start: 0, length: 0 };
  let length = 0;
  groups.forEach((group, i) => {
    length = group === 0 ? length + 1 : 0;
    if (length > longest.length) longest = { start: i + 1 - length, length };
  });
  return longest;
}

/** 32 digits. An embedded IPv4 tail is understood; a zone (`%eth0`) is not sent. */
function ipv6Hex(host: string): string {
  const bare = host.split("%")[0] as string;
  const [head = "", tail] = bare.split("::");
  const before = groupsHex(head);
  const after = tail === undefined ? "" : groupsHex(tail);
  const hex = before + "0".repeat(Math.max(0, 32 - before.length - after.length)) + after;
  if (hex.length !== 32) throw new RangeError(`not an IPv6 address: ${host}`);
  fromHex(hex);
  return hex;
}

const groupsHex = (text: string): string =>
  text === ""
    ? ""
    : text
        .split(":")
        .map((group) => (group.includes(".") ? ipv4Hex(group) : group.padStart(4, "0")))
        .join("");

const ipv4Hex = (host: string): string =>
  host
    .split(".")
    .map((part) => Number.parseInt(part, 10).toString(16).padStart(2, "0"))
    .join("");
