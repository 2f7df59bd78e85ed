// Whom this box believes: certificates that chain through an issuing authority to the fleet's root.

import { hash, X509Certificate } from "node:crypto";
import { BoundedMap } from "../base/bounded-map.ts";
import type { WallTime } from "../base/time.ts";
import type { NodeId, Trust } from "../overlay/ports.ts";
import {
  type CertificateFields, CLIENT_AUTH, ECDSA_WITH_SHA256, EXTENSION_ID, hexOf, keyUsageBits, readCertificateFields, SERVER_AUTH, usagesIn,
} from "./certificate-fields.ts";

/** `key`: SHA-256 of the box's public key, hex. */
type Inspection = { readonly nodeId: NodeId; readonly key: string; readonly isClient?: true } | { readonly refused: string };

type Verdict =
  | {
      readonly nodeId: NodeId;
      readonly isClient: boolean;
      readonly notBefore: number;
      readonly notAfter: number;
      /** SHA-256 of the issuing certificate, and of the box's public key, hex. */
      readonly issuer: string;
      readonly key: string;
    }
  | { readonly refused: string };

/** What the fleet has decided about the credentials that issue. */
export interface IssuingRules {
  /** It issues no more. By SHA-256 of its certificate, hex. */
  isRetired(issuer: string): boolean;
  /** A box that may go on with what a retired one issued, by Node-ID and SHA-256 of its public key, hex. */
  isKept(nodeId: NodeId, key: string): boolean;
}

/** Issuing certificates that a fleet may have had; further ones are not believed. */
const MAX_ISSUING = 64;

export class CertificateTrust implements Trust {
  readonly #root: X509Certificate;
  readonly #rules: IssuingRules | undefined;
  #issuing: readonly X509Certificate[]; // BOUNDED: MAX_ISSUING
  readonly #overlayName: string;
  readonly #wall: () => WallTime;
  readonly #latest: () => WallTime;
  /** By SHA-256 of the certificate. BOUNDED: the oldest verdict goes, and is found again when asked. */
  readonly #verdicts = new BoundedMap<string, Verdict>(2_048, "evict");

  constructor(settings: {
    /** DER of the fleet's root certificate. */
    readonly root: Uint8Array;
    /** DER of the issuing certificates to believe; one that the root did not sign is left out. */
    readonly issuing: readonly Uint8Array[];
    readonly overlayName: string;
    /** What certificates must not have ended before. */
    readonly wall: () => WallTime;
    /** What they must have begun by; `wall` if left out. */
    readonly latest?: () => WallTime;
    readonly rules?: IssuingRules;
  }) {
    this.#root = new X509Certificate(settings.root);
    this.#rules = settings.rules;
    this.#issuing = settings.issuing.flatMap((der) => issuingCertificate(der, this.#root) ?? []);
    this.#overlayName = settings.overlayName;
    this.#wall = settings.wall;
    this.#latest = settings.latest ?? settings.wall;
  }

  /** Believes another issuing certificate (DER) of the root: a box that was off when it was made meets it here. */
  learnIssuing(der: Uint8Array): void {
    if (this.#issuing.length >= MAX_ISSUING || this.#issuing.some(({ raw }) => raw.equals(der))) return;
    const issuing = issuingCertificate(der, this.#root);
    if (issuing === undefined) return;
    this.#issuing = [...this.#issuing, issuing];
    for (const [key, verdict] of [...this.#verdicts]) if ("refused" in verdict) this.#verdicts.delete(key);
  }

  /**
   * `returning`: a box that asks for a new certificate, with one that may have ended; `author`: of a value, which was
   * written while its certificate was good. What a retired credential issued is good for authors, and for boxes that are kept.
   */
  inspect(certificate: Uint8Array, as: "peer" | "author" | "returning" = "peer"): Inspection {
    const key = hash("sha256", certificate, "base64");
    let verdict = this.#verdicts.get(key);
    if (verdict === undefined) {
      verdict = this.#judge(certificate);
      this.#verdicts.set(key, verdict);
    }
    if ("refused" in verdict) return verdict;
    if (as === "peer" && verdict.notAfter < this.#wall()) return { refused: `its certificate expired on ${day(verdict.notAfter)}` };
    // Ours begin in 1970, so that this refuses nobody whose clock was never set.
    if (verdict.notBefore > this.#latest()) return { refused: `its certificate is not valid before ${day(verdict.notBefore)}` };
    if (as !== "author" && this.#rules?.isRetired(verdict.issuer) === true && !this.#rules.isKept(verdict.nodeId, verdict.key)) {
      return { refused: "its certificate is of a credential that the fleet has retired" };
    }
    const { nodeId, key: ofKey } = verdict;
    return verdict.isClient ? { nodeId, key: ofKey, isClient: true } : { nodeId, key: ofKey };
  }

  #judge(der: Uint8Array): Verdict {
    const certificate = readCertificate(der);
    if (certificate === undefined) return { refused: "its certificate cannot be read" };
    const issuer = this.#issuing.find((candidate) => isIssuedBy(certificate, candidate));
    if (issuer === undefined) return { refused: "its certificate is not of this fleet" };
    if (certificate.publicKey.asymmetricKeyDetails?.namedCurve !== "prime256v1") return { refused: "its key is not a P-256 key" };
    const fields = readCertificateFields(der);
    const oddity = oddityOf(fields);
    if (oddity !== undefined) return { refused: oddity };
    const nodeId = nodeIdIn(certificate.subjectAltName ?? "", this.#overlayName);
    if (nodeId === undefined) return { refused: "its certificate does not name exactly one Node-ID of this overlay" };
    const notAfter = Math.min(certificate.validToDate.getTime(), issuer.validToDate.getTime());
    const issuerHash = hash("sha256", issuer.raw, "hex");
    const isClient = !usagesOf(fields).includes(SERVER_AUTH);
    return { nodeId, isClient, notBefore: certificate.validFromDate.getTime(), notAfter, issuer: issuerHash, key: keyHashOf(certificate) };
  }
}

const KNOWN_EXTENSIONS: ReadonlySet<string> = new Set(Object.values(EXTENSION_ID));
const DIGITAL_SIGNATURE = 0x80;
/** An empty SEQUENCE: cA is false. */
const NO_AUTHORITY = "3000";

/** In what a box's certificate differs from those that this program issues (pki.ts); `undefined` if in nothing. */
function oddityOf(fields: CertificateFields | undefined): string | undefined {
  if (fields === undefined) return "its certificate is not built as a box's is";
  const { signatureAlgorithm, hasSubject, extensions } = fields;
  if (signatureAlgorithm !== ECDSA_WITH_SHA256) return "its certificate is not signed by ECDSA with SHA-256";
  // OpenSSL says of an authority that may not sign certificates that it is none; its basicConstraints are read here.
  if (hexOf(extensions.get(EXTENSION_ID.basicConstraints)?.value) !== NO_AUTHORITY) return "its certificate is an authority's, not a box's";
  if (hasSubject) return "its certificate has a subject, and a box's names are in its subjectAltName alone";
  for (const [id, { critical }] of extensions) {
    if (critical && !KNOWN_EXTENSIONS.has(id)) return "its certificate has a critical extension that is not known here";
  }
  const keyUsage = extensions.get(EXTENSION_ID.keyUsage);
  if (keyUsage === undefined || (keyUsageBits(keyUsage.value) & DIGITAL_SIGNATURE) === 0) return "its certificate is not for signatures";
  // A box's is for both ends; a client's is for the end that dials.
  if (!usagesOf(fields).includes(CLIENT_AUTH)) return "its certificate is not for both ends of a link";
  return undefined;
}

const usagesOf = (fields: CertificateFields | undefined): readonly string[] =>
  usagesIn(fields?.extensions.get(EXTENSION_ID.extendedKeyUsage)?.value ?? new Uint8Array(0));

/**
 * The Node-ID of a subjectAltName in Node's text form. It must be one reload URI with one destination
 * of type node and one rfc822Name and nothing else (RFC 6940 section 11.3); Node quotes a name that
 * holds odd characters, so that it does not match here.
 */
export function nodeIdIn(subjectAltName: string, overlayName: string): NodeId | undefined {
  const names = subjectAltName.split(", ");
  const uris = names.filter((name) => name.startsWith("URI:"));
  const mails = names.filter((name) => name.startsWith("email:"));
  if (names.length !== 2 || uris.length !== 1 || mails.length !== 1) return undefined;
  const prefix = "URI:reload://0110";
  const suffix = `@${overlayName}/`;
  const uri = uris[0] ?? "";
  if (uri.length !== prefix.length + 32 + suffix.length || !uri.startsWith(prefix) || !uri.endsWith(suffix)) return undefined;
  const hex = uri.slice(prefix.length, prefix.length + 32);
  return /^[0-9a-f]{32}$/.test(hex) ? (hex as NodeId) : undefined;
}

/** SHA-256 of a certificate's public key (SubjectPublicKeyInfo), hex. */
export const keyHashOf = (certificate: X509Certificate): string =>
  hash("sha256", certificate.publicKey.export({ type: "spki", format: "der" }), "hex");

function issuingCertificate(der: Uint8Array, root: X509Certificate): X509Certificate | undefined {
  const certificate = readCertificate(der);
  return certificate?.ca === true && isIssuedBy(certificate, root) ? certificate : undefined;
}

const isIssuedBy = (certificate: X509Certificate, issuer: X509Certificate): boolean =>
  certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);

export function readCertificate(der: Uint8Array): X509Certificate | undefined {
  try {
    return new X509Certificate(der);
  } catch {
    return undefined; // the other side's fault, a value
  }
}

const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
