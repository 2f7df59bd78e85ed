// The options of `ringbox-agent`, read and checked before anything is touched.

import { Command } from "commander";
import { asHouseCommand, runProgram, type Voice } from "./command-line.ts";
import { collected, domainOption, hintOption, listenOption, portOption, webhookOption } from "./option-values.ts";
import { VERSION } from "./version.ts";

const NAME = "ringbox-agent";

export interface AgentOptions {
  /** Data directory of the box, as typed. */
  readonly data: string;
  /** Numeric address to serve the page on; `undefined`: all. */
  readonly listen: string | undefined;
  readonly httpPort: number;
  /** Told when a condition comes and goes. */
  readonly webhook: string | undefined;
  /** `HOST:PORT`, checked. */
  readonly syslog: string | undefined;
  /** Whether somebody starts `ringboxd` again when it ends. */
  readonly supervised: boolean;
  /** Where a unit of root says what this machine was started from; nothing is there but on a box made from the image. */
  readonly slots: string;
  readonly httpsPort: number;
  /** Names of the box in DNS, besides those that it knows of itself; lower case. */
  readonly names: readonly string[];
}

interface ParsedOptions {
  readonly data: string;
  readonly listen?: string;
  readonly httpPort: number;
  readonly webhook?: string;
  readonly syslog?: string;
  readonly supervised?: boolean;
  readonly slots: string;
  readonly httpsPort: number;
  readonly name?: readonly string[];
}

/** The options, or the exit status after what there was to say was said. */
export async function parseAgentOptions(args: readonly string[], voice: Voice): Promise<{ readonly options: AgentOptions } | { readonly exitStatus: number }> {
  let options: AgentOptions | undefined;
  const program = asHouseCommand(new Command(NAME), voice)
    .description("Watches a box from outside: tries whether it works, and shows how it is.")
    .version(VERSION)
    .requiredOption("--data <dir>", "data directory of the box")
    .option("--listen <address>", "serve the page on this address only", listenOption)
    .option("--http-port <port>", "TCP port of the page", portOption, 8080)
    .option("--webhook <url>", "POST to it when a condition comes and when it is over", webhookOption)
    .option("--syslog <host:port>", "send the same to a syslog server (RFC 5424 over UDP)", hintOption)
    .option("--supervised", "ringboxd is started again when it ends: the agent may stop it where that mends something")
    .option("--slots <dir>", "what this machine was started from, as a box made from the image says it", "/run/ringbox-update")
    .option("--https-port <port>", "TCP port of the page for who signs in", portOption, 8443)
    .option("--name <host>", "a name of this box in DNS, by which browsers may call it; may be repeated", collected(domainOption))
    .action((parsed: ParsedOptions) => {
      const { data, listen, httpPort, httpsPort, name, webhook, syslog, supervised, slots } = parsed;
      options = { data, listen, httpPort, httpsPort, names: name ?? [], webhook, syslog, supervised: supervised === true, slots };
    });
  const exitStatus = await runProgram(program, args, NAME, voice);
  return options === undefined ? { exitStatus } : { options };
}
