// Whom this box believes: certificates that chain through an issuing authority to the fleet's root.

import { hash, X509Certificate } from "node:crypto";
import { BoundedMap } from "../base/bounded-map.ts";
import type { WallTime } from "../base/time.ts";
import type { NodeId, Trust } from "../overlay/ports.ts";

type Inspection = { readonly nodeId: NodeId } | { readonly refused: string };

type Verdict =
  | { readonly nodeId: NodeId; readonly notAfter: number }
  | { readonly refused: string };

export class CertificateTrust implements Trust {
  readonly #issuing: readonly X509Certificate[];
  readonly #overlayName: string;
  readonly #wall: () => WallTime;
  /** By SHA-256 of the certificate. BOUNDED: the oldest verdict goes, and is found again when asked. */
  readonly #verdicts = new BoundedMap<string, Verdict>(2_048, "evict");

  constructor(settings: {
    /** DER of the fleet's root certificate. */
    readonly root: Uint8Array;
    /** DER of the issuing certificates to believe; one that the root did not sign is left out. */
    readonly issuing: readonly Uint8Array[];
    readonly overlayName: string;
    readonly wall: () => WallTime;
  }) {
    const root = new X509Certificate(settings.root);
    this.#issuing = settings.issuing.flatMap((der) => issuingCertificate(der, root) ?? []);
    this.#overlayName = settings.overlayName;
    this.#wall = settings.wall;
  }

  inspect(certificate: Uint8Array): Inspection {
    const key = hash("sha256", certificate, "base64");
    let verdict = this.#verdicts.get(key);
    if (verdict === undefined) {
      verdict = this.#judge(certificate);
      this.#verdicts.set(key, verdict);
    }
    if ("refused" in verdict) return verdict;
    if (verdict.notAfter < this.#wall()) return { refused: `its certificate expired on ${day(verdict.notAfter)}` };
    return { nodeId: verdict.nodeId };
  }

  #judge(der: Uint8Array): Verdict {
    const certificate = readCertificate(der);
    if (certificate === undefined) return { refused: "its certificate cannot be read" };
    const issuer = this.#issuing.find((candidate) => isIssuedBy(certificate, candidate));
    if (issuer === undefined) return { refused: "its certificate is not of this fleet" };
    if (certificate.ca) return { refused: "its certificate is an authority's, not a box's" };
    if (certificate.publicKey.asymmetricKeyDetails?.namedCurve !== "prime256v1") return { refused: "its key is not a P-256 key" };
    const nodeId = nodeIdIn(certificate.subjectAltName ?? "", this.#overlayName);
    if (nodeId === undefined) return { refused: "its certificate does not name exactly one Node-ID of this overlay" };
    const notAfter = Math.min(certificate.validToDate.getTime(), issuer.validToDate.getTime());
    return { nodeId, notAfter };
  }
}

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
