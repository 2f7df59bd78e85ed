// Verdicts of the message layer. validateRequest goes before everything else for every request; validateRegister
// besides it for REGISTERs that this element serves as registrar (RFC 3261 10.3).
import type { Result } from "../../base/result.ts";
import type { SipRequest, SipResponse, ValidRequest, ValidResponse } from "./message.ts";

/** Answer statelessly: `responseTo(request, status, reason)` copies what can be read. Never made for ACK. */
export interface Rejection {
  readonly type: "rejected";
  readonly status: number;
  readonly reason: string;
  /** As far as it could be read. */
  readonly request: SipRequest;
}
export declare function validateRequest(request: SipRequest): Result<ValidRequest, Rejection>;
export declare function validateRegister(request: ValidRequest): Rejection | undefined;
/** `undefined`: drop it. */
export declare function validateResponse(response: SipResponse): ValidResponse | undefined;
