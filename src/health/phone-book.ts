// The registered phones, and when each of their contacts answered last. A registration says that a phone was there;
// only an answer says that it is.

import { BoundedMap } from "../base/bounded-map.ts";
import { after, between, type Duration, type Instant, milliseconds, seconds, type WallTime } from "../base/time.ts";
import { boxName } from "./box-words.ts";
import type { FlowView, PhoneView } from "./ports.ts";
import type { Phone, PhoneFlow, SipTransport, Verdict } from "./report.ts";

/** Contacts of which answers are remembered; above it the oldest is forgotten, and is not known. */
const CONTACTS_MAX = 20_000;
export const PHONES_IN_REPORT = 100;
/** Questions to phones of one box, a second, at most. */
export const ASKED_PER_SECOND = 20;
/** No phone is asked more often… */
const ASK_INTERVAL = seconds(25);
/** …but for one that has not answered a first time. */
const IN_DOUBT = seconds(5);

interface Contact {
  readonly answeredAt: Instant | undefined;
  readonly answeredTo: string | null;
  readonly roundTripMs: number | null;
  /** Asked since it answered last, without an answer. */
  readonly unanswered: number;
  readonly askedAt: Instant;
}

export interface PhoneAnswer {
  readonly aor: string;
  readonly contact: string;
  /** `null`: it did not answer. */
  readonly roundTripMs: number | null;
  /** Node-ID of the box that asked. */
  readonly by: string | null;
}

/** A contact is silent after so many questions in a row. */
const SILENT_AFTER = 2;

/** So many phones whose SIP is changed are a condition of the network; one may be set up oddly. */
const REWRITTEN_TOLD = 2;

export class PhoneBook {
  #phones: readonly PhoneView[] = [];
  /** Of #phones. BOUNDED: by them. */
  #aors: ReadonlySet<string> = new Set();
  readonly #contacts = new BoundedMap<string, Contact>(CONTACTS_MAX, "evict");

  registered(phones: readonly PhoneView[]): void {
    this.#phones = phones;
    this.#aors = new Set(phones.map(({ aor }) => aor));
    const living = new Set(phones.flatMap(({ aor, bindings }) => bindings.map(({ contact }) => keyOf(aor, contact))));
    for (const key of [...this.#contacts.keys()]) if (!living.has(key)) this.#contacts.delete(key);
  }

  isRegistered(aor: string): boolean {
    return this.#aors.has(aor);
  }

  /** `at`: when it answered, or did not. What is older than what is known changes nothing. */
  asked(at: Instant, { aor, contact, roundTripMs, by }: PhoneAnswer): void {
    const key = keyOf(aor, contact);
    const known = this.#contacts.get(key);
    if (known !== undefined && known.askedAt > at) return;
    this.#contacts.set(
      key,
      roundTripMs === null
        ? { answeredAt: known?.answeredAt, answeredTo: known?.answeredTo ?? null, roundTripMs: null, unanswered: (known?.unanswered ?? 0) + 1, askedAt: at }
        : { answeredAt: at, answeredTo: by, roundTripMs, unanswered: 0, askedAt: at },
    );
  }

  /** Contacts that answered this box within the window, the newest first. */
  answers(now: Instant, by: string, limit: number): { readonly key: string; readonly ago: Duration; readonly roundTripMs: number | null }[] {
    return [...this.#contacts]
      .flatMap(([key, { answeredAt, answeredTo, roundTripMs }]) =>
        answeredAt === undefined || answeredTo !== by || between(answeredAt, now) > this.window ? [] : [{ key, ago: between(answeredAt, now), roundTripMs }],
      )
      .sort((a, b) => a.ago - b.ago)
      .slice(0, limit);
  }

  /** How long an answer counts: two rounds of questions. */
  get window(): Duration {
    return milliseconds(2 * this.#interval);
  }

  get #interval(): Duration {
    const contacts = this.#phones.reduce((sum, { bindings }) => sum + bindings.length, 0);
    return milliseconds(Math.max(ASK_INTERVAL, (contacts / ASKED_PER_SECOND) * 1_000));
  }

  /** Contacts whose turn it is, those that were asked longest ago first, at most `limit`. */
  due<Flow extends { readonly aor: string; readonly contact: string }>(now: Instant, flows: readonly Flow[], limit: number): Flow[] {
    const turns = flows.map((flow) => ({ flow, ...this.#contacts.get(keyOf(flow.aor, flow.contact)) }));
    return turns
      .filter(({ askedAt, unanswered = 0 }) => {
        const isInDoubt = unanswered > 0 && unanswered < SILENT_AFTER;
        return askedAt === undefined || after(askedAt, isInDoubt ? IN_DOUBT : this.#interval) <= now;
      })
      .sort((a, b) => (a.askedAt ?? Number.NEGATIVE_INFINITY) - (b.askedAt ?? Number.NEGATIVE_INFINITY))
      .slice(0, limit)
      .map(({ flow }) => flow);
  }

  count(now: Instant): { readonly registered: number; readonly proved: number } {
    const proved = this.#phones.filter((phone) => this.#verdict(now, phone) === "works").length;
    return { registered: this.#phones.length, proved };
  }

  /** Phones that are registered and do not answer. */
  silent(now: Instant): number {
    return this.#phones.filter((phone) => this.#verdict(now, phone) === "broken").length;
  }

  /** Phones whose SIP is changed on its way, and the address that most of them come from; `undefined`: too few to tell a router by. */
  rewritten(): { readonly count: number; readonly router: string } | undefined {
    const hosts = this.#phones.flatMap(({ bindings }) => bindings.find(({ nat }) => nat === "rewritten")?.received.host ?? []);
    if (hosts.length < REWRITTEN_TOLD) return undefined;
    const times = new Map<string, number>(); // BOUNDED: by the phones
    for (const host of hosts) times.set(host, (times.get(host) ?? 0) + 1);
    const [[router] = [""]] = [...times].sort(([a, many], [b, more]) => more - many || (a < b ? -1 : 1));
    return { count: hosts.length, router };
  }

  list(now: Instant, wall: (at: Instant) => WallTime, query: string): Phone[] {
    const wanted = query.toLowerCase();
    const isMeant = ({ aor, bindings }: PhoneView): boolean =>
      aor.toLowerCase().includes(wanted) || bindings.some(({ contact, received, userAgent }) => `${contact} ${received.host} ${userAgent}`.toLowerCase().includes(wanted));
    return this.#phones
      .filter(isMeant)
      .slice(0, PHONES_IN_REPORT)
      .map((phone) => ({
        aor: phone.aor,
        displayName: "",
        verdict: this.#verdict(now, phone),
        flows: phone.bindings.map((flow) => this.#flow(now, phone.aor, flow, wall)),
      }));
  }

  #flow(now: Instant, aor: string, flow: FlowView, wall: (at: Instant) => WallTime): PhoneFlow {
    const contact = this.#contacts.get(keyOf(aor, flow.contact));
    return {
      contact: flow.contact,
      transport: transportOf(flow.transport),
      received: `${flow.received.host}:${flow.received.port}`,
      box: boxName(flow.flowOwner.nodeId),
      model: flow.userAgent,
      registeredUntil: flow.expiresAt,
      answeredAt: contact?.answeredAt === undefined ? null : wall(contact.answeredAt),
      answeredTo: contact?.answeredTo === undefined || contact.answeredTo === null ? null : boxName(contact.answeredTo),
      roundTripMs: contact?.roundTripMs ?? null,
      nat: flow.nat,
      verdict: this.#flowVerdict(now, aor, flow),
    };
  }

  /** A phone works by any of its contacts. */
  #verdict(now: Instant, { aor, bindings }: PhoneView): Verdict {
    const verdicts = bindings.map((flow) => this.#flowVerdict(now, aor, flow));
    if (verdicts.includes("works")) return "works";
    return verdicts.includes("broken") ? "broken" : "not-known";
  }

  #flowVerdict(now: Instant, aor: string, { contact }: FlowView): Verdict {
    const known = this.#contacts.get(keyOf(aor, contact));
    if (known === undefined) return "not-known";
    if (known.unanswered >= SILENT_AFTER) return "broken";
    return known.answeredAt !== undefined && between(known.answeredAt, now) <= this.window ? "works" : "not-known";
  }
}

const TRANSPORTS: readonly SipTransport[] = ["UDP", "TCP", "TLS", "WS", "WSS"];
const transportOf = (name: string): SipTransport => TRANSPORTS.find((transport) => transport === name.toUpperCase()) ?? "UDP";

const keyOf = (aor: string, contact: string): string => `${aor} ${contact}`;
