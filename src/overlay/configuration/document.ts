// The overlay configuration document (RFC 6940 section 11.1): what the fleet's key holder has decided, as a
// text that carries its own signature. docs/profile.md lists what of it this program obeys.

import type { Address } from "../../base/address.ts";
import { parseBase64, toBase64 } from "../../base/base64.ts";
import { ByteReader, ByteWriter, concatBytes, DecodeError, equalBytes, fromOctets, toHex, toOctets } from "../../base/bytes.ts";
import type { Crypto } from "../../base/crypto.ts";
import { fault, ok, type Result } from "../../base/result.ts";
import { type Duration, seconds } from "../../base/time.ts";
import type { KindDefinition, NodeId } from "../ports.ts";
import { certificateOf, ECDSA_WITH_SHA256, isEcdsaWithSha256, makeSigner, readCertificates, readSignature, type SecurityBlock, writeIdentity, writeSecurityBlock } from "../wire/security-block.ts";
import { type FleetLimits, limited, limitsIn, NO_ACCESS_POLICY, unknownStorage, wholeNumber } from "./limits.ts";
import { escapeXml, parseXml, type XmlElement } from "./xml.ts";

/** How long phones may register for, and who may (RFC 3261 section 10.3). */
export interface RegistrationRules {
  readonly minimum: Duration;
  /** For a phone that asks for no time of its own. */
  readonly standard: Duration;
  readonly maximum: Duration;
  /** Whether whoever can reach a box may register as anybody. */
  readonly open: boolean;
}

/** A box whose certificate a retired credential issued, and which may go on with it until it has a new one. */
export interface KeptBox {
  readonly nodeId: NodeId;
  /** SHA-256 of its public key (SubjectPublicKeyInfo), hex. */
  readonly key: string;
}

export interface FleetConfiguration {
  /** `instance-name`: the RELOAD overlay name. */
  readonly overlayName: string;
  /** 0 to 65534, compared round the circle. */
  readonly sequence: number;
  /** As in the document: xsd:dateTime. */
  readonly expiration: string;
  /** DER. */
  readonly rootCertificate: Uint8Array;
  readonly bootstrapNodes: readonly Address[];
  /** Boxes that nobody believes any more. */
  readonly badNodes: readonly NodeId[];
  readonly registration: RegistrationRules;
  /** DER of the credential that issues certificates now. */
  readonly issuingCertificate: Uint8Array;
  /** DER of the credentials that issued before and issue no more. What boxes signed under them stays valid. */
  readonly retired: readonly Uint8Array[];
  readonly kept: readonly KeptBox[];
  /** Serials of tickets that admit nobody any more. */
  readonly refusedTickets: readonly string[];
  readonly limits: FleetLimits;
}

/** ECDSA P-256 with SHA-256, DER: by the fleet's root key. */
export type RootSign = (bytes: Uint8Array) => Uint8Array;

export const FIRST_SEQUENCE = 1;
/** A ConfigUpdate whose header says so is taken whatever the receiver has (section 6.3.2.1). */
export const ANY_SEQUENCE = 65_535;
/** Numbers are compared round a circle of so many: after 65534 comes 0. */
const CIRCLE = 65_535;

export const nextSequence = (sequence: number): number => (sequence + 1) % CIRCLE;

/** Above 0: `a` is newer than `b`. */
export function compareSequences(a: number, b: number): number {
  const ahead = (a - b + CIRCLE) % CIRCLE;
  return ahead === 0 ? 0 : ahead <= CIRCLE >> 1 ? 1 : -1;
}

const BAD_NODES_MAX = 1_024;
const KEPT_MAX = 512;
const RETIRED_MAX = 64;
const REFUSED_TICKETS_MAX = 256;
const BOOTSTRAP_NODES_MAX = 32;

const BASE = "urn:ietf:params:xml:ns:p2p:config-base";
const CHORD = "urn:ietf:params:xml:ns:p2p:config-chord";
const RINGBOX = "urn:ringbox:p2p:config:1";

/** What the program itself does and a document says for those who read it; a document cannot change it. */
export interface ProgramFacts {
  readonly kinds: readonly KindDefinition[];
  readonly reliabilityTimer: Duration;
  readonly updateInterval: Duration;
}

/** The whole document, signed. ASCII octets. */
export function writeDocument(configuration: FleetConfiguration, facts: ProgramFacts, crypto: Crypto, sign: RootSign): Uint8Array {
  const inner = configurationElement(configuration, facts, signerName(configuration.rootCertificate, crypto));
  const signed = signedBy(configuration.rootCertificate, crypto, sign, fromOctets(inner));
  return fromOctets(
    `<?xml version="1.0" encoding="UTF-8"?>\n<overlay xmlns="${BASE}" xmlns:chord="${CHORD}" xmlns:ringbox="${RINGBOX}">\n` +
      `${inner}\n<signature>${toBase64(signed)}</signature>\n</overlay>\n`,
  );
}

function signedBy(certificate: Uint8Array, crypto: Crypto, sign: RootSign, bytes: Uint8Array): Uint8Array {
  const { identity } = makeSigner(certificate, crypto);
  const identityBytes = new ByteWriter(64);
  writeIdentity(identityBytes, identity);
  const value = sign(concatBytes(bytes, identityBytes.finish()));
  const block: SecurityBlock = { certificates: [certificate], signature: { algorithm: ECDSA_WITH_SHA256, identity, value } };
  const writer = new ByteWriter(1_024);
  writeSecurityBlock(writer, block);
  return writer.finish();
}

function configurationElement(configuration: FleetConfiguration, facts: ProgramFacts, signer: string): string {
  const { overlayName, sequence, expiration, rootCertificate, registration } = configuration;
  const lines = [
    `<configuration instance-name="${escapeXml(overlayName)}" sequence="${sequence}" expiration="${escapeXml(expiration)}">`,
    "  <topology-plugin>CHORD-RELOAD</topology-plugin>",
    "  <node-id-length>16</node-id-length>",
    `  <root-cert>${toBase64(rootCertificate)}</root-cert>`,
    ...configuration.bootstrapNodes.map(({ host, port }) => `  <bootstrap-node address="${escapeXml(host)}" port="${port}"/>`),
    "  <turn-density>0</turn-density>",
    "  <clients-permitted>true</clients-permitted>",
    "  <no-ice>true</no-ice>",
    `  <chord:chord-update-interval>${facts.updateInterval / 1_000}</chord:chord-update-interval>`,
    "  <chord:chord-reactive>true</chord:chord-reactive>",
    `  <max-message-size>${configuration.limits.maxMessageSize}</max-message-size>`,
    `  <initial-ttl>${configuration.limits.initialTtl}</initial-ttl>`,
    `  <overlay-reliability-timer>${facts.reliabilityTimer}</overlay-reliability-timer>`,
    "  <overlay-link-protocol>TLS</overlay-link-protocol>",
    `  <configuration-signer>${signer}</configuration-signer>`,
    `  <kind-signer>${signer}</kind-signer>`,
    ...configuration.badNodes.map((nodeId) => `  <bad-node>${nodeId}</bad-node>`),
    `  <mandatory-extension>${RINGBOX}</mandatory-extension>`,
    "  <required-kinds>",
    ...facts.kinds.map((kind) => kindBlock(limited(kind, configuration.limits))),
    "  </required-kinds>",
    `  <ringbox:registration minimum="${registration.minimum / 1_000}" standard="${registration.standard / 1_000}" ` +
      `maximum="${registration.maximum / 1_000}" open="${registration.open ? "yes" : "no"}"/>`,
    `  <ringbox:issuing-cert>${toBase64(configuration.issuingCertificate)}</ringbox:issuing-cert>`,
    ...configuration.retired.map((certificate) => `  <ringbox:retired-issuing-cert>${toBase64(certificate)}</ringbox:retired-issuing-cert>`),
    ...configuration.kept.map(({ nodeId, key }) => `  <ringbox:kept-node id="${nodeId}" key="${key}"/>`),
    ...configuration.refusedTickets.map((serial) => `  <ringbox:refused-ticket>${escapeXml(serial)}</ringbox:refused-ticket>`),
    "</configuration>",
  ];
  return lines.join("\n");
}

/** The RFC names signers by Node-ID; the fleet's key has none, and is named by the hash of its certificate, cut to the same length. */
const signerName = (rootCertificate: Uint8Array, crypto: Crypto): string => toHex(crypto.sha256(rootCertificate).subarray(0, 16));

function kindBlock({ id, model, access, maxEntries, maxValueBytes }: KindDefinition): string {
  return [
    `    <kind-block><kind id="${id}"><data-model>${model.toUpperCase()}</data-model>`,
    `<access-control>${access ?? NO_ACCESS_POLICY}</access-control><max-count>${maxEntries}</max-count><max-size>${maxValueBytes}</max-size></kind></kind-block>`,
  ].join("");
}

/** The configuration in a document that `rootCertificate`'s key has signed for this overlay, or why it is refused, as part of a sentence. */
export function readDocument(
  document: Uint8Array,
  check: { readonly rootCertificate: Uint8Array; readonly overlayName: string; readonly crypto: Crypto },
): Result<FleetConfiguration, string> {
  const source = toOctets(document);
  const root = parseXml(source);
  if (!root.ok) return root;
  const [configuration, signature, ...rest] = root.value.children;
  if (root.value.name !== "overlay" || configuration?.name !== "configuration" || rest.length > 0) {
    return fault("it is not an overlay with one configuration and its signature");
  }
  if (signature?.name !== "signature") return fault("it is not signed");
  const signed = document.subarray(configuration.start, configuration.end);
  if (!isSigned(signed, signature.text, check.rootCertificate, check.crypto)) return fault("it is not signed by the fleet's key");
  const unknown = unknownStorage(configuration);
  if (unknown !== undefined) return fault(unknown);
  const read = new ConfigurationReader(configuration).configuration();
  if (read === undefined) return fault("one of its values is missing or not of its kind");
  if (read.overlayName !== check.overlayName) return fault(`it is of the overlay ${read.overlayName}`);
  if (!equalBytes(read.rootCertificate, check.rootCertificate)) return fault("its root certificate is not this fleet's");
  return ok(read);
}

function isSigned(bytes: Uint8Array, text: string, rootCertificate: Uint8Array, crypto: Crypto): boolean {
  const block = parseBase64(text.trim());
  if (block === undefined) return false;
  try {
    const reader = new ByteReader(block);
    readCertificates(reader);
    const { algorithm, identity, value } = readSignature(reader);
    reader.end();
    if (!isEcdsaWithSha256(algorithm) || certificateOf(identity, [rootCertificate], crypto) === undefined) return false;
    const identityBytes = new ByteWriter(64);
    writeIdentity(identityBytes, identity);
    return crypto.verify(rootCertificate, concatBytes(bytes, identityBytes.finish()), value);
  } catch (error) {
    if (error instanceof DecodeError) return false;
    throw error;
  }
}

/** Reads the elements that this program obeys; `undefined` from any of them makes the whole unusable. */
class ConfigurationReader {
  readonly #element: XmlElement;

  constructor(element: XmlElement) {
    this.#element = element;
  }

  configuration(): FleetConfiguration | undefined {
    const sequence = wholeNumber(this.#element.attributes.get("sequence"), CIRCLE - 1);
    const overlayName = this.#element.attributes.get("instance-name");
    const expiration = this.#element.attributes.get("expiration");
    const rootCertificate = this.#certificate("root-cert");
    const issuingCertificate = this.#certificate("ringbox:issuing-cert");
    const registration = this.#registration();
    const bootstrapNodes = listOf(this.#all("bootstrap-node"), BOOTSTRAP_NODES_MAX, addressIn);
    const badNodes = listOf(this.#all("bad-node"), BAD_NODES_MAX, ({ text }) => hex(text.trim(), 32) as NodeId | undefined);
    const retired = listOf(this.#all("ringbox:retired-issuing-cert"), RETIRED_MAX, ({ text }) => parseBase64(text.trim()));
    const kept = listOf(this.#all("ringbox:kept-node"), KEPT_MAX, keptIn);
    const refusedTickets = listOf(this.#all("ringbox:refused-ticket"), REFUSED_TICKETS_MAX, ({ text }) => text.trim());
    const limits = limitsIn(this.#element);
    const extensions = this.#all("mandatory-extension").map(({ text }) => text.trim());
    if (sequence === undefined || overlayName === undefined || expiration === undefined || registration === undefined) return undefined;
    if (rootCertificate === undefined || issuingCertificate === undefined || bootstrapNodes === undefined) return undefined;
    if (badNodes === undefined || retired === undefined || kept === undefined || refusedTickets === undefined || limits === undefined) return undefined;
    if (extensions.some((name) => name !== RINGBOX) || this.#text("node-id-length") !== "16") return undefined;
    return {
      overlayName, sequence, expiration, rootCertificate, issuingCertificate, registration, bootstrapNodes, badNodes, retired, kept, refusedTickets, limits,
    };
  }

  #all(name: string): readonly XmlElement[] {
    return this.#element.children.filter((child) => child.name === name);
  }
  #text(name: string): string | undefined {
    const found = this.#all(name);
    return found.length === 1 ? found[0]?.text.trim() : undefined;
  }
  #certificate(name: string): Uint8Array | undefined {
    const text = this.#text(name);
    return text === undefined || text === "" ? undefined : parseBase64(text);
  }

  #registration(): RegistrationRules | undefined {
    const [element] = this.#all("ringbox:registration");
    const time = (name: string): Duration | undefined => {
      const value = wholeNumber(element?.attributes.get(name), LIFETIME_MAX_SECONDS);
      return value === undefined ? undefined : seconds(value);
    };
    const minimum = time("minimum");
    const standard = time("standard");
    const maximum = time("maximum");
    const open = element?.attributes.get("open");
    if (minimum === undefined || standard === undefined || maximum === undefined || (open !== "yes" && open !== "no")) return undefined;
    const rules = { minimum, standard, maximum, open: open === "yes" };
    return registrationProblem(rules) === undefined ? rules : undefined;
  }
}

/** Longer than this a binding would outlive what any box remembers of its removal. */
const LIFETIME_MAX_SECONDS = 7_200;
const LIFETIME_MIN_SECONDS = 10;

/** Why these cannot be in force together; `undefined` if they can. */
export function registrationProblem({ minimum, standard, maximum }: RegistrationRules): string | undefined {
  if (minimum < seconds(LIFETIME_MIN_SECONDS)) return `a registration lasts at least ${LIFETIME_MIN_SECONDS} seconds`;
  if (maximum > seconds(LIFETIME_MAX_SECONDS)) return `a registration lasts at most ${LIFETIME_MAX_SECONDS} seconds`;
  if (minimum > standard || standard > maximum) return "the minimum, the standard and the maximum of a registration are not in this order";
  // RFC 3261 section 10.3: only less than an hour may be refused as too brief.
  if (minimum > seconds(3_600)) return "the minimum of a registration is at most 3600 seconds";
  return undefined;
}

function listOf<Item>(elements: readonly XmlElement[], most: number, read: (element: XmlElement) => Item | undefined): readonly Item[] | undefined {
  if (elements.length > most) return undefined;
  const items = elements.map(read).filter((item) => item !== undefined);
  return items.length === elements.length ? items : undefined;
}

function addressIn({ attributes }: XmlElement): Address | undefined {
  const host = attributes.get("address");
  const port = attributes.has("port") ? wholeNumber(attributes.get("port"), 65_535) : 6_084;
  return host === undefined || host === "" || host.length > 255 || port === undefined || port === 0 ? undefined : { host, port };
}

function keptIn({ attributes }: XmlElement): KeptBox | undefined {
  const nodeId = hex(attributes.get("id"), 32);
  const key = hex(attributes.get("key"), 64);
  return nodeId === undefined || key === undefined ? undefined : { nodeId: nodeId as NodeId, key };
}

function hex(text: string | undefined, digits: number): string | undefined {
  if (text?.length !== digits) return undefined;
  for (let i = 0; i < digits; i++) {
    const code = text.charCodeAt(i);
    if (!((code >= 48 && code <= 57) || (code >= 97 && code <= 102))) return undefined;
  }
  return text;
}
