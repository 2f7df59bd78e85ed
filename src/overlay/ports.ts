// What crosses the border of the overlay core: nothing else does.
//
// A link is an authenticated TLS 1.3 connection between two enrolled boxes, framed by RFC 6940
// section 6.6. The link layer (overlay/link, driven by io) owns frames, acknowledgements, round-trip
// times and the liveness of the link; the core sees whole RELOAD messages and verdicts on links.

import type { Address } from "../base/address.ts";
import type { Duration, Instant, WallTime } from "../base/time.ts";
import type { FleetConfiguration } from "./configuration/document.ts";
import type { FleetRulesSettings } from "./configuration/fleet-rules.ts";

declare const nodeIdBrand: unique symbol;
declare const resourceIdBrand: unique symbol;

/** 16 bytes as 32 lower-case hex digits, so that string order is ring order. */
export type NodeId = string & { readonly [nodeIdBrand]: true };
/** A place on the same ring: the first 16 bytes of SHA-1 of a resource name (RFC 6940 section 10.2). */
export type ResourceId = string & { readonly [resourceIdBrand]: true };
/** RFC 6940 section 7: names the type of a stored value. */
export type KindId = number;

export type LinkId = number;
export type Ticket = number;

/** What a box says of itself to the others (an extension of Attach, see docs/profile.md). */
export interface PeerInfo {
  readonly nodeId: NodeId;
  readonly overlay: Address;
  readonly sip: Address;
  /** Rack, room or site; empty if none. Copies are spread over zones. */
  readonly zone: string;
  /** Rises with every start of the box. */
  readonly incarnation: number;
  readonly software: string;
}

/** One version of a value: who wrote it, and its first storage_time. */
export interface Version {
  readonly writer: NodeId;
  readonly stamp: WallTime;
}

/** Where a version stands among others: what its writer had seen, the last of each writer. */
export interface History {
  readonly version: Version;
  readonly follows: readonly Version[];
}

/** One entry to be written: its place in the resource and its new value. */
export interface EntryChange {
  /** Dictionary key, hex; empty for a kind with a single value. */
  readonly key: string;
  /** `undefined` deletes the entry (a tombstone is stored). */
  readonly value: Uint8Array | undefined;
  /** How long the value, or the memory of the deletion, is kept. */
  readonly lifetime: Duration;
  /** When it was first written, if it is given back to a ring that lost it: it yields to whatever was written since. */
  readonly storedAt?: WallTime;
  /** Of kinds that keep siblings: the versions that this change replaces. */
  readonly follows?: readonly Version[];
  /** The same: which version it is, if it is given back. */
  readonly history?: History;
}

/** One entry as read. Deleted and expired entries are not shown. */
export interface Entry {
  readonly key: string;
  readonly value: Uint8Array;
  /** storage_time: hybrid logical clock, milliseconds. */
  readonly storedAt: WallTime;
  /** Of kinds that keep siblings, and of siblings. */
  readonly history?: History;
  /** Of siblings: the version was a deletion, and the value is empty. */
  readonly isDeletion?: true;
}

export interface KindEntries {
  readonly kind: KindId;
  readonly generation: number;
  readonly entries: readonly Entry[];
  /** Of kinds that keep siblings: deletions that are remembered. */
  readonly deletions?: readonly Entry[];
}

export type OperationFault =
  /** No answer from any box that could give one, in the time an operation has. */
  | { readonly reason: "timeout" }
  /** A box refused: a RELOAD error code and its text. */
  | { readonly reason: "refused"; readonly code: number; readonly text: string }
  /** This box is not in a ring yet, or is leaving. */
  | { readonly reason: "not-serving" }
  /** Fewer boxes than promised could put it on disk (full disk, I/O error). */
  | { readonly reason: "not-durable" }
  /** Another box uses this box's identity: durable kinds are not written until that is over. */
  | { readonly reason: "double" };

export type FetchOutcome =
  | { readonly ok: true; readonly kinds: readonly KindEntries[] }
  | { readonly ok: false; readonly fault: OperationFault };

export type StoreOutcome =
  | { readonly ok: true; readonly copies: number; readonly generation: number }
  | { readonly ok: false; readonly fault: OperationFault };

/** A change of what is in force: how many of the linked boxes have said that they know, or why not, as a sentence. */
export type RuleOutcome =
  | { readonly ok: true; readonly told: number; readonly linked: number }
  | { readonly ok: false; readonly text: string };

/** A row as it lies on disk. `stored` is the StoredData structure of RFC 6940 section 7.1, byte for byte. */
export interface StoredRow {
  readonly resource: ResourceId;
  readonly kind: KindId;
  readonly key: string;
  readonly stored: Uint8Array;
}

export type Durability =
  /** On disk, synced, before anybody is told that it is stored. */
  | "durable"
  /** Kept in memory on the replica set; written to disk in batches, whenever. */
  | "soft";

export type OverlayInput =
  | {
      readonly type: "link-opened";
      readonly link: LinkId;
      readonly nodeId: NodeId;
      /** DER of the other side's certificate. */
      readonly certificate: Uint8Array;
      /** Whether this box dialed. */
      readonly outbound: boolean;
      readonly remote: Address;
      /** Present if it came of a `dial`. */
      readonly dial: Ticket | undefined;
    }
  /** A whole RELOAD message (forwarding header, contents, security block). */
  | { readonly type: "link-message"; readonly link: LinkId; readonly message: Uint8Array }
  /** The link is open, but nothing was heard over it for `LINK_SILENCE`. */
  | { readonly type: "link-silent"; readonly link: LinkId }
  /** A silent link was heard again. */
  | { readonly type: "link-heard"; readonly link: LinkId }
  | { readonly type: "link-closed"; readonly link: LinkId; readonly reason: string }
  | { readonly type: "dial-failed"; readonly dial: Ticket; readonly reason: string }
  /** This box stood still and noticed it only now: it hears what others said long ago, and they may have given it up. */
  | { readonly type: "slept" }
  /** Somewhere a member might be: from a hint, or a rumor that mDNS brought. */
  | { readonly type: "candidate"; readonly address: Address; readonly source: "hint" | "mdns" }
  /** The write that a `persist` with this ticket asked for is on disk and synced. */
  | { readonly type: "persisted"; readonly ticket: Ticket }
  | { readonly type: "persist-failed"; readonly ticket: Ticket; readonly reason: string }
  /** Somebody who looks at the disk itself finds that it takes nothing; said anew as long as it is so. */
  | { readonly type: "disk-unfit" }
  /** A row was not as it was written, and is not on disk any more. */
  | { readonly type: "row-damaged"; readonly row: Omit<StoredRow, "stored"> }
  /** The disk was in doubt and was read again: everything of this class is to be written once more. */
  | { readonly type: "disk-renewed"; readonly durability: Durability }
  | {
      readonly type: "fetch";
      readonly ticket: Ticket;
      readonly resource: ResourceId;
      readonly kinds: readonly KindId[];
      /** Ask this member what it holds itself, instead of asking the responsible peer. */
      readonly from?: NodeId;
    }
  | {
      readonly type: "store";
      readonly ticket: Ticket;
      readonly resource: ResourceId;
      readonly kind: KindId;
      readonly changes: readonly EntryChange[];
    }
  /** Every resource that holds a living entry of a kind, over the whole ring; `also`: what else of each is wanted. */
  | { readonly type: "list"; readonly ticket: Ticket; readonly kind: KindId; readonly also?: readonly KindId[] }
  /** Hand everything over and go. */
  | { readonly type: "leave" }
  /** A signed configuration document that its operator brings; answered by `configured`. */
  | { readonly type: "configure"; readonly ticket: Ticket; readonly document: Uint8Array }
  /** A statement of the fleet's key, encoded, that a box is not to be believed any more; answered by `revoked`. */
  | { readonly type: "revoke"; readonly ticket: Ticket; readonly statement: Uint8Array }
  /** This box's new certificate. */
  | { readonly type: "credential"; readonly certificate: Uint8Array }
  | { readonly type: "tick" };

export type OverlayEffect =
  /** Open a link; answered by `link-opened` or `dial-failed`. */
  | { readonly type: "dial"; readonly dial: Ticket; readonly address: Address }
  | { readonly type: "link-send"; readonly link: LinkId; readonly message: Uint8Array }
  | { readonly type: "link-close"; readonly link: LinkId; readonly reason: string }
  /** `ticket` is present if an answer waits for the write. */
  | {
      readonly type: "persist";
      readonly ticket: Ticket | undefined;
      readonly durability: Durability;
      readonly puts: readonly StoredRow[];
      readonly removals: readonly Omit<StoredRow, "stored">[];
    }
  | { readonly type: "fetched"; readonly ticket: Ticket; readonly outcome: FetchOutcome }
  | { readonly type: "stored"; readonly ticket: Ticket; readonly outcome: StoreOutcome }
  | {
      readonly type: "listed";
      readonly ticket: Ticket;
      readonly outcome:
        | { readonly ok: true; readonly found: readonly Listed[] }
        | { readonly ok: false; readonly fault: OperationFault };
    }
  | { readonly type: "configured"; readonly ticket: Ticket; readonly outcome: RuleOutcome }
  | { readonly type: "revoked"; readonly ticket: Ticket; readonly outcome: RuleOutcome }
  /** What is in force has changed: to be on disk before anything else of this step leaves the box. */
  | {
      readonly type: "rules-changed";
      readonly document: Uint8Array | undefined;
      readonly revocations: Uint8Array;
      readonly configuration: FleetConfiguration | undefined;
    }
  /** A linked box has another certificate (DER) now; its links go on with that, if it is of the same key. */
  | { readonly type: "certificate-shown"; readonly nodeId: NodeId; readonly certificate: Uint8Array }
  /** The members whose addresses are worth remembering over a restart have changed. */
  | { readonly type: "members-changed"; readonly members: readonly PeerInfo[] }
  | { readonly type: "phase-changed"; readonly phase: Phase }
  /** To be kept over a restart: how long the ring has lived, as this box knows. */
  | { readonly type: "ring-age"; readonly age: Duration }
  /** What is on disk is to be put where it is not read again; it is removed in this step. */
  | { readonly type: "set-aside" }
  /** A box that served is no longer reachable: bindings it holds cannot be reached through it. */
  | { readonly type: "member-gone"; readonly nodeId: NodeId }
  /** Boxes of another ring, or of another half of this one, were met: they may have been told other things. */
  | { readonly type: "rings-met" }
  /** Something an operator may want to read: level by the house's definitions, text in plain words. */
  | { readonly type: "report"; readonly level: "debug" | "info" | "warning"; readonly text: string }
  | { readonly type: "count"; readonly event: string };

/** A resource with living entries of the kind that was listed. */
export interface Listed {
  readonly resource: ResourceId;
  readonly entries: readonly Entry[];
  /** The kinds that were wanted beside it. */
  readonly also: readonly KindEntries[];
}

/** Where a box stands on its way into the ring, and out. */
export type Phase =
  /** Looking for members; not in a ring. */
  | "seeking"
  /** Linked to members, receiving its share while the donors go on serving. */
  | "joining"
  /** In the ring and responsible for its share. */
  | "serving"
  /** Its disk fails: it serves phones and hands its share over. */
  | "withdrawing"
  /** Out of the ring because its disk fails: it serves phones, linked to those that hold what it held. */
  | "aside"
  /** Handing its share over. */
  | "leaving"
  | "left"
  /** Its fleet believes it no more. */
  | "revoked";

/** RFC 6940 section 7.3. */
export type AccessPolicy = "USER-MATCH" | "NODE-MATCH" | "USER-NODE-MATCH" | "NODE-MULTIPLE";

export interface KindDefinition {
  readonly id: KindId;
  readonly name: string;
  readonly model: "single" | "array" | "dictionary";
  readonly durability: Durability;
  /** Whether each value carries the writer's signature, or the hop between enrolled boxes is enough. */
  readonly signed: boolean;
  readonly maxEntries: number;
  readonly maxValueBytes: number;
  /** Who may write; absent: any enrolled box. Only for kinds that are signed. */
  readonly access?: AccessPolicy;
  /** Only boxes may read it: clients may not. */
  readonly boxesOnly?: true;
  /** For NODE-MULTIPLE: how many places a node has. */
  readonly maxNodeMultiple?: number;
  /**
   * Values begin with their history (docs/profile.md), and a version that does not stand though its writer and the
   * other's did not know of each other is kept in this kind, a dictionary.
   */
  readonly siblings?: KindId;
  /** This is such a dictionary: of the versions of that kind. */
  readonly siblingsOf?: KindId;
}

/** What the overlay core is told once, at its making. */
export interface OverlaySettings {
  /** The overlay's name: the fleet's SIP domain is inside its configuration, this is the RELOAD overlay name. */
  readonly overlayName: string;
  readonly self: PeerInfo;
  /** DER of this box's own certificate. */
  readonly certificate: Uint8Array;
  readonly kinds: readonly KindDefinition[];
  /** What was on disk. */
  readonly rows: readonly StoredRow[];
  /** Members remembered from before, to be dialed. */
  readonly members: readonly PeerInfo[];
  /**
   * Whether this box may stand alone: it was in the ring before, or it founds the fleet. Otherwise it
   * waits for members (never "nobody answered, so I am the ring").
   */
  readonly mayStandAlone: boolean;
  /** How long the ring had lived when this box was last in it, as it was told to keep it; `undefined`: not known. */
  readonly ringAge?: number | undefined;
  readonly timing: OverlayTiming;
  /** What the fleet has decided; without it this box knows no key of the fleet, and decides nothing. */
  readonly rules?: FleetRulesSettings;
  /** Boxes with links from each to each; beyond, a box keeps links to neighbors and fingers. Absent: the profile's. */
  readonly meshLimit?: number;
}

/** Every waiting time of the overlay, in one place; docs/limits.md prints them. */
export interface OverlayTiming {
  /** One attempt of an exchange before another way is tried. */
  readonly attempt: Duration;
  /** An operation (fetch, store) in all. */
  readonly operation: Duration;
  /** From `link-silent` to the verdict, if indirect probes are not answered either. */
  readonly suspicion: Duration;
  /** Between two digest comparisons of an arc with its replicas. */
  readonly antiEntropy: Duration;
  /** After a change of the ring, before copies are rebuilt. */
  readonly holdDown: Duration;
  /** Dials of a lost member: first and longest wait. */
  readonly redialFirst: Duration;
  readonly redialLongest: Duration;
  /** How long a box that may stand alone looks for members before it does. */
  readonly seek: Duration;
}

/** The trust the core needs from X.509, answered at once (production: node:crypto, cached by hash). */
export interface Trust {
  /** The Node-ID an enrolled certificate was issued for, to a box or to a client, or why it is not to be trusted. */
  inspect(
    certificate: Uint8Array,
    /** `author`: of a value, who may have signed it with a certificate and a credential that were good then. */
    as?: "peer" | "author",
    /** `key`: which key pair it is of, where that is known. */
  ): { readonly nodeId: NodeId; readonly key?: string; readonly isClient?: true } | { readonly refused: string };
}

export interface ArcStatus {
  /** Responsible peer of the arc (previous peer, this peer]. */
  readonly owner: NodeId;
  readonly replicas: readonly NodeId[];
  readonly entries: number;
  /** Digests of all its replicas were equal at the last comparison, all is on disk, and no write has missed one since. */
  readonly inSync: boolean;
  /** When all of its replicas were compared last; `undefined`: never yet. */
  readonly comparedAt: Instant | undefined;
}

/** How it stands with what must be on this box's own disk. */
export interface DiskStatus {
  /** `failing`: the last durable write failed. `stalled`: the disk does not answer. */
  readonly state: "ok" | "failing" | "stalled";
  /** Durable entries that are in memory only. */
  readonly unwritten: number;
  /** Durable rows found damaged whose values have not come back from memory or from another box. */
  readonly unrepaired: number;
}

/** A read-only picture for status, CLI and tests. */
export interface OverlaySnapshot {
  readonly phase: Phase;
  readonly self: PeerInfo;
  /** The part of the ring this box is responsible for, 0 to 1. */
  readonly share: number;
  /** How many boxes hold each of our entries now: at most 3. */
  readonly copies: number;
  readonly members: readonly {
    readonly info: PeerInfo;
    readonly state: "linked" | "joining" | "serving" | "silent" | "gone" | "left";
    readonly share: number;
    readonly roundTrip: Duration | undefined;
  }[];
  /** Entries held: as responsible peer, and as replica. */
  readonly owned: number;
  readonly held: number;
  readonly arc: ArcStatus | undefined;
  /** Values held here of which there are versions whose writers did not know of each other, and that differ. */
  readonly conflicts: number;
  /** This box's wall clock less the time that the ring goes by, milliseconds. */
  readonly clockError: number;
  /** Of a joining box: how much of its share has come. */
  readonly receiving: { readonly received: number; readonly expected: number } | undefined;
  readonly disk: DiskStatus;
  /** Whether another box uses this box's identity, and other identities that two boxes use. */
  readonly doubles: { readonly self: boolean; readonly others: readonly NodeId[] };
  /** Order-independent digest, hex, of all living entries of this box's own arc. */
  readonly digest: string;
  readonly counters: Readonly<Record<string, number>>;
  /** What is in force: the document's number and text, and who is believed no more. */
  readonly rules: {
    readonly sequence: number;
    readonly document: Uint8Array | undefined;
    readonly configuration: FleetConfiguration | undefined;
    readonly epoch: number;
    readonly revoked: readonly { readonly nodeId: NodeId; readonly revokedAt: WallTime | undefined }[];
  };
}
