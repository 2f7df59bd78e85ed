// Takes a blank box into its fleet: with mDNS beside it, the admission desk finds a member or founds. A box
// without a ticket shows a code instead, and waits at the members that it finds.

import { randomBytes } from "node:crypto";
import { assert } from "../base/assert.ts";
import { SOFTWARE } from "../peer/peer.ts";
import { CODE_BYTES, formatCode, makeCode } from "../provision/code.ts";
import type { Hint } from "../provision/hint.ts";
import type { AdmissionTicket } from "../provision/ticket.ts";
import { AdmissionDesk, type AdmissionDeskSettings } from "./admission-desk.ts";
import { Waiting } from "./approval.ts";
import { systemClock } from "./clock.ts";
import { ControlServer } from "./control-server.ts";
import type { DataDirectory } from "./data-directory.ts";
import { foundFleet, requestEnrollment } from "./enrollment.ts";
import type { FleetMembership } from "./identity-files.ts";
import type { Report } from "./journal.ts";
import { Mdns } from "./mdns.ts";
import { fleetHashOf } from "./pki.ts";
import { SystemRandom } from "./random.ts";
import { NO_RULES } from "./rules-files.ts";

export interface BoxAdmissionSettings {
  /** `undefined`: the box shows a code and waits for somebody to type it at a member. */
  readonly ticket: AdmissionTicket | undefined;
  readonly hints: readonly Hint[];
  readonly data: DataDirectory;
  readonly listen: string | undefined;
  readonly overlayPort: number;
  readonly mdns: boolean;
  /** Where this box stands, if its ticket does not say it rightly. */
  readonly zone: string | undefined;
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
  const fleetHash = ticket === undefined ? "" : fleetHashOf(ticket.rootCertificate);
  const instance = randomBytes(8).toString("hex");
  const ended = new AbortController();
  const ways = ticket === undefined ? await withCode(settings, ended.signal) : withTicket(settings, ticket);
  const desk = new AdmissionDesk({
    ...ways,
    fleetHash,
    instance,
    listening: settings.mdns,
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
  try {
    const { enrolled, by, fleet = ticket } = await desk.run();
    assert(fleet !== undefined, "a box is admitted by its ticket, or by a member that says what fleet it is of");
    const { fleetName, overlayName, domain, rootCertificate } = fleet;
    const membership: FleetMembership = { fleetName, overlayName, domain, zone: settings.zone ?? ticket?.zone ?? "", rootCertificate, enrolled };
    if (by === undefined) data.rememberServing();
    data.saveRules({ document: enrolled.document, revocations: NO_RULES.revocations });
    data.saveMembership(membership);
    return { membership, by };
  } finally {
    desk.close();
    ended.abort();
    await ways.close();
    if (settings.mdns) await mdns.close();
  }
}

type Ways = Pick<AdmissionDeskSettings, "kind" | "hints" | "enroll" | "found"> & { readonly close: () => Promise<void> };

function withTicket({ data, hints, report }: BoxAdmissionSettings, ticket: AdmissionTicket): Ways {
  const privateKeyPem = data.identityKey();
  const previousCertificate = data.lastCertificate();
  report("info", `Looking for the boxes of fleet "${ticket.fleetName}"…`);
  return {
    kind: ticket.kind,
    hints: [...ticket.hints, ...hints],
    enroll: (address) => requestEnrollment({ address, ticket, privateKeyPem, previousCertificate }),
    found: () => foundFleet({ ticket, privateKeyPem, random: new SystemRandom(), clock: systemClock }),
    close: async () => {},
  };
}

/** The code is shown where only whoever has this box sees it: in its log, and to `ringbox status`. */
async function withCode({ data, hints, report }: BoxAdmissionSettings, signal: AbortSignal): Promise<Ways> {
  const code = makeCode(randomBytes(CODE_BYTES));
  const waiting = new Waiting({ code, privateKeyPem: data.identityKey() });
  const text = `This box has no ticket and belongs to no fleet. Its code is ${formatCode(code)}: on any box of its fleet, run ringbox admit ${formatCode(code)}.`;
  const control = await ControlServer.open({
    directory: data.path,
    ask: ({ op }, answer) =>
      answer(
        op === "heartbeat"
          ? { ok: true, op, phase: "waiting-for-admission", code: formatCode(code), processId: process.pid }
          : { ok: false, fault: "not-serving", text },
      ),
  });
  report("info", text);
  return {
    kind: "code",
    hints,
    enroll: (address) => waiting.at(address, signal),
    found: () => Promise.reject(new Error("a box without a ticket founds no fleet")),
    close: () => control.close(),
  };
}
