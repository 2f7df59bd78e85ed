// SipRequest and SipResponse: start line, located header fields, body; typed views of the fields,
// read when first asked for. A view is `undefined` if its field is absent or malformed (lists: [] if
// absent, `undefined` if malformed): validate.ts says which and refuses what must not go on.
//
// A message is not changed after it is made, but for `stampReceived`. Editing makes another one: edit.ts.

import type { Address } from "../../base/address.ts";
import { type DigestCredentials, parseDigestCredentials } from "./digest.ts";
import { canonicalName, type HeaderField, joinFields, makeField } from "./header-field.ts";
import { LIMITS } from "./limits.ts";
import { type NameAddress, parseNameAddress } from "./name-address.ts";
import { parameterValue } from "./parameters.ts";
import { isToken, lowerCase, parseUnsigned, skipBlank, splitList } from "./scan.ts";
import { parseUri, type Uri } from "./uri.ts";
import { parseVia, serializeVia, stampVia, type Via } from "./via.ts";

export interface CSeq {
  readonly number: number;
  readonly method: string;
}

const MAXIMUM_32_BIT = 4_294_967_295;

/** In a view's place until somebody asks. */
const UNREAD = null;
type View<Value> = Value | undefined | typeof UNREAD;

export abstract class SipMessage {
  #fields: readonly HeaderField[];
  readonly body: string;
  #octets: string | undefined = undefined;
  #topVia: View<Via> = UNREAD;
  #vias: View<readonly Via[]> = UNREAD;
  #from: View<NameAddress> = UNREAD;
  #to: View<NameAddress> = UNREAD;
  #cseq: View<CSeq> = UNREAD;
  #contacts: View<readonly NameAddress[] | "*"> = UNREAD;
  #routes: View<readonly NameAddress[]> = UNREAD;

  constructor(fields: readonly HeaderField[], body: string) {
    this.#fields = fields;
    this.body = body;
  }

  protected abstract startLine(): string;

  get fields(): readonly HeaderField[] {
    return this.#fields;
  }

  /** The message as octet string; made once. */
  get octets(): string {
    this.#octets ??= `${this.startLine()}${joinFields(this.#fields)}\r\n${this.body}`;
    return this.#octets;
  }

  /** Whether there is a field of this name (any case; full or compact form, here and below). */
  has(name: string): boolean {
    return this.#first(canonicalName(name)) !== undefined;
  }

  /** Value of the first field of this name, unfolded and trimmed. */
  header(name: string): string | undefined {
    return this.#first(canonicalName(name))?.value;
  }

  /** Values of all fields of this name, one each. */
  headers(name: string): readonly string[] {
    const canonical = canonicalName(name);
    const values: string[] = [];
    for (const field of this.#fields) if (field.name === canonical) values.push(field.value);
    return values;
  }

  /** Members of the comma-separated lists of all fields of this name; empty members are left out. */
  list(name: string): readonly string[] {
    return this.#members(canonicalName(name)).filter((member) => member !== "");
  }

  get topVia(): Via | undefined {
    if (this.#topVia === UNREAD) {
      const field = this.#first("via");
      this.#topVia = field === undefined ? undefined : parseVia(firstMember(field.value));
    }
    return this.#topVia;
  }

  get vias(): readonly Via[] | undefined {
    if (this.#vias === UNREAD) this.#vias = this.#allVias();
    return this.#vias;
  }

  get from(): NameAddress | undefined {
    if (this.#from === UNREAD) this.#from = this.#nameAddress("from");
    return this.#from;
  }

  get to(): NameAddress | undefined {
    if (this.#to === UNREAD) this.#to = this.#nameAddress("to");
    return this.#to;
  }

  /** "" if there is none. */
  get fromTag(): string {
    return tagOf(this.from);
  }

  get toTag(): string {
    return tagOf(this.to);
  }

  get callId(): string | undefined {
    const value = this.#first("call-id")?.value;
    return value === undefined || value === "" || value.includes(" ") ? undefined : value;
  }

  get cseq(): CSeq | undefined {
    if (this.#cseq === UNREAD) {
      const field = this.#first("cseq");
      this.#cseq = field === undefined ? undefined : parseCSeq(field.value);
    }
    return this.#cseq;
  }

  get contentLength(): number | undefined {
    return this.#unsigned("content-length", Number.MAX_SAFE_INTEGER);
  }

  /** Seconds, 0 to 2^32-1. */
  get expires(): number | undefined {
    return this.#unsigned("expires", MAXIMUM_32_BIT);
  }

  /** 0 to 255. */
  get maxForwards(): number | undefined {
    return this.#unsigned("max-forwards", 255);
  }

  /** `"*"` for the wildcard, alone. */
  get contacts(): readonly NameAddress[] | "*" | undefined {
    if (this.#contacts === UNREAD) {
      const members = this.#members("contact");
      this.#contacts = members.length === 1 && members[0] === "*" ? "*" : parseEach(members, parseNameAddress);
    }
    return this.#contacts;
  }

  get routes(): readonly NameAddress[] | undefined {
    if (this.#routes === UNREAD) this.#routes = parseEach(this.#members("route"), parseNameAddress);
    return this.#routes;
  }

  get recordRoutes(): readonly NameAddress[] | undefined {
    return parseEach(this.#members("record-route"), parseNameAddress);
  }

  get paths(): readonly NameAddress[] | undefined {
    return parseEach(this.#members("path"), parseNameAddress);
  }

  /** Option tags, lower case; so are the next two. */
  get require(): readonly string[] {
    return this.list("require").map(lowerCase);
  }

  get proxyRequire(): readonly string[] {
    return this.list("proxy-require").map(lowerCase);
  }

  get supported(): readonly string[] {
    return this.list("supported").map(lowerCase);
  }

  protected replaceTopVia(via: Via): void {
    const index = this.#fields.findIndex(({ name }) => name === "via");
    const old = this.#fields[index];
    if (old === undefined) return;
    const others = splitList(old.value, 1)[1];
    const fields = this.#fields.slice();
    fields[index] = makeField("Via", others === undefined ? serializeVia(via) : `${serializeVia(via)}, ${others}`);
    this.#fields = fields;
    this.#topVia = via;
    this.#vias = UNREAD;
    this.#octets = undefined;
  }

  #allVias(): readonly Via[] | undefined {
    const { topVia } = this;
    const members = this.#members("via");
    return members.length === 1 && topVia !== undefined ? [topVia] : parseEach(members, parseVia);
  }

  #first(canonical: string): HeaderField | undefined {
    for (const field of this.#fields) if (field.name === canonical) return field;
    return undefined;
  }

  #members(canonical: string): string[] {
    const members: string[] = [];
    for (const field of this.#fields) {
      if (field.name !== canonical) continue;
      const { value } = field;
      if (value.includes(",")) members.push(...splitList(value, LIMITS.listValues));
      else members.push(value);
    }
    return members;
  }

  #nameAddress(canonical: string): NameAddress | undefined {
    const field = this.#first(canonical);
    return field === undefined ? undefined : parseNameAddress(field.value);
  }

  #unsigned(canonical: string, maximum: number): number | undefined {
    const field = this.#first(canonical);
    return field === undefined ? undefined : parseUnsigned(field.value, maximum);
  }
}

const firstMember = (value: string): string => (value.includes(",") ? (splitList(value, 1)[0] ?? "") : value);

const tagOf = (address: NameAddress | undefined): string =>
  address === undefined ? "" : (parameterValue(address.parameters, "tag") ?? "");

function parseEach<Value>(members: readonly string[], parse: (text: string) => Value | undefined): readonly Value[] | undefined {
  const values: Value[] = [];
  for (const member of members) {
    const value = parse(member);
    if (value === undefined) return undefined;
    values.push(value);
  }
  return values;
}

/** `1*DIGIT LWS Method`, below 2^32 (RFC 3261 20.16). */
function parseCSeq(value: string): CSeq | undefined {
  let blank = 0;
  while (blank < value.length && value.charCodeAt(blank) > 0x20) blank++;
  const number = parseUnsigned(value.slice(0, blank), MAXIMUM_32_BIT);
  const method = value.slice(skipBlank(value, blank));
  return number === undefined || !isToken(method) ? undefined : { number, method };
}

export class SipRequest extends SipMessage {
  readonly type = "request";
  readonly method: string;
  /** Request-URI as written. */
  readonly uriText: string;
  #uri: View<Uri> = UNREAD;

  constructor(method: string, uriText: string, fields: readonly HeaderField[], body: string) {
    super(fields, body);
    this.method = method;
    this.uriText = uriText;
  }

  protected override startLine(): string {
    return `${this.method} ${this.uriText} SIP/2.0\r\n`;
  }

  get uri(): Uri | undefined {
    if (this.#uri === UNREAD) this.#uri = parseUri(this.uriText);
    return this.#uri;
  }

  /** Digest credentials, one field each; malformed ones and other schemes are left out. */
  get authorization(): readonly DigestCredentials[] {
    return credentialsIn(this.headers("authorization"));
  }

  get proxyAuthorization(): readonly DigestCredentials[] {
    return credentialsIn(this.headers("proxy-authorization"));
  }

  /**
   * Writes received and rport into the top Via (RFC 3261 18.2.1, RFC 3581 4). Call it once, where the request
   * comes in, before anything is made of it. A malformed top Via stays as it is.
   */
  stampReceived(source: Address): void {
    const via = this.topVia;
    if (via === undefined) return;
    const stamped = stampVia(via, source);
    if (stamped.received !== via.received || stamped.rport !== via.rport) this.replaceTopVia(stamped);
  }
}

function credentialsIn(values: readonly string[]): readonly DigestCredentials[] {
  const all: DigestCredentials[] = [];
  for (const value of values) {
    const credentials = parseDigestCredentials(value);
    if (credentials !== undefined) all.push(credentials);
  }
  return all;
}

export class SipResponse extends SipMessage {
  readonly type = "response";
  readonly status: number;
  readonly reason: string;

  constructor(status: number, reason: string, fields: readonly HeaderField[], body: string) {
    super(fields, body);
    this.status = status;
    this.reason = reason;
  }

  protected override startLine(): string {
    return `SIP/2.0 ${this.status} ${this.reason}\r\n`;
  }
}

/** What `validateRequest` let through: the fields that every request must have are there and well formed. */
export type ValidRequest = SipRequest & {
  readonly uri: Uri;
  readonly topVia: Via;
  readonly from: NameAddress;
  readonly to: NameAddress;
  readonly callId: string;
  readonly cseq: CSeq;
  readonly contacts: readonly NameAddress[] | "*";
  readonly routes: readonly NameAddress[];
};

/** What `validateResponse` let through. */
export type ValidResponse = SipResponse & {
  readonly topVia: Via;
  readonly from: NameAddress;
  readonly to: NameAddress;
  readonly callId: string;
  readonly cseq: CSeq;
};
