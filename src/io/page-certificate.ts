// The certificate that browsers see: for the names and addresses of this box, by the fleet's own authority, so that
// whoever trusts the fleet's root is not warned. A box that waits for admission has no authority yet and signs for
// itself. It is never a certificate of a link: the Node-ID is not in it.

import { isIP } from "node:net";
import { X509Certificate } from "node:crypto";
import { hours, type WallTime } from "../base/time.ts";
import { ALGORITHM, certificatePem, type Credential, endOf, fingerprint, importKeys, loadX509, serialNumber } from "./pki.ts";

/** Short, because it is renewed by itself, and below what any browser takes. */
const PAGE_CERTIFICATE_LIVES = hours(24 * 30);
const RENEWED_BEFORE_END = hours(24 * 10);
/** So that a browser whose clock is behind takes it. */
const VALID_BEFORE = hours(24);

/** Names of a certificate. BOUNDED: by NAMES_MAX, the rest is left out. */
const NAMES_MAX = 32;

export interface PageCertificate {
  /** PEM, the issuing one after it where there is one. */
  readonly chain: string;
  /** SHA-256 of the certificate itself, as browsers show it: hex with colons, upper case. */
  readonly fingerprint: string;
  readonly byFleet: boolean;
  /** Names that it is for, sorted. */
  readonly names: readonly string[];
  readonly notAfter: number;
  /** Fingerprint of the issuing certificate; empty without one. */
  readonly issuer: string;
}

export async function makePageCertificate(privateKeyPem: string, issuing: Credential | undefined, names: readonly string[], wall: WallTime): Promise<PageCertificate> {
  const x509 = await loadX509();
  const keys = await importKeys(privateKeyPem);
  const sorted = [...names].sort().slice(0, NAMES_MAX);
  const subject = [{ CN: ["Ringbox page"] }];
  const wanted = wall + PAGE_CERTIFICATE_LIVES;
  const notAfter = new Date(issuing === undefined ? wanted : Math.min(wanted, (await endOf(issuing.certificate)).getTime()));
  const issuer = issuing === undefined ? undefined : await importKeys(issuing.privateKeyPem);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject,
    issuer: issuing === undefined ? subject : new x509.X509Certificate(Uint8Array.from(issuing.certificate)).subject,
    notBefore: new Date(Math.max(0, wall - VALID_BEFORE)),
    notAfter,
    publicKey: keys.publicKey,
    signingKey: issuer?.privateKey ?? keys.privateKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(sorted.map((name) => ({ type: isIP(name) === 0 ? "dns" : "ip", value: name }) as const)),
      await x509.AuthorityKeyIdentifierExtension.create(issuer?.publicKey ?? keys.publicKey),
    ],
  });
  const der = new Uint8Array(certificate.rawData);
  return {
    chain: certificatePem(der) + (issuing === undefined ? "" : certificatePem(issuing.certificate)),
    fingerprint: new X509Certificate(der).fingerprint256,
    byFleet: issuing !== undefined,
    names: sorted,
    notAfter: notAfter.getTime(),
    issuer: issuing === undefined ? "" : fingerprint(issuing.certificate),
  };
}

/** Whether another one must be made: names or authority are others, or its end is near, or farther than the clock allows. */
export function isOutdated(certificate: PageCertificate, issuing: Credential | undefined, names: readonly string[], wall: WallTime): boolean {
  const left = certificate.notAfter - wall;
  return (
    left < RENEWED_BEFORE_END ||
    left > PAGE_CERTIFICATE_LIVES ||
    certificate.issuer !== (issuing === undefined ? "" : fingerprint(issuing.certificate)) ||
    certificate.names.join() !== [...names].sort().slice(0, NAMES_MAX).join()
  );
}
