// Bodies of Ping, Probe, Attach, AppAttach and ConfigUpdate (RFC 6940 sections 6.4.2.5 and 6.5).

import type { ByteReader, ByteWriter } from "../../base/bytes.ts";
import { wallTime } from "../../base/time.ts";
import { endAt, readBoolean, readList, readOpaque, writeBoolean, writeList, writeOpaque } from "./fields.ts";
import { readIpAddressPort, writeIpAddressPort } from "./ip-address-port.ts";
import type {
  AppAttachAns,
  AppAttachReq,
  AttachAns,
  AttachReq,
  Attachment,
  ConfigUpdateReq,
  IceCandidate,
  IceExtension,
  PingAns,
  PingReq,
  ProbeAns,
  ProbeInformation,
  ProbeReq,
} from "./message-body.ts";
import { unknownValue } from "./wire-fault.ts";

export const readPingReq = (reader: ByteReader): PingReq => ({ type: "ping_req", padding: readOpaque(reader, 2) });

export const writePingReq = (writer: ByteWriter, { padding }: PingReq): void => writeOpaque(writer, 2, padding);

export const readPingAns = (reader: ByteReader): PingAns => ({
  type: "ping_ans",
  responseId: reader.hex(8),
  time: wallTime(reader.u64()),
});

export const writePingAns = (writer: ByteWriter, { responseId, time }: PingAns): void => {
  writer.hex(responseId).u64(time);
};

export const PROBE = { responsible_set: 1, num_resources: 2, uptime: 3 } as const;

export const readProbeReq = (reader: ByteReader): ProbeReq => ({
  type: "probe_req",
  requested: readList(reader, 1, (list) => list.u8()),
});

export const writeProbeReq = (writer: ByteWriter, { requested }: ProbeReq): void =>
  writeList(writer, 1, requested, (_, code) => writer.u8(code));

export const readProbeAns = (reader: ByteReader): ProbeAns => ({
  type: "probe_ans",
  list: readList(reader, 2, readProbeInformation),
});

function readProbeInformation(reader: ByteReader): ProbeInformation {
  const code = reader.u8();
  const length = reader.u8();
  const end = reader.position + length;
  const information = readProbeValue(reader, code, length);
  endAt(reader, end);
  return information;
}

function readProbeValue(reader: ByteReader, code: number, length: number): ProbeInformation {
  if (code === PROBE.responsible_set) return { type: "responsible_set", value: reader.u32() };
  if (code === PROBE.num_resources) return { type: "num_resources", value: reader.u32() };
  if (code === PROBE.uptime) return { type: "uptime", value: reader.u32() };
  return { type: "unknown", code, value: reader.bytes(length) };
}

export const writeProbeAns = (writer: ByteWriter, { list }: ProbeAns): void =>
  writeList(writer, 2, list, (_, information) => {
    if (information.type === "unknown") writeOpaque(writer.u8(information.code), 1, information.value);
    else writer.u8(PROBE[information.type]).u8(4).u32(information.value);
  });

const readAttachment = (reader: ByteReader): Omit<Attachment, "candidates"> => ({
  ufrag: readOpaque(reader, 1),
  password: readOpaque(reader, 1),
  role: readOpaque(reader, 1),
});

function writeCredentials(writer: ByteWriter, { ufrag, password }: Attachment): void {
  writeOpaque(writer, 1, ufrag);
  writeOpaque(writer, 1, password);
}

export const readAttachReq = (reader: ByteReader): AttachReq => ({ type: "attach_req", ...readAttach(reader) });
export const readAttachAns = (reader: ByteReader): AttachAns => ({ type: "attach_ans", ...readAttach(reader) });

const readAttach = (reader: ByteReader): Attachment & { sendUpdate: boolean } => ({
  ...readAttachment(reader),
  candidates: readCandidates(reader),
  sendUpdate: readBoolean(reader),
});

export function writeAttach(writer: ByteWriter, attach: AttachReq | AttachAns): void {
  writeCredentials(writer, attach);
  writeOpaque(writer, 1, attach.role);
  writeList(writer, 2, attach.candidates, writeCandidate);
  writeBoolean(writer, attach.sendUpdate);
}

export const readAppAttachReq = (reader: ByteReader): AppAttachReq => ({
  type: "app_attach_req",
  ...readAppAttach(reader),
});
export const readAppAttachAns = (reader: ByteReader): AppAttachAns => ({
  type: "app_attach_ans",
  ...readAppAttach(reader),
});

const readAppAttach = (reader: ByteReader): Attachment & { application: number } => ({
  ufrag: readOpaque(reader, 1),
  password: readOpaque(reader, 1),
  application: reader.u16(),
  role: readOpaque(reader, 1),
  candidates: readCandidates(reader),
});

export function writeAppAttach(writer: ByteWriter, attach: AppAttachReq | AppAttachAns): void {
  writeCredentials(writer, attach);
  writer.u16(attach.application);
  writeOpaque(writer, 1, attach.role);
  writeList(writer, 2, attach.candidates, writeCandidate);
}

/** BOUNDED: addresses one box may offer; more are a malformed message. */
const MAX_CANDIDATES = 32;
const HOST = 1;
const RELAY = 4;

const readCandidates = (reader: ByteReader): IceCandidate[] => readList(reader, 2, readCandidate, MAX_CANDIDATES);

function readCandidate(reader: ByteReader): IceCandidate {
  const address = readIpAddressPort(reader);
  const overlayLink = reader.u8();
  const foundation = readOpaque(reader, 1);
  const priority = reader.u32();
  const candidateType = reader.u8();
  if (candidateType < HOST || candidateType > RELAY) throw unknownValue("candidate type", candidateType);
  const relatedAddress = candidateType === HOST ? undefined : readIpAddressPort(reader);
  const extensions = readList(reader, 2, readIceExtension);
  return { address, overlayLink, foundation, priority, candidateType, relatedAddress, extensions };
}

const readIceExtension = (reader: ByteReader): IceExtension => ({
  name: readOpaque(reader, 2),
  value: readOpaque(reader, 2),
});

function writeCandidate(writer: ByteWriter, candidate: IceCandidate): void {
  writeIpAddressPort(writer, candidate.address);
  writer.u8(candidate.overlayLink);
  writeOpaque(writer, 1, candidate.foundation);
  writer.u32(candidate.priority).u8(candidate.candidateType);
  if (candidate.relatedAddress !== undefined) writeIpAddressPort(writer, candidate.relatedAddress);
  writeList(writer, 2, candidate.extensions, (_, { name, value }) => {
    writeOpaque(writer, 2, name);
    writeOpaque(writer, 2, value);
  });
}

const CONFIG = 1;
const KIND = 2;

export function readConfigUpdateReq(reader: ByteReader): ConfigUpdateReq {
  const type = reader.u8();
  const length = reader.u32();
  const end = reader.position + length;
  const update = readConfigUpdate(reader, type);
  endAt(reader, end);
  return { type: "config_update_req", update };
}

function readConfigUpdate(reader: ByteReader, type: number): ConfigUpdateReq["update"] {
  if (type === CONFIG) return { type: "config", document: readOpaque(reader, 3) };
  if (type === KIND) return { type: "kind", kinds: readList(reader, 3, (kinds) => readOpaque(kinds, 2)) };
  throw unknownValue("configuration update", type);
}

export function writeConfigUpdateReq(writer: ByteWriter, { update }: ConfigUpdateReq): void {
  writer.u8(update.type === "config" ? CONFIG : KIND);
  writer.prefixed(4, () => {
    if (update.type === "config") writeOpaque(writer, 3, update.document);
    else writeList(writer, 3, update.kinds, (_, kind) => writeOpaque(writer, 2, kind));
  });
}
