// What the agent's core is told, and what it wants done. What a box says of itself comes as the peer reports it
// (peer/reports.ts); the shapes here are as much of it as health needs.

import type { Address } from "../base/address.ts";
import type { Duration, WallTime } from "../base/time.ts";
import type { ConditionWords } from "./condition-board.ts";
import type { PhoneAnswer } from "./phone-book.ts";
import type { Trial } from "./proof-book.ts";
import type { Remedy, RemedyName } from "./remedies.ts";
import type { Fact, PhoneFlow, SipTransport, TimeLineEvent } from "./report.ts";

/** What a box's own status says. */
export interface StatusView {
  readonly phase: string;
  readonly fleet: string;
  readonly domain: string;
  readonly nodeId: string;
  readonly zone: string;
  readonly software: string;
  readonly sip: Address;
  readonly share: number;
  readonly copies: number;
  readonly copiesWanted: number;
  readonly inSync: boolean;
  readonly comparedSecondsAgo: number | null;
  readonly receiving: { readonly received: number; readonly expected: number } | null;
  readonly boxes: { readonly serving: number; readonly known: number };
  readonly conditions: readonly ConditionWords[];
}

/** A box of the ring as this one sees it. */
export interface BoxView {
  readonly nodeId: string;
  readonly self: boolean;
  readonly state: string;
  readonly sip: Address;
  readonly zone: string;
  readonly software: string;
  readonly share: number;
  readonly roundTripMs: number | null;
}

/** One contact of a phone, as the ring has it. */
export interface FlowView {
  readonly contact: string;
  readonly transport: string;
  readonly received: Address;
  readonly flowOwner: { readonly nodeId: string };
  readonly expiresAt: number;
  readonly userAgent: string;
  readonly nat: PhoneFlow["nat"];
}
export interface PhoneView {
  readonly aor: string;
  readonly bindings: readonly FlowView[];
}

/** A call or a registration as the peer remembers it (sip/recorder). Times by the clock that the ring agrees on. */
export interface CallView {
  readonly kind: "call" | "registration";
  readonly id: string;
  readonly callId: string;
  readonly from: string;
  readonly to: string;
  readonly startedAt: number;
  readonly ringingAt: number | null;
  readonly answeredAt: number | null;
  readonly endedAt: number | null;
  readonly status: number | null;
  readonly reason: string;
  readonly endedBy: "caller" | "callee" | null;
  readonly leftOut: number;
}

/** One message of it, as it crossed one box. */
export interface MessageView {
  readonly at: number;
  readonly direction: "in" | "out";
  readonly remote: Address;
  readonly transport: string;
  readonly startLine: string;
  readonly text: string;
}

/** Where a box serves SIP. */
export interface BoxPlace {
  readonly nodeId: string;
  readonly sip: Address;
}

/** What was measured of the machine that may be the matter. `undefined`: this machine does not tell it. */
export interface MachineView {
  readonly diskFree: number | undefined;
  readonly diskReadOnly: boolean;
  /** The network interface that phones reach, if it has no link. */
  readonly linkDown: string | undefined;
  readonly memoryFree: number | undefined;
  /** Degrees Celsius. */
  readonly temperature: number | undefined;
  /** Of the life of its disk, percent that are used up. */
  readonly diskUsedUp: number | undefined;
  /** The disk itself expects to fail (SMART). */
  readonly diskPredictsFailure: boolean;
  readonly powerLow: boolean;
  /** It runs on a battery that has so many percent left. */
  readonly battery: number | undefined;
}

export type HealthInput =
  /** A reading of the wall clock. The first input of an agent's life. */
  | { readonly type: "clock"; readonly wall: WallTime }
  | { readonly type: "heartbeat"; readonly phase: string; readonly code: string | null }
  /** Nobody has the control socket open. */
  | { readonly type: "peer-absent" }
  | { readonly type: "status"; readonly status: StatusView; readonly boxes: readonly BoxView[] }
  /** What happened to recent calls since it was told last, in one life of the peer. */
  | { readonly type: "calls"; readonly life: string; readonly calls: readonly CallView[] }
  | { readonly type: "phones"; readonly phones: readonly PhoneView[] }
  /** A phone's contact was asked (OPTIONS); `roundTripMs` null: it did not answer. */
  | ({ readonly type: "phone-asked"; readonly ago: Duration } & PhoneAnswer)
  /** SIP is served here. */
  | { readonly type: "listens"; readonly listens: readonly Listen[] }
  /** The box's SIP port answered OPTIONS, with whatever status. */
  | { readonly type: "sip-answered"; readonly transport: SipTransport }
  | { readonly type: "trial"; readonly trial: Trial }
  | { readonly type: "facts"; readonly facts: readonly Fact[]; readonly machine: MachineView }
  /** Another agent, or the agent itself, tells what happened. */
  | { readonly type: "event"; readonly event: TimeLineEvent }
  | { readonly type: "other-box"; readonly box: OtherBox }
  | { readonly type: "remedy-done"; readonly name: RemedyName }
  /** The neighbors did not agree. */
  | { readonly type: "remedy-refused"; readonly pause: Duration }
  | { readonly type: "tick" };

export interface Listen {
  readonly transport: SipTransport;
  readonly host: string;
  readonly port: number;
}

/** What another box's agent says of it, signed by that box. */
export interface OtherBox {
  readonly nodeId: string;
  readonly verdict: "works" | "impaired" | "broken" | "not-known";
  readonly provedAt: number | null;
  readonly firstLine: string;
  readonly page: string | null;
  /** When it said so, by this box's clock. */
  readonly heardAt: number;
}

export type HealthEffect =
  /** A condition is shown from now on, or is not any more: for journal, webhook, syslog. */
  | { readonly type: "condition-changed"; readonly appeared: boolean; readonly words: ConditionWords }
  /** To be carried out, and answered by `remedy-done` or `remedy-refused`. */
  | { readonly type: "remedy"; readonly remedy: Remedy };
