// sipsak 0.9.8: one request a run. It resolves the domain itself, so its host is told where that is.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Host } from "../network.ts";
import type { Account } from "./phone.ts";

export interface SipsakResult {
  readonly succeeded: boolean;
  readonly said: string;
}

/** Asks a box with OPTIONS whether it is there. */
export function sipsakOptions(host: Host, box: string): SipsakResult {
  return sipsak(host, "", ["-H", host.address, "-s", `sip:${box}:5060`]);
}

/** Registers with digest, URIs written without angle brackets. */
export function sipsakRegister(host: Host, account: Account): SipsakResult {
  const { username, password, domain, box, port = 5060, expires = 60 } = account;
  return sipsak(host, `${box} ${domain}\n`, [
    "-U", "-i", "-H", host.address, "-C", `sip:${username}@${host.address}:${port}`, "-x", String(expires),
    "-u", username, "-a", password, "-s", `sip:${username}@${domain}`, "-p", box,
  ]);
}

function sipsak(host: Host, names: string, parameters: readonly string[]): SipsakResult {
  const hosts = join(host.directory, `${host.name}-hosts`);
  writeFileSync(hosts, `127.0.0.1 localhost\n${names}`);
  // Each program on a host has a mount namespace of its own: nobody else sees these names.
  const done = host.run(["sh", "-c", 'mount --bind "$0" /etc/hosts && exec sipsak -vv "$@"', hosts, ...parameters]);
  return { succeeded: done.status === 0, said: done.stdout + done.stderr };
}
