import { networkInterfaces } from "node:os";

/** An address of this box on a link, with what tells whether another address is on the same link. */
export interface LocalAddress {
  readonly address: string;
  readonly family: "IPv4" | "IPv6";
  readonly netmask: string;
  readonly interface: string;
  readonly internal: boolean;
}

/** Every address of the box but IPv6 link-local ones, which mean nothing without a zone that SIP cannot carry. */
export function localAddresses(): readonly LocalAddress[] {
  const found: LocalAddress[] = [];
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    for (const { address, family, netmask, internal } of addresses ?? []) {
      if (family === "IPv6" && address.startsWith("fe80:")) continue;
      found.push({ address, family, netmask, interface: name, internal });
    }
  }
  return found;
}

/** Whether an address is on the link of a local one. */
export function isOnLink(remote: string, local: LocalAddress): boolean {
  const remoteBits = addressBits(remote);
  const localBits = addressBits(local.address);
  const mask = addressBits(local.netmask);
  if (remoteBits === undefined || localBits === undefined || mask === undefined) return false;
  if (remoteBits.length !== localBits.length) return false;
  return remoteBits.every((word, i) => (word & (mask[i] ?? 0)) === ((localBits[i] ?? 0) & (mask[i] ?? 0)));
}

/** Four words of an IPv4 address or eight of an IPv6 address; `undefined` if it is neither. */
function addressBits(text: string): readonly number[] | undefined {
  if (!text.includes(":")) {
    const words = text.split(".").map(Number);
    return words.length === 4 && words.every((word) => Number.isInteger(word) && word >= 0 && word <= 255) ? words : undefined;
  }
  const halves = text.split("::").map((half) => (half === "" ? [] : half.split(":").map((word) => Number.parseInt(word, 16))));
  const [before = [], after = []] = halves;
  const missing = halves.length === 2 ? 8 - before.length - after.length : 0;
  const words = [...before, ...Array.from({ length: Math.max(0, missing) }, () => 0), ...after];
  return words.length === 8 && words.every((word) => word >= 0 && word <= 0xffff) ? words : undefined;
}
