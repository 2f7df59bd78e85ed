import { systemClock } from "../../src/io/clock.ts";
import { NodeCrypto } from "../../src/io/crypto.ts";
import type { Enrolled } from "../../src/io/enrolled.ts";
import { foundFleet } from "../../src/io/enrollment.ts";
import { createFleet } from "../../src/io/fleet.ts";
import { makePrivateKey } from "../../src/io/pki.ts";
import { SystemRandom } from "../../src/io/random.ts";
import { CertificateTrust } from "../../src/io/trust.ts";
import { type AdmissionTicket, type FleetTicket, parseTicket } from "../../src/provision/ticket.ts";

export interface TestFleet {
  readonly rootKeyPem: string;
  readonly text: string;
  readonly ticket: FleetTicket;
}

export interface TestBox {
  readonly enrolled: Enrolled;
  readonly privateKeyPem: string;
  readonly trust: CertificateTrust;
}

export async function makeFleet(name: string): Promise<TestFleet> {
  const { rootKeyPem, fleetTicket } = await createFleet({ name, domain: "example.org" });
  const ticket = readTicket(fleetTicket);
  if (ticket.kind !== "fleet") throw new Error("not a fleet ticket");
  return { rootKeyPem, text: fleetTicket, ticket };
}

export function readTicket(text: string): AdmissionTicket {
  const parsed = parseTicket(text, { crypto: new NodeCrypto(undefined), wall: systemClock.wall() });
  if (!parsed.ok) throw new Error(parsed.fault);
  return parsed.value;
}

export async function makeBox({ ticket }: TestFleet): Promise<TestBox> {
  const privateKeyPem = makePrivateKey();
  const enrolled = await foundFleet({ ticket, privateKeyPem, random: new SystemRandom(), clock: systemClock });
  const trust = new CertificateTrust({
    root: ticket.rootCertificate, issuing: [ticket.issuingCertificate], overlayName: ticket.overlayName, wall: () => systemClock.wall(),
  });
  return { enrolled, privateKeyPem, trust };
}

/** Whose a certificate is; `undefined` if it is not believed. */
export const nodeIdOf = (inspected: ReturnType<CertificateTrust["inspect"]>): string | undefined => ("nodeId" in inspected ? inspected.nodeId : undefined);
