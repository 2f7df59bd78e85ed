// The address by which a box is known is told to the others when it starts. Under systemd a box waits until it has
// one, and starts anew when a router gives it another.

import { setTimeout as pause } from "node:timers/promises";
import { type Duration, milliseconds, seconds } from "../base/time.ts";
import { outwardAddresses } from "./own-address.ts";

const LOOK_FIRST = milliseconds(200);
/** Router advertisements are quicker than DHCP: for so long a box that has only IPv6 waits for the other. */
const IPV6_ALONE = seconds(30);
const LOOK = seconds(2);
/** A cable that is put back brings the old address: only one that stays away, with another in its place, is over. */
const MISSED_LOOKS = 5;

/** Resolves when this machine has an address that leads off it. */
export async function untilReachable(waiting: () => void): Promise<void> {
  for (let waited = 0; ; waited += LOOK_FIRST) {
    const [address] = outwardAddresses();
    if (address !== undefined && (!address.includes(":") || waited >= IPV6_ALONE)) return;
    if (waited === 0) waiting();
    await pause(LOOK_FIRST);
  }
}

/** Calls `changed` once, with the new address, when `address` has gone for good and there is another that is not `movable`. */
export function watchAddress(address: string, changed: (to: string) => void, movable: (address: string) => boolean = () => false, every: Duration = LOOK): { readonly close: () => void } {
  let missed = 0;
  const timer = setInterval(() => {
    const [first, ...others] = outwardAddresses().filter((found) => !movable(found));
    missed = first === undefined || first === address || others.includes(address) ? 0 : missed + 1;
    if (missed < MISSED_LOOKS || first === undefined) return;
    clearInterval(timer);
    changed(first);
  }, every);
  timer.unref();
  return { close: () => clearInterval(timer) };
}
