// Messages of our own: responses to a request, ACK to a failure, CANCEL, and requests from nothing.
import type { SipRequest, SipResponse } from "./message.ts";
export type NameAndValue = readonly [name: string, value: string];
export interface ResponseOptions {
  /** Added to To if it has none (RFC 3261 8.2.6.2); none for 100. */
  readonly toTag?: string;
  /** In order, after the copied ones. Without Content-Length: it is written. */
  readonly fields?: readonly NameAndValue[];
  readonly body?: string;
}
/** Via, From, To, Call-ID, CSeq copied (and Timestamp for 100, RFC 3261 8.2.6.1). Also for a request that was refused: what is not there is not invented. `reason` "" takes the usual one. */
export declare function responseTo(request: SipRequest, status: number, reason: string, options?: ResponseOptions): SipResponse;
/** ACK to a 300-699 for the request as it was sent (RFC 3261 17.1.1.3). */
export declare function ackTo(request: SipRequest, response: SipResponse): SipRequest;
/** CANCEL of the request as it was sent (RFC 3261 9.1). */
export declare function cancelOf(request: SipRequest): SipRequest;
export declare function makeRequest(method: string, uri: string, fields: readonly NameAndValue[], body?: string): SipRequest;
/** RFC 3261 21 and the RFCs since; "" for a status without one. */
export declare function reasonPhrase(status: number): string;
