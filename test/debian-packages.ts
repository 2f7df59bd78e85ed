// The Debian packages that the tests use, each with its reason. The one place where they are named.

import { spawnSync } from "node:child_process";

export const DEBIAN_PACKAGES: Readonly<Record<string, string>> = {
  "sip-tester": "SIPp: registrations and calls by the thousand",
  "baresip-core": "a phone",
  "linphone-cli": "another vendor's phone: linphonec",
  sipsak: "single SIP requests, and a registrar's view of them",
  tshark: "decodes what boxes say to each other, independently of our codec",
  iproute2: "network namespaces and bridges of the lab",
  nftables: "cuts between boxes of the lab",
  kamailio: "the registrar and proxy that the benchmark stands beside",
  gcc: "compiles the benchmark's load generator",
  "libc6-dev": "headers for it",
  tcpdump: "captures what tshark decodes",
  openssl: "reads our certificates and tickets, independently of our libraries",
};

/** Those of them that are not installed. */
export function missingDebianPackages(): readonly string[] {
  const names = Object.keys(DEBIAN_PACKAGES);
  const query = spawnSync("dpkg-query", ["-W", "-f", "${db:Status-Status} ${Package}\n", ...names], { encoding: "utf8" });
  const installed = new Set<string>();
  for (const line of (query.stdout ?? "").split("\n")) {
    const [status, name] = line.split(" ");
    if (status === "installed" && name !== undefined) installed.add(name);
  }
  return names.filter((name) => !installed.has(name));
}
