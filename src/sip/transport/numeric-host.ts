// Numeric addresses as bytes: to put them into tokens, and to know the ones that nothing may be sent to.

/** 4 or 16 bytes; `undefined` if it is a name. IPv6 without brackets. */
export function parseNumericHost(host: string): Uint8Array | undefined {
  return host.includes(":") ? parseIpv6(host) : parseIpv4(host);
}

function parseIpv4(host: string): Uint8Array | undefined {
  const parts = host.split(".", 5);
  if (parts.length !== 4) return undefined;
  const bytes = new Uint8Array(4);
  for (const [i, part] of parts.entries()) {
    const value = decimalByte(part);
    if (value === undefined) return undefined;
    bytes[i] = value;
  }
  return bytes;
}

function decimalByte(text: string): number | undefined {
  if (text.length === 0 || text.length > 3) return undefined;
  let value = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return undefined;
    value = 10 * value + digit;
  }
  return value > 255 ? undefined : value;
}

function parseIpv6(host: string): Uint8Array | undefined {
  if (host.length > 45) return undefined;
  const halves = host.split("::", 3);
  if (halves.length > 2) return undefined;
  const head = groups(halves[0] ?? "");
  const tail = halves.length === 2 ? groups(halves[1] ?? "") : [];
  if (head === undefined || tail === undefined) return undefined;
  const given = head.length + tail.length;
  if (halves.length === 2 ? given > 14 : given !== 16) return undefined;
  const bytes = new Uint8Array(16);
  bytes.set(head, 0);
  bytes.set(tail, 16 - tail.length);
  return bytes;
}

/** Bytes of `a:b:c` or `a:b:1.2.3.4`. */
function groups(text: string): readonly number[] | undefined {
  if (text === "") return [];
  const bytes: number[] = [];
  const parts = text.split(":", 9);
  for (const [i, part] of parts.entries()) {
    const embedded = i === parts.length - 1 && part.includes(".") ? parseIpv4(part) : undefined;
    if (embedded !== undefined) {
      bytes.push(...embedded);
      continue;
    }
    const value = hexGroup(part);
    if (value === undefined) return undefined;
    bytes.push(value >> 8, value & 0xff);
  }
  return bytes.length > 16 ? undefined : bytes;
}

function hexGroup(text: string): number | undefined {
  if (text.length === 0 || text.length > 4) return undefined;
  let value = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = "0123456789abcdef".indexOf(text.charAt(i).toLowerCase());
    if (digit < 0) return undefined;
    value = 16 * value + digit;
  }
  return value;
}

/** The text of 4 or 16 bytes; IPv6 as RFC 5952 wants it. */
export function formatNumericHost(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  const words = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0));
  const run = longestZeroRun(words);
  if (run.length < 2) return words.map((word) => word.toString(16)).join(":");
  const text = (part: readonly number[]) => part.map((word) => word.toString(16)).join(":");
  return `${text(words.slice(0, run.start))}::${text(words.slice(run.start + run.length))}`;
}

function longestZeroRun(words: readonly number[]): { readonly start: number; readonly length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < words.length; start++) {
    let length = 0;
    while (words[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  return best;
}

/** The one spelling by which two equal addresses compare equal; names and zoned addresses stay as they are. */
export function canonicalHost(host: string): string {
  if (!host.includes(":") && !hasLeadingZero(host)) return host;
  const bytes = parseNumericHost(host);
  return bytes === undefined ? host : formatNumericHost(bytes);
}

/** Whether a number between dots is written longer than it need be: the only second spelling of an IPv4 address. */
function hasLeadingZero(host: string): boolean {
  for (let i = 0; i < host.length - 1; i++) {
    const begins = i === 0 || host.charCodeAt(i - 1) === 0x2e;
    if (begins && host.charCodeAt(i) === 0x30 && host.charCodeAt(i + 1) !== 0x2e) return true;
  }
  return false;
}

export function isLoopback(host: string): boolean {
  const bytes = parseNumericHost(host);
  if (bytes === undefined) return host === "localhost";
  if (bytes.length === 4) return bytes[0] === 127;
  return isMappedIpv4(bytes) ? bytes[12] === 127 : host === "::1" || formatNumericHost(bytes) === "::1";
}

const isMappedIpv4 = (bytes: Uint8Array): boolean =>
  bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;

/** Multicast, broadcast and unspecified addresses: nothing is ever relayed there. */
export function isNoPlace(host: string): boolean {
  const bytes = parseNumericHost(host);
  if (bytes === undefined) return false;
  if (bytes.length === 16) return bytes[0] === 0xff || isMappedIpv4(bytes) || bytes.every((byte) => byte === 0);
  const first = bytes[0] ?? 0;
  return first === 0 || first >= 224;
}

/** Addresses that mean something on their own network only (RFC 1918, 6598, 4193). */
export function isPrivate(host: string): boolean {
  const bytes = parseNumericHost(host);
  if (bytes === undefined) return false;
  const [first = 0, second = 0] = bytes;
  if (bytes.length === 16) return (first & 0xfe) === 0xfc;
  return first === 10 || (first === 172 && (second & 0xf0) === 16) || (first === 192 && second === 168) || (first === 100 && (second & 0xc0) === 64);
}

/** 169.254.0.0/16 and fe80::/10. */
export function isLinkLocal(host: string): boolean {
  const zone = host.indexOf("%");
  const bytes = parseNumericHost(zone < 0 ? host : host.slice(0, zone));
  if (bytes === undefined) return false;
  return bytes.length === 4 ? bytes[0] === 169 && bytes[1] === 254 : bytes[0] === 0xfe && ((bytes[1] ?? 0) & 0xc0) === 0x80;
}
