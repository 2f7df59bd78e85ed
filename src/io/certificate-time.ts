// By what time certificates are judged and made. A box's own clock proves nothing: it may have no battery, or
// have been set wrong. Until other boxes have confirmed the time there is only a lower bound, the time that was
// agreed on last; a certificate that had not ended by then is good, and every link is looked at again once
// the time is known.

import { type WallTime, wallTime } from "../base/time.ts";
import { CLOCK_FLOOR } from "../overlay/storage/clock.ts";

export class CertificateTime {
  readonly #wall: () => WallTime;
  readonly #agreed: () => WallTime | undefined;
  #floor: WallTime;

  constructor(settings: {
    /** What the boxes agreed on when this one was last among them; `undefined`: never, or it is forgotten. */
    readonly remembered: WallTime | undefined;
    readonly wall: () => WallTime;
    /** What they agree on now; `undefined`: this box is alone, or on its way. */
    readonly agreed: () => WallTime | undefined;
  }) {
    this.#floor = wallTime(Math.max(CLOCK_FLOOR, settings.remembered ?? 0));
    this.#wall = settings.wall;
    this.#agreed = settings.agreed;
  }

  /** Also back: what all agree on counts for more than what they agreed on before. */
  get agreed(): WallTime | undefined {
    const agreed = this.#agreed();
    if (agreed !== undefined) this.#floor = wallTime(Math.max(CLOCK_FLOOR, agreed));
    return agreed;
  }

  /**
   * What has ended before this is over. Of a bound that is later than this box's own clock, if that was ever set, one
   * of the two is wrong: if boxes once agreed on 2099, that must not keep this one out for ever.
   */
  judging(): WallTime {
    const wall = this.#wall();
    return this.agreed ?? (wall < CLOCK_FLOOR || wall > this.#floor ? this.#floor : wall);
  }

  /** What is issued now is issued at this time. */
  making(): WallTime {
    return this.agreed ?? wallTime(Math.max(this.#floor, this.#wall()));
  }
}
