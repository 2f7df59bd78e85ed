import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";

/**
 * The address under which this box tells others to reach it: the one it was told to listen on, else the
 * first that leads off the machine (IPv4 before IPv6, what a router gave before link-local), else loopback. Never one
 * that may move to another box (`movable`).
 */
export function ownAddress(listen: string | undefined, movable: readonly string[] = []): string {
  return listen ?? outwardAddresses().find((address) => !movable.includes(address)) ?? "127.0.0.1";
}

/** The addresses that lead off the machine, the one to be known by first. */
export function outwardAddresses(found: Found = networkInterfaces()): readonly string[] {
  return Object.values(found)
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, address }) => !internal && !address.startsWith("fe80:"))
    .sort((a, b) => rank(a) - rank(b))
    .map(({ address }) => address);
}

type Found = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

function rank({ family, address }: NetworkInterfaceInfo): number {
  if (family !== "IPv4") return 2;
  return address.startsWith("169.254.") ? 1 : 0;
}
