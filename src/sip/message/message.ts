// SipRequest and SipResponse: start line, located header fields, body; typed views of the fields,
// read when first asked for. A view is `undefined` if its field is absent or malformed (lists: [] if
// absent, `undefined` if malformed): validate.ts says which and refuses what must not go on.
//
// A message is not changed after it is made, but for `stampReceived`. Editing makes another one: edit.ts.

import type { Address } from "../../base/address.ts";
import type { DigestCredentials } from "./digest.ts";
import type { HeaderField } from "./header-field.ts";
import type { NameAddress } from "./name-address.ts";
import type { Uri } from "./uri.ts";
import type { Via } from "./via.ts";

export interface CSeq {
  readonly number: number;
  readonly method: string;
}

export declare abstract class SipMessage {
  readonly fields: readonly HeaderField[];
  readonly body: string;
  /** Whether there is a field of this name (any case, full form). */
  has(name: string): boolean;
  /** Value of the first field of this name, unfolded and trimmed. */
  header(name: string): string | undefined;
  /** Values of all fields of this name, one each. */
  headers(name: string): readonly string[];
  /** Members of the comma-separated lists of all fields of this name. */
  list(name: string): readonly string[];
  get topVia(): Via | undefined;
  get vias(): readonly Via[] | undefined;
  get from(): NameAddress | undefined;
  get to(): NameAddress | undefined;
  /** "" if there is none. */
  get fromTag(): string;
  get toTag(): string;
  get callId(): string | undefined;
  get cseq(): CSeq | undefined;
  get contentLength(): number | undefined;
  /** Seconds, 0 to 2^32-1. */
  get expires(): number | undefined;
  /** `"*"` for the wildcard, alone. */
  get contacts(): readonly NameAddress[] | "*" | undefined;
  get routes(): readonly NameAddress[] | undefined;
  get recordRoutes(): readonly NameAddress[] | undefined;
  get paths(): readonly NameAddress[] | undefined;
  /** Option tags, lower case. */
  get require(): readonly string[];
  get proxyRequire(): readonly string[];
  get supported(): readonly string[];
  /** The message as octet string; made once. */
  get octets(): string;
}

export declare class SipRequest extends SipMessage {
  readonly type: "request";
  readonly method: string;
  /** Request-URI as written. */
  readonly uriText: string;
  constructor(method: string, uriText: string, fields: readonly HeaderField[], body: string);
  get uri(): Uri | undefined;
  get maxForwards(): number | undefined;
  /** Digest credentials; other schemes are left out. */
  get authorization(): readonly DigestCredentials[];
  get proxyAuthorization(): readonly DigestCredentials[];
  /** Writes received and rport into the top Via (RFC 3261 18.2.1, RFC 3581); once, where the request comes in. */
  stampReceived(source: Address): void;
}

export declare class SipResponse extends SipMessage {
  readonly type: "response";
  readonly status: number;
  readonly reason: string;
  constructor(status: number, reason: string, fields: readonly HeaderField[], body: string);
}

/** What `validateRequest` let through: the fields that every request must have are there and well formed. */
export type ValidRequest = SipRequest & {
  readonly uri: Uri;
  readonly topVia: Via;
  readonly from: NameAddress;
  readonly to: NameAddress;
  readonly callId: string;
  readonly cseq: CSeq;
  /** Present and malformed lists are refused. */
  readonly routes: readonly NameAddress[];
  readonly contacts: readonly NameAddress[] | "*";
};
export type ValidResponse = SipResponse & {
  readonly topVia: Via;
  readonly from: NameAddress;
  readonly to: NameAddress;
  readonly callId: string;
  readonly cseq: CSeq;
};
