// Tells systemd how the program is (sd_notify(3)). Node opens no datagram socket of the Unix kind, so four lines of
// Perl do: perl-base is on every Debian. One process for the life of the box, not one each time; it ends with its input.

import { type ChildProcess, spawn } from "node:child_process";
import { type Duration, milliseconds } from "../base/time.ts";

/** What systemd reads: `READY`, `STATUS`, `WATCHDOG`, `STOPPING`, `EXTEND_TIMEOUT_USEC`. */
export type Assignments = Readonly<Record<string, string>>;

const PERL = "/usr/bin/perl";
/** A line is one datagram, a tab in it a new line. The leading @ of an abstract address stands for a zero octet. */
const MESSENGER = `
  socket(my $socket, AF_UNIX, SOCK_DGRAM, 0) or die $!;
  my $path = $ENV{NOTIFY_SOCKET}; $path =~ s/^@/\\0/;
  while (my $line = <STDIN>) { chomp $line; $line =~ tr/\\t/\\n/; send $socket, $line, 0, pack_sockaddr_un($path); }
`;

export class ServiceManager {
  readonly #messenger: ChildProcess;
  /** How often systemd wants to hear `WATCHDOG`, at the latest; `undefined`: it does not. */
  readonly watchdog: Duration | undefined;

  /** `undefined`: nobody wants to be told. The environment stays: a box that starts afresh in its own place reads it again. */
  static fromEnvironment(environment: NodeJS.ProcessEnv): ServiceManager | undefined {
    const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: interval, WATCHDOG_PID: pid } = environment;
    if (socket === undefined || socket === "") return undefined;
    const mine = pid === undefined || pid === String(process.pid);
    const microseconds = mine ? Number(interval ?? "") : 0;
    return new ServiceManager(socket, microseconds > 0 ? milliseconds(microseconds / 1_000) : undefined);
  }

  private constructor(socket: string, watchdog: Duration | undefined) {
    this.watchdog = watchdog;
    this.#messenger = spawn(PERL, ["-MSocket", "-e", MESSENGER], {
      stdio: ["pipe", "ignore", "inherit"],
      env: { NOTIFY_SOCKET: socket },
    });
    // A box that cannot tell goes on; systemd misses its word and starts it afresh.
    this.#messenger.on("error", () => undefined);
    this.#messenger.stdin?.on("error", () => undefined);
    this.#messenger.unref();
  }

  readonly tell = (assignments: Assignments): void => {
    const fields = Object.entries(assignments).map(([name, value]) => `${name}=${printable(value)}`);
    this.#messenger.stdin?.write(`${fields.join("\t")}\n`);
  };
}

/** One line: a line break would begin another assignment. */
const printable = (text: string): string => text.replaceAll(/\p{Cc}/gu, " ");
