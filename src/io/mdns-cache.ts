import { type Address, formatAddress } from "../base/address.ts";
import { BoundedMap } from "../base/bounded-map.ts";
import { after, type Duration, type Instant, seconds } from "../base/time.ts";
import type { Announcement } from "../provision/admission.ts";

/** What is heard at one address. */
export interface Heard {
  readonly address: Address;
  readonly announcement: Announcement;
}

interface Entry extends Heard {
  /** The service instance that said it: its goodbye takes it back, that of an earlier one does not. */
  readonly name: string;
  readonly until: Instant;
}

/** RFC 6762 10.1: a goodbye takes effect a second later, so that a new announcement can come first. */
const GOODBYE_GRACE = seconds(1);
/** A subnet of 254 hosts, each with all it may say. */
const MAX_HEARD = 1_024;
/** One host may have few boxes on it; one that invents thousands does not keep the others out. */
const MAX_OF_ONE_HOST = 4;

/** What was heard and how long it counts without being heard again. */
export class MdnsCache {
  readonly #lifetime: Duration;
  /** BOUNDED: by instance and address; at the bound whoever comes new is ignored. */
  readonly #entries = new BoundedMap<string, Entry>(MAX_HEARD, "refuse");

  constructor(lifetime: Duration) {
    this.#lifetime = lifetime;
  }

  /** Whether it is new or has changed. */
  hear(now: Instant, name: string, heard: Heard): boolean {
    const key = `${heard.announcement.instance} ${formatAddress(heard.address)}`;
    const before = this.#entries.get(key);
    if (before === undefined && this.#countOf(heard.address.host) >= MAX_OF_ONE_HOST) return false;
    const kept = this.#entries.set(key, { ...heard, name, until: after(now, this.#lifetime) });
    return kept && (before === undefined || !sameAnnouncement(before.announcement, heard.announcement));
  }

  #countOf(host: string): number {
    let count = 0;
    for (const { address } of this.#entries.values()) if (address.host === host) count++;
    return count;
  }

  /** Of a service instance, by the host it was heard from. */
  goodbye(now: Instant, name: string, from: string): void {
    const until = after(now, GOODBYE_GRACE);
    for (const [key, entry] of this.#entries) {
      if (entry.name === name && entry.address.host === from && entry.until > until) this.#entries.set(key, { ...entry, until });
    }
  }

  /** Forgets what has run out; returns the boxes of which nothing is left, at any address. */
  expire(now: Instant): readonly Heard[] {
    const expired = [...this.#entries].filter(([, { until }]) => until <= now);
    for (const [key] of expired) this.#entries.delete(key);
    const left = new Set([...this.#entries.values()].map(({ announcement }) => announcement.instance));
    const gone = new Map<string, Heard>();
    for (const [, { address, announcement }] of expired) {
      if (!left.has(announcement.instance)) gone.set(announcement.instance, { address, announcement });
    }
    return [...gone.values()];
  }
}

const sameAnnouncement = (a: Announcement, b: Announcement): boolean =>
  a.fleetHash === b.fleetHash && a.state === b.state && a.instance === b.instance;
