// coturn on a host of the lab, with credentials of its REST scheme.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Host } from "../network.ts";

/** Where it listens. */
export const TURN_PORT = 3478;

export class Coturn {
  readonly #log: string;

  constructor(host: Host, realm: string, secret: string) {
    this.#log = join(host.directory, `${host.name}-coturn.log`);
    const address = [`--listening-ip=${host.address}`, `--relay-ip=${host.address}`, `--listening-port=${TURN_PORT}`];
    const access = ["--use-auth-secret", `--static-auth-secret=${secret}`, `--realm=${realm}`];
    host.start(["turnserver", "-n", ...address, ...access, "--no-tls", "--no-dtls", "--no-cli", "--verbose", "--log-file=stdout", `--pidfile=${join(host.directory, "coturn.pid")}`], { file: this.#log });
  }

  /** What it printed. */
  get words(): string {
    return readFileSync(this.#log, "utf8");
  }
}
