// What a multicast DNS response (RFC 6762, 6763) says of boxes, and what this box says of itself.

import type { Address } from "../base/address.ts";
import type { Announcement } from "../provision/admission.ts";

/** Without the domain. */
export const SERVICE_TYPE = "ringbox";
export const SERVICE_NAME = `_${SERVICE_TYPE}._tcp.local`;

/** A decoded resource record; what `data` is depends on the type and on who sent it. */
export interface DnsRecord {
  readonly type: string;
  readonly name: string;
  readonly ttl?: number;
  readonly data?: unknown;
}

export interface DnsResponse {
  readonly answers: readonly DnsRecord[];
  readonly additionals: readonly DnsRecord[];
}

/** A service instance in a response. */
export type Saying =
  | { readonly type: "here"; readonly name: string; readonly addresses: readonly Address[]; readonly announcement: Announcement }
  | { readonly type: "goodbye"; readonly name: string }
  | { readonly type: "malformed"; readonly name: string };

/** BOUNDED: a datagram can hold thousands of records; what comes after these is not looked at. */
const MAX_RECORDS = 512;
/** BOUNDED: an interface has few addresses; what comes after these is not looked at. */
const MAX_ADDRESSES = 4;

export function textOf({ fleetHash, state, instance }: Announcement, software: string): Record<string, string> {
  return { f: fleetHash, s: state, i: instance, v: software };
}

/** The boxes in a response. One of which it says too little to reach it is left out. */
export function readResponse({ answers, additionals }: DnsResponse): readonly Saying[] {
  const records = [...answers, ...additionals].slice(0, MAX_RECORDS);
  const sayings = new Map<string, Saying>();
  let byName: ReadonlyMap<string, readonly DnsRecord[]> | undefined;
  for (const { type, name, data, ttl } of records) {
    if (type !== "PTR" || lower(name) !== SERVICE_NAME || typeof data !== "string") continue;
    const service = lower(data);
    if (sayings.has(service)) continue;
    byName ??= groupByName(records);
    const saying: Saying | undefined = ttl === 0 ? { type: "goodbye", name: service } : readService(service, byName);
    if (saying !== undefined) sayings.set(service, saying);
  }
  return [...sayings.values()];
}

const lower = (name: string): string => name.toLowerCase();

function groupByName(records: readonly DnsRecord[]): ReadonlyMap<string, readonly DnsRecord[]> {
  const groups = new Map<string, DnsRecord[]>();
  for (const record of records) {
    if (record.ttl === 0) continue;
    const group = groups.get(lower(record.name));
    if (group === undefined) groups.set(lower(record.name), [record]);
    else group.push(record);
  }
  return groups;
}

function readService(name: string, records: ReadonlyMap<string, readonly DnsRecord[]>): Saying | undefined {
  const own = records.get(name) ?? [];
  const text = own.find(({ type }) => type === "TXT");
  const service = own.find(({ type }) => type === "SRV");
  if (text === undefined || service === undefined) return undefined;
  const announcement = readText(text.data);
  const target = readTarget(service.data);
  if (announcement === undefined || target === undefined) return { type: "malformed", name };
  const hosts = (records.get(lower(target.host)) ?? [])
    .filter(({ type }) => type === "A" || type === "AAAA")
    .flatMap(({ data }) => (typeof data === "string" ? [data] : []))
    .slice(0, MAX_ADDRESSES);
  const addresses = hosts.map((host) => ({ host, port: target.port }));
  return { type: "here", name, addresses, announcement };
}

function readTarget(data: unknown): Address | undefined {
  if (typeof data !== "object" || data === null || !("target" in data) || !("port" in data)) return undefined;
  const { target, port } = data;
  return typeof target === "string" && typeof port === "number" && port > 0 ? { host: target, port } : undefined;
}

/** RFC 6763 6.4: `key=value` strings, the first of a key counts, keys are case-insensitive, unknown ones are for others. */
function readText(data: unknown): Announcement | undefined {
  const values = new Map<string, string>();
  for (const item of Array.isArray(data) ? data : [data]) {
    if (!(item instanceof Uint8Array)) return undefined;
    const text = Buffer.from(item).toString("latin1");
    const equals = text.indexOf("=");
    const key = lower(text.slice(0, equals));
    if (equals > 0 && !values.has(key)) values.set(key, text.slice(equals + 1));
  }
  const [fleetHash, state, instance] = [values.get("f"), values.get("s"), values.get("i")];
  if (fleetHash === undefined || !/^[0-9a-f]{0,64}$/.test(fleetHash)) return undefined;
  if (instance === undefined || !/^[0-9a-f]{1,40}$/.test(instance)) return undefined;
  return state === "serving" || state === "blank" ? { fleetHash, state, instance } : undefined;
}
