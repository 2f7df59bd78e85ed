// RFC 3263 over the system's DNS servers: NAPTR, SRV, A and AAAA for the host of a SIP URI.

import { Resolver } from "node:dns/promises";
import { isIP } from "node:net";
import { BoundedMap } from "../base/bounded-map.ts";
import type { Random } from "../base/random.ts";
import type { SipEffect, Target, TransportName } from "../sip/ports.ts";
import { orderServices, type Service } from "./srv-order.ts";

export type ResolveCommand = Extract<SipEffect, { type: "resolve" }>;

export interface SipResolverSettings {
  readonly random: Random;
  readonly onResolved: (ticket: number, targets: readonly Target[]) => void;
  /** DNS servers instead of the system's, `host:port` each. */
  readonly servers?: readonly string[];
}

/** Answers are kept this long, also that there is none: a call does not ask three times. */
const KEPT_MS = 30_000;
/** BOUNDED: the oldest answer goes. */
const KEPT_MAX = 1_000;
/** Questions under way; further ones are answered with nothing. */
const QUESTIONS_MAX = 1_000;
const TARGETS_MAX = 16;
const USUAL_PORT = 5060;

/** NAPTR services of the transports served here (RFC 3263 section 4.1). */
const TRANSPORT_OF_SERVICE: Readonly<Record<string, TransportName>> = { "SIP+D2U": "udp", "SIP+D2T": "tcp" };

interface Kept {
  readonly until: number;
  readonly targets: Promise<readonly Target[]>;
}

/** Every question is answered once. */
export class SipResolver {
  readonly #settings: SipResolverSettings;
  readonly #dns = new Resolver({ timeout: 1_500, tries: 2 });
  readonly #kept = new BoundedMap<string, Kept>(KEPT_MAX, "evict");
  #underWay = 0;
  #closed = false;

  constructor(settings: SipResolverSettings) {
    this.#settings = settings;
    if (settings.servers !== undefined) this.#dns.setServers(settings.servers);
  }

  resolve({ ticket, host, port, transport }: ResolveCommand): void {
    const answer = (targets: readonly Target[]): void => {
      if (!this.#closed) this.#settings.onResolved(ticket, targets);
    };
    if (isIP(host) !== 0) return answer([{ transport: transport ?? "udp", address: { host, port: port ?? USUAL_PORT } }]);
    if (this.#underWay >= QUESTIONS_MAX) return answer([]);
    this.#underWay += 1;
    this.#targets(host, port, transport)
      .catch(() => [])
      .then((targets) => {
        this.#underWay -= 1;
        answer(targets);
      });
  }

  close(): void {
    this.#closed = true;
    this.#dns.cancel();
  }

  #targets(host: string, port: number | undefined, transport: TransportName | undefined): Promise<readonly Target[]> {
    const key = `${host} ${port ?? ""} ${transport ?? ""}`;
    const kept = this.#kept.get(key);
    const now = performance.now();
    if (kept !== undefined && kept.until > now) return kept.targets;
    const targets = this.#locate(host, port, transport);
    this.#kept.delete(key);
    this.#kept.set(key, { until: now + KEPT_MS, targets });
    return targets;
  }

  async #locate(host: string, port: number | undefined, transport: TransportName | undefined): Promise<readonly Target[]> {
    if (port !== undefined) return this.#addresses(host, port, transport ?? "udp");
    const services = transport === undefined ? await this.#services(host) : await this.#srv(`_sip._${transport}.${host}`, transport);
    if (services.length === 0) return this.#addresses(host, USUAL_PORT, transport ?? "udp");
    const targets: Target[] = [];
    for (const service of services) {
      targets.push(...(await this.#addresses(service.name, service.port, service.transport)));
      if (targets.length >= TARGETS_MAX) break;
    }
    return targets.slice(0, TARGETS_MAX);
  }

  /** NAPTR in their order of preference; without any, SRV of each transport (RFC 3263 section 4.1). */
  async #services(host: string): Promise<readonly Service[]> {
    const pointers = (await orNothing(this.#dns.resolveNaptr(host)))
      .filter(({ flags, service }) => flags.toLowerCase() === "s" && TRANSPORT_OF_SERVICE[service.toUpperCase()] !== undefined)
      .sort((a, b) => a.order - b.order || a.preference - b.preference);
    const services: Service[] = [];
    for (const { service, replacement } of pointers) {
      services.push(...(await this.#srv(replacement, TRANSPORT_OF_SERVICE[service.toUpperCase()] ?? "udp")));
    }
    if (services.length > 0) return services;
    return [...(await this.#srv(`_sip._udp.${host}`, "udp")), ...(await this.#srv(`_sip._tcp.${host}`, "tcp"))];
  }

  async #srv(name: string, transport: TransportName): Promise<readonly Service[]> {
    const records = await orNothing(this.#dns.resolveSrv(name));
    return orderServices(records.map((record) => ({ ...record, transport })), this.#settings.random);
  }

  async #addresses(host: string, port: number, transport: TransportName): Promise<readonly Target[]> {
    if (isIP(host) !== 0) return [{ transport, address: { host, port } }];
    const [four, six] = await Promise.all([orNothing(this.#dns.resolve4(host)), orNothing(this.#dns.resolve6(host))]);
    return [...four, ...six].map((address) => ({ transport, address: { host: address, port } }));
  }
}

/** A name that is not there, or a server that does not answer: nothing to try. */
const orNothing = <Value>(records: Promise<Value[]>): Promise<Value[]> => records.catch(() => []);
