// Digest authentication (RFC 7616, RFC 8760): challenges, credentials, the response, as values.
import type { Crypto } from "../../base/crypto.ts";
import type { SipRequest } from "./message.ts";

export type DigestAlgorithm = "MD5" | "SHA-256";
export interface DigestCredentials {
  readonly username: string;
  readonly realm: string;
  readonly nonce: string;
  readonly uri: string;
  readonly response: string;
  /** `undefined`: one we do not have. Absent in the header means MD5. */
  readonly algorithm: DigestAlgorithm | undefined;
  readonly qop: string | undefined;
  readonly cnonce: string | undefined;
  readonly nc: string | undefined;
  readonly opaque: string | undefined;
}
/** `undefined` if it is not Digest or is malformed. */
export declare function parseDigestCredentials(text: string): DigestCredentials | undefined;
export interface Challenge {
  readonly realm: string;
  readonly nonce: string;
  readonly algorithm: DigestAlgorithm;
  readonly stale: boolean;
  readonly opaque?: string;
}
/** Value of WWW-Authenticate or Proxy-Authenticate, qop="auth". */
export declare function formatChallenge(challenge: Challenge): string;
/** Whether the response is right for the method and HA1 (hex) of the credentials' algorithm; qop=auth and none. */
export declare function isRightResponse(crypto: Crypto, credentials: DigestCredentials, method: string, ha1: string): boolean;
/** HA1 of RFC 7616 3.4.2, hex. */
export declare function digestHa1(crypto: Crypto, algorithm: DigestAlgorithm, username: string, realm: string, password: string): string;
/** The other side of it, for tests and for requests of our own. */
export declare function digestResponse(crypto: Crypto, credentials: Omit<DigestCredentials, "response">, method: string, ha1: string): string;
/** Without a branch on what differs. */
export declare function equalSecrets(a: string, b: string): boolean;
export type { SipRequest };
