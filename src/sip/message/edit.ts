// What a proxy changes on its way (RFC 3261 16.6, 16.7). An edit works on a copy of the list of fields and
// ends in a new message; fields that nobody names stay byte for byte and in order.

import { canonicalName, type HeaderField, makeField } from "./header-field.ts";
import { LIMITS } from "./limits.ts";
import { SipRequest, SipResponse } from "./message.ts";
import { splitList } from "./scan.ts";

class FieldsEdit {
  protected readonly fields: HeaderField[];

  constructor(fields: readonly HeaderField[]) {
    this.fields = fields.slice();
  }

  /** One field with this value in place of all of that name; at the end if there was none. */
  set(name: string, value: string): this {
    const canonical = canonicalName(name);
    const first = this.indexOf(canonical);
    if (first < 0) return this.append(name, value);
    this.fields[first] = makeField(name, value);
    this.removeFrom(canonical, first + 1);
    return this;
  }

  append(name: string, value: string): this {
    this.fields.push(makeField(name, value));
    return this;
  }

  /** All fields of this name. */
  remove(name: string): this {
    this.removeFrom(canonicalName(name), 0);
    return this;
  }

  /** Before the first of that name; without one, behind a Via that begins the message, else at the front. */
  protected push(name: string, value: string): this {
    const first = this.indexOf(canonicalName(name));
    const at = first >= 0 ? first : this.fields[0]?.name === "via" && canonicalName(name) !== "via" ? 1 : 0;
    this.fields.splice(at, 0, makeField(name, value));
    return this;
  }

  /** Without the first value of the list that the fields of this name make. */
  protected removeFirstValue(name: string, canonical: string): this {
    const at = this.indexOf(canonical);
    const field = this.fields[at];
    if (field !== undefined) this.replaceValues(at, name, splitList(field.value, 1).slice(1));
    return this;
  }

  protected removeLastValue(name: string, canonical: string): this {
    const at = this.lastIndexOf(canonical);
    const field = this.fields[at];
    if (field !== undefined) this.replaceValues(at, name, splitList(field.value, LIMITS.listValues).slice(0, -1));
    return this;
  }

  protected indexOf(canonical: string): number {
    return this.fields.findIndex((field) => field.name === canonical);
  }

  protected lastIndexOf(canonical: string): number {
    return this.fields.findLastIndex((field) => field.name === canonical);
  }

  protected replaceValues(at: number, name: string, values: readonly string[]): void {
    if (values.length === 0) this.fields.splice(at, 1);
    else this.fields[at] = makeField(name, values.join(", "));
  }

  protected removeFrom(canonical: string, from: number): void {
    for (let i = this.fields.length - 1; i >= from; i--) if (this.fields[i]?.name === canonical) this.fields.splice(i, 1);
  }
}

export class RequestEdit extends FieldsEdit {
  readonly #original: SipRequest;
  #uri: string;
  #body: string;

  constructor(request: SipRequest) {
    super(request.fields);
    this.#original = request;
    this.#uri = request.uriText;
    this.#body = request.body;
  }

  setBody(body: string): this {
    this.#body = body;
    return this.set("Content-Length", String(body.length));
  }

  /** The Request-URI. */
  setUri(uri: string): this {
    this.#uri = uri;
    return this;
  }

  /** A new first Via: `SIP/2.0/UDP host:port;branch=…`. */
  pushVia(via: string): this {
    return this.push("Via", via);
  }

  setMaxForwards(hops: number): this {
    const at = this.indexOf("max-forwards");
    if (at < 0) return this.push("Max-Forwards", String(hops));
    this.fields[at] = makeField("Max-Forwards", String(hops));
    return this;
  }

  removeFirstRoute(): this {
    return this.removeFirstValue("Route", "route");
  }

  removeLastRoute(): this {
    return this.removeLastValue("Route", "route");
  }

  /** A whole value, such as `<sip:p1;lr>`, as the first Route; likewise the next but one and the one after it. */
  pushRoute(value: string): this {
    return this.push("Route", value);
  }

  /** As the last Route. */
  appendRoute(value: string): this {
    const last = this.lastIndexOf("route");
    if (last < 0) return this.push("Route", value);
    this.fields.splice(last + 1, 0, makeField("Route", value));
    return this;
  }

  pushRecordRoute(value: string): this {
    return this.push("Record-Route", value);
  }

  pushPath(value: string): this {
    return this.push("Path", value);
  }

  /** Writes Content-Length if there is none: what came over UDP without it may go out over TCP (RFC 3261 18.3). */
  setContentLength(): this {
    return this.indexOf("content-length") < 0 ? this.append("Content-Length", String(this.#original.body.length)) : this;
  }

  request(): SipRequest {
    return new SipRequest(this.#original.method, this.#uri, this.fields.slice(), this.#body);
  }
}

export class ResponseEdit extends FieldsEdit {
  readonly #original: SipResponse;
  #body: string;

  constructor(response: SipResponse) {
    super(response.fields);
    this.#original = response;
    this.#body = response.body;
  }

  setBody(body: string): this {
    this.#body = body;
    return this.set("Content-Length", String(body.length));
  }

  /** Without the first Via value. */
  popVia(): this {
    return this.removeFirstValue("Via", "via");
  }

  /** Writes Content-Length if there is none, as above. */
  setContentLength(): this {
    return this.indexOf("content-length") < 0 ? this.append("Content-Length", String(this.#original.body.length)) : this;
  }

  response(): SipResponse {
    const { status, reason } = this.#original;
    return new SipResponse(status, reason, this.fields.slice(), this.#body);
  }
}
