// Puts service addresses on the interfaces of this machine and takes them down, as the peer wants: first a probe, then
// the address, then SIP on it, then the announcement.

import { readFileSync, writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { isIpv6 } from "../base/address.ts";
import { toHex } from "../base/bytes.ts";
import { milliseconds, seconds } from "../base/time.ts";
import type { ServiceAddressEvent } from "../peer/service-addresses.ts";
import { parseNumericHost } from "../sip/transport/numeric-host.ts";
import { announce, type LinkPlace, type Probed, probe } from "./arping.ts";
import type { Report } from "./journal.ts";
import { LentAddress } from "./lent-address.ts";
import { linkOf, localAddresses } from "./local-addresses.ts";

export interface ServiceAddressesSettings {
  /** Serves SIP on what there is now. */
  readonly follow: () => Promise<void>;
  readonly closeConnectionsAt: (host: string) => void;
  readonly onEvent: (event: ServiceAddressEvent) => void;
  readonly onReport: Report;
}

/** The kernel shows an IPv4 address at once, and an IPv6 one after it has looked for another that has it. */
const UP_WITHIN = seconds(4);
const UP_LOOK = milliseconds(20);
const UP_LOOK_IPV6 = milliseconds(100);
/** A connection says goodbye before its address goes. */
const GOODBYE = milliseconds(100);
/** Whether another machine answers for an address that this one holds is asked so often. */
const CONFLICT_EVERY = seconds(10);

interface Held {
  readonly place: LinkPlace;
  readonly lent: LentAddress;
}

export class ServiceAddressKeeper {
  readonly #settings: ServiceAddressesSettings;
  /** Wanted by the peer. BOUNDED: by the addresses that the peer knows. */
  readonly #wanted = new Set<string>();
  /** BOUNDED: by #wanted. */
  readonly #held = new Map<string, Held>();
  /** One thing after another for each address. BOUNDED: by the addresses that the peer knows. */
  readonly #turns = new Map<string, Promise<void>>();
  /** What was told of each last, so that it is not told again and again. BOUNDED: as #turns. */
  readonly #told = new Map<string, string>();
  #watch: NodeJS.Timeout | undefined;

  constructor(settings: ServiceAddressesSettings) {
    this.#settings = settings;
  }

  /** Whether an address is one of those that come and go. */
  has(address: string): boolean {
    return this.#turns.has(address);
  }

  want(address: string, wanted: boolean): void {
    if (wanted) this.#wanted.add(address);
    else this.#wanted.delete(address);
    this.#watch ??= setInterval(() => void this.#lookForConflicts(), CONFLICT_EVERY);
    const turn = (this.#turns.get(address) ?? Promise.resolve())
      .then(() => (wanted ? this.#putUp(address) : this.#takeDown(address)))
      // The interface went while it was looked at.
      .catch((error: unknown) => this.#busy(address, error instanceof Error ? error.message : String(error)));
    this.#turns.set(address, turn);
  }

  async close(): Promise<void> {
    clearInterval(this.#watch);
    this.#wanted.clear();
    await Promise.all(this.#turns.values());
    await Promise.all([...this.#held.keys()].map((address) => this.#takeDown(address)));
  }

  async #putUp(address: string): Promise<void> {
    if (!this.#wanted.has(address) || this.#held.has(address)) return;
    const on = linkOf(address, localAddresses());
    const refusal = on === undefined ? "no interface of this machine is on its link" : await this.#whyNot({ interface: on.interface, address });
    if (on === undefined || refusal !== undefined) return this.#busy(address, refusal ?? "");
    const place = { interface: on.interface, address };
    const lent = new LentAddress(place, (why) => this.#lost(address, why));
    this.#held.set(address, { place, lent });
    const trouble = await untilUp(place, lent);
    if (trouble !== undefined) {
      await this.#takeDown(address);
      return this.#busy(address, trouble);
    }
    await this.#settings.follow();
    if (!isIpv6(address)) announce(place);
    this.#say(address, "info", `phones reach this box by ${address}`);
    this.#settings.onEvent({ type: "service-address", address, state: "held", link: on.link });
  }

  async #whyNot(place: LinkPlace): Promise<string | undefined> {
    if (!isIpv6(place.address)) return explain(await probe(place));
    askForAdvertisement(place.interface);
    return undefined;
  }

  async #takeDown(address: string): Promise<void> {
    const held = this.#held.get(address);
    if (held === undefined) return;
    this.#held.delete(address);
    this.#settings.closeConnectionsAt(address);
    await pause(GOODBYE);
    await held.lent.takeDown();
    await this.#settings.follow();
    this.#say(address, "info", `${address} is left to the box that it belongs to`);
  }

  #lost(address: string, why: string): void {
    this.#held.delete(address);
    this.#wanted.delete(address);
    this.#settings.closeConnectionsAt(address);
    void this.#settings.follow();
    this.#say(address, "warning", `${address} is not held any more: ${why}`);
    this.#settings.onEvent({ type: "service-address", address, state: "lost" });
  }

  #busy(address: string, why: string): void {
    this.#say(address, "warning", `${address} cannot be held here: ${why}`);
    this.#wanted.delete(address);
    this.#settings.onEvent({ type: "service-address", address, state: "busy" });
  }

  #say(address: string, level: "info" | "warning", text: string): void {
    if (this.#told.get(address) === text) return;
    this.#told.set(address, text);
    this.#settings.onReport(level, text);
  }

  /** Announced as often, for those who missed it when it came. */
  async #lookForConflicts(): Promise<void> {
    for (const [address, { place }] of this.#held) {
      if (isIpv6(address)) continue;
      const probed = await probe(place);
      if (!this.#held.has(address)) continue;
      if (probed.found === "somebody") {
        this.#say(address, "warning", `${probed.who} answers for ${address} too`);
        this.#settings.onEvent({ type: "service-address", address, state: "conflict" });
      }
      setImmediate(() => this.#wanted.has(address) && announce(place));
    }
  }
}

function explain(probed: Probed): string | undefined {
  if (probed.found === "somebody") return `${probed.who} has it`;
  return probed.found === "fault" ? probed.text : undefined;
}

/** `undefined`: it is there, and may be used. */
async function untilUp(place: LinkPlace, lent: LentAddress): Promise<string | undefined> {
  const begun = performance.now();
  const isV6 = isIpv6(place.address);
  while (performance.now() - begun < UP_WITHIN) {
    await pause(isV6 ? UP_LOOK_IPV6 : UP_LOOK);
    if (lent.complaint !== "") return lent.complaint;
    if (!localAddresses().some(({ address, interface: name }) => address === place.address && name === place.interface)) continue;
    const state = isV6 ? stateOf(place.address) : "free";
    if (state === "taken") return "another machine on the link has it";
    if (state === "free") return undefined;
  }
  return "the kernel does not put it up";
}

/** IFA_F_TENTATIVE and IFA_F_DADFAILED of the kernel, as it lists its IPv6 addresses: 32 digits, interface number, prefix, scope, flags, name. */
const TENTATIVE = 0x40;
const FAILED = 0x08;

function stateOf(address: string): "looking" | "free" | "taken" {
  const digits = toHex(parseNumericHost(address) ?? new Uint8Array());
  const line = readFileSync("/proc/net/if_inet6", "latin1").split("\n").find((one) => one.startsWith(digits));
  const flags = Number.parseInt(line?.split(/ +/)[4] ?? "", 16) || 0;
  if ((flags & FAILED) !== 0) return "taken";
  return line === undefined || (flags & TENTATIVE) !== 0 ? "looking" : "free";
}

/** An unsolicited neighbor advertisement for each address that comes up (`ndisc_notify`); where /proc is read-only the unit has it set. */
function askForAdvertisement(name: string): void {
  try {
    writeFileSync(`/proc/sys/net/ipv6/conf/${name}/ndisc_notify`, "1");
  } catch {
    // Then phones ask the link again when nobody answers at the old place, after some seconds.
  }
}

