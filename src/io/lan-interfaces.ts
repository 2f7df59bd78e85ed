import { readFileSync } from "node:fs";
import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";
import { subnetOf } from "./ipv4-subnet.ts";

/** One address by which this box is on a LAN: of IPv4, or of IPv6 where there is no IPv4. */
export interface LanInterface {
  readonly name: string;
  readonly family: "IPv4" | "IPv6";
  readonly address: string;
  readonly netmask: string;
  /** Differs when sockets that joined a group here have to join again: renumbered, made anew, unplugged for a while. */
  readonly key: string;
}

type Found = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/** BOUNDED: a host of containers has many interfaces; what comes after these is left out. */
export const MAX_LAN_INTERFACES = 16;

/** The interfaces that are up now; only the one with address `listen`, if that names one. */
export const lanInterfaces = (listen: string | undefined): readonly LanInterface[] =>
  selectLanInterfaces(networkInterfaces(), listen, incarnation);

/** One IPv4 address of each subnet on each interface, or one of IPv6 that leads off the link; none of loopback. */
export function selectLanInterfaces(found: Found, listen: string | undefined, incarnationOf: (name: string) => string): readonly LanInterface[] {
  const everywhere = listen === undefined || listen === "0.0.0.0" || listen === "::";
  const selected = new Map<string, LanInterface>();
  for (const [name, addresses = []] of Object.entries(found)) {
    const wanted = addresses.filter((one) => !one.internal && (everywhere || one.address === listen));
    const ipv4 = wanted.filter(({ family }) => family === "IPv4");
    const ipv6 = ipv4.length > 0 ? [] : wanted.filter(({ family, address }) => family === "IPv6" && !address.startsWith("fe80:")).slice(0, 1);
    for (const { family, address, netmask } of [...ipv4, ...ipv6]) {
      // An address alone, as service addresses are: its link is that of another one.
      if (netmask === "255.255.255.255") continue;
      const subnet = `${name} ${subnetOf(address, netmask)}`;
      if (selected.has(subnet) || selected.size >= MAX_LAN_INTERFACES) continue;
      selected.set(subnet, { name, family, address, netmask, key: [name, address, netmask, incarnationOf(name)].join("|") });
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
