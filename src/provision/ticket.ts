import type { Crypto } from "../base/crypto.ts";
import type { Result } from "../base/result.ts";
import type { WallTime } from "../base/time.ts";

/** A host name or numeric address, and a port. */
export interface Hint {
  readonly host: string;
  readonly port: number;
}

interface TicketCommon {
  readonly fleetName: string;
  /** RELOAD overlay name; also what tells two fleets of one name apart. */
  readonly overlayName: string;
  readonly domain: string;
  /** DER. */
  readonly rootCertificate: Uint8Array;
  /** What the enrolling member checks: text, sent as the password of the enrollment. */
  readonly token: string;
  readonly hints: readonly Hint[];
  readonly zone: string;
}
export interface FleetTicket extends TicketCommon {
  readonly kind: "fleet";
  /** DER and PKCS #8 PEM: whoever has these can admit boxes. */
  readonly issuingCertificate: Uint8Array;
  readonly issuingKeyPem: string;
}
export interface JoinTicket extends TicketCommon {
  readonly kind: "join";
  readonly expiresAt: WallTime;
}
export type AdmissionTicket = FleetTicket | JoinTicket;

/** The ticket in the text, or a plain sentence saying what is wrong with it. */
export declare function parseTicket(text: string, check: { readonly crypto: Crypto; readonly wall: WallTime }): Result<AdmissionTicket, string>;
/** The token's claims if the fleet's root signed them, they are for this overlay and not expired. */
export declare function checkToken(
  token: string,
  check: { readonly crypto: Crypto; readonly rootCertificate: Uint8Array; readonly overlayName: string; readonly wall: WallTime },
): Result<TokenClaims, string>;
export interface TokenClaims {
  readonly overlayName: string;
  /** Random, hex: names the ticket in logs. */
  readonly serial: string;
  readonly zone: string;
  /** `undefined`: no end (fleet ticket). */
  readonly expiresAt: WallTime | undefined;
}
/** `host:port`, `[v6]:port`; `undefined` if it is neither. */
export declare function parseHint(text: string): Hint | undefined;
