// The bodies of all RELOAD messages as one discriminated union. Sections are of RFC 6940.

import type { Address } from "../../base/address.ts";
import type { WallTime } from "../../base/time.ts";
import type { KindId, NodeId, ResourceId } from "../ports.ts";
import type { Destination } from "./destination.ts";

// Section 6.5.3.
export interface PingReq {
  readonly type: "ping_req";
  readonly padding: Uint8Array;
}
export interface PingAns {
  readonly type: "ping_ans";
  /** 16 hex digits, random. */
  readonly responseId: string;
  readonly time: WallTime;
}

// Section 6.4.2.5.
export interface ProbeReq {
  readonly type: "probe_req";
  /** 1 responsible_set, 2 num_resources, 3 uptime. */
  readonly requested: readonly number[];
}
export type ProbeInformation =
  /** Parts per billion of the ring. */
  | { readonly type: "responsible_set"; readonly value: number }
  | { readonly type: "num_resources"; readonly value: number }
  /** Seconds. */
  | { readonly type: "uptime"; readonly value: number }
  | { readonly type: "unknown"; readonly code: number; readonly value: Uint8Array };
export interface ProbeAns {
  readonly type: "probe_ans";
  readonly list: readonly ProbeInformation[];
}

// Section 6.5.1.
export interface IceCandidate {
  readonly address: Address;
  /** 4 is TLS-TCP-FH-NO-ICE. */
  readonly overlayLink: number;
  readonly foundation: Uint8Array;
  readonly priority: number;
  /** 1 host, 2 srflx, 3 prflx, 4 relay. */
  readonly candidateType: number;
  /** Present unless host. */
  readonly relatedAddress: Address | undefined;
  readonly extensions: readonly IceExtension[];
}
export interface IceExtension {
  readonly name: Uint8Array;
  readonly value: Uint8Array;
}
export interface Attachment {
  readonly ufrag: Uint8Array;
  readonly password: Uint8Array;
  /** "passive" in the request, "active" in the answer. */
  readonly role: Uint8Array;
  readonly candidates: readonly IceCandidate[];
}
export interface AttachReq extends Attachment {
  readonly type: "attach_req";
  readonly sendUpdate: boolean;
}
export interface AttachAns extends Attachment {
  readonly type: "attach_ans";
  readonly sendUpdate: boolean;
}
// Section 6.5.2.
export interface AppAttachReq extends Attachment {
  readonly type: "app_attach_req";
  readonly application: number;
}
export interface AppAttachAns extends Attachment {
  readonly type: "app_attach_ans";
  readonly application: number;
}

// Section 6.5.4.
export interface ConfigUpdateReq {
  readonly type: "config_update_req";
  readonly update:
    | { readonly type: "config"; readonly document: Uint8Array }
    | { readonly type: "kind"; readonly kinds: readonly Uint8Array[] };
}
export interface ConfigUpdateAns {
  readonly type: "config_update_ans";
}

// Section 6.4.2.1.
export interface JoinReq {
  readonly type: "join_req";
  readonly nodeId: NodeId;
  readonly overlayData: Uint8Array;
}
export interface JoinAns {
  readonly type: "join_ans";
  readonly overlayData: Uint8Array;
}
// Sections 6.4.2.2 and 10.9.
export interface LeaveReq {
  readonly type: "leave_req";
  readonly nodeId: NodeId;
  /** From the successor: its successors. From the predecessor: its predecessors. */
  readonly leave:
    | { readonly type: "from_succ" | "from_pred"; readonly neighbors: readonly NodeId[] }
    | { readonly type: "none" };
}
export interface LeaveAns {
  readonly type: "leave_ans";
}
// Section 10.7.
export interface UpdateReq {
  readonly type: "update_req";
  /** Seconds. */
  readonly uptime: number;
  readonly update:
    | { readonly type: "peer_ready" }
    | { readonly type: "neighbors"; readonly predecessors: readonly NodeId[]; readonly successors: readonly NodeId[] }
    | {
        readonly type: "full";
        readonly predecessors: readonly NodeId[];
        readonly successors: readonly NodeId[];
        readonly fingers: readonly NodeId[];
      };
}
export interface UpdateAns {
  readonly type: "update_ans";
}
// Sections 6.4.2.4 and 10.8.
export interface RouteQueryReq {
  readonly type: "route_query_req";
  readonly sendUpdate: boolean;
  readonly destination: Destination;
  readonly overlayData: Uint8Array;
}
export interface RouteQueryAns {
  readonly type: "route_query_ans";
  readonly nextPeer: NodeId;
}

// Section 7.4.1.
export interface StoreKindData {
  readonly kind: KindId;
  readonly generation: number;
  /** Whole StoredData structures, each with its length field: see `stored-data.ts`. */
  readonly values: readonly Uint8Array[];
}
export interface StoreReq {
  readonly type: "store_req";
  readonly resource: ResourceId;
  /** 0 from the writer; 1 and 2 between replicas. */
  readonly replicaNumber: number;
  readonly kinds: readonly StoreKindData[];
}
export interface StoreKindResponse {
  readonly kind: KindId;
  readonly generation: number;
  readonly replicas: readonly NodeId[];
}
export interface StoreAns {
  readonly type: "store_ans";
  readonly kinds: readonly StoreKindResponse[];
}
// Section 7.4.2.
export interface FetchSpecifier {
  readonly kind: KindId;
  /** The generation the asker has; 0: send in any case. */
  readonly generation: number;
  /** Its form hangs on the kind's data model: `encodeSelection`, `decodeSelection`. */
  readonly selection: Uint8Array;
}
export interface FetchReq {
  readonly type: "fetch_req";
  readonly resource: ResourceId;
  readonly specifiers: readonly FetchSpecifier[];
}
export interface FetchAns {
  readonly type: "fetch_ans";
  readonly kinds: readonly StoreKindData[];
}
// Section 7.4.3. The values of the answer are StoredMetaData structures with their length fields.
export interface StatReq {
  readonly type: "stat_req";
  readonly resource: ResourceId;
  readonly specifiers: readonly FetchSpecifier[];
}
export interface StatAns {
  readonly type: "stat_ans";
  readonly kinds: readonly StoreKindData[];
}
// Section 7.4.4.
export interface FindReq {
  readonly type: "find_req";
  readonly resource: ResourceId;
  readonly kinds: readonly KindId[];
}
export interface FindAns {
  readonly type: "find_ans";
  /** `closest` is undefined for an unknown kind: "Resource-ID 0", one zero byte on the wire. */
  readonly results: readonly { readonly kind: KindId; readonly closest: ResourceId | undefined }[];
}

// RFC 7851 section 5.
export interface DiagnosticsRequest {
  readonly expiration: WallTime;
  readonly initiated: WallTime;
  /** 64 flags: bit k asks for diagnostic kind k. */
  readonly flags: bigint;
  readonly extensions: readonly Diagnostic[];
}
export interface DiagnosticsResponse {
  readonly expiration: WallTime;
  readonly initiated: WallTime;
  readonly received: WallTime;
  readonly hopCounter: number;
  readonly diagnostics: readonly Diagnostic[];
}
export interface Diagnostic {
  readonly kind: number;
  readonly contents: Uint8Array;
}
export interface PathTrackReq {
  readonly type: "path_track_req";
  readonly destination: Destination;
  readonly request: DiagnosticsRequest;
}
export interface PathTrackAns {
  readonly type: "path_track_ans";
  readonly nextHop: Destination;
  readonly response: DiagnosticsResponse;
}

/** Experimental exchanges: who uses one brings its own codec for `body`. */
export interface Experimental {
  readonly type: "exp_a_req" | "exp_a_ans" | "exp_b_req" | "exp_b_ans";
  readonly body: Uint8Array;
}

// Section 6.3.3.1.
export interface ErrorResponse {
  readonly type: "error";
  /** Usually one of `ERROR`. */
  readonly code: number;
  /** UTF-8 text unless the code says otherwise. */
  readonly info: Uint8Array;
}

export type MessageBody =
  | PingReq
  | PingAns
  | ProbeReq
  | ProbeAns
  | AttachReq
  | AttachAns
  | AppAttachReq
  | AppAttachAns
  | ConfigUpdateReq
  | ConfigUpdateAns
  | JoinReq
  | JoinAns
  | LeaveReq
  | LeaveAns
  | UpdateReq
  | UpdateAns
  | RouteQueryReq
  | RouteQueryAns
  | StoreReq
  | StoreAns
  | FetchReq
  | FetchAns
  | StatReq
  | StatAns
  | FindReq
  | FindAns
  | PathTrackReq
  | PathTrackAns
  | Experimental
  | ErrorResponse;
