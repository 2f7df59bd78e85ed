// Certificates that must not open a link, each wrong in one thing alone: the others are as a box's are.
// Most are signed with the fleet's own issuing key, so that it is the one thing that refuses them.

import "reflect-metadata";
import { createPrivateKey, webcrypto, X509Certificate } from "node:crypto";
import * as x509 from "@peculiar/x509";
import { certificatePem, type Credential, makeRootAuthority, reloadUri } from "../../src/io/pki.ts";

export interface BadCertificate {
  readonly name: string;
  /** PEM: the certificate and what should lead to the root. `undefined`: shows none. */
  readonly chain: string | undefined;
  readonly keyPem: string | undefined;
  /** What both sides say. */
  readonly reason: RegExp;
}

const NODE_ID = "0123456789abcdef0123456789abcdef";
const OTHER_ID = "fedcba9876543210fedcba9876543210";
const P256 = { name: "ECDSA", namedCurve: "P-256" } as const;
const KEY_USAGE = { digitalSignature: x509.KeyUsageFlags.digitalSignature, keyAgreement: x509.KeyUsageFlags.keyAgreement } as const;
const SHA256 = { name: "ECDSA", hash: "SHA-256" } as const;

interface Wishes {
  readonly keys?: webcrypto.CryptoKeyPair;
  readonly signer?: Credential | "itself";
  readonly hash?: string;
  readonly subject?: string;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly authority?: boolean;
  /** `null`: no such extension. */
  readonly names?: readonly { readonly type: "url" | "email"; readonly value: string }[] | null;
  readonly keyUsage?: number | null;
  readonly extendedKeyUsage?: readonly string[] | null;
  readonly more?: readonly x509.Extension[];
}

export async function badCertificates(issuing: Credential, overlayName: string): Promise<readonly BadCertificate[]> {
  const uri = (nodeId: string, overlay = overlayName) => ({ type: "url", value: reloadUri(nodeId, overlay) }) as const;
  const mail = (nodeId: string) => ({ type: "email", value: `${nodeId}@${overlayName}` }) as const;
  const forge = async (name: string, reason: RegExp, wishes: Wishes, between: readonly Uint8Array[] = []): Promise<BadCertificate> => {
    const keys = wishes.keys ?? (await p256());
    const certificate = await make(issuing, keys, { names: [uri(NODE_ID), mail(NODE_ID)], ...wishes });
    const chain = [certificate, ...between, issuing.certificate].map(certificatePem).join("");
    return { name, reason, chain, keyPem: await pem(keys.privateKey) };
  };
  const stranger = await makeRootAuthority("stranger");
  const lookAlike = await authority(issuing, undefined);
  const below = await authority(issuing, issuing);
  const notAName = /does not name exactly one Node-ID/;
  const foreign = /not of this fleet/;
  return [
    { name: "none at all", chain: undefined, keyPem: undefined, reason: /no certificate/ },
    await forge("of another authority", foreign, { signer: stranger }),
    await forge("of an authority that has our issuing authority's name", foreign, { signer: lookAlike }, [lookAlike.certificate]),
    await forge("signed by itself, with a right Node-ID", foreign, { signer: "itself" }),
    await forge("longer than the path may be: below an authority that our issuing one made", foreign, { signer: below }, [below.certificate]),
    await forge("expired", /expired on 2020-01-01/, { notAfter: new Date("2020-01-01T00:00:00Z") }),
    await forge("not yet valid", /not valid before 2099-01-01/, { notBefore: new Date("2099-01-01T00:00:00Z"), notAfter: new Date("2199-01-01T00:00:00Z") }),
    await forge("with a Node-ID of half the length", notAName, { names: [uri(NODE_ID.slice(16)), mail(NODE_ID)] }),
    await forge("with a Node-ID of another overlay", notAName, { names: [uri(NODE_ID, "other.ringbox.internal"), mail(NODE_ID)] }),
    await forge("with two Node-IDs", notAName, { names: [uri(NODE_ID), uri(OTHER_ID), mail(NODE_ID)] }),
    await forge("with two Node-IDs in one name", notAName, { names: [{ type: "url", value: `reload://0110${NODE_ID}0110${OTHER_ID}@${overlayName}/` }, mail(NODE_ID)] }),
    await forge("with its Node-ID in the common name alone", /has a subject/, { subject: `CN=${NODE_ID}`, names: null }),
    await forge("with another Node-ID in the common name", /has a subject/, { subject: `CN=${reloadUri(OTHER_ID, overlayName)}` }),
    await forge("with a NUL in its name", notAName, { names: [{ type: "url", value: `${reloadUri(NODE_ID, overlayName)}\0.example` }, mail(NODE_ID)] }),
    await forge("with a NUL instead of the overlay's end", notAName, { names: [{ type: "url", value: `reload://0110${NODE_ID}@${overlayName}\0` }, mail(NODE_ID)] }),
    await forge("signed with SHA-1", /not signed by ECDSA with SHA-256/, { hash: "SHA-1" }),
    await forge("of an RSA key of 1024 bits", /not a P-256 key/, { keys: await rsa1024() }),
    await forge("of a P-384 key", /not a P-256 key/, { keys: await ecKey("P-384") }),
    await forge("of an authority, with a right Node-ID", /an authority's/, { authority: true }),
    await forge("without key usage", /not for signatures/, { keyUsage: null }),
    await forge("for key agreement alone", /not for signatures/, { keyUsage: KEY_USAGE.keyAgreement }),
    await forge("without extended key usage", /not for both ends/, { extendedKeyUsage: null }),
    await forge("for servers alone", /not for both ends/, { extendedKeyUsage: [x509.ExtendedKeyUsage.serverAuth] }),
    await forge("with a critical extension that nobody knows", /critical extension/, { more: [new x509.Extension("1.3.6.1.4.1.99999.1", true, Uint8Array.of(5, 0).buffer)] }),
  ];
}

async function make(issuing: Credential, keys: webcrypto.CryptoKeyPair, wishes: Wishes): Promise<Uint8Array> {
  const signer = wishes.signer === "itself" ? undefined : (wishes.signer ?? issuing);
  const { names = null, keyUsage = KEY_USAGE.digitalSignature, more = [] } = wishes;
  const usages = wishes.extendedKeyUsage === undefined ? [x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth] : wishes.extendedKeyUsage;
  const extensions: x509.Extension[] = [new x509.BasicConstraintsExtension(wishes.authority === true, undefined, true), ...more];
  if (keyUsage !== null) extensions.push(new x509.KeyUsagesExtension(keyUsage, true));
  if (usages !== null) extensions.push(new x509.ExtendedKeyUsageExtension([...usages]));
  if (names !== null) extensions.push(new x509.SubjectAlternativeNameExtension([...names], true));
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: "4711",
    subject: wishes.subject ?? "",
    issuer: signer === undefined ? (wishes.subject ?? "") : subjectOf(signer),
    notBefore: wishes.notBefore ?? new Date(0),
    notAfter: wishes.notAfter ?? new Date("2045-01-01T00:00:00Z"),
    publicKey: keys.publicKey,
    signingKey: signer === undefined ? keys.privateKey : await signingKey(signer, wishes.hash),
    signingAlgorithm: { ...SHA256, hash: wishes.hash ?? "SHA-256" },
    extensions,
  });
  return new Uint8Array(certificate.rawData);
}

/** An authority with the name of the issuing one: signed by `signer`, or by itself. */
async function authority(issuing: Credential, signer: Credential | undefined): Promise<Credential> {
  const keys = await p256();
  const privateKeyPem = await pem(keys.privateKey);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: "4712",
    subject: signer === undefined ? subjectOf(issuing) : "CN=below",
    issuer: subjectOf(issuing),
    notBefore: new Date(0),
    notAfter: new Date("2045-01-01T00:00:00Z"),
    publicKey: keys.publicKey,
    signingKey: signer === undefined ? keys.privateKey : await signingKey(signer),
    signingAlgorithm: SHA256,
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true), new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true)],
  });
  return { certificate: new Uint8Array(certificate.rawData), privateKeyPem };
}

const subjectOf = ({ certificate }: Credential): string => new X509Certificate(certificate).subject.split("\n").join(", ");

async function signingKey({ privateKeyPem }: Credential, hash = "SHA-256"): Promise<webcrypto.CryptoKey> {
  const jwk = createPrivateKey(privateKeyPem).export({ format: "jwk" });
  return webcrypto.subtle.importKey("jwk", jwk, { ...P256, hash } as webcrypto.EcKeyImportParams, true, ["sign"]);
}

const ecKey = (namedCurve: string): Promise<webcrypto.CryptoKeyPair> =>
  webcrypto.subtle.generateKey({ name: "ECDSA", namedCurve }, true, ["sign", "verify"]) as Promise<webcrypto.CryptoKeyPair>;
const p256 = (): Promise<webcrypto.CryptoKeyPair> => ecKey("P-256");

const rsa1024 = (): Promise<webcrypto.CryptoKeyPair> =>
  webcrypto.subtle.generateKey(
    { name: "RSASSA-PKCS1-v1_5", modulusLength: 1_024, publicExponent: Uint8Array.of(1, 0, 1), hash: "SHA-256" }, true, ["sign", "verify"],
  ) as Promise<webcrypto.CryptoKeyPair>;

async function pem(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", key));
  return createPrivateKey({ key: der, format: "der", type: "pkcs8" }).export({ type: "pkcs8", format: "pem" }).toString();
}
