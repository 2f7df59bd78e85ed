// Messages of our own: responses to a request, ACK to a failure, CANCEL, and requests from nothing.

import { type HeaderField, makeField } from "./header-field.ts";
import { SipRequest, SipResponse } from "./message.ts";
import { parameterValue } from "./parameters.ts";
import { reasonPhrase } from "./reason-phrase.ts";
import { splitList } from "./scan.ts";

export type NameAndValue = readonly [name: string, value: string];

export interface ResponseOptions {
  /** Added to To if it has none (RFC 3261 8.2.6.2); not to a 100. */
  readonly toTag?: string;
  /** In order, after the copied ones. Without Content-Length: it is written. */
  readonly fields?: readonly NameAndValue[];
  readonly body?: string;
}

/**
 * Via, From, To, Call-ID and CSeq copied, Timestamp into a 100 (RFC 3261 8.2.6). Also for a request that was
 * refused: what is not there is not invented, and of what may be there once the first is copied.
 * `reason` "" takes the usual one.
 */
export function responseTo(request: SipRequest, status: number, reason = "", options: ResponseOptions = {}): SipResponse {
  const body = options.body ?? "";
  const fields = copiedFields(request, status);
  if (options.toTag !== undefined && status !== 100) addToTag(request, fields, options.toTag);
  for (const [name, value] of options.fields ?? []) fields.push(makeField(name, value));
  fields.push(makeField("Content-Length", String(body.length)));
  return new SipResponse(status, reason === "" ? reasonPhrase(status) : reason, fields, body);
}

const COPIED_ONCE: readonly string[] = ["from", "to", "call-id", "cseq"];

function copiedFields(request: SipRequest, status: number): HeaderField[] {
  const fields: HeaderField[] = [];
  // BOUNDED: by the names that are copied.
  const seen: string[] = [];
  for (const field of request.fields) {
    const { name } = field;
    if (name !== "via") {
      if (!COPIED_ONCE.includes(name) && !(status === 100 && name === "timestamp")) continue;
      if (seen.includes(name)) continue;
      seen.push(name);
    }
    fields.push(field);
  }
  return fields;
}

function addToTag(request: SipRequest, fields: HeaderField[], tag: string): void {
  const at = fields.findIndex(({ name }) => name === "to");
  const to = request.to;
  const field = fields[at];
  if (field === undefined || to === undefined || parameterValue(to.parameters, "tag") !== undefined) return;
  fields[at] = makeField("To", `${field.value};tag=${tag}`);
}

/** ACK to a 300-699 for the request as it was sent (RFC 3261 17.1.1.3). */
export function ackTo(request: SipRequest, response: SipResponse): SipRequest {
  const to = response.header("to") ?? request.header("to") ?? "";
  return sameHop(request, "ACK", to);
}

/** CANCEL of the request as it was sent (RFC 3261 9.1). */
export const cancelOf = (request: SipRequest): SipRequest => sameHop(request, "CANCEL", request.header("to") ?? "");

/** A request that takes the same way as another one, under its branch. */
function sameHop(request: SipRequest, method: string, to: string): SipRequest {
  const via = splitList(request.header("via") ?? "", 1)[0] ?? "";
  const number = request.cseq?.number ?? 0;
  const fields: NameAndValue[] = [["Via", via], ["Max-Forwards", "70"]];
  for (const route of request.headers("route")) fields.push(["Route", route]);
  fields.push(["From", request.header("from") ?? ""], ["To", to], ["Call-ID", request.header("call-id") ?? ""]);
  fields.push(["CSeq", `${number} ${method}`]);
  return makeRequest(method, request.uriText, fields);
}

/** Fields in the order given, then Content-Length. */
export function makeRequest(method: string, uri: string, fields: readonly NameAndValue[], body = ""): SipRequest {
  const all = fields.map(([name, value]) => makeField(name, value));
  all.push(makeField("Content-Length", String(body.length)));
  return new SipRequest(method, uri, all, body);
}

