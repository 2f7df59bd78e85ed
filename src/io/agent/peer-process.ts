// Stops `ringboxd` from outside, so that whoever supervises it starts it afresh.

import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { seconds } from "../../base/time.ts";

/** A peer that answers is asked to end in good order, and has so long. */
const GOODBYE = seconds(5);
const LOOK = seconds(0.1);

/** Whether it ended. `gently`: it is asked first. */
export async function stopPeer(processId: number, gently: boolean): Promise<boolean> {
  if (!isPeer(processId)) return true;
  if (gently && signal(processId, "SIGTERM")) {
    for (let waited = 0; waited < GOODBYE && isPeer(processId); waited += LOOK) await pause(LOOK);
  }
  if (!isPeer(processId)) return true;
  return signal(processId, "SIGKILL");
}

/** The number may long belong to another program. */
function isPeer(processId: number): boolean {
  try {
    return readFileSync(`/proc/${processId}/cmdline`, "latin1").includes("ringboxd");
  } catch {
    return false; // there is no such process
  }
}

function signal(processId: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(processId, name);
  } catch {
    return false; // it has just ended, or is another user's
  }
}
