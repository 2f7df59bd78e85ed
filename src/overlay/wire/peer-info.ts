// An introduction, the contents of a message extension (`EXTENSION.peer_info`) of Attach. Not an RFC's: PeerInfo
// (Node-ID | overlay IpAddressPort | SIP IpAddressPort | zone<u8> | incarnation u64 | software<u8>, texts in UTF-8),
// then in_ring Boolean | time u64 | ring_age u64 | aside Boolean (absent: false); bytes behind that are for later versions and are skipped.

import { ByteReader, ByteWriter, fromOctets, fromUtf8Octets, toOctets, utf8Octets } from "../../base/bytes.ts";
import type { Result } from "../../base/result.ts";
import type { PeerInfo } from "../ports.ts";
import { readBoolean, readOpaque, writeBoolean, writeOpaque } from "./fields.ts";
import { readNodeId, writeNodeId } from "./identifiers.ts";
import { readIpAddressPort, writeIpAddressPort } from "./ip-address-port.ts";
import { decoded, type WireFault } from "./wire-fault.ts";

/** What a box says when it is linked: who it is, and how things stand with it just now. */
export interface Introduction {
  readonly info: PeerInfo;
  /** It is in the ring: its Update follows over the same link. */
  readonly inRing: boolean;
  /** What it takes the time to be, ms since 1970. */
  readonly time: number;
  /** How long the ring has lived as far as it knows, ms. */
  readonly ringAge: number;
  /** Its disk fails: it is not in the ring, and serves phones. */
  readonly aside: boolean;
}

/** Zone and software have at most 255 octets in UTF-8 each: who takes them from outside sees to that. */
export function encodeIntroduction({ info, inRing, time, ringAge, aside }: Introduction): Uint8Array {
  const writer = new ByteWriter(112);
  writePeerInfo(writer, info);
  writeBoolean(writer, inRing);
  writer.u64(time).u64(ringAge);
  writeBoolean(writer, aside);
  return writer.finish();
}

function writePeerInfo(writer: ByteWriter, info: PeerInfo): void {
  writeNodeId(writer, info.nodeId);
  writeIpAddressPort(writer, info.overlay);
  writeIpAddressPort(writer, info.sip);
  writeText(writer, info.zone);
  writer.u64(info.incarnation);
  writeText(writer, info.software);
}

export function decodeIntroduction(bytes: Uint8Array): Result<Introduction, WireFault> {
  const reader = new ByteReader(bytes);
  return decoded(() => ({
    info: readPeerInfo(reader), inRing: readBoolean(reader), time: reader.u64(), ringAge: reader.u64(),
    aside: reader.remaining > 0 && readBoolean(reader),
  }));
}

const readPeerInfo = (reader: ByteReader): PeerInfo => ({
  nodeId: readNodeId(reader),
  overlay: readIpAddressPort(reader),
  sip: readIpAddressPort(reader),
  zone: readText(reader),
  incarnation: reader.u64(),
  software: readText(reader),
});

const writeText = (writer: ByteWriter, text: string): void => writeOpaque(writer, 1, fromOctets(utf8Octets(text)));

const readText = (reader: ByteReader): string => fromUtf8Octets(toOctets(readOpaque(reader, 1)));
