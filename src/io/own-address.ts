import { networkInterfaces } from "node:os";

/**
 * The address under which this box tells others to reach it: the one it was told to listen on, else the
 * first that leads off the machine (IPv4 before IPv6), else loopback.
 */
export function ownAddress(listen: string | undefined): string {
  if (listen !== undefined) return listen;
  const outward = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, address }) => !internal && !address.startsWith("fe80:"))
    .sort((a, b) => a.family.localeCompare(b.family));
  return outward[0]?.address ?? "127.0.0.1";
}
