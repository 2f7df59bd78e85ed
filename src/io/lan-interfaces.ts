import { readFileSync } from "node:fs";
import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";
import { subnetOf } from "./ipv4-subnet.ts";

/** One IPv4 address by which this box is on a LAN. */
export interface LanInterface {
  readonly name: string;
  readonly address: string;
  readonly netmask: string;
  /** Differs when sockets that joined a group here have to join again: renumbered, made anew, unplugged for a while. */
  readonly key: string;
}

type Found = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/** BOUNDED: a host of containers has many interfaces; what comes after these is left out. */
export const MAX_LAN_INTERFACES = 16;

/** The IPv4 interfaces that are up now; only the one with address `listen`, if that names one. */
export const lanInterfaces = (listen: string | undefined): readonly LanInterface[] =>
  selectLanInterfaces(networkInterfaces(), listen, incarnation);

/** One address of each subnet on each interface; none of loopback. */
export function selectLanInterfaces(found: Found, listen: string | undefined, incarnationOf: (name: string) => string): readonly LanInterface[] {
  const everywhere = listen === undefined || listen === "0.0.0.0" || listen === "::";
  const selected = new Map<string, LanInterface>();
  for (const [name, addresses] of Object.entries(found)) {
    for (const { family, internal, address, netmask } of addresses ?? []) {
      if (family !== "IPv4" || internal || !(everywhere || address === listen)) continue;
      // An address alone, as service addresses are: its link is that of another one.
      if (netmask === "255.255.255.255") continue;
      const subnet = `${name} ${subnetOf(address, netmask)}`;
      if (selected.has(subnet) || selected.size >= MAX_LAN_INTERFACES) continue;
      selected.set(subnet, { name, address, netmask, key: [name, address, netmask, incarnationOf(name)].join("|") });
    }
  }
  return [...selected.values()];
}

/** Which interface of this name it is, and how often its cable came and went, where the system tells. */
const incarnation = (name: string): string => `${attribute(name, "ifindex")}|${attribute(name, "carrier_changes")}`;

function attribute(name: string, attribute: string): string {
  try {
    return readFileSync(`/sys/class/net/${name}/${attribute}`, "latin1").trim();
  } catch {
    return ""; // not Linux, no /sys, or just gone: then the address alone has to tell
  }
}
