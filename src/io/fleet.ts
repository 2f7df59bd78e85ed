// What an operator does once for a fleet, with no box running.

import { createPrivateKey, createPublicKey, randomBytes, sign, X509Certificate } from "node:crypto";
import { type Duration, type WallTime, wallAfter } from "../base/time.ts";
import { parseHint } from "../provision/hint.ts";
import { type FleetTicket, MAX_USES, parseTicket, serializeTicket, serializeToken, type Signer, tokenSerial } from "../provision/ticket.ts";
import { systemClock } from "./clock.ts";
import { NodeCrypto } from "./crypto.ts";
import type { FleetConfiguration, KeptBox } from "../overlay/configuration/document.ts";
import { encodeRevocations, signRevocation } from "../overlay/configuration/revocations.ts";
import type { NodeId } from "../overlay/ports.ts";
import { firstConfiguration, signConfiguration, successor } from "./fleet-configuration.ts";
import { fingerprint, makeIssuingAuthority, makeRootAuthority } from "./pki.ts";

/** Its message is a sentence for the operator. */
export class FleetError extends Error {
  override readonly name = "FleetError";
}

/** A new fleet: its root key (PKCS #8 PEM), which the operator keeps, and its fleet ticket. */
export async function createFleet(fleet: {
  readonly name: string;
  /** The SIP domain. */
  readonly domain: string;
}): Promise<{ readonly rootKeyPem: string; readonly fleetTicket: string }> {
  const fleetName = checkName(fleet.name);
  const domain = checkDomain(fleet.domain);
  const root = await makeRootAuthority(fleetName);
  const issuing = await makeIssuingAuthority(root, fleetName);
  const overlayName = `${slug(fleetName)}-${fingerprint(root.certificate).slice(0, 8)}.ringbox.internal`;
  const signer = signerWith(root.privateKeyPem);
  const first = firstConfiguration({ overlayName, rootCertificate: root.certificate, issuingCertificate: issuing.certificate });
  const configuration = signConfiguration(first, root.privateKeyPem);
  const token = serializeToken({ overlayName, serial: serial(), zone: "", expiresAt: undefined, uses: undefined }, signer);
  const fleetTicket = serializeTicket(
    {
      kind: "fleet", fleetName, overlayName, domain, rootCertificate: root.certificate, token, hints: [], zone: "",
      issuingCertificate: issuing.certificate, issuingKeyPem: issuing.privateKeyPem, configuration,
    },
    signer,
  );
  return { rootKeyPem: root.privateKeyPem, fleetTicket };
}

/** A new issuing credential, the document that puts it in force, and the fleet ticket that holds it. Throws `FleetError`. */
export async function renewIssuing(request: {
  readonly rootKeyPem: string;
  readonly fleetTicket: string;
  /** What is in force. */
  readonly configuration: FleetConfiguration;
  readonly kept: readonly KeptBox[];
  readonly badNodes: readonly NodeId[];
}): Promise<{ readonly document: Uint8Array; readonly issuingKeyPem: string; readonly fleetTicket: string }> {
  const { rootKeyPem, configuration, kept, badNodes } = request;
  const old = readFleetTicket(request.fleetTicket, rootKeyPem);
  const issuing = await makeIssuingAuthority({ certificate: old.rootCertificate, privateKeyPem: rootKeyPem }, old.fleetName);
  const next = successor(configuration, {
    issuingCertificate: issuing.certificate,
    retired: [...configuration.retired, configuration.issuingCertificate],
    kept,
    badNodes,
    refusedTickets: [...configuration.refusedTickets, ...tokenSerial(old.token)],
  });
  const document = signConfiguration(next, rootKeyPem);
  const signer = signerWith(rootKeyPem);
  const token = serializeToken({ overlayName: old.overlayName, serial: serial(), zone: "", expiresAt: undefined, uses: undefined }, signer);
  const ticket: FleetTicket = {
    ...old, token, issuingCertificate: issuing.certificate, issuingKeyPem: issuing.privateKeyPem, configuration: document,
  };
  return { document, issuingKeyPem: issuing.privateKeyPem, fleetTicket: serializeTicket(ticket, signer) };
}

/** A statement of the fleet's key that a box is believed no more from now on. Throws `FleetError`. */
export function signRevocationOf(request: { readonly rootKeyPem: string; readonly fleetTicket: string; readonly nodeId: NodeId }): Uint8Array {
  const { overlayName, rootCertificate } = readFleetTicket(request.fleetTicket, request.rootKeyPem);
  const signer = { certificate: rootCertificate, sign: signerWith(request.rootKeyPem) };
  const statement = { overlayName, nodeId: request.nodeId, revokedAt: systemClock.wall() };
  return encodeRevocations([signRevocation(signer, statement, new NodeCrypto(undefined))]);
}

/** A ticket that admits so many boxes until it expires. Throws `FleetError` if key and fleet ticket do not belong together. */
export function createJoinTicket(request: {
  readonly rootKeyPem: string;
  readonly fleetTicket: string;
  readonly expires: Duration;
  /** How many boxes it admits. */
  readonly uses: number;
  /** `host:port` each. */
  readonly hints: readonly string[];
  readonly zone: string;
}): string {
  const wall = systemClock.wall();
  const { fleetName, overlayName, domain, rootCertificate, hints: fleetHints } = readFleetTicket(request.fleetTicket, request.rootKeyPem);
  const hints = [...request.hints.map(checkHint), ...fleetHints];
  if (hints.length > 32) throw new FleetError("a ticket holds at most 32 hints");
  const zone = checkZone(request.zone);
  const expiresAt: WallTime = wallAfter(wall, request.expires);
  const signer = signerWith(request.rootKeyPem);
  const token = serializeToken({ overlayName, serial: serial(), zone, expiresAt, uses: checkUses(request.uses) }, signer);
  return serializeTicket({ kind: "join", fleetName, overlayName, domain, rootCertificate, token, hints, zone, expiresAt }, signer);
}

/** The fleet ticket in a text. Throws `FleetError` if it is none, or of another key. */
export function readFleetTicket(text: string, rootKeyPem: string): FleetTicket {
  const fleet = parseTicket(text, { crypto: new NodeCrypto(undefined), wall: systemClock.wall() });
  if (!fleet.ok) throw new FleetError(fleet.fault);
  if (fleet.value.kind !== "fleet") throw new FleetError("this is a join ticket; new tickets are made from the fleet's own ticket");
  if (!isKeyOf(rootKeyPem, fleet.value.rootCertificate)) throw new FleetError("the root key is not the key of this fleet");
  return fleet.value;
}

function isKeyOf(privateKeyPem: string, certificate: Uint8Array): boolean {
  try {
    return new X509Certificate(certificate).publicKey.equals(createPublicKey(privateKeyPem));
  } catch {
    throw new FleetError("the root key file does not hold a private key");
  }
}

function signerWith(privateKeyPem: string): Signer {
  const key = createPrivateKey(privateKeyPem);
  return (bytes) => sign("sha256", bytes, key);
}

const serial = (): string => randomBytes(8).toString("hex");

function checkName(name: string): string {
  const trimmed = name.trim();
  if (trimmed === "" || trimmed.length > 64) throw new FleetError("a fleet's name has 1 to 64 characters");
  if (/\p{Cc}/u.test(trimmed)) throw new FleetError("a fleet's name holds no control characters");
  return trimmed;
}

function checkDomain(domain: string): string {
  const lower = domain.toLowerCase();
  const labels = lower.split(".");
  const whole = lower.length <= 253 && labels.every((label) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(label));
  if (!whole) throw new FleetError(`"${domain}" is not a domain name; a SIP domain looks like example.org`);
  return lower;
}

function checkHint(text: string): { readonly host: string; readonly port: number } {
  const hint = parseHint(text);
  if (hint === undefined) throw new FleetError(`"${text}" is not HOST:PORT`);
  return hint;
}

function checkUses(uses: number): number {
  if (!Number.isInteger(uses) || uses < 1 || uses > MAX_USES) throw new FleetError(`a ticket admits 1 to ${MAX_USES} boxes`);
  return uses;
}

function checkZone(zone: string): string {
  if (zone.length > 32 || !/^[\w .-]*$/.test(zone)) throw new FleetError("a zone has at most 32 letters, digits, dots, dashes and spaces");
  return zone;
}

const slug = (name: string): string =>
  name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-").slice(0, 30).replaceAll(/^-+|-+$/g, "") || "fleet";
