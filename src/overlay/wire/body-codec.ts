// From message code to body and back (RFC 6940 section 6.3.3).

import type { ByteReader, ByteWriter } from "../../base/bytes.ts";
import { MESSAGE_CODE } from "./code-points.ts";
import { readPathTrackAns, readPathTrackReq, writePathTrackAns, writePathTrackReq } from "./diagnostics-bodies.ts";
import { readOpaque, writeOpaque } from "./fields.ts";
import * as link from "./link-bodies.ts";
import type { MessageBody } from "./message-body.ts";
import * as storage from "./storage-bodies.ts";
import * as topology from "./topology-bodies.ts";
import { unknownValue } from "./wire-fault.ts";

export const codeOf = (body: MessageBody): number => MESSAGE_CODE[body.type];

/** A body of `length` bytes. The caller checks that it ends where it should. */
export function readBody(reader: ByteReader, code: number, length: number): MessageBody {
  switch (code) {
    case MESSAGE_CODE.ping_req:
      return link.readPingReq(reader);
    case MESSAGE_CODE.ping_ans:
      return link.readPingAns(reader);
    case MESSAGE_CODE.store_req:
      return storage.readStoreReq(reader);
    case MESSAGE_CODE.store_ans:
      return storage.readStoreAns(reader);
    case MESSAGE_CODE.fetch_req:
      return storage.readFetchReq(reader);
    case MESSAGE_CODE.fetch_ans:
      return storage.readFetchAns(reader);
    case MESSAGE_CODE.stat_req:
      return storage.readStatReq(reader);
    case MESSAGE_CODE.stat_ans:
      return storage.readStatAns(reader);
    case MESSAGE_CODE.find_req:
      return storage.readFindReq(reader);
    case MESSAGE_CODE.find_ans:
      return storage.readFindAns(reader);
    case MESSAGE_CODE.probe_req:
      return link.readProbeReq(reader);
    case MESSAGE_CODE.probe_ans:
      return link.readProbeAns(reader);
    case MESSAGE_CODE.attach_req:
      return link.readAttachReq(reader);
    case MESSAGE_CODE.attach_ans:
      return link.readAttachAns(reader);
    case MESSAGE_CODE.app_attach_req:
      return link.readAppAttachReq(reader);
    case MESSAGE_CODE.app_attach_ans:
      return link.readAppAttachAns(reader);
    case MESSAGE_CODE.config_update_req:
      return link.readConfigUpdateReq(reader);
    case MESSAGE_CODE.config_update_ans:
      return { type: "config_update_ans" };
    case MESSAGE_CODE.join_req:
      return topology.readJoinReq(reader);
    case MESSAGE_CODE.join_ans:
      return topology.readJoinAns(reader);
    case MESSAGE_CODE.leave_req:
      return topology.readLeaveReq(reader);
    case MESSAGE_CODE.leave_ans:
      return { type: "leave_ans" };
    case MESSAGE_CODE.update_req:
      return topology.readUpdateReq(reader);
    case MESSAGE_CODE.update_ans:
      return { type: "update_ans" };
    case MESSAGE_CODE.route_query_req:
      return topology.readRouteQueryReq(reader);
    case MESSAGE_CODE.route_query_ans:
      return topology.readRouteQueryAns(reader);
    case MESSAGE_CODE.path_track_req:
      return readPathTrackReq(reader, reader.position + length);
    case MESSAGE_CODE.path_track_ans:
      return readPathTrackAns(reader, reader.position + length);
    case MESSAGE_CODE.exp_a_req:
      return { type: "exp_a_req", body: reader.bytes(length) };
    case MESSAGE_CODE.exp_a_ans:
      return { type: "exp_a_ans", body: reader.bytes(length) };
    case MESSAGE_CODE.exp_b_req:
      return { type: "exp_b_req", body: reader.bytes(length) };
    case MESSAGE_CODE.exp_b_ans:
      return { type: "exp_b_ans", body: reader.bytes(length) };
    case MESSAGE_CODE.error:
      return { type: "error", code: reader.u16(), info: readOpaque(reader, 2) };
    default:
      throw unknownValue("message code", code);
  }
}

export function writeBody(writer: ByteWriter, body: MessageBody): void {
  switch (body.type) {
    case "ping_req":
      return link.writePingReq(writer, body);
    case "ping_ans":
      return link.writePingAns(writer, body);
    case "store_req":
      return storage.writeStoreReq(writer, body);
    case "store_ans":
      return storage.writeStoreAns(writer, body);
    case "fetch_req":
    case "stat_req":
      return storage.writeFetchReq(writer, body);
    case "fetch_ans":
    case "stat_ans":
      return storage.writeFetchAns(writer, body);
    case "find_req":
      return storage.writeFindReq(writer, body);
    case "find_ans":
      return storage.writeFindAns(writer, body);
    case "probe_req":
      return link.writeProbeReq(writer, body);
    case "probe_ans":
      return link.writeProbeAns(writer, body);
    case "attach_req":
    case "attach_ans":
      return link.writeAttach(writer, body);
    case "app_attach_req":
    case "app_attach_ans":
      return link.writeAppAttach(writer, body);
    case "config_update_req":
      return link.writeConfigUpdateReq(writer, body);
    case "config_update_ans":
    case "leave_ans":
    case "update_ans":
      return;
    case "join_req":
      return topology.writeJoinReq(writer, body);
    case "join_ans":
      return topology.writeJoinAns(writer, body);
    case "leave_req":
      return topology.writeLeaveReq(writer, body);
    case "update_req":
      return topology.writeUpdateReq(writer, body);
    case "route_query_req":
      return topology.writeRouteQueryReq(writer, body);
    case "route_query_ans":
      return topology.writeRouteQueryAns(writer, body);
    case "path_track_req":
      return writePathTrackReq(writer, body);
    case "path_track_ans":
      return writePathTrackAns(writer, body);
    case "exp_a_req":
    case "exp_a_ans":
    case "exp_b_req":
    case "exp_b_ans":
      writer.bytes(body.body);
      return;
    case "error":
      return writeOpaque(writer.u16(body.code), 2, body.info);
  }
}
