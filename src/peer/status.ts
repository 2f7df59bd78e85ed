// Renders what a box knows of itself into the reports of reports.ts.

import { between, instant, type Instant } from "../base/time.ts";
import type { NodeId, OverlaySnapshot, PeerInfo } from "../overlay/ports.ts";
import type { Binding, StreamPorts } from "../sip/ports.ts";
import type { SipSnapshot } from "../sip/sip-core.ts";
import type { PeerSettings } from "./ports.ts";
import type { BindingReport, BoxReference, ConditionReport, PeerReport, StatusReport } from "./reports.ts";

/** RFC 6940 section 10.4: the responsible peer and its two successors. */
export const COPIES_WANTED = 3;

const PROCESS_START = instant(0);

export function statusReport(
  settings: PeerSettings,
  snapshot: OverlaySnapshot,
  sip: Pick<SipSnapshot, "counts" | "draining" | "streamPorts">,
  counters: ReadonlyMap<string, number>,
  now: Instant,
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
    overlay: self.overlay,
    share: snapshot.share,
    copies: snapshot.copies,
    copiesWanted: COPIES_WANTED,
    inSync: snapshot.arc?.inSync ?? false,
    comparedSecondsAgo: snapshot.arc?.comparedAt === undefined ? null : Math.floor(between(snapshot.arc.comparedAt, now) / 1_000),
    boxes: { serving, known: snapshot.members.filter(({ state }) => state !== "left").length + 1 },
    entries: { owned: snapshot.owned, held: snapshot.held },
    uptimeSeconds: Math.floor(between(PROCESS_START, now) / 1_000),
    conditions: [...(sip.draining ? [DRAINING] : []), ...conditions(snapshot, serving)],
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
  const found: ConditionReport[] = [];
  if (snapshot.phase === "revoked") return [REVOKED];
  if (snapshot.phase === "seeking") found.push(SEEKING);
  if (snapshot.receiving !== undefined) found.push(receivingShare(snapshot.receiving));
  if (snapshot.phase === "serving" && serving === 1) found.push(ALONE);
  if (snapshot.disk.state === "stalled") found.push(DISK_STALLED);
  if (snapshot.disk.state === "failing") found.push(diskFailing(snapshot.disk.unwritten));
  if (snapshot.disk.unrepaired > 0) found.push(rowsDamaged(snapshot.disk.unrepaired));
  if (snapshot.doubles.self) found.push(DOUBLE);
  for (const nodeId of snapshot.doubles.others) found.push(doubleOf(nodeId));
  const gone = snapshot.members.filter(({ state }) => state === "gone" || state === "silent").length;
  if (gone > 0) found.push(boxesGone(gone));
  if (snapshot.conflicts > 0) found.push(conflictsHeld(snapshot.conflicts));
  if (Math.abs(snapshot.clockError) > CLOCK_ERROR_SHOWN) found.push(clockDiffers(snapshot.clockError));
  if (snapshot.phase === "serving" && snapshot.arc?.inSync === false && serving > 1) found.push(COPYING);
  return found;
}

const REVOKED: ConditionReport = {
  code: "revoked",
  severity: "alarm",
  text: "This box was revoked: the other boxes believe it no more, and it serves nobody.",
  next: "To use it again, empty its data directory and give it a ticket; it will be a new box.",
};

const SEEKING: ConditionReport = {
  code: "seeking",
  severity: "warning",
  text: "This box has not found the others yet.",
  next: "Check its cable and that another box of the fleet is running, or give it one's address with --hint.",
};

const ALONE: ConditionReport = {
  code: "alone",
  severity: "notice",
  text: "1 copy: this is the only box, and nothing takes over if it dies.",
  next: "Plug in a second box with a ticket of this fleet.",
};

const DRAINING: ConditionReport = {
  code: "draining",
  severity: "notice",
  text: "This box takes no new calls and registrations; phones that know other boxes use those.",
  next: "It takes them again after a quarter of an hour, or when it is told so on its page.",
};

const COPYING: ConditionReport = {
  code: "copies-not-equal",
  severity: "notice",
  text: "Copies on the other boxes are being compared and brought up to date.",
  next: "",
};

/** A wall clock that is further from the ring's time is told of, milliseconds. */
const CLOCK_ERROR_SHOWN = 60_000;

const conflictsHeld = (count: number): ConditionReport => ({
  code: "conflicts",
  severity: "notice",
  text: `${count === 1 ? "1 subscriber" : `${count} subscribers`} of whom this box holds a copy ${count === 1 ? "was" : "were"} changed by boxes that did not know of each other's change.`,
  next: "Look at `ringbox conflicts`.",
});

const clockDiffers = (error: number): ConditionReport => ({
  code: "clock-differs",
  severity: "warning",
  text: `This box's clock is ${Math.round(Math.abs(error) / 60_000)} minutes ${error > 0 ? "ahead of" : "behind"} the time that the ring goes by; the ring's is used.`,
  next: "Set the clock. If all boxes say so, the ring's time is wrong: it is taken anew when all are started together.",
});

const DOUBLE: ConditionReport = {
  code: "identity-double",
  severity: "alarm",
  text: "Another box uses this box's identity: its data directory is a copy. This box takes no subscriber changes, and the others do not let it in.",
  next: "Stop one of the two, empty its data directory, and start it with a ticket.",
};

const doubleOf = (nodeId: NodeId): ConditionReport => ({
  code: "identity-double-elsewhere",
  severity: "alarm",
  text: `Two boxes use the identity ${nodeId}: one is a copy of the other. Neither is let into the ring.`,
  next: "Stop one of the two, empty its data directory, and start it with a ticket.",
});

const DISK_STALLED: ConditionReport = {
  code: "disk-stalled",
  severity: "alarm",
  text: "The disk of this box does not answer: it takes no subscriber changes. Calls and registrations go on.",
  next: "Look at its disk; replace the box if it stays so.",
};

const diskFailing = (unwritten: number): ConditionReport => ({
  code: "disk-failing",
  severity: "alarm",
  text: `The disk of this box does not take what must be on it: ${unwritten === 1 ? "1 entry is" : `${unwritten} entries are`} in memory only. Calls and registrations go on.`,
  next: "Make room on its disk, or replace the box.",
});

const rowsDamaged = (count: number): ConditionReport => ({
  code: "rows-damaged",
  severity: "warning",
  text: `${count === 1 ? "1 entry" : `${count} entries`} on the disk of this box ${count === 1 ? "was" : "were"} damaged, and no other box has given ${count === 1 ? "it" : "them"} back yet.`,
  next: "Look at the subscribers; enter again who is missing. A disk that damages what it holds is worn out: replace the box.",
});

const receivingShare = ({ received, expected }: { readonly received: number; readonly expected: number }): ConditionReport => ({
  code: "receiving-share",
  severity: "notice",
  text: `Receiving its share: ${received} of ${expected} entries.`,
  next: "",
});

const boxesGone = (count: number): ConditionReport => ({
  code: "boxes-gone",
  severity: "warning",
  text: count === 1 ? "1 box does not answer." : `${count} boxes do not answer.`,
  next: "Look at `ringbox peers`; a dead box is replaced by a blank one.",
});

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
  return { contact, transport, received, flowOwner, preference, expiresAt, userAgent, instance, path };
}
