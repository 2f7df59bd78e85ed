// RFC 3263: where a request for a host goes. One question at a time asks a few records more than needed
// rather than one after the other, because a call is waiting.

import { lookup, Resolver } from "node:dns/promises";
import { isIP } from "node:net";
import { BoundedMap } from "../base/bounded-map.ts";
import type { Random } from "../base/random.ts";
import type { SipEffect, Target, TransportName } from "../sip/ports.ts";

export type ResolveCommand = Extract<SipEffect, { type: "resolve" }>;

export interface SipResolverSettings {
  readonly random: Random;
  readonly onResolved: (ticket: number, targets: readonly Target[]) => void;
  /** DNS servers instead of the system's, `host:port` each; then the system's hosts file is not asked either. */
  readonly servers?: readonly string[];
}

interface SrvRecord {
  readonly name: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}

interface Cached {
  readonly targets: Promise<readonly Target[]>;
  until: number;
}

const SIP_PORT = 5060;
const SIPS_PORT = 5061;
/** One attempt of one question; the resolver makes two. */
const QUERY_TIMEOUT_MS = 1_000;
/** In all; what was not found until then is not there. */
const TOTAL_TIMEOUT_MS = 4_000;
const FOUND_FOR_MS = 60_000;
const MISSING_FOR_MS = 15_000;
/** BOUNDED: questions under way; more are answered with nothing. */
const MAX_QUESTIONS = 256;
const MAX_TARGETS = 16;
const MAX_SRV_RECORDS = 16;

/** RFC 3263 section 4.1: what a NAPTR service says of the transport. SCTP is not spoken here. */
const NAPTR_TRANSPORTS: Readonly<Record<string, TransportName>> = { "SIP+D2U": "udp", "SIP+D2T": "tcp", "SIPS+D2T": "tls" };

export class SipResolver {
  readonly #settings: SipResolverSettings;
  readonly #dns = new Resolver({ timeout: QUERY_TIMEOUT_MS, tries: 2 });
  /** By question. BOUNDED: the oldest goes. */
  readonly #cache = new BoundedMap<string, Cached>(1_024, "evict");
  #open = 0;
  #closed = false;

  constructor(settings: SipResolverSettings) {
    this.#settings = settings;
    if (settings.servers !== undefined) this.#dns.setServers([...settings.servers]);
  }

  /** Answered once, by `onResolved`, in any case. */
  resolve(command: ResolveCommand): void {
    const literal = literalTarget(command);
    if (literal !== undefined) return this.#settings.onResolved(command.ticket, [literal]);
    const targets = this.#open >= MAX_QUESTIONS ? Promise.resolve([]) : this.#cached(command);
    this.#open++;
    void targets
      .catch((): readonly Target[] => [])
      .then((found) => {
        this.#open--;
        if (!this.#closed) this.#settings.onResolved(command.ticket, found);
      });
  }

  close(): void {
    this.#closed = true;
    this.#dns.cancel();
  }

  #cached(command: ResolveCommand): Promise<readonly Target[]> {
    const host = command.host.toLowerCase();
    const key = `${host}|${command.port ?? ""}|${command.transport ?? ""}`;
    const now = performance.now();
    const known = this.#cache.get(key);
    if (known !== undefined && known.until > now) return known.targets;
    const targets = withinTime(this.#ask({ ...command, host }));
    const cached: Cached = { targets, until: now + FOUND_FOR_MS };
    this.#cache.set(key, cached);
    targets.then((found) => {
      if (found.length === 0) cached.until = performance.now() + MISSING_FOR_MS;
    }, () => this.#cache.delete(key));
    return targets;
  }

  async #ask({ host, port, transport }: ResolveCommand): Promise<readonly Target[]> {
    if (port !== undefined) return this.#addresses(host, port, transport ?? "udp");
    const services = transport === undefined ? await this.#services(host) : [{ name: srvName(host, transport), transport }];
    for (const service of services) {
      const targets = await this.#serviceTargets(service.name, service.transport);
      if (targets !== undefined) return targets;
    }
    return this.#addresses(host, usualPort(transport), transport ?? "udp");
  }

  /** By NAPTR if there are any records, else the usual names, UDP first. */
  async #services(host: string): Promise<readonly { readonly name: string; readonly transport: TransportName }[]> {
    const usual = [{ name: srvName(host, "udp"), transport: "udp" as const }, { name: srvName(host, "tcp"), transport: "tcp" as const }];
    const records = await none(this.#dns.resolveNaptr(host));
    const ordered = [...records].sort((a, b) => a.order - b.order || a.preference - b.preference);
    const services = ordered.flatMap(({ flags, service, replacement }) => {
      const transport = NAPTR_TRANSPORTS[service.toUpperCase()];
      return flags.toLowerCase() === "s" && transport !== undefined ? [{ name: replacement, transport }] : [];
    });
    return services.length > 0 ? services : usual;
  }

  /** `undefined`: there is no such service; empty: there is, but "." says decidedly not, or nothing has an address. */
  async #serviceTargets(name: string, transport: TransportName): Promise<readonly Target[] | undefined> {
    const records = await none(this.#dns.resolveSrv(name));
    if (records.length === 0) return undefined;
    const ordered = orderSrv(records.slice(0, MAX_SRV_RECORDS).filter((record) => record.name !== "" && record.name !== "."), this.#settings.random);
    const found = await Promise.all(ordered.map((record) => this.#addresses(record.name, record.port, transport)));
    return found.flat().slice(0, MAX_TARGETS);
  }

  async #addresses(host: string, port: number, transport: TransportName): Promise<readonly Target[]> {
    if (isIP(host) !== 0) return [{ transport, address: { host, port } }];
    const [v4, v6] = await Promise.all([none(this.#dns.resolve4(host)), none(this.#dns.resolve6(host))]);
    const hosts = v4.length + v6.length > 0 || this.#settings.servers !== undefined ? [...v4, ...v6] : await this.#fromHostsFile(host);
    return hosts.slice(0, MAX_TARGETS).map((address) => ({ transport, address: { host: address, port } }));
  }

  /** Names that the system knows without DNS. */
  async #fromHostsFile(host: string): Promise<readonly string[]> {
    const found = await none(lookup(host, { all: true, order: "ipv4first" }));
    return found.map(({ address }) => address);
  }
}

/**
 * RFC 2782: by priority; within one, each next is drawn with a chance in proportion to its weight,
 * those of weight 0 first in line, so that they are drawn seldom but not never.
 */
export function orderSrv(records: readonly SrvRecord[], random: Random): readonly SrvRecord[] {
  const ordered: SrvRecord[] = [];
  const waiting = [...records].sort((a, b) => a.priority - b.priority || a.weight - b.weight);
  while (waiting.length > 0) {
    const priority = waiting[0]?.priority;
    const group = waiting.filter((record) => record.priority === priority);
    const total = group.reduce((sum, { weight }) => sum + weight, 0);
    const drawn = drawByWeight(group, random.below(total + 1));
    if (drawn === undefined) break;
    ordered.push(drawn);
    waiting.splice(waiting.indexOf(drawn), 1);
  }
  return ordered;
}

/** The first record at which the running sum of weights reaches the number drawn. */
function drawByWeight(group: readonly SrvRecord[], number: number): SrvRecord | undefined {
  let sum = 0;
  for (const record of group) {
    sum += record.weight;
    if (sum >= number) return record;
  }
  return group[0];
}

function literalTarget({ host, port, transport }: ResolveCommand): Target | undefined {
  const bare = host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
  if (isIP(bare) === 0) return undefined;
  return { transport: transport ?? "udp", address: { host: bare, port: port ?? usualPort(transport) } };
}

const srvName = (host: string, transport: TransportName): string =>
  transport === "tls" ? `_sips._tcp.${host}` : `_sip._${transport}.${host}`;

const usualPort = (transport: TransportName | undefined): number => (transport === "tls" ? SIPS_PORT : SIP_PORT);

/** No such record, no answer, malformed name: all mean that this way leads nowhere. */
const none = <Item>(records: Promise<readonly Item[]>): Promise<readonly Item[]> => records.catch(() => []);

function withinTime(targets: Promise<readonly Target[]>): Promise<readonly Target[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<readonly Target[]>((resolve) => {
    timer = setTimeout(() => resolve([]), TOTAL_TIMEOUT_MS);
  });
  return Promise.race([targets, late]).finally(() => clearTimeout(timer));
}
