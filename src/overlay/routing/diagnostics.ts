// Path_Track and the diagnostics a Ping may carry (RFC 7851). The RFC denies everybody unless the
// configuration names who may ask; here every enrolled box may, and no one else reaches a box at all.

import { ByteWriter, fromOctets, utf8Octets } from "../../base/bytes.ts";
import { milliseconds, wallTime } from "../../base/time.ts";
import type { CoreContext } from "../core-context.ts";
import type { Membership } from "../members/membership.ts";
import type { Phase } from "../ports.ts";
import type { Topology } from "../ring/topology.ts";
import type { Holdings } from "../storage/holdings.ts";
import { EXTENSION } from "../wire/code-points.ts";
import type { Destination } from "../wire/destination.ts";
import { decodeDiagnosticsRequest, encodeDiagnosticsResponse } from "../wire/diagnostics-bodies.ts";
import type { MessageExtension } from "../wire/message.ts";
import type { Diagnostic, DiagnosticsRequest, DiagnosticsResponse, PathTrackReq } from "../wire/message-body.ts";
import type { Received } from "./router.ts";

/** RFC 7851 section 5: a request is good for at most ten minutes. */
export const LONGEST_DIAGNOSTICS = milliseconds(600_000);

interface Parts {
  readonly context: CoreContext;
  readonly membership: Membership;
  readonly topology: Topology;
  readonly holdings: Holdings;
  readonly phase: () => Phase;
}

export class Diagnostics {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Who is next on the way to the destination, this peer itself if the way ends here. */
  pathTrack(received: Received, { destination, request }: PathTrackReq): void {
    if (!this.#isInTime(received, request)) return;
    const nextHop = this.#nextHop(destination);
    if (nextHop === undefined) return received.refuse("Error_Not_Found", "no way to the destination");
    received.respond({ type: "path_track_ans", nextHop, response: this.#response(received, request) });
  }

  /** What a Ping asks besides; `undefined` if it was refused. */
  withPing(received: Received): readonly MessageExtension[] | undefined {
    const asked = received.message.extensions.find(({ type }) => type === EXTENSION.diagnostic_ping);
    if (asked === undefined) return [];
    const request = decodeDiagnosticsRequest(asked.contents);
    if (!request.ok) {
      received.refuse("Error_Invalid_Message", request.fault.reason);
      return undefined;
    }
    if (!this.#isInTime(received, request.value)) return undefined;
    const contents = encodeDiagnosticsResponse(this.#response(received, request.value));
    return [{ type: EXTENSION.diagnostic_ping, critical: false, contents }];
  }

  #isInTime(received: Received, { expiration }: DiagnosticsRequest): boolean {
    const now = this.#parts.context.clock.now();
    if (expiration <= now) received.refuse("Error_Message_Expired", "the request was over when it came");
    else if (expiration > now + LONGEST_DIAGNOSTICS) received.refuse("Error_Invalid_Message", "good for more than ten minutes");
    else return true;
    return false;
  }

  #nextHop(destination: Destination): Destination | undefined {
    const { context, topology } = this.#parts;
    if (destination.type !== "node" && destination.type !== "resource") return undefined;
    const place = destination.type === "node" ? destination.nodeId : destination.resource;
    const mine = destination.type === "resource" ? topology.isResponsible(destination.resource) : place === context.self;
    const nodeId = mine ? context.self : topology.nextHop(place);
    return nodeId === undefined ? undefined : { type: "node", nodeId };
  }

  #response(received: Received, { expiration, initiated, flags }: DiagnosticsRequest): DiagnosticsResponse {
    const diagnostics: Diagnostic[] = [];
    for (const [kind, contents] of this.#known()) if ((flags >> BigInt(kind)) & 1n) diagnostics.push({ kind, contents });
    return { expiration, initiated, received: wallTime(this.#parts.context.clock.now()), hopCounter: received.message.header.ttl, diagnostics };
  }

  /** What this box tells of the kinds of RFC 7851 section 5.3; others are left out, as the RFC allows. */
  #known(): readonly (readonly [number, Uint8Array])[] {
    const { context, membership, holdings, phase } = this.#parts;
    return [
      [STATUS_INFO, new ByteWriter(1).u8(phase() === "serving" ? 0 : 1).finish()],
      [ROUTING_TABLE_SIZE, new ByteWriter(4).u32(membership.view.without(context.self).size).finish()],
      [SOFTWARE_VERSION, fromOctets(utf8Octets(context.settings.self.software))],
      [APP_UPTIME, new ByteWriter(8).u64(context.uptimeSeconds).finish()],
      [DATASIZE_STORED, new ByteWriter(8).u64(holdings.store.bytes).finish()],
    ];
  }
}

const STATUS_INFO = 1;
const ROUTING_TABLE_SIZE = 2;
const SOFTWARE_VERSION = 6;
const APP_UPTIME = 8;
const DATASIZE_STORED = 10;
