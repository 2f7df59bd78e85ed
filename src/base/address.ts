/** A numeric address: IPv4 in dotted form or IPv6 without brackets, and a port. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

export const sameAddress = (a: Address, b: Address): boolean => a.port === b.port && a.host === b.host;

export const isIpv6 = (host: string): boolean => host.includes(":");

/** `192.0.2.1:5060` or `[2001:db8::1]:5060`. */
export const formatAddress = ({ host, port }: Address): string =>
  isIpv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
