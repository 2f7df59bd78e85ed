// The reports of a box in plain words. The first line says what matters; figures follow.

import { formatAddress } from "../base/address.ts";
import type {
  BindingReport,
  BoxReference,
  ConflictReport,
  ConflictVersion,
  PeerReport,
  RegistrationReport,
  StatusReport,
  SubscriberReport,
  WhereReport,
} from "../peer/reports.ts";

export function statusText(status: StatusReport): string {
  const { sip, overlay, entries } = status;
  const lines = [
    headline(status),
    ...status.conditions.map(({ text, next }) => `  ${next === "" ? text : `${text} ${next}`}`),
    "",
    ...table([
      ["fleet", `${status.fleet}, SIP domain ${status.domain}`],
      ["SIP", `${formatAddress(sip)}, ${transportsInWords(status.transports)}`],
      ["overlay", formatAddress(overlay)],
      ["Node-ID", status.nodeId],
      ...(status.zone === "" ? [] : [["zone", status.zone]]),
      ["share", `${percent(status.share)} of the ring`],
      ["entries", `${entries.owned} of its own, ${entries.held} held in all; ${comparison(status)}`],
      ["running", `${elapsed(status.uptimeSeconds)}, ${status.software}`],
    ]),
  ];
  return lines.join("\n");
}

/** `UDP and TCP; TLS 5061, WS 5066`. */
export function transportsInWords(transports: StatusReport["transports"]): string {
  const others = transports.filter(({ transport }) => transport !== "udp" && transport !== "tcp");
  const words = others.map(({ transport, port }) => `${transport.toUpperCase()} ${port}`).join(", ");
  return words === "" ? "UDP and TCP" : `UDP and TCP; ${words}`;
}

/** "In sync" is said of copies that were found equal, and when. */
function comparison({ inSync, boxes: { serving }, comparedSecondsAgo }: StatusReport): string {
  if (serving <= 1) return "no copies";
  if (comparedSecondsAgo === null) return "copies not compared yet";
  return `copies ${inSync ? "in sync" : "not in sync"}, compared ${elapsed(comparedSecondsAgo)} ago`;
}

/** What an operator wants to know from across the room. */
export function headline(status: StatusReport): string {
  switch (status.phase) {
    case "seeking":
      return "Not serving: looking for the other boxes.";
    case "joining":
      return "Not serving yet: joining, and receiving its share.";
    case "withdrawing":
      return "Serving phones. Its disk fails: it hands everything over to the other boxes.";
    case "aside":
      return "Serving phones. Its disk fails: the other boxes hold what it held.";
    case "leaving":
      return "Leaving: handing everything over to the other boxes.";
    case "revoked":
      return "Revoked: the other boxes believe this box no more; it serves nobody.";
    case "left":
      return "Left the ring; the other boxes serve what was here.";
    case "serving":
      return `Serving. ${boxes(status)}. ${copies(status.copies)}`;
  }
}

const boxes = ({ boxes: { serving, known } }: StatusReport): string =>
  known === 1 ? "1 box, alone" : `${serving} of ${known} boxes`;

const copies = (count: number): string =>
  count <= 1 ? "1 copy of everything; you can lose none." : `${count} copies of everything; you can lose ${count - 1}.`;

export function peersText(peers: readonly PeerReport[]): string {
  const serving = peers.filter(({ state }) => state === "serving").length;
  const rows = peers.map((peer) => [
    short(peer.nodeId),
    peer.state,
    formatAddress(peer.sip),
    peer.zone === "" ? "-" : peer.zone,
    percent(peer.share),
    peer.self ? "this box" : roundTrip(peer.roundTripMs),
    peer.software,
  ]);
  const heading = ["NODE-ID", "STATE", "SIP", "ZONE", "SHARE", "ROUND TRIP", "SOFTWARE"];
  return [`${serving} of ${peers.length} ${peers.length === 1 ? "box" : "boxes"} serving.`, "", ...table([heading, ...rows])].join("\n");
}

export function subscribersText(subscribers: readonly SubscriberReport[]): string {
  if (subscribers.length === 0) return "No subscribers yet. Add one with: ringbox subscriber add NAME";
  const rows = subscribers.map(({ username, aor, displayName }) => [username, `sip:${aor}`, displayName]);
  return [counted(subscribers.length, "subscriber"), "", ...table([["NAME", "AOR", "DISPLAY NAME"], ...rows])].join("\n");
}

/** `nowMs`: milliseconds since 1970. */
export function conflictsText(conflicts: readonly ConflictReport[], nowMs: number): string {
  if (conflicts.length === 0) return "No conflicts.";
  const blocks = conflicts.flatMap(({ aor, versions }) => [
    "",
    `sip:${aor}`,
    ...table(versions.map((version, index) => [`  ${index + 1}`, ...versionCells(version, nowMs)])),
  ]);
  const subscribers = `${counted(conflicts.length, "subscriber")} changed by boxes that did not know of each other's change.`;
  return [subscribers, ...blocks, "", "Keep one with: ringbox conflicts resolve NAME --keep N"].join("\n");
}

const versionCells = ({ inForce, removed, displayName, password, writtenAt, box }: ConflictVersion, nowMs: number): readonly string[] => [
  inForce ? "in force" : "",
  removed ? "removed" : `password ${password ?? "?"}${displayName === "" ? "" : `, "${displayName}"`}`,
  writtenAt === null ? "" : `${elapsed(Math.max(0, Math.round((nowMs - writtenAt) / 1_000)))} ago`,
  box === null ? "" : `at ${short(box.nodeId)} ${boxAddress(box)}`,
];

/** `nowMs`: milliseconds since 1970. */
export function registrationsText(registrations: readonly RegistrationReport[], nowMs: number): string {
  const rows = registrations.flatMap(({ aor, bindings }) => bindings.map((binding) => [`sip:${aor}`, ...bindingCells(binding, nowMs)]));
  if (rows.length === 0) return "No phone is registered.";
  const phones = counted(rows.length, "binding");
  return [`${phones} of ${counted(registrations.length, "AoR")}`, "", ...table([["AOR", ...BINDING_HEADING], ...rows])].join("\n");
}

export function whereText(where: WhereReport, nowMs: number): string {
  const holding = where.replicas.filter(({ holds }) => holds === "yes").length;
  const asked = `${counted(where.replicas.length, "box", "boxes")} should hold it, ${holding} ${holding === 1 ? "does" : "do"}`;
  const rows = where.replicas.map((replica, index) => [
    short(replica.nodeId),
    boxAddress(replica),
    index === 0 ? "storage owner" : "replica",
    { yes: "holds it", no: "does not hold it", unknown: "did not answer" }[replica.holds],
  ]);
  const phones = where.bindings.map((binding) => bindingCells(binding, nowMs));
  return [
    `sip:${where.aor}: ${asked}. ${where.bindings.length === 0 ? "No phone is registered." : `${counted(where.bindings.length, "binding")}.`}`,
    ...(where.subscriber ? [] : ["  There is no subscriber of that name."]),
    "",
    `Resource-ID ${where.resourceId}`,
    ...table([["NODE-ID", "SIP", "ROLE", "COPY"], ...rows]),
    ...(phones.length === 0 ? [] : ["", ...table([[...BINDING_HEADING], ...phones])]),
  ].join("\n");
}

const BINDING_HEADING = ["CONTACT", "PHONE AT", "FLOW OWNER", "EXPIRES", "PHONE"] as const;

const bindingCells = (binding: BindingReport, nowMs: number): readonly string[] => [
  binding.contact,
  `${formatAddress(binding.received)} ${binding.transport.toUpperCase()}${binding.nat === "rewritten" ? ", SIP changed on its way" : ""}`,
  `${short(binding.flowOwner.nodeId)} ${boxAddress(binding.flowOwner)}`,
  `in ${elapsed(Math.max(0, Math.round((binding.expiresAt - nowMs) / 1_000)))}`,
  binding.userAgent,
];

const boxAddress = ({ sip }: BoxReference): string => (sip === null ? "gone" : formatAddress(sip));

/** Enough of a Node-ID to tell boxes of one fleet apart. */
export const short = (nodeId: string): string => nodeId.slice(0, 8);

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
const roundTrip = (ms: number | null): string => (ms === null ? "-" : `${ms.toFixed(1)} ms`);

/** `1 box`, `2 boxes`. */
export const counted = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;

const UNITS = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
] as const;

/** The two largest units of a length of time. */
export function elapsed(wholeSeconds: number): string {
  const parts: string[] = [];
  let rest = wholeSeconds;
  for (const [unit, length] of UNITS) {
    const count = Math.floor(rest / length);
    rest -= count * length;
    if (count > 0) parts.push(counted(count, unit));
    else if (parts.length > 0) break;
  }
  return parts.slice(0, 2).join(" ") || "0 seconds";
}

/** Columns as wide as their widest cell, two spaces apart. What a phone said of itself cannot write on the terminal. */
export function table(rows: readonly (readonly string[])[]): readonly string[] {
  const clean = rows.map((row) => row.map(visible));
  const widths: number[] = [];
  for (const row of clean) for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  return clean.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ").trimEnd());
}

const visible = (text: string): string => text.replace(/\p{C}/gu, "?");
