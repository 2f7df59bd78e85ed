// What crosses the border of a whole box: what its sockets, links, disk and control socket bring,
// and what it wants done. A batch of inputs makes one step; the effects come back in order.

import type { WallTime } from "../base/time.ts";
import type { FleetRulesSettings } from "../overlay/configuration/fleet-rules.ts";
import type { OverlayEffect, OverlayInput, OverlayTiming, PeerInfo, Phase, StoredRow } from "../overlay/ports.ts";
import type { SipEffect, SipInput, StreamPorts, TurnServer } from "../sip/ports.ts";
import type { AdmissionAnswer, AdmissionRequest } from "./admission-office.ts";
import type { ControlReply, PeerRequest } from "./control.ts";
import type { ServiceAddressEffect, ServiceAddressEvent } from "./service-addresses.ts";

export type PeerInput =
  | Exclude<SipInput, { type: "user-found" | "bindings-changed" | "events-read" | "events-changed" | "messages-read" | "messages-changed" | "tick" }>
  | Exclude<OverlayInput, { type: "fetch" | "store" | "list" | "leave" | "configure" | "revoke" | "credential" | "tick" }>
  /** This box's new certificate, and the secret that follows from the credential that issues now. */
  | (Extract<OverlayInput, { type: "credential" }> & { readonly fleetSecret: Uint8Array })
  /** A reading of the wall clock, at the instant of the step. The first input of a box's life. */
  | { readonly type: "clock"; readonly wall: WallTime }
  /** How it stands with this box's certificate; `trouble`: why it was not renewed though it should be. */
  | { readonly type: "certificate-state"; readonly endsAt: WallTime; readonly trouble: string | undefined }
  /** SIP is served on these local addresses now. */
  | { readonly type: "local-addresses"; readonly addresses: readonly string[]; readonly streams?: StreamPorts }
  /** Whether the media relay answers. Without one this never comes. */
  | { readonly type: "media-relay"; readonly answers: boolean }
  | ServiceAddressEvent
  /** From the command line or the agent; answered by `replied` with the same ticket. */
  | { readonly type: "control"; readonly ticket: number; readonly request: PeerRequest }
  /** From this box's enrollment desk; answered by `admission-answered` with the same ticket. */
  | { readonly type: "admission"; readonly ticket: number; readonly request: AdmissionRequest }
  /** Something at the overlay port that never became an input of the overlay. */
  | { readonly type: "count"; readonly event: DoorEvent }
  /** Stop in good order: hand the share over, then `phase-changed` to `left`. */
  | { readonly type: "shut-down" }
  | { readonly type: "tick" };

export type DoorEvent =
  /** A connection on which TLS did not come about. */
  | "link-without-tls"
  /** Its certificate is not one that this box believes. */
  | "link-refused"
  /** It was believed, and then did not keep to the link protocol. */
  | "link-broken"
  | "enrollment-refused";

export type PeerEffect =
  | Exclude<SipEffect, { type: "find-user" | "change-bindings" | "read-events" | "change-events" | "read-messages" | "change-messages" | "count" }>
  | Exclude<OverlayEffect, { type: "fetched" | "stored" | "listed" | "configured" | "revoked" | "count" | "member-gone" | "rings-met" }>
  | ServiceAddressEffect
  | { readonly type: "replied"; readonly ticket: number; readonly reply: ControlReply }
  | { readonly type: "admission-answered"; readonly ticket: number; readonly answer: AdmissionAnswer };

/** What a box is told once, when it starts. */
export interface PeerSettings {
  readonly fleetName: string;
  /** The SIP domain the fleet serves, lower case. */
  readonly domain: string;
  /** The RELOAD overlay name. */
  readonly overlayName: string;
  readonly self: PeerInfo;
  readonly certificate: Uint8Array;
  readonly fleetSecret: Uint8Array;
  /** The one before, if it was renewed a short time ago. */
  readonly formerFleetSecret?: Uint8Array | undefined;
  readonly rows: readonly StoredRow[];
  readonly members: readonly PeerInfo[];
  readonly mayStandAlone: boolean;
  /** See `OverlaySettings`. */
  readonly ringAge?: number | undefined;
  readonly localAddresses: readonly string[];
  readonly turn?: TurnServer | undefined;
  /** Whether whoever can reach the box may register as anybody. */
  readonly openRegistration: boolean;
  /** Whether the box publishes its certificate in the ring. */
  readonly publishesCertificate?: boolean;
  /** Addresses by which phones know this box and which another one takes when it is dead, numeric. */
  readonly serviceAddresses?: readonly string[];
  /** What the fleet has decided. */
  readonly rules?: FleetRulesSettings;
  /** Waiting times of the overlay if not the usual ones: a simulated day of many boxes has rarer chores. */
  readonly timing?: OverlayTiming;
}

export type { Phase };
