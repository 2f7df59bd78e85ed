// A packet capture as text: the SIP messages in its UDP packets and TCP connections, without their secrets. The packets
// themselves stay on the box. What is no plain SIP (TLS, WebSocket, fragments) is counted.

import { formatAddress } from "../../../base/address.ts";
import { parseMessage } from "../../../sip/message/parse.ts";
import { redacted } from "../../../sip/recorder/redaction.ts";
import { TcpStreams } from "./tcp-streams.ts";

/** Octets before the network layer, by link type: Ethernet, Linux cooked capture 1 and 2; and where their protocol stands. */
const LINKS: Readonly<Record<number, { readonly length: number; readonly protocolAt: number }>> = {
  1: { length: 14, protocolAt: 12 },
  113: { length: 16, protocolAt: 14 },
  276: { length: 20, protocolAt: 0 },
};
const MAGIC = 0xa1b2c3d4;
const FILE_HEADER = 24;
const PACKET_HEADER = 16;
const [IPV4, IPV6] = [0x0800, 0x86dd];
const [TCP, UDP] = [6, 17];
/** Messages of one capture that are shown; the last ones. */
const MESSAGES_MAX = 2_000;

/** `undefined`: it is not a capture that this program reads. */
export function captureText(file: Buffer): string | undefined {
  const read = readerOf(file);
  const link = read === undefined ? undefined : LINKS[read(20) & 0xffff];
  if (read === undefined || link === undefined) return undefined;
  const messages: string[] = []; // BOUNDED: by the capture, which tcpdump bounds; then by MESSAGES_MAX
  const streams = new TcpStreams();
  let others = 0;
  for (let at = FILE_HEADER; at + PACKET_HEADER <= file.length; at += PACKET_HEADER + read(at + 8)) {
    const time = read(at) * 1_000 + Math.floor(read(at + 4) / 1_000);
    const found = messagesIn(file.subarray(at + PACKET_HEADER, at + PACKET_HEADER + read(at + 8)), link, streams);
    if (found === undefined) others += 1;
    else messages.push(...found.map((message) => `${new Date(time).toISOString()} ${message}`));
  }
  return [...messages.slice(-MESSAGES_MAX), `${others} other packets.`, ""].join("\n\n");
}

/** A reader of the file's 32-bit numbers in its order of octets. */
function readerOf(file: Buffer): ((at: number) => number) | undefined {
  if (file.length < FILE_HEADER) return undefined;
  if (file.readUInt32LE(0) === MAGIC) return (at) => file.readUInt32LE(at);
  return file.readUInt32BE(0) === MAGIC ? (at) => file.readUInt32BE(at) : undefined;
}

/** `undefined`: the packet is no SIP; none: a message is not whole yet. */
function messagesIn(packet: Buffer, { length, protocolAt }: { readonly length: number; readonly protocolAt: number }, streams: TcpStreams): readonly string[] | undefined {
  if (packet.length < length + 20) return undefined; // an IPv4 header
  const network = packet.subarray(length);
  const protocol = packet.readUInt16BE(protocolAt);
  const header = protocol === IPV4 ? ipv4(network) : protocol === IPV6 && network.length >= 40 ? ipv6(network) : undefined;
  if (header === undefined || header.payload.length < 8) return undefined;
  const { from, to, payload } = header;
  const texts = header.protocol === UDP ? [payload.toString("latin1", 8)] : streams.take(`${from} ${to}`, payload);
  const messages = texts?.map(parseMessage);
  if (messages === undefined || messages.some(({ ok }) => !ok)) return undefined;
  const ends = `${formatAddress({ host: from, port: payload.readUInt16BE(0) })} to ${formatAddress({ host: to, port: payload.readUInt16BE(2) })}`;
  return messages.flatMap((parsed) => (parsed.ok ? [`${ends}\n${Buffer.from(redacted(parsed.value), "latin1").toString("utf8").replaceAll("\r\n", "\n")}`] : []));
}

interface Packet {
  readonly protocol: number;
  readonly from: string;
  readonly to: string;
  readonly payload: Buffer;
}

function ipv4(packet: Buffer): Packet | undefined {
  const isWhole = (packet.readUInt16BE(6) & 0x3fff) === 0;
  const protocol = packet.readUInt8(9);
  if (!isWhole || (protocol !== UDP && protocol !== TCP)) return undefined;
  const host = (at: number): string => [...packet.subarray(at, at + 4)].join(".");
  return { protocol, from: host(12), to: host(16), payload: packet.subarray((packet.readUInt8(0) & 0x0f) * 4, packet.readUInt16BE(2)) };
}

function ipv6(packet: Buffer): Packet | undefined {
  const protocol = packet.readUInt8(6);
  if (protocol !== UDP && protocol !== TCP) return undefined;
  const host = (at: number): string => Array.from({ length: 8 }, (_, i) => packet.readUInt16BE(at + 2 * i).toString(16)).join(":");
  return { protocol, from: host(8), to: host(24), payload: packet.subarray(40, 40 + packet.readUInt16BE(4)) };
}
