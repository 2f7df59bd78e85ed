// Certificates of a fleet: a root that its operator keeps, one issuing authority below it that every
// enrolled box holds, and one certificate for each box with its Node-ID (RFC 6940 section 11.3).
//
// notBefore is 1970 everywhere, so that a box whose clock has no battery can join. Authorities end some
// twenty years after the fleet was made; a box's certificate thirty days after it was issued, by the time
// that certificate-time.ts tells: a box that believes it is 1970 must not hand out what ended in 1990.

import { createPrivateKey, generateKeyPairSync, hash, hkdfSync, webcrypto, X509Certificate } from "node:crypto";
import type { Result } from "../base/result.ts";
import { fault, ok } from "../base/result.ts";
import { hours, type WallTime, wallAfter } from "../base/time.ts";
import type { NodeId } from "../overlay/ports.ts";

/** A certificate (DER) with its private key (PKCS #8, PEM). */
export interface Credential {
  readonly certificate: Uint8Array;
  readonly privateKeyPem: string;
}

export const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const EPOCH = new Date(0);
const FLEET_YEARS = 20;
/** Of a box's certificate. */
export const CERTIFICATE_LIFE = hours(24 * 30);

/** The X.509 library, loaded when it is first needed: it is large, and an enrolled box seldom needs it. */
export async function loadX509() {
  await import("reflect-metadata");
  const x509 = await import("@peculiar/x509");
  return x509;
}

/** A new P-256 private key, PKCS #8 PEM. */
export function makePrivateKey(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

export async function makeRootAuthority(fleetName: string): Promise<Credential> {
  const privateKeyPem = makePrivateKey();
  const notAfter = new Date();
  notAfter.setUTCFullYear(notAfter.getUTCFullYear() + FLEET_YEARS);
  const certificate = await makeAuthority({
    subject: `${fleetName} root`, issuer: `${fleetName} root`, privateKeyPem, issuerKeyPem: privateKeyPem, notAfter, pathLength: 1,
  });
  return { certificate, privateKeyPem };
}

export async function makeIssuingAuthority(root: Credential, fleetName: string): Promise<Credential> {
  const privateKeyPem = makePrivateKey();
  const certificate = await makeAuthority({
    subject: `${fleetName} issuing`, issuer: `${fleetName} root`, privateKeyPem, issuerKeyPem: root.privateKeyPem,
    notAfter: await endOf(root.certificate), pathLength: 0,
  });
  return { certificate, privateKeyPem };
}

async function makeAuthority(authority: {
  readonly subject: string;
  readonly issuer: string;
  readonly privateKeyPem: string;
  readonly issuerKeyPem: string;
  readonly notAfter: Date;
  readonly pathLength: number;
}): Promise<Uint8Array> {
  const x509 = await loadX509();
  const keys = await importKeys(authority.privateKeyPem);
  const issuer = await importKeys(authority.issuerKeyPem);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: [{ CN: [authority.subject] }],
    issuer: [{ CN: [authority.issuer] }],
    notBefore: EPOCH,
    notAfter: authority.notAfter,
    publicKey: keys.publicKey,
    signingKey: issuer.privateKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, authority.pathLength, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return new Uint8Array(certificate.rawData);
}

/** PKCS #10, DER. */
export async function makeCertificateRequest(privateKeyPem: string): Promise<Uint8Array> {
  const x509 = await loadX509();
  const keys = await importKeys(privateKeyPem);
  const request = await x509.Pkcs10CertificateRequestGenerator.create({ keys, signingAlgorithm: ALGORITHM });
  return new Uint8Array(request.rawData);
}

/** The public key (SubjectPublicKeyInfo, DER) of a request that is signed by it and is P-256. */
export async function checkCertificateRequest(request: Uint8Array): Promise<Result<Uint8Array, string>> {
  const x509 = await loadX509();
  try {
    const parsed = new x509.Pkcs10CertificateRequest(copy(request));
    const algorithm: { name: string; namedCurve?: string } = parsed.publicKey.algorithm;
    if (algorithm.name !== "ECDSA" || algorithm.namedCurve !== "P-256") return fault("its key is not a P-256 key");
    if (!(await parsed.verify())) return fault("it is not signed by its own key");
    return ok(new Uint8Array(parsed.publicKey.rawData));
  } catch {
    return fault("it is not a certificate request"); // whatever the ASN.1 reader disliked
  }
}

export async function issueBoxCertificate(
  issuing: Credential,
  box: {
    /** SubjectPublicKeyInfo, DER. */
    readonly publicKey: Uint8Array;
    readonly nodeId: NodeId;
    readonly overlayName: string;
    /** The issuing certificate's own end if left out. */
    readonly notAfter?: Date;
    /** It is a client's, who dials and is not dialed. */
    readonly isClient?: boolean;
  },
): Promise<Uint8Array> {
  const x509 = await loadX509();
  const issuer = await importKeys(issuing.privateKeyPem);
  const publicKey = await webcrypto.subtle.importKey("spki", copy(box.publicKey), ALGORITHM, true, ["verify"]);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: "", // RFC 6940 section 11.3: the names are in the critical subjectAltName
    issuer: new x509.X509Certificate(copy(issuing.certificate)).subject,
    notBefore: EPOCH,
    notAfter: box.notAfter ?? (await endOf(issuing.certificate)),
    publicKey,
    signingKey: issuer.privateKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([...(box.isClient === true ? [] : [x509.ExtendedKeyUsage.serverAuth]), x509.ExtendedKeyUsage.clientAuth]),
      new x509.SubjectAlternativeNameExtension(
        [
          { type: "url", value: reloadUri(box.nodeId, box.overlayName) },
          { type: "email", value: `${box.nodeId}@${box.overlayName}` },
        ],
        true,
      ),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return new Uint8Array(certificate.rawData);
}

/** For phones over TLS: the SIP domain as RFC 5922 section 7.1 wants it, and this box by its addresses and names. */
export async function issueSipCertificate(
  issuing: Credential,
  box: {
    /** SubjectPublicKeyInfo, DER. */
    readonly publicKey: Uint8Array;
    readonly domain: string;
    readonly hosts: readonly string[];
    readonly addresses: readonly string[];
    readonly notAfter: Date;
  },
): Promise<Uint8Array> {
  const x509 = await loadX509();
  const issuer = await importKeys(issuing.privateKeyPem);
  const publicKey = await webcrypto.subtle.importKey("spki", copy(box.publicKey), ALGORITHM, true, ["verify"]);
  const end = await endOf(issuing.certificate);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: [{ CN: [box.domain] }],
    issuer: new x509.X509Certificate(copy(issuing.certificate)).subject,
    notBefore: EPOCH,
    notAfter: box.notAfter < end ? box.notAfter : end,
    publicKey,
    signingKey: issuer.privateKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth, SIP_DOMAIN_USAGE]),
      new x509.SubjectAlternativeNameExtension([
        { type: "url", value: `sip:${box.domain}` },
        // linphone 5.1 (mbed TLS) compares a numeric address with the DNS names alone.
        ...[box.domain, ...box.hosts, ...box.addresses].map((value) => ({ type: "dns" as const, value })),
        ...box.addresses.map((value) => ({ type: "ip" as const, value })),
      ]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return new Uint8Array(certificate.rawData);
}

/** RFC 5924: id-kp-sipDomain. */
const SIP_DOMAIN_USAGE = "1.3.6.1.5.5.7.3.20";

/** When a certificate that is issued at this time ends: with its authority at the latest. */
export function certificateEnd(issuing: Pick<Credential, "certificate">, issuedAt: WallTime): Date {
  const authority = new X509Certificate(issuing.certificate).validToDate.getTime();
  return new Date(Math.min(authority, wallAfter(issuedAt, CERTIFICATE_LIFE)));
}

/** RFC 6940 section 14.15, for one destination of type node: type 01, length 10 (hex). */
export const reloadUri = (nodeId: string, overlayName: string): string => `reload://0110${nodeId}@${overlayName}/`;

/** The public key (SubjectPublicKeyInfo, DER) of a private key. */
export async function publicKeyOf(privateKeyPem: string): Promise<Uint8Array> {
  const { publicKey } = await importKeys(privateKeyPem);
  return new Uint8Array(await webcrypto.subtle.exportKey("spki", publicKey));
}

/** Whether a private key (PEM) is the certificate's. */
export function isKeyOf(privateKeyPem: string, certificate: Uint8Array): boolean {
  try {
    return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(privateKeyPem));
  } catch {
    return false; // not a key, or not a certificate
  }
}

/** SHA-256 of a certificate, lower-case hex. */
export const fingerprint = (certificate: Uint8Array): string => hash("sha256", certificate, "hex");

/** Tells fleets apart in mDNS: half of the root certificate's fingerprint. It says nothing else of the fleet. */
export const fleetHashOf = (rootCertificate: Uint8Array): string => fingerprint(rootCertificate).slice(0, 32);

/** 32 bytes that every box of the fleet derives alike from the issuing key. */
export function fleetSecret(issuingKeyPem: string): Uint8Array {
  const { d } = createPrivateKey(issuingKeyPem).export({ format: "jwk" });
  const scalar = Buffer.from(d ?? "", "base64url");
  return new Uint8Array(hkdfSync("sha256", scalar, Buffer.alloc(0), "ringbox fleet secret", 32));
}

export const certificatePem = (der: Uint8Array): string => {
  const lines = Buffer.from(der).toString("base64").replace(/.{64}/g, "$&\n").trimEnd();
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
};

export async function endOf(certificate: Uint8Array): Promise<Date> {
  const x509 = await loadX509();
  return new x509.X509Certificate(copy(certificate)).notAfter;
}

export async function importKeys(privateKeyPem: string): Promise<webcrypto.CryptoKeyPair> {
  const key = createPrivateKey(privateKeyPem);
  const jwk = key.export({ format: "jwk" });
  const { d: _, ...publicJwk } = jwk;
  const { subtle } = webcrypto;
  return {
    privateKey: await subtle.importKey("jwk", jwk, ALGORITHM, true, ["sign"]),
    publicKey: await subtle.importKey("jwk", publicJwk, ALGORITHM, true, ["verify"]),
  };
}

/** 126 random bits, positive and without a leading zero byte (RFC 5280 section 4.1.2.2). */
export function serialNumber(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16));
  bytes[0] = ((bytes[0] as number) & 0x3f) | 0x40;
  return Buffer.from(bytes).toString("hex");
}

/** The ASN.1 library and WebCrypto want bytes with a buffer of their own. */
const copy = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => Uint8Array.from(bytes);

/** PKCS #8, DER. */
export const privateKeyDer = (privateKeyPem: string): Uint8Array =>
  createPrivateKey(privateKeyPem).export({ type: "pkcs8", format: "der" });
