import type { Random } from "../base/random.ts";
import type { TransportName } from "../sip/ports.ts";

/** One SRV record (RFC 2782), for a transport. */
export interface Service {
  readonly name: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
  readonly transport: TransportName;
}

/** In the order in which they are tried: by priority, and inside one by luck in proportion to weight (RFC 2782). */
export function orderServices(services: readonly Service[], random: Random): readonly Service[] {
  const left = [...services].sort((a, b) => a.priority - b.priority || a.weight - b.weight);
  const ordered: Service[] = [];
  while (left.length > 0) {
    const priority = left[0]?.priority;
    const group = left.filter((service) => service.priority === priority);
    const chosen = pick(group, random);
    ordered.push(chosen);
    left.splice(left.indexOf(chosen), 1);
  }
  return ordered;
}

function pick(group: readonly Service[], random: Random): Service {
  const total = group.reduce((sum, { weight }) => sum + weight, 0);
  let point = random.below(total + 1);
  for (const service of group) {
    point -= service.weight;
    if (point <= 0) return service;
  }
  return group[group.length - 1] as Service;
}
