// Numbers of RFC 6940 section 14 and RFC 7851 section 9, and those this profile chose itself.
//
// How Wireshark 4.0.17 shows what is private to the profile (none of it is "malformed"):
// - message codes 0x23 and 0x24: the code as exp_a_req and exp_a_ans, the column as "Exp_B", the body
//   as bytes that are not looked into;
// - extension types 0xf001 to 0xf004: "Unknown (61441)", their contents as opaque bytes;
// - SignerIdentity none: right, yet with the expert note "Unknown identity type";
// - private kinds: their values are skipped, unless the preference reload_kindids names them:
//   -o 'uat:reload_kindids:"4026531841","EDGE-BINDING","DICTIONARY"'.

/** Error codes (RFC 6940 section 14.9, RFC 7851 section 9.4). */
export const ERROR = {
  Error_Forbidden: 2,
  Error_Not_Found: 3,
  Error_Request_Timeout: 4,
  Error_Generation_Counter_Too_Low: 5,
  Error_Incompatible_with_Overlay: 6,
  Error_Unsupported_Forwarding_Option: 7,
  Error_Data_Too_Large: 8,
  Error_Data_Too_Old: 9,
  Error_TTL_Exceeded: 0x0a,
  Error_Message_Too_Large: 0x0b,
  Error_Unknown_Kind: 0x0c,
  Error_Unknown_Extension: 0x0d,
  Error_Response_Too_Large: 0x0e,
  Error_Config_Too_Old: 0x0f,
  Error_Config_Too_New: 0x10,
  Error_In_Progress: 0x11,
  Error_Exp_A: 0x12,
  Error_Exp_B: 0x13,
  Error_Invalid_Message: 0x14,
  Error_Underlay_Destination_Unreachable: 0x15,
  Error_Underlay_Time_Exceeded: 0x16,
  Error_Message_Expired: 0x17,
  Error_Upstream_Misrouting: 0x18,
  Error_Loop_Detected: 0x19,
  Error_TTL_Hops_Exceeded: 0x1a,
} as const;

export type ErrorName = keyof typeof ERROR;

/** Message codes (RFC 6940 section 14.8, RFC 7851 section 9.3). A request is odd, its answer one more. */
export const MESSAGE_CODE = {
  probe_req: 0x01,
  probe_ans: 0x02,
  attach_req: 0x03,
  attach_ans: 0x04,
  store_req: 0x07,
  store_ans: 0x08,
  fetch_req: 0x09,
  fetch_ans: 0x0a,
  find_req: 0x0d,
  find_ans: 0x0e,
  join_req: 0x0f,
  join_ans: 0x10,
  leave_req: 0x11,
  leave_ans: 0x12,
  update_req: 0x13,
  update_ans: 0x14,
  route_query_req: 0x15,
  route_query_ans: 0x16,
  ping_req: 0x17,
  ping_ans: 0x18,
  stat_req: 0x19,
  stat_ans: 0x1a,
  app_attach_req: 0x1d,
  app_attach_ans: 0x1e,
  config_update_req: 0x21,
  config_update_ans: 0x22,
  exp_a_req: 0x23,
  exp_a_ans: 0x24,
  exp_b_req: 0x25,
  exp_b_ans: 0x26,
  path_track_req: 0x27,
  path_track_ans: 0x28,
  error: 0xffff,
} as const;

export type MessageName = keyof typeof MESSAGE_CODE;

/** Kinds of the RFC that the core itself knows (section 14.6). */
export const KIND = { CERTIFICATE_BY_NODE: 3, CERTIFICATE_BY_USER: 16 } as const;

/** Types of message extensions: RFC 7851, RFC 7363, and three of this profile. */
export const EXTENSION = {
  diagnostic_ping: 2,
  self_tuning_data: 3,
  /** Who a box is (Attach request and answer): see `peer-info.ts`. */
  peer_info: 0xf001,
  /** On a Fetch: answer from what you hold, owner or not. Empty, not critical. */
  replica_read: 0xf002,
  /** On a ConfigUpdate: all revocations. Not critical. */
  revocations: 0xf003,
  /** On a ConfigUpdate: the sender's new certificate (DER). Not critical. */
  certificate: 0xf004,
  /** On a RouteQuery, empty: tell your Chord lists; on its answer: see `chord-lists.ts`. Not critical. */
  chord_lists: 0xf010,
  /** On an Update: its sender knows only a part of its ring. Empty, not critical. */
  partial_view: 0xf011,
  /** On a Leave: its sender stays linked and goes on serving phones. Empty, not critical. */
  aside: 0xf012,
  /** Which start of a box this is (Attach request and answer over a link): see `members/doubles.ts`. */
  boot: 0xf020,
} as const;
