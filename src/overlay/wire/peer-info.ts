// PeerInfo as the contents of a message extension (`EXTENSION.peer_info`) of Attach. Not an RFC's:
// Node-ID | overlay IpAddressPort | SIP IpAddressPort | zone<u8> | incarnation u64 | software<u8>,
// texts in UTF-8; bytes behind that are for later versions and are skipped.

import { ByteReader, ByteWriter, fromOctets, fromUtf8Octets, toOctets, utf8Octets } from "../../base/bytes.ts";
import type { Result } from "../../base/result.ts";
import type { PeerInfo } from "../ports.ts";
import { readOpaque, writeOpaque } from "./fields.ts";
import { readNodeId, writeNodeId } from "./identifiers.ts";
import { readIpAddressPort, writeIpAddressPort } from "./ip-address-port.ts";
import { decoded, type WireFault } from "./wire-fault.ts";

/** Zone and software have at most 255 octets in UTF-8 each: who takes them from outside sees to that. */
export function encodePeerInfo(info: PeerInfo): Uint8Array {
  const writer = new ByteWriter(96);
  writePeerInfo(writer, info);
  return writer.finish();
}

export function writePeerInfo(writer: ByteWriter, info: PeerInfo): void {
  writeNodeId(writer, info.nodeId);
  writeIpAddressPort(writer, info.overlay);
  writeIpAddressPort(writer, info.sip);
  writeText(writer, info.zone);
  writer.u64(info.incarnation);
  writeText(writer, info.software);
}

export const decodePeerInfo = (bytes: Uint8Array): Result<PeerInfo, WireFault> =>
  decoded(() => readPeerInfo(new ByteReader(bytes)));

export const readPeerInfo = (reader: ByteReader): PeerInfo => ({
  nodeId: readNodeId(reader),
  overlay: readIpAddressPort(reader),
  sip: readIpAddressPort(reader),
  zone: readText(reader),
  incarnation: reader.u64(),
  software: readText(reader),
});

const writeText = (writer: ByteWriter, text: string): void => writeOpaque(writer, 1, fromOctets(utf8Octets(text)));

const readText = (reader: ByteReader): string => fromUtf8Octets(toOctets(readOpaque(reader, 1)));
