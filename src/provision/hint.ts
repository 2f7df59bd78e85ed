/** Where a member might be: a host name or numeric address (IPv6 without brackets), and a port. */
export interface Hint {
  readonly host: string;
  readonly port: number;
}

/** The overlay port's default (RFC 6940 section 14.2). */
export const OVERLAY_PORT = 6084;

const HOST_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:%";

/** `host`, `host:port`, `[v6]` or `[v6]:port`; `undefined` if it is none of them. */
export function parseHint(text: string): Hint | undefined {
  if (text.startsWith("[")) {
    const end = text.indexOf("]");
    const rest = text.slice(end + 1);
    if (end < 0 || (rest !== "" && !rest.startsWith(":"))) return undefined;
    const host = text.slice(1, end);
    return host.includes(":") ? hint(host, rest.slice(1)) : undefined;
  }
  const colon = text.indexOf(":");
  if (colon < 0) return hint(text, "");
  return text.includes(":", colon + 1) ? undefined : hint(text.slice(0, colon), text.slice(colon + 1));
}

export const formatHint = ({ host, port }: Hint): string => (host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`);

function hint(host: string, digits: string): Hint | undefined {
  const port = digits === "" ? OVERLAY_PORT : parsePort(digits);
  if (port === undefined || host.length === 0 || host.length > 253) return undefined;
  for (const char of host) if (!HOST_CHARACTERS.includes(char)) return undefined;
  return { host, port };
}

function parsePort(digits: string): number | undefined {
  if (digits.length > 5) return undefined;
  let port = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = digits.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return undefined;
    port = port * 10 + digit;
  }
  return port >= 1 && port <= 65_535 ? port : undefined;
}
