// Servers outside that did not answer lately (RFC 3263 section 4.3): whoever asks for them next tries the others of
// the same name first, and does not wait for them again.

import { BoundedMap } from "../../base/bounded-map.ts";
import { formatAddress } from "../../base/address.ts";
import { after, type Instant, seconds } from "../../base/time.ts";
import { CORE_LIMITS } from "../limits.ts";
import type { Target } from "../ports.ts";

/** As long as a transaction waits for an answer (timers B and F). */
const REMEMBERED = seconds(32);

export class SilentServers {
  /** Until when each is left for last. */
  readonly #until = new BoundedMap<string, Instant>(CORE_LIMITS.silentServers, "evict");

  /** Nothing came from there in time, nobody could be reached, or it had too much to do (503). */
  failed(now: Instant, server: Target): void {
    this.#until.set(nameOf(server), after(now, REMEMBERED));
  }

  answered(server: Target): void {
    if (this.#until.size > 0) this.#until.delete(nameOf(server));
  }

  /** In the order that the name gives them, and those that failed lately behind all others. */
  lastOf(now: Instant, servers: readonly Target[]): readonly Target[] {
    if (this.#until.size === 0) return servers;
    const isSilent = (server: Target): boolean => (this.#until.get(nameOf(server)) ?? now) > now;
    return [...servers.filter((server) => !isSilent(server)), ...servers.filter(isSilent)];
  }
}

const nameOf = ({ transport, address }: Target): string => `${transport} ${formatAddress(address)}`;
