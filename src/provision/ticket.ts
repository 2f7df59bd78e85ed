// The ticket that admits a box: a text file, base64 between two lines as in PEM. Inside are the claims as
// JSON and a signature over them by the fleet's root key, whose certificate is one of the claims. A
// ticket is as secret as what it carries: whoever holds a fleet ticket can admit boxes for ever.

import { concatBytes, fromOctets, fromUtf8Octets, toOctets, utf8Octets } from "../base/bytes.ts";
import type { Crypto } from "../base/crypto.ts";
import { fault, ok, type Result } from "../base/result.ts";
import type { WallTime } from "../base/time.ts";
import { parseBase64, parseBase64Url, toBase64, toBase64Url } from "../base/base64.ts";
import { formatDay } from "./calendar.ts";
import { formatHint, type Hint, parseHint } from "./hint.ts";
import { parseClaims, type TicketClaims } from "./ticket-claims.ts";

interface TicketCommon {
  /** What its operator calls the fleet. */
  readonly fleetName: string;
  /** The RELOAD overlay name; it also tells apart two fleets that have the same name. */
  readonly overlayName: string;
  /** The SIP domain, lower case. */
  readonly domain: string;
  /** DER. */
  readonly rootCertificate: Uint8Array;
  /** What the enrolling member checks: text, sent as the password of the enrollment. */
  readonly token: string;
  readonly hints: readonly Hint[];
  /** Rack, room or site of the box; empty if none. */
  readonly zone: string;
}

/** Founds the fleet, or rejoins it with nobody's help. */
export interface FleetTicket extends TicketCommon {
  readonly kind: "fleet";
  /** DER. */
  readonly issuingCertificate: Uint8Array;
  /** PKCS #8 PEM: whoever has it can admit boxes. */
  readonly issuingKeyPem: string;
  /** The signed configuration document that the fleet begins with, or had when the ticket was made. */
  readonly configuration?: Uint8Array | undefined;
}

/** Admits a box through a member, until its end. */
export interface JoinTicket extends TicketCommon {
  readonly kind: "join";
  readonly expiresAt: WallTime;
}

export type AdmissionTicket = FleetTicket | JoinTicket;

export interface TokenClaims {
  readonly overlayName: string;
  /** Random, hex: names the ticket in logs. */
  readonly serial: string;
  readonly zone: string;
  /** `undefined`: no end (fleet ticket). */
  readonly expiresAt: WallTime | undefined;
  /** How many boxes it admits; `undefined`: any number (fleet ticket). */
  readonly uses: number | undefined;
}

/** By the fleet's root key: ECDSA P-256 with SHA-256, DER. */
export type Signer = (bytes: Uint8Array) => Uint8Array;

const BEGIN = "-----BEGIN RINGBOX TICKET-----";
const END = "-----END RINGBOX TICKET-----";
const MAX_TICKET_CHARACTERS = 65_536;
const MAX_TOKEN_CHARACTERS = 2_048;
const FORMAT = 1;
/** Boxes that one join ticket may admit: each use is an entry of one resource of the ring. */
export const MAX_USES = 100;
/** What is signed begins with its purpose, so that a signed token never passes for a signed ticket. */
const TICKET_PURPOSE = "ringbox ticket 1\n";
const TOKEN_PURPOSE = "ringbox token 1\n";

export function serializeTicket(ticket: AdmissionTicket, sign: Signer): string {
  const claims = utf8Octets(JSON.stringify(claimsOf(ticket)));
  const signature = sign(fromOctets(TICKET_PURPOSE + claims));
  const text = toBase64(fromOctets(JSON.stringify({ claims: toBase64(fromOctets(claims)), signature: toBase64(signature) })));
  const lines: string[] = [];
  for (let at = 0; at < text.length; at += 64) lines.push(text.slice(at, at + 64));
  return [BEGIN, ...lines, END, ""].join("\n");
}

/** The ticket in the text, or a plain sentence saying what is wrong with it. */
export function parseTicket(
  text: string,
  check: { readonly crypto: Crypto; readonly wall: WallTime },
): Result<AdmissionTicket, string> {
  const armor = unarmor(text);
  if (!armor.ok) return armor;
  const envelope = parseJsonObject(armor.value);
  const claimBytes = parseBase64(stringIn(envelope, "claims"));
  const signature = parseBase64(stringIn(envelope, "signature"));
  if (claimBytes === undefined || signature === undefined) return fault("the ticket is damaged: it does not hold what a ticket holds");
  const claims = parseClaims(parseJsonObject(claimBytes), FORMAT);
  if (!claims.ok) return claims;
  const ticket = ticketOf(claims.value);
  if (ticket === undefined) return fault("the ticket is damaged: one of its fields cannot be read");
  const signed = concatBytes(fromOctets(TICKET_PURPOSE), claimBytes);
  if (!check.crypto.verify(ticket.rootCertificate, signed, signature)) return fault("the ticket was changed after signing");
  if (ticket.kind === "join" && ticket.expiresAt <= check.wall) return fault(`the ticket expired on ${formatDay(ticket.expiresAt)}`);
  return ok(ticket);
}

/** Why a box of the one fleet cannot use a ticket of another; `undefined` if it is of the same. */
export function foreignTicket(
  ticket: { readonly fleetName: string; readonly overlayName: string },
  box: { readonly fleetName: string; readonly overlayName: string },
): string | undefined {
  if (ticket.overlayName === box.overlayName) return undefined;
  const theirs = ticket.fleetName === box.fleetName ? ticket.overlayName : ticket.fleetName;
  const ours = ticket.fleetName === box.fleetName ? box.overlayName : box.fleetName;
  return `the ticket belongs to fleet ${theirs}, this box to fleet ${ours}`;
}

export function serializeToken(claims: TokenClaims, sign: Signer): string {
  const { overlayName: overlay, serial, zone, expiresAt, uses } = claims;
  const octets = utf8Octets(JSON.stringify({ overlay, serial, zone, expires: expiresAt ?? null, uses: uses ?? null }));
  const signature = sign(fromOctets(TOKEN_PURPOSE + octets));
  return `${toBase64Url(fromOctets(octets))}.${toBase64Url(signature)}`;
}

/** The serial in a token, unchecked; none if it cannot be read. */
export function tokenSerial(token: string): readonly string[] {
  const bytes = parseBase64Url(token.slice(0, Math.max(token.indexOf("."), 0)));
  const claims = bytes === undefined ? undefined : tokenClaimsOf(parseJsonObject(bytes));
  return claims === undefined ? [] : [claims.serial];
}

/** The token's claims if the fleet's root signed them, they are for this overlay and have not expired. */
export function checkToken(
  token: string,
  check: { readonly crypto: Crypto; readonly rootCertificate: Uint8Array; readonly overlayName: string; readonly wall: WallTime },
): Result<TokenClaims, string> {
  if (token.length > MAX_TOKEN_CHARACTERS) return fault("the ticket's token is too long");
  const dot = token.indexOf(".");
  const bytes = parseBase64Url(token.slice(0, Math.max(dot, 0)));
  const signature = parseBase64Url(token.slice(dot + 1));
  if (dot < 1 || bytes === undefined || signature === undefined) return fault("the ticket's token cannot be read");
  const claims = tokenClaimsOf(parseJsonObject(bytes));
  if (claims === undefined) return fault("the ticket's token cannot be read");
  if (claims.overlayName !== check.overlayName) {
    return fault(`the ticket belongs to fleet ${claims.overlayName}, this box to fleet ${check.overlayName}`);
  }
  const signed = concatBytes(fromOctets(TOKEN_PURPOSE), bytes);
  if (!check.crypto.verify(check.rootCertificate, signed, signature)) return fault("the ticket was not signed by this fleet's root key");
  if (claims.expiresAt !== undefined && claims.expiresAt <= check.wall) {
    return fault(`the ticket expired on ${formatDay(claims.expiresAt)}`);
  }
  return ok(claims);
}

function unarmor(text: string): Result<Uint8Array, string> {
  if (text.length > MAX_TICKET_CHARACTERS) return fault("this is not a Ringbox ticket: it is far too long");
  const begin = text.indexOf(BEGIN);
  if (begin < 0) return fault(`this is not a Ringbox ticket: it does not begin with ${BEGIN}`);
  const start = begin + BEGIN.length;
  const end = text.indexOf(END, start);
  if (end < 0) return fault("the ticket is cut short: its last line is missing");
  const packed = withoutSpace(text.slice(start, end));
  if (packed.length % 4 !== 0) return fault("the ticket is damaged: characters are missing");
  const bytes = parseBase64(packed);
  return bytes === undefined ? fault("the ticket is damaged: it holds a character that does not belong there") : ok(bytes);
}

const withoutSpace = (text: string): string =>
  text.replaceAll("\r", "").replaceAll("\n", "").replaceAll(" ", "").replaceAll("\t", "");

function claimsOf(ticket: AdmissionTicket): TicketClaims {
  const common = {
    format: FORMAT,
    fleet: ticket.fleetName,
    overlay: ticket.overlayName,
    domain: ticket.domain,
    root: toBase64(ticket.rootCertificate),
    token: ticket.token,
    hints: ticket.hints.map(formatHint),
    zone: ticket.zone,
  };
  return ticket.kind === "fleet"
    ? { ...common, kind: "fleet", issuing: toBase64(ticket.issuingCertificate), issuingKey: ticket.issuingKeyPem, ...configurationClaim(ticket) }
    : { ...common, kind: "join", expires: ticket.expiresAt };
}

function ticketOf(claims: TicketClaims): AdmissionTicket | undefined {
  const rootCertificate = parseBase64(claims.root);
  const hints = claims.hints.map(parseHint).filter((hint) => hint !== undefined);
  if (rootCertificate === undefined || hints.length !== claims.hints.length) return undefined;
  const common = {
    fleetName: claims.fleet,
    overlayName: claims.overlay,
    domain: claims.domain,
    rootCertificate,
    token: claims.token,
    hints,
    zone: claims.zone,
  };
  if (claims.kind === "join") return { ...common, kind: "join", expiresAt: claims.expires as WallTime };
  const issuingCertificate = parseBase64(claims.issuing);
  if (issuingCertificate === undefined) return undefined;
  const configuration = claims.configuration === undefined ? undefined : fromOctets(claims.configuration);
  return { ...common, kind: "fleet", issuingCertificate, issuingKeyPem: claims.issuingKey, configuration };
}

const configurationClaim = ({ configuration }: FleetTicket): { readonly configuration?: string } =>
  configuration === undefined ? {} : { configuration: toOctets(configuration) };

function tokenClaimsOf(json: Readonly<Record<string, unknown>> | undefined): TokenClaims | undefined {
  if (json === undefined) return undefined;
  const { overlay, serial, zone, expires, uses = null } = json;
  if (typeof overlay !== "string" || typeof serial !== "string" || typeof zone !== "string") return undefined;
  if (expires !== null && !Number.isSafeInteger(expires)) return undefined;
  if (uses !== null && !isCount(uses)) return undefined;
  return { overlayName: overlay, serial, zone, expiresAt: expires === null ? undefined : (expires as WallTime), uses: uses ?? undefined };
}

function parseJsonObject(bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(fromUtf8Octets(toOctets(bytes)));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined; // not JSON: the writer's fault, a value
  }
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && typeof value === "number" && value >= 1 && value <= MAX_USES;

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const stringIn = (json: Readonly<Record<string, unknown>> | undefined, name: string): string => {
  const value = json?.[name];
  return typeof value === "string" ? value : "!";
};
