// Under which names a browser may speak to this box. A foreign name that leads to our address (DNS rebinding) would
// make a foreign page ours: whoever does not call the box by one of its own names or addresses is told that it is
// at the wrong one.

export interface OwnNames {
  /** Lower case: names, and addresses as URLs have them without brackets. */
  readonly names: ReadonlySet<string>;
  readonly port: number;
  /** Whether the request came from this machine itself: then the box is also `localhost`. */
  readonly fromHere: boolean;
}

const HOST_MAX = 255;
const LOOPBACK: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "::1"]);

/** Whether a Host header field names this box. */
export function isOwnHost(host: string | undefined, { names, port, fromHere }: OwnNames): boolean {
  if (host === undefined || host.length > HOST_MAX) return false;
  const read = splitHost(host.toLowerCase());
  if (read === undefined || (read.port !== String(port) && !(read.port === "" && (port === 80 || port === 443)))) return false;
  const name = read.name.endsWith(".") ? read.name.slice(0, -1) : read.name;
  return LOOPBACK.has(name) ? fromHere : names.has(name);
}

/** Whether an Origin header field is the page that this host serves over HTTPS. */
export const isOwnOrigin = (origin: string | undefined, host: string): boolean => origin !== undefined && origin.toLowerCase() === `https://${host.toLowerCase()}`;

function splitHost(host: string): { readonly name: string; readonly port: string } | undefined {
  if (host.startsWith("[")) {
    const end = host.indexOf("]");
    if (end === -1) return undefined;
    const rest = host.slice(end + 1);
    return rest === "" || rest.startsWith(":") ? { name: host.slice(1, end), port: rest.slice(1) } : undefined;
  }
  const [name = "", port = "", ...more] = host.split(":");
  return more.length > 0 || name === "" ? undefined : { name, port };
}
