// One address on an interface for as long as this process renews it. It has a short life in the kernel, so that it
// goes when the process stands still, and a child takes it away at once when the process ends, however it ends.

import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { milliseconds, seconds } from "../base/time.ts";
import type { LinkPlace } from "./arping.ts";
import { deleteAddress, putAddress } from "./netlink.ts";

/** What the kernel gives an address that is not renewed, whole seconds. */
const LIFE_SECONDS = 5;
const RENEWED_EVERY = seconds(1);
/** Whoever renews later than this may find that another machine has the address. */
const TOO_LATE = milliseconds(3_500);

const PERL = "/usr/bin/perl";
/**
 * Messages of netlink as lines of hex digits; when the input ends, the last one takes the address away. Node opens no
 * netlink socket, perl-base is on every Debian, and one process is quicker than `ip` behind a shell: a phone whose
 * connection broke connects again within milliseconds, and must not be refused where nobody listens any more.
 * Signals for the whole group of processes must not end it before. What the kernel does not do is told in words.
 */
const MESSENGER = `
  $SIG{$_} = "IGNORE" for qw(TERM INT HUP);
  socket(my $kernel, 16, 3, 0) or die "$!\\n";
  sub ask {
    send($kernel, pack("H*", $_[0]), 0) or die "$!\\n";
    recv($kernel, my $answer, 4096, 0);
    $! = -unpack("x16l", $answer);
    warn "$!\\n" if $! && $_[1];
  }
  while (<STDIN>) { chomp; ask($_, 1) }
  ask($ARGV[0], 0);
`;

export class LentAddress {
  readonly #line: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  readonly #timer: NodeJS.Timeout;
  #renewedAt = performance.now();
  #complaint = "";
  #isDown = false;

  /** `onLost`: told once, if it cannot be kept; not after `takeDown`. */
  constructor({ interface: name, address }: LinkPlace, onLost: (why: string) => void) {
    const index = Number(readFileSync(`/sys/class/net/${name}/ifindex`, "latin1"));
    this.#line = `${putAddress(address, index, LIFE_SECONDS).toString("hex")}\n`;
    const last = deleteAddress(address, index).toString("hex");
    this.#child = spawn(PERL, ["-e", MESSENGER, last], { stdio: ["pipe", "ignore", "pipe"], env: {} });
    const lost = (why: string): void => {
      if (this.#isDown) return;
      void this.takeDown();
      onLost(why);
    };
    this.#ended = new Promise((ended) => this.#child.once("close", () => ended()));
    this.#child.once("close", () => lost(this.#complaint || "its keeper has ended"));
    this.#child.once("error", (error) => lost(`${PERL} cannot be run: ${error.message}`));
    this.#child.stdin?.on("error", () => undefined); // "close" follows
    this.#child.stderr?.on("data", (bytes: Buffer) => {
      this.#complaint = bytes.toString("latin1").trim().slice(0, 200);
    });
    this.#renew();
    this.#timer = setInterval(() => this.#renewInTime(lost), RENEWED_EVERY);
  }

  /** What the kernel said last; empty: nothing. */
  get complaint(): string {
    return this.#complaint;
  }

  /** Resolves when it is gone from the interface. */
  takeDown(): Promise<void> {
    this.#isDown = true;
    clearInterval(this.#timer);
    this.#child.stdin?.end();
    return this.#ended;
  }

  #renewInTime(lost: (why: string) => void): void {
    const late = performance.now() - this.#renewedAt;
    if (late > TOO_LATE) lost(`this box stood still for ${(late / 1_000).toFixed(1)} s`);
    else this.#renew();
  }

  #renew(): void {
    this.#renewedAt = performance.now();
    this.#child.stdin?.write(this.#line);
  }
}
