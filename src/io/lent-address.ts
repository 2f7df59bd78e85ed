// One address on an interface for as long as this process renews it. It has a short life in the kernel, so that it
// goes when the process stands still, and a child takes it away at once when the process ends, however it ends.

import { type ChildProcess, spawn } from "node:child_process";
import { isIpv6 } from "../base/address.ts";
import { milliseconds, seconds } from "../base/time.ts";
import type { LinkPlace } from "./arping.ts";

/** What the kernel gives an address that is not renewed, whole seconds. */
const LIFE_SECONDS = 5;
const RENEWED_EVERY = seconds(1);
/** Whoever renews later than this may find that another machine has the address. */
const TOO_LATE = milliseconds(3_500);

/**
 * `ip` reads its commands from a pipe; when that ends, the last command takes the address away. Signals for the whole
 * group of processes must not end it before. $1: the last command.
 */
const SCRIPT = `trap '' TERM INT HUP; { cat; printf '%s\\n' "$1"; } | exec ip -force -batch -`;

export class LentAddress {
  readonly #command: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  readonly #timer: NodeJS.Timeout;
  #renewedAt = performance.now();
  #complaint = "";
  #isDown = false;

  /** `onLost`: told once, if it cannot be kept; not after `takeDown`. */
  constructor({ interface: name, address }: LinkPlace, onLost: (why: string) => void) {
    // Alone, without its link: it goes with no other address, and (being deprecated) is nobody's source who did not ask for it.
    const place = `${address}/${isIpv6(address) ? 128 : 32} dev ${name}`;
    this.#command = `addr replace ${place} valid_lft ${LIFE_SECONDS} preferred_lft 0\n`;
    this.#child = spawn("/bin/sh", ["-c", SCRIPT, "ip", `addr del ${place}`], { stdio: ["pipe", "ignore", "pipe"] });
    const lost = (why: string): void => {
      if (this.#isDown) return;
      void this.takeDown();
      onLost(why);
    };
    this.#ended = new Promise((ended) => this.#child.once("close", () => ended()));
    this.#child.once("close", () => lost(this.#complaint || "the program ip has ended"));
    this.#child.once("error", (error) => lost(`/bin/sh cannot be run: ${error.message}`));
    this.#child.stdin?.on("error", () => undefined); // "close" follows
    this.#child.stderr?.on("data", (bytes: Buffer) => {
      this.#complaint = bytes.toString("latin1").trim().slice(0, 200);
    });
    this.#renew();
    this.#timer = setInterval(() => this.#renewInTime(lost), RENEWED_EVERY);
  }

  /** What `ip` said last; empty: nothing. */
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
    this.#child.stdin?.write(this.#command);
  }
}
