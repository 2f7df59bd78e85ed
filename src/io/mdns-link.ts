// bonjour-service on one IPv4 link. Used bare it is deaf after an interface was made anew, silent where there
// is no default route, and keeps announcing addresses that are gone; so each link has an instance of its
// own, bound as below, which its owner throws away and makes again whenever the link has changed.

import Bonjour from "bonjour-service";
import type { Announcement } from "../provision/admission.ts";
import { isOnLink, type LocalAddress } from "./local-addresses.ts";

export const SERVICE_TYPE = "ringbox";

export interface MdnsHearing {
  readonly heard: (host: string, port: number, announcement: Announcement) => void;
  readonly goodbye: (instance: string) => void;
  readonly trouble: (text: string) => void;
}

/** What of multicast-dns, below bonjour-service, must be reached into. */
interface MulticastDns {
  on(event: "error" | "warning", listener: (error: Error) => void): void;
  emit(event: string, ...values: unknown[]): boolean;
  respond(response: Response | readonly ResourceRecord[], ...rest: unknown[]): void;
}
interface ResourceRecord {
  readonly type: string;
  readonly data?: unknown;
}
interface Response {
  readonly answers: readonly ResourceRecord[];
  readonly additionals?: readonly ResourceRecord[];
}

/** BOUNDED: packets a second that are looked at, and services the browser remembers in a round. */
const MAX_PACKETS_PER_SECOND = 500;
const MAX_SERVICES = 256;

export class MdnsLink {
  readonly local: LocalAddress;
  readonly #hearing: MdnsHearing;
  readonly #bonjour: Bonjour;
  #browser: Bonjour.Browser | undefined;
  #packets = 0;
  #second = 0;

  constructor(local: LocalAddress, service: { readonly announcement: Announcement; readonly port: number; readonly software: string }, hearing: MdnsHearing) {
    this.local = local;
    this.#hearing = hearing;
    const options = { interface: local.address, bind: "0.0.0.0" };
    this.#bonjour = new Bonjour(options as Partial<Bonjour.ServiceConfig>, (error: Error) => hearing.trouble(error.message));
    this.#tame((this.#bonjour as unknown as { readonly server: { readonly mdns: MulticastDns } }).server.mdns);
    const { fleetHash, state, instance } = service.announcement;
    this.#bonjour.publish({
      name: `ringbox-${instance}`,
      type: SERVICE_TYPE,
      port: service.port,
      host: `ringbox-${instance}.local`,
      txt: { fleet: fleetHash, state, tag: instance, software: service.software },
      probe: false, // names are unique; a probe's loser would take the winner away from every listener
      disableIPv6: true,
    });
    this.query();
  }

  /** Asks all over, and begins to remember anew: who answers is told again, who does not can be forgotten. */
  query(): void {
    this.#browser?.stop();
    const browser = this.#bonjour.find({ type: SERVICE_TYPE });
    browser.on("up", (service) => this.#heard(service));
    browser.on("txt-update", (service) => this.#heard(service));
    browser.on("srv-update", (service) => this.#heard(service));
    browser.on("down", (service) => {
      const tag = textOf(service, "tag");
      if (tag !== undefined && this.#isFromLink(service)) this.#hearing.goodbye(tag);
    });
    this.#browser = browser;
  }

  /** `goodbye`: tell the others that this box goes; without it the next instance speaks for it. */
  close(goodbye: boolean): Promise<void> {
    this.#browser?.stop();
    return new Promise((resolve) => {
      const end = (): void => this.#bonjour.destroy(() => resolve());
      if (goodbye) this.#bonjour.unpublishAll(() => end());
      else end();
    });
  }

  #heard(service: Bonjour.Service): void {
    const host = service.referer?.address;
    const announcement = announcementOf(service);
    if (host === undefined || announcement === undefined || !this.#isFromLink(service)) return;
    if (Number.isInteger(service.port) && service.port > 0 && service.port < 65_536) this.#hearing.heard(host, service.port, announcement);
  }

  /** The packet's own source counts, not the addresses in it; sockets of all links hear the packets of all. */
  #isFromLink(service: Bonjour.Service): boolean {
    const host = service.referer?.address;
    return host !== undefined && isOnLink(host, this.local);
  }

  #tame(mdns: MulticastDns): void {
    mdns.on("error", (error) => this.#hearing.trouble(error.message));
    mdns.on("warning", () => {}); // malformed packets of others, and addresses that have just gone
    // A listener that throws on an odd packet would end the process.
    const emit = mdns.emit.bind(mdns);
    mdns.emit = (event, ...values) => {
      if (event === "packet") return false;
      if ((event === "query" || event === "response") && !this.#mayLook()) return false;
      try {
        return emit(event, ...values);
      } catch (error) {
        this.#hearing.trouble(`odd packet: ${error instanceof Error ? error.message : String(error)}`);
        return false;
      }
    };
    // It would announce the addresses of all links on each.
    const respond = mdns.respond.bind(mdns);
    mdns.respond = (response, ...rest) => {
      if ("answers" in response) {
        const { answers, additionals = [], ...other } = response;
        respond({ ...other, answers: this.#ownRecords(answers), additionals: this.#ownRecords(additionals) }, ...rest);
      } else respond(this.#ownRecords(response), ...rest);
    };
  }

  #ownRecords(records: readonly ResourceRecord[]): readonly ResourceRecord[] {
    return records.filter(({ type, data }) => type !== "AAAA" && (type !== "A" || data === this.local.address));
  }

  #mayLook(): boolean {
    const second = Math.floor(performance.now() / 1_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#packets = 0;
    }
    if ((this.#browser?.services.length ?? 0) > MAX_SERVICES) return false; // until the next round
    return ++this.#packets <= MAX_PACKETS_PER_SECOND;
  }
}

function announcementOf(service: Bonjour.Service): Announcement | undefined {
  const fleetHash = textOf(service, "fleet");
  const instance = textOf(service, "tag");
  const state = textOf(service, "state");
  if (fleetHash === undefined || instance === undefined || (state !== "serving" && state !== "blank")) return undefined;
  return /^[0-9a-f]{0,64}$/.test(fleetHash) && /^[0-9a-f]{1,32}$/.test(instance) ? { fleetHash, instance, state } : undefined;
}

/** The browser types TXT values loosely: they are what a stranger sent. */
function textOf(service: Bonjour.Service, key: string): string | undefined {
  const txt: unknown = service.txt;
  if (typeof txt !== "object" || txt === null) return undefined;
  const value: unknown = Object.getOwnPropertyDescriptor(txt, key)?.value;
  return typeof value === "string" && value.length <= 64 ? value : undefined;
}
