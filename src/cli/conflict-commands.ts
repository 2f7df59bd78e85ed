// Subscribers that two halves of a cut have changed apart: shown, counted in the status, and settled.

import type { StatusReport } from "../peer/reports.ts";
import { CliError } from "./cli-error.ts";
import { type ControlClient, ControlRefused } from "./control-client.ts";
import { aorOf } from "./subscriber-commands.ts";
import type { Terminal } from "./terminal.ts";

/**
 * A box knows the conflicts of those subscribers of whom it holds copies; the status tells of all in the ring, as far
 * as the ring answers.
 */
export async function withConflicts(status: StatusReport, box: ControlClient): Promise<StatusReport> {
  const others = status.conditions.filter(({ code }) => code !== "conflicts");
  if (status.phase !== "serving") return status;
  const conflicts = await box.ask<"conflict-list">({ op: "conflict-list" }).then((answer) => answer.conflicts, ignoreRefusal);
  if (conflicts === undefined) return status;
  return { ...status, conditions: conflicts.length === 0 ? others : [...others, condition(conflicts.length)] };
}

function ignoreRefusal(error: unknown): undefined {
  if (!(error instanceof ControlRefused)) throw error;
}

const condition = (count: number): StatusReport["conditions"][number] => ({
  code: "conflicts",
  severity: "notice",
  text: `${count === 1 ? "1 subscriber was" : `${count} subscribers were`} changed by boxes that did not know of each other's change.`,
  next: "Look at `ringbox conflicts`.",
});

/** `choice`: a number of the list, from 1. */
export async function resolveConflict(name: string, choice: number, box: ControlClient, terminal: Terminal): Promise<void> {
  const { domain } = (await box.ask<"status">({ op: "status" })).status;
  const aor = aorOf(name, domain);
  const { conflicts } = await box.ask<"conflict-list">({ op: "conflict-list" });
  const conflict = conflicts.find((one) => one.aor === aor);
  if (conflict === undefined) throw new CliError(`there is no conflict about sip:${aor}`);
  const version = conflict.versions[choice - 1];
  if (version === undefined) throw new CliError(`sip:${aor} has ${conflict.versions.length} versions, not ${choice}`);
  await box.ask<"conflict-resolve">({ op: "conflict-resolve", username: conflict.username, version: version.version });
  terminal.print(`Settled: version ${choice} of sip:${aor}${version.removed ? ", its removal," : ""} is in force everywhere.`);
}
