// rtpengine on a host of the lab, without its kernel module.

import type { ChildProcess } from "node:child_process";
import { join } from "node:path";
import type { Host } from "../network.ts";
import { PATIENCE, until } from "../until.ts";

const NG_PORT = 2223;

export class Rtpengine {
  readonly option: string;
  readonly #program: ChildProcess;

  constructor(host: Host) {
    this.option = `${host.address}:${NG_PORT}`;
    this.#program = host.start(
      ["rtpengine", "--foreground", "--log-stderr", "--log-level=6", "--table=-1", `--interface=${host.address}`, `--listen-ng=${this.option}`, "--port-min=30000", "--port-max=30200"],
      { file: join(host.directory, `${host.name}-rtpengine.log`) },
    );
  }

  async stop(): Promise<void> {
    this.#program.kill("SIGKILL");
    await until("rtpengine ends", PATIENCE, () => {
      if (this.#program.exitCode === null && this.#program.signalCode === null) throw new Error("still there");
    });
  }
}
