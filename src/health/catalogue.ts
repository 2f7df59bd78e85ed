// Everything that may be the matter with a box, declared once: page, console, `ringbox status`, metrics, journal and
// the box's answer to OPTIONS all render these. docs/health.md prints the catalogue.

import { type Duration, milliseconds, seconds } from "../base/time.ts";
import type { Condition, Severity } from "./report.ts";

/** What a text is filled with. */
export type Values = Readonly<Record<string, string | number>>;

export interface Declaration {
  readonly severity: Severity;
  /** Phones do not work through this box while it is so. */
  readonly stopsCalls?: true;
  /** With one of these present it is left out: it is a consequence. */
  readonly dependsOn: readonly ConditionCode[];
  /** How long it must be present before it is shown: no alarm for a blink. */
  readonly visibleAfter: Duration;
  /** One sentence in plain words. */
  readonly text: (values: Values) => string;
  /** What to do next; empty if nothing. */
  readonly next: string | ((values: Values) => string);
}

const AT_ONCE = milliseconds(0);

export type ConditionCode =
  | "alone" | "boxes-gone" | "calls-fail" | "calls-fail-from-outside" | "certificate-not-renewed" | "clock-differs"
  | "configuration-ended" | "configuration-ends" | "conflicts" | "copies-not-equal" | "draining"
  | "aside" | "disk-failing" | "disk-full" | "disk-low" | "disk-predicts-failure" | "disk-read-only" | "disk-stalled" | "disk-worn" | "hot" | "identity-double"
  | "identity-double-elsewhere" | "link-down" | "media-relay-silent" | "memory-low" | "not-proved" | "not-proved-from-outside" | "on-battery" | "peer-not-running"
  | "peer-silent" | "phones-silent" | "power-low" | "receiving-share" | "restarts" | "revoked" | "rows-damaged" | "seeking" | "sip-rewritten" | "sip-silent"
  | "waiting-for-admission";

/** What a box says of itself; the rest is what its agent found. */
export const TOLD_BY_PEER: readonly ConditionCode[] = [
  "alone", "aside", "boxes-gone", "certificate-not-renewed", "clock-differs", "configuration-ended", "configuration-ends", "conflicts", "copies-not-equal", "disk-failing", "disk-stalled", "draining", "identity-double",
  "identity-double-elsewhere", "media-relay-silent", "receiving-share", "revoked", "rows-damaged", "seeking",
];

const PEER_GONE: readonly ConditionCode[] = ["peer-not-running", "peer-silent", "waiting-for-admission", "revoked"];
const NO_CALLS: readonly ConditionCode[] = [...PEER_GONE, "sip-silent", "seeking"];

const many = (values: Values, one: string, more: string): string => (values["count"] === 1 ? `1 ${one}` : `${values["count"]} ${more}`);

export const CATALOGUE: Readonly<Record<ConditionCode, Declaration>> = {
  "peer-not-running": {
    severity: "alarm", stopsCalls: true, dependsOn: [], visibleAfter: AT_ONCE,
    text: () => "The program that serves phones, ringboxd, is not running.",
    next: "It is started again by itself. If this stays, look at its journal.",
  },
  "peer-silent": {
    severity: "alarm", stopsCalls: true, dependsOn: ["peer-not-running"], visibleAfter: AT_ONCE,
    text: () => "The program that serves phones, ringboxd, does not answer.",
    next: "It is stopped and started again by itself. If this stays, restart the box.",
  },
  "waiting-for-admission": {
    severity: "warning", stopsCalls: true, dependsOn: [], visibleAfter: AT_ONCE,
    text: ({ code }) => `This box belongs to no fleet yet. Its code is ${code}.`,
    next: ({ code }) => `Type the code at any box of its fleet: on its page, or with ringbox admit ${code}.`,
  },
  "sip-silent": {
    severity: "alarm", stopsCalls: true, dependsOn: PEER_GONE, visibleAfter: AT_ONCE,
    text: ({ transports }) => `The SIP port of this box does not answer over ${transports}.`,
    next: "Look for a firewall rule on this box, or another program on its port.",
  },
  "link-down": {
    severity: "alarm", stopsCalls: true, dependsOn: [], visibleAfter: AT_ONCE,
    text: ({ interface: name }) => `The network cable of this box (${name}) has no link.`,
    next: "Plug the cable in, or try another cable or switch port.",
  },
  "calls-fail": {
    severity: "alarm", stopsCalls: true, dependsOn: NO_CALLS, visibleAfter: AT_ONCE,
    text: ({ transport, detail }) => `A trial call through this box failed over ${transport}: ${detail}.`,
    next: "If this stays, restart the box: its phones go on at the others.",
  },
  "calls-fail-from-outside": {
    severity: "alarm", dependsOn: [...NO_CALLS, "calls-fail", "link-down"], visibleAfter: AT_ONCE,
    text: ({ box, detail }) => `Box ${box} could not call through this box: ${detail}.`,
    next: "Look at the network between the two: a firewall, a switch, a cable.",
  },
  "not-proved": {
    severity: "warning", dependsOn: [...NO_CALLS, "calls-fail"], visibleAfter: seconds(20),
    text: () => "No trial call through this box has been made lately: it is not known whether phones work.",
    next: "",
  },
  "not-proved-from-outside": {
    severity: "notice", dependsOn: [...NO_CALLS, "alone", "calls-fail-from-outside"], visibleAfter: seconds(60),
    text: () => "No other box has called through this one lately.",
    next: "Look whether ringbox-agent runs on the other boxes, and at the network between them.",
  },
  revoked: {
    severity: "alarm", stopsCalls: true, dependsOn: ["peer-not-running"], visibleAfter: AT_ONCE,
    text: () => "This box was revoked: the other boxes believe it no more, and it serves nobody.",
    next: "To use it again, empty its data directory and give it a ticket; it will be a new box.",
  },
  seeking: {
    severity: "warning", stopsCalls: true, dependsOn: ["peer-not-running", "link-down"], visibleAfter: AT_ONCE,
    text: () => "This box has not found the others yet.",
    next: "Check its cable and that another box of the fleet is running, or give it one's address with --hint.",
  },
  "receiving-share": {
    severity: "notice", dependsOn: [], visibleAfter: AT_ONCE,
    text: ({ received, expected }) => `Receiving its share: ${received} of ${expected} entries.`,
    next: "",
  },
  alone: {
    severity: "notice", dependsOn: [], visibleAfter: AT_ONCE,
    text: () => "1 copy: this is the only box, and nothing takes over if it dies.",
    next: "Plug in a second box with a ticket of this fleet.",
  },
  draining: {
    severity: "notice", dependsOn: [], visibleAfter: AT_ONCE,
    text: () => "This box takes no new calls and registrations; phones that know other boxes use those.",
    next: "It takes them again after a quarter of an hour, or when it is told so on its page.",
  },
  "media-relay-silent": {
    severity: "warning", dependsOn: [], visibleAfter: AT_ONCE,
    text: () => "The media relay of this box does not answer: browsers and telephones do not hear each other.",
    next: "Look whether rtpengine runs at the address given with --media-relay, and listens there (listen-ng).",
  },
  "disk-stalled": {
    severity: "alarm", dependsOn: [], visibleAfter: AT_ONCE,
    text: () => "The disk of this box does not answer: it takes no subscriber changes. Calls and registrations go on.",
    next: "Look at its disk; replace the box if it stays so.",
  },
  "disk-failing": {
    severity: "alarm", dependsOn: [], visibleAfter: AT_ONCE,
    text: (values) => `The disk of this box does not take what must be on it: ${many(values, "entry is", "entries are")} in memory only. Calls and registrations go on.`,
    next: "Make room on its disk, or replace the box.",
  },
  aside: {
    severity: "alarm", dependsOn: [], visibleAfter: AT_ONCE,
    text: () => "The disk of this box fails, so the other boxes hold what it held. It goes on serving phones.",
    next: "Replace the box. If its disk was only full, make room: the box takes its share again by itself.",
  },
  "disk-full": {
    severity: "alarm", dependsOn: [], visibleAfter: AT_ONCE,
    text: () => "The disk of this box is full: it keeps nothing new. Calls and registrations go on.",
    next: "Make room on its disk.",
  },
  "disk-low": {
    severity: "warning", dependsOn: ["disk-full"], visibleAfter: seconds(30),
    text: ({ megabytes }) => `The disk of this box has ${megabytes} MB left.`,
    next: "Make room on its disk.",
  },
  "disk-read-only": {
    severity: "alarm", dependsOn: [], visibleAfter: AT_ONCE,
    text: () => "The disk of this box can only be read: the system has given it up. Calls and registrations go on.",
    next: "Replace the box: its disk is failing.",
  },
  "rows-damaged": {
    severity: "warning", dependsOn: [], visibleAfter: AT_ONCE,
    text: (values) =>
      `${many(values, "entry", "entries")} on the disk of this box ${values["count"] === 1 ? "was" : "were"} damaged, and no other box has given ${values["count"] === 1 ? "it" : "them"} back yet.`,
    next: "Look at the subscribers; enter again who is missing. A disk that damages what it holds is worn out: replace the box.",
  },
  "certificate-not-renewed": {
    severity: "warning", dependsOn: [], visibleAfter: AT_ONCE,
    text: ({ trouble }) => `This box's certificate could not be renewed: ${trouble}.`,
    next: "When it has ended no other box believes this one. If it does not mend itself, empty its data directory and give it a ticket.",
  },
  "configuration-ends": {
    severity: "warning", dependsOn: [], visibleAfter: AT_ONCE,
    text: ({ day }) => `The fleet's configuration ends on ${day}: no box is admitted after that.`,
    next: "Sign a later end: ringbox config set expiration=DAY. It cannot be later than that of the fleet's root certificate.",
  },
  "configuration-ended": {
    severity: "alarm", dependsOn: [], visibleAfter: AT_ONCE,
    text: ({ day }) => `The fleet's configuration ended on ${day}: it is gone by still, and no box is admitted.`,
    next: "Sign a later end: ringbox config set expiration=DAY. It cannot be later than that of the fleet's root certificate.",
  },
  "identity-double": {
    severity: "alarm", dependsOn: [], visibleAfter: AT_ONCE,
    text: () => "Another box uses this box's identity: its data directory is a copy. This box takes no subscriber changes, and the others do not let it in.",
    next: "Stop one of the two, empty its data directory, and start it with a ticket.",
  },
  "identity-double-elsewhere": {
    severity: "alarm", dependsOn: [], visibleAfter: AT_ONCE,
    text: ({ nodeId }) => `Two boxes use the identity ${nodeId}: one is a copy of the other. Neither is let into the ring.`,
    next: "Stop one of the two, empty its data directory, and start it with a ticket.",
  },
  "boxes-gone": {
    severity: "warning", dependsOn: ["seeking", "link-down", "peer-not-running", "peer-silent"], visibleAfter: AT_ONCE,
    text: (values) => (values["count"] === 1 ? "1 box does not answer." : `${values["count"]} boxes do not answer.`),
    next: "Look at `ringbox peers`; a dead box is replaced by a blank one.",
  },
  conflicts: {
    severity: "notice", dependsOn: [], visibleAfter: AT_ONCE,
    text: (values) =>
      `${many(values, "subscriber", "subscribers")} of whom this box holds a copy ${values["count"] === 1 ? "was" : "were"} changed by boxes that did not know of each other's change.`,
    next: "Look at `ringbox conflicts`.",
  },
  "clock-differs": {
    severity: "warning", dependsOn: [], visibleAfter: AT_ONCE,
    text: ({ minutes, direction }) => `This box's clock is ${minutes} minutes ${direction} the time that the ring goes by; the ring's is used.`,
    next: "Set the clock. If all boxes say so, the ring's time is wrong: it is taken anew when all are started together.",
  },
  "copies-not-equal": {
    severity: "notice", dependsOn: [], visibleAfter: AT_ONCE,
    text: () => "Copies on the other boxes are being compared and brought up to date.",
    next: "",
  },
  "phones-silent": {
    severity: "warning", dependsOn: [...NO_CALLS, "link-down"], visibleAfter: seconds(10),
    text: (values) => `${many(values, "phone is", "phones are")} registered but ${values["count"] === 1 ? "does" : "do"} not answer.`,
    next: "Look at the phones in question: power, cable, and the firewall or router between.",
  },
  "sip-rewritten": {
    severity: "warning", dependsOn: [], visibleAfter: AT_ONCE,
    text: ({ count, router }) => `The SIP of ${count} phones is changed on its way to their box (a SIP ALG), seen from ${router}.`,
    next: "Switch SIP ALG, SIP helper or SIP fix-up off in the router that these phones are behind, and restart them.",
  },
  "disk-predicts-failure": {
    severity: "alarm", dependsOn: [], visibleAfter: AT_ONCE,
    text: () => "The disk of this box expects to fail soon (SMART).",
    next: "Replace the box while it still works.",
  },
  "disk-worn": {
    severity: "warning", dependsOn: [], visibleAfter: AT_ONCE,
    text: ({ percent }) => `The disk of this box is worn: ${percent} % of its life are used up.`,
    next: "Plan to replace the box.",
  },
  "power-low": {
    severity: "warning", dependsOn: [], visibleAfter: AT_ONCE,
    text: () => "The power supply of this box is too weak: its voltage has been too low since it started.",
    next: "Give it the power supply that belongs to it.",
  },
  "on-battery": {
    severity: "warning", dependsOn: [], visibleAfter: seconds(30),
    text: ({ percent }) => `This box runs on its battery: ${percent} % are left.`,
    next: "Look at its power supply.",
  },
  hot: {
    severity: "warning", dependsOn: [], visibleAfter: seconds(30),
    text: ({ degrees }) => `This box is hot: ${degrees} °C.`,
    next: "Give it air; look at its fan.",
  },
  "memory-low": {
    severity: "warning", dependsOn: [], visibleAfter: seconds(30),
    text: ({ megabytes }) => `This box has ${megabytes} MB of memory left.`,
    next: "Look at what else runs on it.",
  },
  restarts: {
    severity: "warning", dependsOn: [], visibleAfter: AT_ONCE,
    text: ({ count }) => `The program that serves phones was started ${count} times within ten minutes.`,
    next: "Look at its journal: each end has its reason there.",
  },
};

/** Most pressing first: what stops calls, then by severity, then by name. */
export const inOrder = (a: ConditionCode, b: ConditionCode): number => rank(a) - rank(b) || (a < b ? -1 : 1);

const SEVERITIES: readonly Severity[] = ["alarm", "warning", "notice"];
const rank = (code: ConditionCode): number => SEVERITIES.indexOf(CATALOGUE[code].severity) - (CATALOGUE[code].stopsCalls === true ? 10 : 0);

export const isConditionCode = (code: string): code is ConditionCode => Object.hasOwn(CATALOGUE, code);

export const CONDITION_CODES = Object.keys(CATALOGUE).filter(isConditionCode);

/** The condition in words, without the time of its beginning. */
export function conditionOf(code: ConditionCode, values: Values = {}): Omit<Condition, "since"> {
  const { severity, text, next } = CATALOGUE[code];
  return { code, severity, text: text(values), next: typeof next === "string" ? next : next(values) };
}
