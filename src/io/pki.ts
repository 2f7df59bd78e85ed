import type { WallTime } from "../base/time.ts";
import type { Result } from "../base/result.ts";
import type { NodeId, Trust } from "../overlay/ports.ts";

/** A certificate (DER) with its private key (PKCS #8, PEM). */
export interface Credential {
  readonly certificate: Uint8Array;
  readonly privateKeyPem: string;
}

/** A new P-256 private key, PKCS #8 PEM. */
export declare function makePrivateKey(): string;
export declare function makeRootAuthority(fleetName: string): Promise<Credential>;
export declare function makeIssuingAuthority(root: Credential, fleetName: string): Promise<Credential>;
/** PKCS #10, DER. */
export declare function makeCertificateRequest(privateKeyPem: string): Promise<Uint8Array>;
/** The public key (SubjectPublicKeyInfo, DER) of a request that is signed by it and is P-256. */
export declare function checkCertificateRequest(request: Uint8Array): Promise<Result<Uint8Array, string>>;
export declare function issueBoxCertificate(
  issuing: Credential,
  box: { readonly publicKey: Uint8Array; readonly nodeId: NodeId; readonly overlayName: string; readonly notAfter?: WallTime },
): Promise<Uint8Array>;
/** SHA-256 of a certificate, lower-case hex. */
export declare function fingerprint(certificate: Uint8Array): string;
/** 32 bytes that every box of the fleet derives alike from the issuing key. */
export declare function fleetSecret(issuingKeyPem: string): Uint8Array;

export declare class CertificateTrust implements Trust {
  constructor(settings: {
    readonly root: Uint8Array;
    /** Issuing certificates known beforehand; each must be signed by the root. */
    readonly issuing: readonly Uint8Array[];
    readonly overlayName: string;
    readonly wall: () => WallTime;
  });
  inspect(certificate: Uint8Array): { readonly nodeId: NodeId } | { readonly refused: string };
}
