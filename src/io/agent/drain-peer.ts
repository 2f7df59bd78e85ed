// Before a box goes out of service, what is being set up through it is let end.

import { setTimeout as pause } from "node:timers/promises";
import { seconds } from "../../base/time.ts";
import type { ControlRequest } from "../../peer/control.ts";
import { systemClock } from "../clock.ts";
import type { Asked } from "./control-link.ts";

const DRAINED_WITHIN = seconds(10);
const LOOKED_EVERY = seconds(0.25);

/** The peer takes nothing new from here on. Resolves when nothing is under way, or nobody answers, or after ten seconds: whether it came to its end. */
export async function drainPeer(ask: (request: Extract<ControlRequest, { op: "drain" }>) => Promise<Asked<"drain">>): Promise<boolean> {
  for (const end = systemClock.now() + DRAINED_WITHIN; systemClock.now() < end; ) {
    const asked = await ask({ op: "drain", on: true });
    if (asked.outcome !== "answered" || asked.answer.underWay === 0) return true;
    await pause(LOOKED_EVERY);
  }
  return false;
}
