import { type Address, sameAddress } from "../base/address.ts";
import { after, type Duration, seconds } from "../base/time.ts";
import type { Announcement } from "../provision/admission.ts";
import { systemClock } from "./clock.ts";
import { type LanInterface, lanInterfaces } from "./lan-interfaces.ts";
import { isOnLink } from "./local-addresses.ts";
import { MdnsCache } from "./mdns-cache.ts";
import type { Saying } from "./mdns-records.ts";
import { isLinkLocalOn, MdnsResponder } from "./mdns-responder.ts";

export interface MdnsSettings {
  readonly announcement: Announcement;
  /** The overlay port. */
  readonly port: number;
  readonly software: string;
  /** Only this local address; `undefined`: every link. */
  readonly listen: string | undefined;
  /** How long a box counts that is not heard any more; a little more than four queries by default. */
  readonly lifetime?: Duration;
  /** New at this address, or changed. */
  readonly onHeard: (address: Address, announcement: Announcement) => void;
  /** Said goodbye or fell silent, at every address; what it said last. */
  readonly onUnheard: (address: Address, announcement: Announcement) => void;
  readonly onReport: (level: "debug" | "info" | "warning", text: string) => void;
}

const LIFETIME = seconds(22);
/** Between two looks at the interfaces and at what has run out. */
const LOOK = seconds(1);
/** A socket that could not be opened is tried again after so long. */
const RETRY = seconds(5);

/** Announces this box and hears others on every link. What it hears is a rumor. Without a link it is quiet. */
export class Mdns {
  readonly #settings: MdnsSettings;
  readonly #cache: MdnsCache;
  readonly #responders = new Map<string, MdnsResponder>();
  /** BOUNDED: by the few tasks and the error codes of the system. */
  readonly #reported = new Set<string>();
  #announcement: Announcement;
  #serial = 0;
  #malformed = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(settings: MdnsSettings) {
    this.#settings = settings;
    this.#announcement = settings.announcement;
    this.#cache = new MdnsCache(settings.lifetime ?? LIFETIME);
  }

  /** How many announcements could not be understood. */
  get malformed(): number {
    return this.#malformed;
  }

  open(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setInterval(() => this.#look(), LOOK);
    this.#look();
  }

  /** Announces a new state. */
  announce(announcement: Announcement): void {
    const { fleetHash, state, instance } = this.#announcement;
    this.#announcement = announcement;
    if (announcement.fleetHash === fleetHash && announcement.state === state && announcement.instance === instance) return;
    for (const responder of this.#responders.values()) responder.announce(this.#nextName(), announcement);
  }

  /** Says goodbye. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    const responders = [...this.#responders.values()];
    this.#responders.clear();
    await Promise.all(responders.map((responder) => responder.close("goodbye")));
  }

  #look(): void {
    this.#followInterfaces();
    for (const { address, announcement } of this.#cache.expire(systemClock.now())) this.#settings.onUnheard(address, announcement);
  }

  #followInterfaces(): void {
    let present: readonly LanInterface[];
    try {
      present = lanInterfaces(this.#settings.listen);
    } catch (error) {
      return this.#reportOnce("look at the interfaces", "this machine", error);
    }
    const keys = new Set(present.map(({ key }) => key));
    for (const [key, responder] of this.#responders) {
      if (!keys.has(key) || hasToRetry(responder)) this.#drop(key, responder);
    }
    for (const on of present) if (!this.#responders.has(on.key)) this.#openResponder(on);
  }

  #openResponder(on: LanInterface): void {
    const responder: MdnsResponder = new MdnsResponder({
      on,
      port: this.#settings.port,
      software: this.#settings.software,
      clock: systemClock,
      onSaying: (saying, from) => {
        if (this.#responders.get(on.key) === responder) this.#hear(on, saying, from);
      },
      onError: (task, error) => this.#reportOnce(task, on.name, error),
    });
    this.#responders.set(on.key, responder);
    responder.open(this.#nextName(), this.#announcement);
  }

  /** Without a goodbye: what it announced follows from another socket, or there is no way left to say it. */
  #drop(key: string, responder: MdnsResponder): void {
    this.#responders.delete(key);
    void responder.close("silent");
  }

  /**
   * Each box announces the address it sends from; for another, anybody could say anything. Over IPv6 it sends from a
   * link-local one and announces one that leads further, on the same link.
   */
  #hear(on: LanInterface, saying: Saying, from: string): void {
    const now = systemClock.now();
    if (saying.type === "goodbye") return this.#cache.goodbye(now, saying.name, from);
    if (saying.type === "malformed") {
      this.#malformed += 1;
      return this.#reportOnce("understand an announcement", on.name, new Error("its text is not of the form this version knows"));
    }
    const { announcement, addresses, name } = saying;
    if (announcement.instance === this.#announcement.instance) return;
    const self: Address = { host: on.address, port: this.#settings.port };
    for (const address of addresses) {
      if ((address.host !== from && !isLinkLocalOn(from, on)) || !isOnLink(address.host, on) || sameAddress(address, self)) continue;
      if (this.#cache.hear(now, name, { address, announcement })) this.#settings.onHeard(address, announcement);
    }
  }

  /** Unlike any this box used before: a goodbye that comes late must not take the new one back. */
  #nextName(): string {
    this.#serial += 1;
    return `${this.#announcement.instance}-${this.#serial}`;
  }

  /** Once for each kind of failure: on a bad link the same returns with every packet. */
  #reportOnce(task: string, where: string, error: unknown): void {
    const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
    const kind = `${task} ${code}`;
    if (this.#reported.has(kind)) return;
    this.#reported.add(kind);
    // Whatever a stranger sends is no fault of this box.
    const level = task === "read" || task === "understand an announcement" ? "debug" : "warning";
    this.#settings.onReport(level, `multicast DNS cannot ${task} on ${where}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const hasToRetry = ({ failedAt }: MdnsResponder): boolean => failedAt !== undefined && systemClock.now() >= after(failedAt, RETRY);
