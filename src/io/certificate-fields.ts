// What Node's X509Certificate does not tell of a certificate: how it was signed, and its extensions. DER is
// read strictly and only as far as that; a certificate that is built otherwise than ours is refused.

/** An extension of RFC 5280 section 4.1.2.9. */
export interface CertificateExtension {
  readonly critical: boolean;
  readonly value: Uint8Array;
}

export interface CertificateFields {
  /** Object identifier of the signature's algorithm, hex of its DER content. */
  readonly signatureAlgorithm: string;
  readonly hasSubject: boolean;
  /** By object identifier, as above. BOUNDED: by the certificate's length, and by MAX_EXTENSIONS. */
  readonly extensions: ReadonlyMap<string, CertificateExtension>;
}

export const ECDSA_WITH_SHA256 = "2a8648ce3d040302";
export const EXTENSION_ID = {
  subjectKeyIdentifier: "551d0e",
  keyUsage: "551d0f",
  subjectAltName: "551d11",
  basicConstraints: "551d13",
  authorityKeyIdentifier: "551d23",
  extendedKeyUsage: "551d25",
} as const;
/** Extended key usages (RFC 5280 section 4.2.1.12). */
export const SERVER_AUTH = "2b06010505070301";
export const CLIENT_AUTH = "2b06010505070302";

const MAX_EXTENSIONS = 32;
const TAG = { boolean: 0x01, bitString: 0x03, octetString: 0x04, identifier: 0x06, sequence: 0x30, extensions: 0xa3 } as const;

interface Value {
  readonly tag: number;
  readonly content: Uint8Array;
}

/** `undefined` if it is not built as RFC 5280 section 4.1 has it, or has an extension twice. */
export function readCertificateFields(der: Uint8Array): CertificateFields | undefined {
  const [certificate] = valuesIn(der) ?? [];
  const [signed, algorithm] = inside(certificate);
  const signedValues = inside(signed);
  const subject = signedValues[5];
  const identifier = inside(algorithm)[0];
  if (subject?.tag !== TAG.sequence || identifier?.tag !== TAG.identifier) return undefined;
  const list = signedValues.find(({ tag }) => tag === TAG.extensions);
  const extensions = readExtensions(inside(inside({ tag: TAG.sequence, content: list?.content ?? new Uint8Array(0) })[0]));
  if (extensions === undefined) return undefined;
  return { signatureAlgorithm: hexOf(identifier.content), hasSubject: subject.content.length > 0, extensions };
}

/** The key usage bits (RFC 5280 section 4.2.1.3) of the first octet: 0x80 is digitalSignature. */
export function keyUsageBits(value: Uint8Array): number {
  const [bits] = valuesIn(value) ?? [];
  return bits?.tag === TAG.bitString ? (bits.content[1] ?? 0) : 0;
}

/** Object identifiers of an extended key usage. */
export const usagesIn = (value: Uint8Array): readonly string[] =>
  inside(valuesIn(value)?.[0]).map(({ content }) => hexOf(content));

function readExtensions(list: readonly Value[]): Map<string, CertificateExtension> | undefined {
  const extensions = new Map<string, CertificateExtension>();
  if (list.length > MAX_EXTENSIONS) return undefined;
  for (const extension of list) {
    const [identifier, ...rest] = inside(extension);
    const value = rest.at(-1);
    if (identifier?.tag !== TAG.identifier || value?.tag !== TAG.octetString) return undefined;
    const id = hexOf(identifier.content);
    if (extensions.has(id)) return undefined;
    extensions.set(id, { critical: rest[0]?.tag === TAG.boolean && rest[0].content[0] === 0xff, value: value.content });
  }
  return extensions;
}

const inside = (value: Value | undefined): readonly Value[] =>
  value?.tag === TAG.sequence ? (valuesIn(value.content) ?? []) : [];

/** The values that lie one after the other; `undefined` if a length is not the shortest form or leads outside. */
function valuesIn(bytes: Uint8Array): readonly Value[] | undefined {
  const values: Value[] = [];
  let at = 0;
  while (at < bytes.length) {
    const head = readHead(bytes, at);
    if (head === undefined || head.start + head.length > bytes.length) return undefined;
    at = head.start + head.length;
    values.push({ tag: head.tag, content: bytes.subarray(head.start, at) });
  }
  return values;
}

function readHead(bytes: Uint8Array, at: number): { readonly tag: number; readonly start: number; readonly length: number } | undefined {
  const tag = bytes[at] ?? 0;
  const first = bytes[at + 1];
  if (first === undefined || (tag & 0x1f) === 0x1f) return undefined;
  if (first < 0x80) return { tag, start: at + 2, length: first };
  const octets = first - 0x80;
  if (octets < 1 || octets > 3) return undefined;
  let length = 0;
  for (let i = 0; i < octets; i++) length = length * 256 + (bytes[at + 2 + i] ?? 0);
  return length < 0x80 ? undefined : { tag, start: at + 2 + octets, length };
}

export const hexOf = (bytes: Uint8Array = new Uint8Array(0)): string => Buffer.from(bytes).toString("hex");
