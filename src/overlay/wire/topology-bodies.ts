// Bodies of Join, Leave, Update and RouteQuery, with what CHORD-RELOAD puts into them
// (RFC 6940 sections 6.4.2 and 10).

import type { ByteReader, ByteWriter } from "../../base/bytes.ts";
import { readDestination, writeDestination } from "./destination.ts";
import { endAt, readBoolean, readLength, readNodeIds, readOpaque, writeBoolean, writeNodeIds, writeOpaque } from "./fields.ts";
import { readNodeId, writeNodeId } from "./identifiers.ts";
import type { JoinAns, JoinReq, LeaveReq, RouteQueryAns, RouteQueryReq, UpdateReq } from "./message-body.ts";
import { unknownValue } from "./wire-fault.ts";

export const readJoinReq = (reader: ByteReader): JoinReq => ({
  type: "join_req",
  nodeId: readNodeId(reader),
  overlayData: readOpaque(reader, 2),
});

export function writeJoinReq(writer: ByteWriter, { nodeId, overlayData }: JoinReq): void {
  writeNodeId(writer, nodeId);
  writeOpaque(writer, 2, overlayData);
}

export const readJoinAns = (reader: ByteReader): JoinAns => ({ type: "join_ans", overlayData: readOpaque(reader, 2) });

export const writeJoinAns = (writer: ByteWriter, { overlayData }: JoinAns): void => writeOpaque(writer, 2, overlayData);

const FROM_SUCC = 1;
const FROM_PRED = 2;

export function readLeaveReq(reader: ByteReader): LeaveReq {
  const nodeId = readNodeId(reader);
  const length = readLength(reader, 2);
  const end = reader.position + length;
  const leave: LeaveReq["leave"] = length === 0 ? { type: "none" } : readLeaveData(reader);
  endAt(reader, end);
  return { type: "leave_req", nodeId, leave };
}

function readLeaveData(reader: ByteReader): LeaveReq["leave"] {
  const type = reader.u8();
  if (type !== FROM_SUCC && type !== FROM_PRED) throw unknownValue("leave", type);
  return { type: type === FROM_SUCC ? "from_succ" : "from_pred", neighbors: readNodeIds(reader) };
}

export function writeLeaveReq(writer: ByteWriter, { nodeId, leave }: LeaveReq): void {
  writeNodeId(writer, nodeId);
  writer.prefixed(2, () => {
    if (leave.type === "none") return;
    writer.u8(leave.type === "from_succ" ? FROM_SUCC : FROM_PRED);
    writeNodeIds(writer, leave.neighbors);
  });
}

const PEER_READY = 1;
const NEIGHBORS = 2;
const FULL = 3;

export const readUpdateReq = (reader: ByteReader): UpdateReq => ({
  type: "update_req",
  uptime: reader.u32(),
  update: readUpdate(reader),
});

function readUpdate(reader: ByteReader): UpdateReq["update"] {
  const type = reader.u8();
  if (type === PEER_READY) return { type: "peer_ready" };
  if (type !== NEIGHBORS && type !== FULL) throw unknownValue("update", type);
  const predecessors = readNodeIds(reader);
  const successors = readNodeIds(reader);
  if (type === NEIGHBORS) return { type: "neighbors", predecessors, successors };
  return { type: "full", predecessors, successors, fingers: readNodeIds(reader) };
}

const UPDATE_TYPE = { peer_ready: PEER_READY, neighbors: NEIGHBORS, full: FULL } as const;

export function writeUpdateReq(writer: ByteWriter, { uptime, update }: UpdateReq): void {
  writer.u32(uptime).u8(UPDATE_TYPE[update.type]);
  if (update.type === "peer_ready") return;
  writeNodeIds(writer, update.predecessors);
  writeNodeIds(writer, update.successors);
  if (update.type === "full") writeNodeIds(writer, update.fingers);
}

export const readRouteQueryReq = (reader: ByteReader): RouteQueryReq => ({
  type: "route_query_req",
  sendUpdate: readBoolean(reader),
  destination: readDestination(reader),
  overlayData: readOpaque(reader, 2),
});

export function writeRouteQueryReq(writer: ByteWriter, query: RouteQueryReq): void {
  writeBoolean(writer, query.sendUpdate);
  writeDestination(writer, query.destination);
  writeOpaque(writer, 2, query.overlayData);
}

export const readRouteQueryAns = (reader: ByteReader): RouteQueryAns => ({
  type: "route_query_ans",
  nextPeer: readNodeId(reader),
});

export const writeRouteQueryAns = (writer: ByteWriter, { nextPeer }: RouteQueryAns): void =>
  writeNodeId(writer, nextPeer);
