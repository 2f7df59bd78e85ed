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
export function isOnLink(remote: string, local: Pick<LocalAddress, "address" | "netmask">): boolean {
  const remoteBits = addressBits(remote);
  const localBits = addressBits(local.address);
  const mask = addressBits(local.netmask);
  if (remoteBits === undefined || localBits === undefined || mask === undefined) return false;
  if (remoteBits.length !== localBits.length) return false;
  return remoteBits.every((word, i) => (word & (mask[i] ?? 0)) === ((localBits[i] ?? 0) & (mask[i] ?? 0)));
}

/** The interface on whose link an address is, and that link's prefix, as `192.0.2.0/24` or `fd00:0:0:1:0:0:0:0/64`. */
export function linkOf(address: string, locals: readonly LocalAddress[]): { readonly interface: string; readonly link: string } | undefined {
  const on = locals.find((local) => !local.internal && local.address !== address && isOnLink(address, local));
  const bits = addressBits(address);
  const mask = on === undefined ? undefined : addressBits(on.netmask);
  if (on === undefined || bits === undefined || mask === undefined) return undefined;
  const length = mask.reduce((sum, word) => sum + oneBits(word), 0);
  const prefix = bits.map((word, i) => word & (mask[i] ?? 0));
  const text = on.family === "IPv4" ? prefix.join(".") : prefix.map((word) => word.toString(16)).join(":");
  return { interface: on.interface, link: `${text}/${length}` };
}

const oneBits = (word: number): number => word.toString(2).replaceAll("0", "").length;

/** Four words of an IPv4 address or eight of an IPv6 address; `undefined` if it is neither. */
function addressBits(text: string): readonly number[] | undefined {
  if (!text.includes(":")) {
    const parts = text.split(".", 5);
    return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255) ? parts.map(Number) : undefined;
  }
  const halves = text.split("::").map((half) => (half === "" ? [] : half.split(":").map((word) => Number.parseInt(word, 16))));
  const [before = [], after = []] = halves;
  const missing = halves.length === 2 ? 8 - before.length - after.length : 0;
  const words = [...before, ...Array.from({ length: Math.max(0, missing) }, () => 0), ...after];
  return words.length === 8 && words.every((word) => word >= 0 && word <= 0xffff) ? words : undefined;
}
