// Kamailio 5.6 on a host of the lab: a proxy of another maker, with the rules that a test gives it.

import type { ChildProcess } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Host } from "../network.ts";
import { Transcript } from "../transcript.ts";
import { PATIENCE, until } from "../until.ts";

export interface KamailioRules {
  /** Beside those that every proxy needs: `path.so` and the like. */
  readonly modules?: readonly string[];
  /** `module`, `name`, `value` as they stand in `modparam`. */
  readonly parameters?: readonly string[];
  /** What becomes of a request whose Max-Forwards is good and that is neither a CANCEL nor within a dialog. */
  readonly route: string;
}

const MODULES = ["tm", "sl", "rr", "pv", "maxfwd", "siputils", "textops"];

const configuration = (address: string, { modules = [], parameters = [], route }: KamailioRules): string => `#!KAMAILIO
debug=0
log_stderror=yes
children=1
tcp_children=1
listen=udp:${address}:5060
listen=tcp:${address}:5060
${[...MODULES, ...modules].map((module) => `loadmodule "${module}.so"`).join("\n")}
${parameters.map((parameter) => `modparam(${parameter})`).join("\n")}
request_route {
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
  if (has_totag()) { loose_route(); t_relay(); exit; }
${route}
}
`;

export class Kamailio {
  readonly #host: Host;
  readonly #config: string;
  readonly #program: ChildProcess;

  /** Settles once it listens. */
  static async start(host: Host, rules: KamailioRules): Promise<Kamailio> {
    const config = join(host.directory, `${host.name}-kamailio.cfg`);
    writeFileSync(config, configuration(host.address, rules));
    return await Kamailio.#run(host, config);
  }

  static async #run(host: Host, config: string): Promise<Kamailio> {
    const program = host.start(["kamailio", "-f", config, "-DD", "-E", "-Y", host.directory, "-m", "64", "-M", "8"], "pipe");
    const said = new Transcript(program, `${config}.txt`);
    // It says on which addresses it listens once it does.
    await said.said(/Listening on/, 0, PATIENCE);
    return new Kamailio(host, config, program);
  }

  private constructor(host: Host, config: string, program: ChildProcess) {
    this.#host = host;
    this.#config = config;
    this.#program = program;
  }

  async stop(): Promise<void> {
    this.#program.kill("SIGTERM");
    await until("Kamailio ends", PATIENCE, () => {
      if (this.#program.exitCode === null && this.#program.signalCode === null) throw new Error("still there");
    });
  }

  /** Ends, forgets everything, and begins anew. */
  async restarted(): Promise<Kamailio> {
    await this.stop();
    return await Kamailio.#run(this.#host, this.#config);
  }
}
