// What crosses the border of the SIP core: nothing else does.
//
// SIP messages travel as octet strings (one character per byte, 0..255), in and out, so that a body
// or an unknown header passes byte for byte. Whoever owns the sockets converts.

import type { Address } from "../base/address.ts";
import type { Duration, WallTime } from "../base/time.ts";

export type TransportName = "udp" | "tcp" | "tls" | "ws" | "wss";

/** The ports besides the SIP port (UDP and TCP) on which this box serves phones now; `undefined`: not served. */
export interface StreamPorts {
  readonly tls: number | undefined;
  readonly ws: number | undefined;
  readonly wss: number | undefined;
}
export const NO_STREAM_PORTS: StreamPorts = { tls: undefined, ws: undefined, wss: undefined };

/** Where a message came from, or the way back to it: a UDP address pair or one connection. */
export interface Flow {
  readonly transport: TransportName;
  /** Our own end: the bound UDP address, or the local end of the connection. */
  readonly local: Address;
  readonly remote: Address;
  /** The number of the connection, never used twice in the life of a process; 0 for UDP. */
  readonly connection: number;
}

/** Names a question of the SIP core; the answer carries it back. */
export type Ticket = number;

/** Credentials of a subscriber: the digest A1 hashes for the domain (RFC 7616), lower-case hex. */
export interface Credentials {
  readonly username: string;
  readonly realm: string;
  readonly ha1Md5: string;
  readonly ha1Sha256: string;
}

/** One AoR-to-contact entry (RFC 3261 section 10), as every box of the ring understands it. */
export interface Binding {
  /** The contact address as registered: URI without angle brackets and without header parameters. */
  readonly contact: string;
  /** Names the binding within its AoR: from instance-id and reg-id (RFC 5626), else from the URI by RFC 3261 19.1.4. Hex. */
  readonly key: string;
  readonly callId: string;
  readonly cseq: number;
  /** 0 to 1000, the q parameter times 1000. */
  readonly preference: number;
  readonly expiresAt: WallTime;
  readonly instance: string;
  readonly regId: number;
  /** Path vector (RFC 3327), in order, as URIs; outside proxies only. */
  readonly path: readonly string[];
  readonly userAgent: string;
  /** Contact header parameters that are kept and listed again, as `;name=value…`, without q and expires. */
  readonly parameters: string;
  /** The flow owner's Node-ID: the box that took the REGISTER. Hex. */
  readonly edge: string;
  /** The flow token by which the flow owner knows the phone's flow again. */
  readonly flowToken: string;
  /** Where the REGISTER came from: the phone's address as its box saw it. */
  readonly received: Address;
  readonly transport: TransportName;
  /** Something between the phone and its box changes what the phone writes (SIP ALG). */
  readonly isRewritten?: true;
  /** Where its box takes SIP over TLS, of a phone on secure WebSocket: the way to it for `sips:`. */
  readonly securePort?: number;
}

/** A binding as the location service hands it out: with the way to its flow owner at this moment. */
export interface FoundBinding extends Binding {
  /** `here`: this box owns the flow. `elsewhere`: send through that box's SIP address. `gone`: the flow owner is not in the ring. */
  readonly reach:
    | { readonly at: "here" }
    | { readonly at: "elsewhere"; readonly box: Address }
    | { readonly at: "gone" };
}

/** The changes one REGISTER makes; all or none (RFC 3261 section 10.3). */
export interface BindingChanges {
  readonly upserts: readonly Binding[];
  /** Keys of bindings to remove. */
  readonly removals: readonly string[];
}

export type UserLookup =
  | {
      readonly outcome: "found";
      /** `undefined`: the domain is ours but there is no such subscriber. */
      readonly credentials: Credentials | undefined;
      readonly bindings: readonly FoundBinding[];
      /** Whether messages wait for him, and whether somebody watches his presence or registrations, if that was asked. */
      readonly hasMessages?: boolean;
      readonly isWatched?: boolean;
    }
  /** The overlay could not answer in time: 503. */
  | { readonly outcome: "unavailable" };

export type BindingsOutcome =
  /** Stored on as many boxes as the ring promises. */
  | { readonly outcome: "stored" }
  | { readonly outcome: "unavailable" };

/** What can be subscribed to (RFC 6665): the names of the packages that this fleet serves. */
export type EventPackage = "dialog" | "presence" | "message-summary" | "reg";

/** One subscription of a watcher, as every box understands it: enough to go on with its dialog. */
export interface Subscription {
  /** Names it within the watched AoR. Hex. */
  readonly key: string;
  readonly package: EventPackage;
  /** The `id` parameter of Event; "" if there is none. */
  readonly id: string;
  readonly callId: string;
  readonly localTag: string;
  /** To of the SUBSCRIBE as it was written, without a tag. */
  readonly local: string;
  /** From of the SUBSCRIBE as it was written, with its tag. */
  readonly remote: string;
  /** The watcher's Contact, a URI. */
  readonly target: string;
  readonly routes: readonly string[];
  /** CSeq of the last SUBSCRIBE. */
  readonly remoteCseq: number;
  readonly startedAt: WallTime;
  readonly expiresAt: WallTime;
  /** Node-ID of the box that sends the NOTIFYs, hex. */
  readonly edge: string;
  readonly flowToken: string;
  readonly received: Address;
  readonly transport: TransportName;
}

/** Like a binding: with the way to its box at this moment. */
export interface FoundSubscription extends Subscription {
  readonly reach: FoundBinding["reach"];
}

/** What watchers are told of an AoR: one dialog, or one publication (RFC 3903). */
export interface EventState {
  /** Names it within the AoR. Hex. */
  readonly key: string;
  readonly package: EventPackage;
  /** Body, or the part of one that the package says. */
  readonly content: string;
  readonly contentType: string;
  /** SIP-ETag of a publication; "" if it is none. */
  readonly etag: string;
  /** It is over: told once, and not missed when it is forgotten. */
  readonly isFinal: boolean;
  readonly expiresAt: WallTime;
}

export interface FoundEventState extends EventState {
  /** When it was written, by the ring's own clock: of two versions the later one stands. */
  readonly writtenAt: WallTime;
}

/** All that the ring knows of who watches an AoR, and of what there is to see. */
export type EventLookup =
  | {
      readonly outcome: "found";
      readonly isUser: boolean;
      readonly subscriptions: readonly FoundSubscription[];
      readonly states: readonly FoundEventState[];
      readonly bindings: readonly FoundBinding[];
    }
  | { readonly outcome: "unavailable" };

export type EventChange =
  | { readonly of: "subscriptions"; readonly upserts: readonly Subscription[]; readonly removals: readonly string[] }
  | { readonly of: "states"; readonly upserts: readonly EventState[]; readonly removals: readonly string[] };

/** A MESSAGE (RFC 3428) that waits for its user to come back. */
export interface KeptMessage {
  /** Names it within the AoR, so that whoever sends it twice has sent it once. Hex. */
  readonly key: string;
  /** From as it was written, with its tag. */
  readonly from: string;
  readonly callId: string;
  readonly cseq: number;
  readonly contentType: string;
  readonly body: string;
  /** Messages are delivered in the order of this. */
  readonly takenAt: WallTime;
  readonly expiresAt: WallTime;
  /** `waiting`; or delivered, and remembered for a while so that it is not taken again. */
  readonly state: "waiting" | "delivered";
  /** Node-ID of the box that is delivering it, hex, and until when it is believed to be; "" if none is. */
  readonly courier: string;
  readonly courierUntil: WallTime;
}

export type MessageLookup =
  | { readonly outcome: "found"; readonly messages: readonly KeptMessage[]; readonly bindings: readonly FoundBinding[] }
  | { readonly outcome: "unavailable" };

/** One place to try, from RFC 3263. */
export interface Target {
  readonly transport: TransportName;
  readonly address: Address;
}

/** What the media relay is asked. `towards`: for whom the description is that comes back; `changes`: whether the two sides differ. */
export type MediaQuestion = {
  readonly verb: "offer" | "answer";
  readonly callId: string;
  readonly fromTag: string;
  /** "": none yet. */
  readonly toTag: string;
  /** Tells the phones of a forked call apart; "" within a dialog. */
  readonly branch: string;
  readonly sdp: string;
  readonly towards: "webrtc" | "plain";
  readonly changes: boolean;
};
export interface MediaEnding {
  readonly verb: "delete";
  readonly callId: string;
  readonly fromTag: string;
}

export type SipInput =
  /** A whole UDP datagram or WebSocket message, or the next octets of a TCP or TLS stream. */
  | { readonly type: "received"; readonly flow: Flow; readonly octets: string }
  /** A connection ended, or one that we asked for could not be opened. */
  | { readonly type: "connection-closed"; readonly connection: number }
  /** A message sent with `connect` is on its way over this connection. */
  | { readonly type: "connected"; readonly ticket: Ticket; readonly flow: Flow }
  /** A message could not be sent: connection refused, ICMP unreachable, no route. */
  | { readonly type: "transport-error"; readonly ticket: Ticket }
  | { readonly type: "resolved"; readonly ticket: Ticket; readonly targets: readonly Target[] }
  | { readonly type: "user-found"; readonly ticket: Ticket; readonly lookup: UserLookup }
  | { readonly type: "bindings-changed"; readonly ticket: Ticket; readonly result: BindingsOutcome }
  | { readonly type: "events-read"; readonly ticket: Ticket; readonly lookup: EventLookup }
  | { readonly type: "messages-read"; readonly ticket: Ticket; readonly lookup: MessageLookup }
  | { readonly type: "messages-changed"; readonly ticket: Ticket; readonly result: BindingsOutcome }
  | { readonly type: "events-changed"; readonly ticket: Ticket; readonly result: BindingsOutcome }
  /** `undefined`: the relay did not answer, or would not. */
  | { readonly type: "media-relayed"; readonly ticket: Ticket; readonly sdp: string | undefined }
  | { readonly type: "tick" };

export type SipEffect =
  /** Send on a flow that exists. */
  | { readonly type: "send"; readonly flow: Flow; readonly octets: string }
  /**
   * Send to an address from the given local UDP address, or over a TCP connection to it (an open one
   * if there is one). Answered by `connected` or `transport-error` with the ticket if the transport is TCP or TLS;
   * by `transport-error` or nothing if it is UDP; WebSocket phones are never dialed.
   */
  | {
      readonly type: "connect";
      readonly ticket: Ticket;
      readonly transport: TransportName;
      readonly remote: Address;
      /** The host that was resolved to `remote`, if it was: what a certificate must be for (RFC 5922). */
      readonly name?: string | undefined;
      /** The local address of a datagram, if not the one that leads there. */
      readonly from?: string | undefined;
      readonly octets: string;
    }
  | { readonly type: "close-connection"; readonly connection: number }
  /** Credentials and bindings of an AoR (`user@domain`, canonical) in one question; answered by `user-found`. */
  | { readonly type: "find-user"; readonly ticket: Ticket; readonly aor: string; readonly forRegister?: boolean }
  /** Answered by `bindings-changed`. */
  | { readonly type: "change-bindings"; readonly ticket: Ticket; readonly aor: string; readonly changes: BindingChanges }
  /** Answered by `messages-read`. */
  | { readonly type: "read-messages"; readonly ticket: Ticket; readonly aor: string }
  /** Answered by `messages-changed`, when they are on disk at as many boxes as the ring promises. */
  | { readonly type: "change-messages"; readonly ticket: Ticket; readonly aor: string; readonly upserts: readonly KeptMessage[] }
  /** Answered by `events-read`. */
  | { readonly type: "read-events"; readonly ticket: Ticket; readonly aor: string }
  /** Answered by `events-changed`. */
  | { readonly type: "change-events"; readonly ticket: Ticket; readonly aor: string; readonly change: EventChange }
  /** RFC 3263 for a URI's host; answered by `resolved`, best first, empty if there is nothing. */
  | {
      readonly type: "resolve";
      readonly ticket: Ticket;
      readonly host: string;
      readonly port: number | undefined;
      readonly transport: TransportName | undefined;
    }
  /** To the media relay: answered by `media-relayed`, but for the end of a call. */
  | { readonly type: "relay-media"; readonly ticket: Ticket; readonly question: MediaQuestion | MediaEnding }
  /** Something counted: a name out of a fixed set, for status and metrics. */
  | { readonly type: "count"; readonly event: string };

/** A TURN server that takes credentials made with this secret (octets). */
export interface TurnServer {
  /** `HOST:PORT`. */
  readonly server: string;
  readonly secret: string;
}

/** What the SIP core is told once. */
export interface SipSettings {
  /** The SIP domain of the fleet, lower case. */
  readonly domain: string;
  /** This box's Node-ID, hex: the `edge` of bindings it takes. */
  readonly nodeId: string;
  /** Key material equal on every box of the fleet: nonces and flow tokens (at least 32 bytes). */
  readonly fleetSecret: Uint8Array;
  /** Host names and addresses, besides the domain, by which requests may name this box; with the SIP port. */
  readonly sipPort: number;
  /** A port of this box on which no SIP is served and none may be relayed to. */
  readonly overlayPort?: number;
  /** The local addresses on which SIP is served now; changed by `SipCore.setLocalAddresses`. */
  readonly localAddresses: readonly string[];
  readonly software: string;
  /** For which phones that prove themselves over TLS get credentials. */
  readonly turn?: TurnServer | undefined;
  /** `open`: whoever can reach the box may register as anybody. For closed laboratories and measurements. */
  readonly registration: "authenticated" | "open";
  readonly expiry: { readonly minimum: Duration; readonly standard: Duration; readonly maximum: Duration };
}
