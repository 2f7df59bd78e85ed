// Who may take its box out of service now. The boxes that share a replica set with it are asked; each says yes to one
// at a time, and never while its own box is out.

import { after, type Duration, type Instant } from "../base/time.ts";

export class SlotBook {
  #granted: { readonly to: string; readonly until: Instant } | undefined;

  /** `by`: Node-ID of the box that asks. Asked again it is given again. */
  ask(now: Instant, by: string, length: Duration): boolean {
    const taken = this.#granted;
    if (taken !== undefined && taken.until > now && taken.to !== by) return false;
    this.#granted = { to: by, until: after(now, length) };
    return true;
  }

  giveBack(by: string): void {
    if (this.#granted?.to === by) this.#granted = undefined;
  }
}
