// One bonjour instance on one interface, kept within its interface and its own limits.

import type { EventEmitter } from "node:events";
import Bonjour from "bonjour-service";
import { BoundedMap } from "../base/bounded-map.ts";
import { after, type Duration, type Instant, milliseconds, seconds } from "../base/time.ts";
import type { Announcement } from "../provision/admission.ts";
import type { Clock } from "./clock.ts";
import type { LanInterface } from "./lan-interfaces.ts";
import { isOnLink } from "./local-addresses.ts";
import { type DnsRecord, type DnsResponse, readResponse, type Saying, SERVICE_NAME, SERVICE_TYPE, textOf } from "./mdns-records.ts";

type Sent = (error?: Error | null) => void;

interface DnsMessage {
  readonly type: string;
  readonly answers?: readonly DnsRecord[];
  readonly additionals?: readonly DnsRecord[];
}

/** What bonjour's own multicast DNS socket offers beside what bonjour makes of it. */
interface MulticastDns extends EventEmitter {
  send: (message: DnsMessage, destination: unknown, sent?: Sent) => void;
  query(name: string, type: string, sent: Sent): void;
}

export interface MdnsResponderSettings {
  readonly on: LanInterface;
  /** The overlay port. */
  readonly port: number;
  readonly software: string;
  readonly clock: Clock;
  /** `from`: the address of whoever sent it. */
  readonly onSaying: (saying: Saying, from: string) => void;
  /** `task` is what failed, the same words each time. */
  readonly onError: (task: string, error: unknown) => void;
}

/** A newcomer's first question may be lost, or fall into the others' silence after an answer; then it settles down. */
const FIRST_QUERIES: readonly Duration[] = [milliseconds(400), milliseconds(1_100)];
const QUERY_INTERVAL = seconds(5);
/** RFC 6762 section 6: the same records are not multicast again within a second because somebody asks. */
const REPLY_INTERVAL = seconds(1);
/** Longer than a goodbye takes on a socket that works. */
const GOODBYE_LIMIT = milliseconds(500);

export class MdnsResponder {
  readonly on: LanInterface;
  readonly #settings: MdnsResponderSettings;
  readonly #bonjour: Bonjour;
  readonly #multicast: MulticastDns;
  /** BOUNDED: this box has a handful of records; at the bound the oldest is forgotten and may be sent once more. */
  readonly #replied = new BoundedMap<string, Instant>(16, "evict");
  #timers: readonly NodeJS.Timeout[] = [];
  #failedAt: Instant | undefined;

  constructor(settings: MdnsResponderSettings) {
    this.on = settings.on;
    this.#settings = settings;
    this.#bonjour = new Bonjour(socketOptions(settings.on), (error: unknown) => settings.onError("answer", error));
    // Bonjour hears an answer only when it differs from the last, and hides its socket, whose errors nobody catches.
    this.#multicast = this.#bonjour["server"].mdns;
    this.#multicast.on("error", (error: unknown) => this.#fail("open", error));
    this.#multicast.on("warning", (error: unknown) => this.#warn(error));
    this.#multicast.on("response", (response: DnsResponse, from: { readonly address: string }) => this.#hear(response, from.address));
    const send = this.#multicast.send.bind(this.#multicast);
    this.#multicast.send = (message, destination, sent) =>
      this.#send(send, message, typeof destination === "function" ? (error) => destination(error) : sent);
  }

  /** When its socket failed, so that only a new one can help. */
  get failedAt(): Instant | undefined {
    return this.#failedAt;
  }

  /** Says who is here, and asks. */
  open(name: string, announcement: Announcement): void {
    this.announce(name, announcement);
    this.#query();
    this.#timers = [
      ...FIRST_QUERIES.map((delay) => setTimeout(() => this.#query(), delay)),
      setInterval(() => this.#query(), QUERY_INTERVAL),
    ];
  }

  /** A goodbye to what was announced before, and the new announcement. `name` must be new each time. */
  announce(name: string, announcement: Announcement): void {
    // In this order: bonjour withdraws the records of every service of the type.
    this.#attempt("announce", () => {
      this.#bonjour.unpublishAll(() => undefined);
      this.#replied.clear();
      this.#bonjour.publish({
        name,
        type: SERVICE_TYPE,
        port: this.#settings.port,
        host: `${announcement.instance}.local`,
        txt: textOf(announcement, this.#settings.software),
        // The name is this box's alone, and bonjour's probing only writes to the console.
        probe: false,
        disableIPv6: this.on.family === "IPv4",
      });
    });
  }

  /** Says goodbye, unless this interface is gone anyway. */
  async close(farewell: "goodbye" | "silent"): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers = [];
    if (farewell === "goodbye") await settled((done) => this.#bonjour.unpublishAll(done));
    await settled((done) => this.#bonjour.destroy(done));
  }

  #query(): void {
    this.#attempt("ask", () => this.#multicast.query(SERVICE_NAME, "PTR", (error) => this.#report("ask", error)));
  }

  #hear(response: DnsResponse, from: string): void {
    // The socket hears what arrives on other interfaces too. RFC 6762 section 11: only neighbours are believed.
    if (!isNeighbor(from, this.on)) return;
    for (const saying of readResponse(response)) this.#settings.onSaying(saying, from);
  }

  /** Everything that bonjour sends passes here, a reply more than once in a second does not. */
  #send(send: MulticastDns["send"], message: DnsMessage, sent: Sent | undefined): void {
    if (message.type === "response" && message.additionals !== undefined && !this.#mayReply(message)) return;
    const done: Sent = (error) => {
      this.#report("send", error);
      sent?.(error);
    };
    this.#attempt("send", () => send(this.#restricted(message), null, done));
  }

  #mayReply({ answers }: DnsMessage): boolean {
    const now = this.#settings.clock.now();
    const first = answers?.[0];
    const records = `${first?.type} ${first?.name}`;
    const last = this.#replied.get(records);
    if (last !== undefined && now < after(last, REPLY_INTERVAL)) return false;
    return this.#replied.set(records, now);
  }

  /** Bonjour announces the addresses of all interfaces on each. */
  #restricted(message: DnsMessage): DnsMessage {
    const isOurs = ({ type, data }: DnsRecord): boolean => (type === "A" || type === "AAAA" ? data === this.on.address : true);
    return {
      ...message,
      ...(message.answers === undefined ? {} : { answers: message.answers.filter(isOurs) }),
      ...(message.additionals === undefined ? {} : { additionals: message.additionals.filter(isOurs) }),
    };
  }

  #attempt(task: string, action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#settings.onError(task, error);
    }
  }

  #report(task: string, error: unknown): void {
    if (error instanceof Error) this.#settings.onError(task, error);
  }

  #fail(task: string, error: unknown): void {
    this.#failedAt ??= this.#settings.clock.now();
    this.#settings.onError(task, error);
  }

  #warn(error: unknown): void {
    const call = error instanceof Error && "syscall" in error ? error.syscall : undefined;
    if (call === "addMembership" || call === "setMulticastInterface") this.#fail("join", error);
    else this.#settings.onError("read", error);
  }
}

/** Bound to every address: a socket bound to a unicast address hears no multicast. */
const socketOptions = ({ name, family, address }: LanInterface): Record<string, string | number> =>
  family === "IPv4"
    ? { type: "udp4", port: 5353, interface: address, bind: "0.0.0.0" }
    : { type: "udp6", port: 5353, ip: `ff02::fb%${name}`, interface: `::%${name}`, bind: "::" };

/** What is multicast over IPv6 comes from a link-local address, which no router passes on. */
function isNeighbor(from: string, on: LanInterface): boolean {
  return isOnLink(from, on) || isLinkLocalOn(from, on);
}
export const isLinkLocalOn = (from: string, { family, name }: LanInterface): boolean => family === "IPv6" && from.startsWith("fe80:") && from.endsWith(`%${name}`);

/** Resolves when `action` calls back, throws, or lets `GOODBYE_LIMIT` pass. */
function settled(action: (done: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const limit = setTimeout(resolve, GOODBYE_LIMIT);
    const done = (): void => {
      clearTimeout(limit);
      resolve();
    };
    try {
      action(done);
    } catch {
      done(); // a socket that failed has nobody to say goodbye to
    }
  });
}
