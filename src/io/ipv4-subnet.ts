/** An IPv4 address in dotted form, or `undefined`: four decimal numbers up to 255, nothing else. */
function toNumber(address: string): number | undefined {
  const parts = address.split(".", 5);
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255)) return undefined;
  return parts.reduce((number, part) => number * 256 + Number(part), 0);
}

/** The lowest address of the subnet, as a number; `undefined` if one of the two is no IPv4 address. */
export function subnetOf(address: string, netmask: string): number | undefined {
  const [number, mask] = [toNumber(address), toNumber(netmask)];
  return number === undefined || mask === undefined ? undefined : (number & mask) >>> 0;
}
