// Takes a blank box into its fleet: with mDNS beside it, the admission desk finds a member or founds.

import { randomBytes } from "node:crypto";
import { SOFTWARE } from "../peer/peer.ts";
import type { Hint } from "../provision/hint.ts";
import type { AdmissionTicket } from "../provision/ticket.ts";
import { AdmissionDesk } from "./admission-desk.ts";
import { systemClock } from "./clock.ts";
import type { DataDirectory } from "./data-directory.ts";
import type { FleetMembership } from "./identity-files.ts";
import type { Report } from "./journal.ts";
import { Mdns } from "./mdns.ts";
import { fleetHashOf } from "./pki.ts";
import { SystemRandom } from "./random.ts";
import { NO_RULES } from "./rules-files.ts";

export interface BoxAdmissionSettings {
  readonly ticket: AdmissionTicket;
  readonly hints: readonly Hint[];
  readonly data: DataDirectory;
  readonly listen: string | undefined;
  readonly overlayPort: number;
  readonly mdns: boolean;
  readonly report: Report;
}

export interface BoxAdmission {
  readonly membership: FleetMembership;
  /** The member that admitted this box just now; `undefined`: it founded the fleet, or was enrolled before. */
  readonly by: Hint | undefined;
}

/** Resolves when the box is enrolled, and what it now is lies on disk. */
export async function admitBox(settings: BoxAdmissionSettings): Promise<BoxAdmission> {
  const { ticket, data, listen, overlayPort, report } = settings;
  const fleetHash = fleetHashOf(ticket.rootCertificate);
  const instance = randomBytes(8).toString("hex");
  const desk = new AdmissionDesk({
    ticket,
    fleetHash,
    instance,
    listening: settings.mdns,
    hints: settings.hints,
    privateKeyPem: data.identityKey(),
    previousCertificate: data.lastCertificate(),
    clock: systemClock,
    random: new SystemRandom(),
    onReport: report,
  });
  const mdns = new Mdns({
    announcement: { fleetHash, state: "blank", instance },
    port: overlayPort,
    software: SOFTWARE,
    listen,
    onHeard: desk.heard,
    onUnheard: (_address, announcement) => desk.unheard(announcement.instance),
    onReport: report,
  });
  if (settings.mdns) mdns.open();
  report("info", `Looking for the boxes of fleet "${ticket.fleetName}"…`);
  try {
    const { enrolled, by } = await desk.run();
    const { fleetName, overlayName, domain, zone, rootCertificate } = ticket;
    const membership: FleetMembership = { fleetName, overlayName, domain, zone, rootCertificate, enrolled };
    if (by === undefined) data.rememberServing();
    data.saveRules({ document: enrolled.document, revocations: NO_RULES.revocations });
    data.saveMembership(membership);
    return { membership, by };
  } finally {
    desk.close();
    if (settings.mdns) await mdns.close();
  }
}
