// Announces this box and hears others, on every IPv4 link, as links come and go.

import { readFileSync } from "node:fs";
import type { Address } from "../base/address.ts";
import { BoundedMap } from "../base/bounded-map.ts";
import type { Announcement } from "../provision/admission.ts";
import { type LocalAddress, localAddresses } from "./local-addresses.ts";
import { type MdnsHearing, MdnsLink } from "./mdns-link.ts";

export interface MdnsSettings {
  readonly announcement: Announcement;
  /** The overlay port. */
  readonly port: number;
  readonly software: string;
  /** Only the link of this local address; `undefined`: every link. */
  readonly listen: string | undefined;
  /** A rumor: never trusted. Told again whenever it is heard again. */
  readonly onHeard: (address: Address, announcement: Announcement) => void;
  readonly onUnheard: (address: Address, announcement: Announcement) => void;
  readonly onReport: (level: "debug" | "info" | "warning", text: string) => void;
}

interface Heard {
  readonly address: Address;
  readonly announcement: Announcement;
  readonly at: number;
}

const WATCH_MS = 1_000;
/** Questions come quickly while boxes are likely to be starting, then seldom: each is answered by every box. */
const QUICK_QUERY_MS = 5_000;
const SLOW_QUERY_MS = 30_000;
const QUICK_FOR_MS = 60_000;
/** A box that has not answered so many questions is forgotten. */
const MISSED_QUERIES = 4;
const MAX_LINKS = 16;

export class Mdns {
  readonly #settings: MdnsSettings;
  readonly #hearing: MdnsHearing;
  /** By what identifies the link in its present form. BOUNDED: MAX_LINKS, the rest stays silent. */
  readonly #links = new Map<string, MdnsLink>();
  /** By instance tag. BOUNDED: newcomers are not believed while it is full. */
  readonly #heard = new BoundedMap<string, Heard>(64, "refuse");
  #announcement: Announcement;
  #watch: NodeJS.Timeout | undefined;
  #openedAt = 0;
  #lastQuery = 0;
  #troubled = false;

  constructor(settings: MdnsSettings) {
    this.#settings = settings;
    this.#announcement = settings.announcement;
    this.#hearing = {
      heard: (host, port, announcement) => this.#note({ host, port }, announcement),
      goodbye: (instance) => this.#forget(instance),
      trouble: (text) => this.#trouble(text),
    };
  }

  open(): void {
    this.#openedAt = this.#lastQuery = performance.now();
    this.#adapt();
    this.#watch = setInterval(() => this.#tick(), WATCH_MS);
  }

  /** Announces a new state, at once and on every link. */
  announce(announcement: Announcement): void {
    const before = this.#announcement;
    this.#announcement = announcement;
    const isSame = before.state === announcement.state && before.instance === announcement.instance && before.fleetHash === announcement.fleetHash;
    if (this.#watch === undefined || isSame) return;
    for (const key of [...this.#links.keys()]) this.#drop(key);
    this.#adapt();
  }

  /** Says goodbye. */
  async close(): Promise<void> {
    clearInterval(this.#watch);
    this.#watch = undefined;
    const links = [...this.#links.values()];
    this.#links.clear();
    await Promise.all(links.map((link) => link.close(true)));
  }

  #tick(): void {
    this.#adapt();
    const now = performance.now();
    const every = now - this.#openedAt < QUICK_FOR_MS ? QUICK_QUERY_MS : SLOW_QUERY_MS;
    if (now - this.#lastQuery >= every) {
      this.#lastQuery = now;
      for (const link of this.#links.values()) link.query();
    }
    for (const [instance, { at }] of [...this.#heard]) if (now - at > MISSED_QUERIES * every) this.#forget(instance);
  }

  #adapt(): void {
    const present = new Map(this.#wantedLinks().map((local) => [linkKey(local), local]));
    for (const key of [...this.#links.keys()]) if (!present.has(key)) this.#drop(key);
    for (const [key, local] of present) {
      if (this.#links.has(key) || this.#links.size >= MAX_LINKS) continue;
      const { port, software } = this.#settings;
      this.#links.set(key, new MdnsLink(local, { announcement: this.#announcement, port, software }, this.#hearing));
    }
  }

  #wantedLinks(): readonly LocalAddress[] {
    const { listen } = this.#settings;
    const wanted = localAddresses().filter(({ family, address, internal }) => family === "IPv4" && (listen === undefined || listen === "0.0.0.0" ? !internal : address === listen));
    // One membership for each interface: a second address on it would hear everything twice.
    return wanted.filter((local, i) => wanted.findIndex((other) => other.interface === local.interface) === i);
  }

  #drop(key: string): void {
    const link = this.#links.get(key);
    this.#links.delete(key);
    void link?.close(false);
  }

  #note(address: Address, announcement: Announcement): void {
    if (announcement.instance === this.#announcement.instance) return;
    const isKept = this.#heard.set(announcement.instance, { address, announcement, at: performance.now() });
    if (isKept) this.#settings.onHeard(address, announcement);
  }

  #forget(instance: string): void {
    const heard = this.#heard.get(instance);
    if (heard === undefined) return;
    this.#heard.delete(instance);
    this.#settings.onUnheard(heard.address, heard.announcement);
  }

  /** Once: a box without multicast has its hints. */
  #trouble(text: string): void {
    this.#settings.onReport(this.#troubled ? "debug" : "info", `mDNS: ${text}`);
    this.#troubled = true;
  }
}

/** Changes with everything that makes a socket deaf: another address, the interface made anew, the cable pulled. */
function linkKey(local: LocalAddress): string {
  const read = (name: string): string => {
    try {
      return readFileSync(`/sys/class/net/${local.interface}/${name}`, "utf8").trim();
    } catch {
      return ""; // not Linux, or gone this moment
    }
  };
  return [local.interface, local.address, local.netmask, read("ifindex"), read("carrier_changes")].join("|");
}
