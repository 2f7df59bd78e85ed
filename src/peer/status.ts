// Renders what a box knows of itself into the reports of reports.ts.

import { between, hours, instant, type Instant, type WallTime, wallAfter } from "../base/time.ts";
import { conditionOf, type ConditionCode, type Values } from "../health/catalogue.ts";
import type { NodeId, OverlaySnapshot, PeerInfo } from "../overlay/ports.ts";
import { formatDay } from "../provision/calendar.ts";
import type { Binding, StreamPorts } from "../sip/ports.ts";
import { natOf } from "../sip/media/relay-need.ts";
import type { SipSnapshot } from "../sip/sip-core.ts";
import type { PeerInput, PeerSettings } from "./ports.ts";
import type { BindingReport, BoxReference, ConditionReport, PeerReport, StatusReport } from "./reports.ts";

export type CertificateState = Pick<Extract<PeerInput, { type: "certificate-state" }>, "endsAt" | "trouble">;

/** RFC 6940 section 10.4: the responsible peer and its two successors. */
export const COPIES_WANTED = 3;

const PROCESS_START = instant(0);

export function statusReport(
  settings: PeerSettings,
  snapshot: OverlaySnapshot,
  sip: Pick<SipSnapshot, "counts" | "draining" | "streamPorts">,
  counters: ReadonlyMap<string, number>,
  now: Instant,
  certificate: CertificateState | undefined,
  wall: WallTime,
  serviceAddresses: StatusReport["serviceAddresses"],
): StatusReport {
  const { self } = snapshot;
  const serving = servingBoxes(snapshot);
  return {
    phase: snapshot.phase,
    fleet: settings.fleetName,
    domain: settings.domain,
    nodeId: self.nodeId,
    zone: self.zone,
    software: self.software,
    sip: self.sip,
    transports: transports(self.sip.port, sip.streamPorts),
    serviceAddresses,
    overlay: self.overlay,
    share: snapshot.share,
    copies: snapshot.copies,
    copiesWanted: COPIES_WANTED,
    inSync: snapshot.arc?.inSync ?? false,
    comparedSecondsAgo: snapshot.arc?.comparedAt === undefined ? null : Math.floor(between(snapshot.arc.comparedAt, now) / 1_000),
    receiving: snapshot.receiving ?? null,
    boxes: { serving, known: snapshot.members.filter(({ state }) => state !== "left").length + 1 },
    entries: { owned: snapshot.owned, held: snapshot.held },
    uptimeSeconds: Math.floor(between(PROCESS_START, now) / 1_000),
    certificateEndsAt: certificate?.endsAt ?? null,
    conditions: [
      ...(sip.draining ? [conditionOf("draining")] : []), ...conditions(snapshot, serving), ...certificateConditions(certificate),
      ...configurationConditions(snapshot, wall),
    ],
    counters: { ...snapshot.counters, ...sip.counts, ...Object.fromEntries(counters) },
  };
}

function transports(sipPort: number, { tls, ws, wss }: StreamPorts): StatusReport["transports"] {
  const served = { udp: sipPort, tcp: sipPort, tls, ws, wss };
  return TRANSPORTS.flatMap((transport) => {
    const port = served[transport];
    return port === undefined ? [] : [{ transport, port }];
  });
}
const TRANSPORTS = ["udp", "tcp", "tls", "ws", "wss"] as const;

const servingBoxes = (snapshot: OverlaySnapshot): number =>
  snapshot.members.filter(({ state }) => state === "serving").length + (snapshot.phase === "serving" ? 1 : 0);

function conditions(snapshot: OverlaySnapshot, serving: number): ConditionReport[] {
  const { phase, receiving, disk, doubles, arc, clockError } = snapshot;
  if (phase === "revoked") return [conditionOf("revoked")];
  const found: ConditionReport[] = [];
  const note = (isSo: boolean, code: ConditionCode, values: Values = {}): void => {
    if (isSo) found.push(conditionOf(code, values));
  };
  note(phase === "seeking", "seeking");
  if (receiving !== undefined) note(true, "receiving-share", receiving);
  note(phase === "serving" && serving === 1, "alone");
  note(phase === "withdrawing" || phase === "aside", "aside");
  note(disk.state === "stalled", "disk-stalled");
  note(disk.state === "failing", "disk-failing", { count: disk.unwritten });
  note(disk.unrepaired > 0, "rows-damaged", { count: disk.unrepaired });
  note(doubles.self, "identity-double");
  for (const nodeId of doubles.others) note(true, "identity-double-elsewhere", { nodeId });
  const gone = snapshot.members.filter(({ state }) => state === "gone" || state === "silent").length;
  note(gone > 0, "boxes-gone", { count: gone });
  note(snapshot.conflicts > 0, "conflicts", { count: snapshot.conflicts });
  note(Math.abs(clockError) > CLOCK_ERROR_SHOWN, "clock-differs", {
    minutes: Math.round(Math.abs(clockError) / 60_000), direction: clockError > 0 ? "ahead of" : "behind",
  });
  note(phase === "serving" && arc?.inSync === false && serving > 1, "copies-not-equal");
  return found;
}

/** A wall clock that is further from the ring's time is told of, milliseconds. */
const CLOCK_ERROR_SHOWN = 60_000;

/** So long before its end an operator is told. */
const END_TOLD = hours(24 * 30);

function configurationConditions({ rules: { configuration } }: OverlaySnapshot, wall: WallTime): readonly ConditionReport[] {
  const end = configuration?.expiration.slice(0, 10);
  if (end === undefined || end >= formatDay(wallAfter(wall, END_TOLD))) return [];
  return [conditionOf(end < formatDay(wall) ? "configuration-ended" : "configuration-ends", { day: end })];
}

const certificateConditions = (certificate: CertificateState | undefined): readonly ConditionReport[] =>
  certificate?.trouble === undefined ? [] : [conditionOf("certificate-not-renewed", { trouble: certificate.trouble })];

export function peerReports(snapshot: OverlaySnapshot): PeerReport[] {
  const { self, phase } = snapshot;
  const own: PeerReport = {
    ...described(self),
    self: true,
    state: phase,
    share: snapshot.share,
    roundTripMs: null,
  };
  const others = snapshot.members.map(
    ({ info, state, share, roundTrip }): PeerReport => ({
      ...described(info),
      self: false,
      state,
      share,
      roundTripMs: roundTrip ?? null,
    }),
  );
  return [own, ...others].sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
}

const described = ({ nodeId, overlay, sip, zone, software }: PeerInfo) => ({ nodeId, overlay, sip, zone, software });

export function boxReference(nodeId: NodeId, info: PeerInfo | undefined): BoxReference {
  return { nodeId, sip: info?.sip ?? null, overlay: info?.overlay ?? null };
}

export function bindingReport(binding: Binding, edge: PeerInfo | undefined): BindingReport {
  const { contact, transport, received, preference, expiresAt, userAgent, instance, path } = binding;
  const flowOwner = boxReference(binding.edge as NodeId, edge);
  return { contact, transport, received, flowOwner, preference, expiresAt, userAgent, instance, path, nat: natOf(binding) };
}
