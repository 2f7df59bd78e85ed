// What the health agent says of its box: the one document that the page, the console, `ringbox top`, the JSON API and
// the metrics all render. Plain data; everything in it has an age, and "not known" is a value.

/** Milliseconds since 1970 by the agent's clock. */
export type WallTime = number;

/**
 * How a thing stands. `works` is only ever said of what was proved within two proof intervals;
 * what nobody proved lately is `not-known`, never `works`.
 */
export type Verdict = "works" | "impaired" | "broken" | "not-known";

export type Severity = "notice" | "warning" | "alarm";

/** A transport that phones use, as Via writes it. */
export type SipTransport = "UDP" | "TCP" | "TLS" | "WS" | "WSS";

/** Something is the matter. Declared once in the catalogue, with its text, its way out, and what it depends on. */
export interface Condition {
  /** Stable name, for programs: `disk-failing`. */
  readonly code: string;
  readonly severity: Severity;
  /** One sentence in plain words. */
  readonly text: string;
  /** What to do next; empty if nothing. */
  readonly next: string;
  readonly since: WallTime;
}

/** A box as people name it. */
export interface BoxName {
  /** 32 hex digits; `null` for a box that has none yet. */
  readonly nodeId: string | null;
  /** Readable words made of the Node-ID, the same on console, page and in the host name. */
  readonly words: string;
}

/** A receipt of something that was really done, not of a state that was read. */
export interface Proof {
  /** What was done: a call by each transport, a question to the ring, the page fetched from outside. */
  readonly what: "call" | "ring" | "page";
  readonly transport: SipTransport | null;
  /** The box whose agent did it. */
  readonly by: BoxName;
  /** Whether `by` is another box than the one proved. */
  readonly outside: boolean;
  readonly verdict: Verdict;
  /** When it was last done; `null`: never. */
  readonly at: WallTime | null;
  /** How long it took, milliseconds; `null` where it did not end. */
  readonly tookMs: number | null;
  /** Where it ended, in plain words: "the phone rang and hung up", "no answer to INVITE". */
  readonly detail: string;
  /** ECDSA P-256 over the receipt's canonical text by the box of `by`, base64; `null` for a box's own. */
  readonly signature: string | null;
}

export interface BoxHealth extends BoxName {
  readonly self: boolean;
  /** As the overlay has it: `serving`, `joining`, `silent`, `gone`, … */
  readonly state: string;
  readonly verdict: Verdict;
  /** The age of the newest proof that `verdict` stands on. */
  readonly provedAt: WallTime | null;
  /** Part of the ring it is responsible for, 0 to 1. */
  readonly share: number;
  readonly zone: string;
  readonly software: string;
  /** `host:port` of its SIP. */
  readonly sip: string;
  /** Its page, for a link; `null` where it is not known. */
  readonly page: string | null;
  readonly roundTripMs: number | null;
}

/** One registered contact of a phone. */
export interface PhoneFlow {
  readonly contact: string;
  readonly transport: SipTransport;
  /** Where its packets come from, `host:port`. */
  readonly received: string;
  /** The box that holds its socket. */
  readonly box: BoxName;
  /** User-Agent as it names itself, control octets removed. */
  readonly model: string;
  readonly registeredUntil: WallTime;
  /** When it last answered a request of ours, and to which box. */
  readonly answeredAt: WallTime | null;
  readonly answeredTo: BoxName | null;
  readonly roundTripMs: number | null;
  /** `rewritten`: something between (a SIP ALG) changed its Via or Contact. */
  readonly nat: "none" | "translated" | "rewritten" | "not-known";
  /** `broken`: registered, but does not answer. */
  readonly verdict: Verdict;
}

export interface Phone {
  /** `user@domain`. */
  readonly aor: string;
  readonly displayName: string;
  readonly flows: readonly PhoneFlow[];
  readonly verdict: Verdict;
}

/** An entry of the time line, over all boxes. */
export interface TimeLineEvent {
  /** Unique over all boxes and restarts. */
  readonly id: string;
  readonly at: WallTime;
  readonly box: BoxName;
  readonly severity: Severity;
  readonly text: string;
}

/** A call that this box took part in lately. */
export interface RecentCall {
  /** Opaque; `/api/calls/ID` has its messages. */
  readonly id: string;
  /** `user@host`; of a party that is no registered phone, and has a long number, its end alone: "…345@host". */
  readonly from: string;
  readonly to: string;
  readonly startedAt: WallTime;
  readonly endedAt: WallTime | null;
  /** In plain words: "talking", "answered after 4 s, talked 3 min", "busy". */
  readonly outcome: string;
}

/** The same for who is signed in: with full names, and with registrations. */
export interface CallEntry extends RecentCall {
  readonly kind: "call" | "registration";
}

/** Who takes part in a call, in the order of the columns of its ladder. */
export interface LadderColumn {
  /** `host:port`, or the words of a box. */
  readonly name: string;
  readonly isBox: boolean;
  /** The user of a phone; "box". */
  readonly label: string;
}

/** A call with its messages, as all boxes that carried it remember them. */
export interface CallLadder extends CallEntry {
  readonly callId: string;
  readonly columns: readonly LadderColumn[];
  readonly messages: readonly CallMessage[];
  /** Messages that there was no room for. */
  readonly leftOut: number;
  /** Boxes that carried it and did not tell. */
  readonly silent: readonly BoxName[];
}

/** One SIP message of a call. Credentials, keys and bodies that are not SDP are removed. */
export interface CallMessage {
  readonly at: WallTime;
  /** At the box that it was sent to, where that one is another box and told. */
  readonly receivedAt: WallTime | null;
  /** `host:port`, or the words of a box: names of columns. */
  readonly from: string;
  readonly to: string;
  readonly transport: SipTransport;
  /** Request line or status line. */
  readonly startLine: string;
  /** The whole message, secrets replaced by `(removed)`. */
  readonly text: string;
}

/** A measured thing of the machine; `value` is `null` where this machine does not tell it. */
export interface Fact {
  /** Stable name: `cpu`, `memory`, `temperature`, `disk-free`, `clock`, `link`, … */
  readonly name: string;
  /** For people: "Processor", "Temperature". */
  readonly label: string;
  readonly value: number | string | null;
  /** `%`, `°C`, `bytes`, `s`, …; empty for text. */
  readonly unit: string;
  readonly at: WallTime;
}

/** How the peer, `ringboxd`, stands towards the agent. */
export interface PeerProcess {
  readonly state: "answering" | "silent" | "not-running" | "waiting-for-admission";
  readonly answeredAt: WallTime | null;
  /** The code that admits this box, while it waits; `null` otherwise. */
  readonly code: string | null;
}

export interface HealthReport {
  /** When this report was made. */
  readonly at: WallTime;
  /** "Phones work. 41 of 41 phones proved in the last minute. 3 of 3 boxes. You can lose 2." */
  readonly firstLine: string;
  readonly verdict: Verdict;
  readonly box: BoxName;
  readonly fleet: string;
  readonly domain: string;
  readonly software: string;
  /** Where phones reach this box. */
  readonly listens: readonly { readonly transport: SipTransport; readonly host: string; readonly port: number }[];
  readonly peer: PeerProcess;
  /** Worst first; those that depend on another one shown are left out. */
  readonly conditions: readonly Condition[];
  readonly proofs: readonly Proof[];
  readonly ring: {
    /** How many boxes may still die, one after another, without loss. */
    readonly canLose: number;
    readonly copies: number;
    readonly copiesWanted: number;
    readonly inSync: boolean;
    readonly comparedAt: WallTime | null;
    /** A share on its way to this box. */
    readonly moving: { readonly received: number; readonly expected: number } | null;
  };
  readonly boxes: readonly BoxHealth[];
  readonly phones: {
    readonly registered: number;
    /** Answered within two proof intervals. */
    readonly proved: number;
    /** At most `PHONES_IN_REPORT`; `/api/phones?q=` searches all. */
    readonly list: readonly Phone[];
  };
  readonly facts: readonly Fact[];
  /** Newest first, bounded. */
  readonly timeLine: readonly TimeLineEvent[];
  /** Newest first, bounded. */
  readonly calls: readonly RecentCall[];
  /** Of the calls that this box remembers those that ring or are talked on now. */
  readonly callsUnderWay: number;
}

/** A live chart: `/api/series`. One point a second for ten minutes, then one a minute for a day. */
export interface Series {
  readonly name: "latency" | "registrations" | "calls" | "cpu" | "temperature";
  readonly label: string;
  readonly unit: string;
  readonly points: readonly (readonly [at: WallTime, value: number | null])[];
}
