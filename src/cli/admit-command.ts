// Lets a box into the fleet that has no ticket and shows a code.

import { setTimeout as pause } from "node:timers/promises";
import { formatCode, parseCode } from "../provision/code.ts";
import { CliError } from "./cli-error.ts";
import type { ControlClient } from "./control-client.ts";
import type { Terminal } from "./terminal.ts";

const LOOK_MS = 500;
/** How long the command waits for the box; the code waits for it longer. */
const LOOKS = 120;

export async function admit(text: string, box: ControlClient, terminal: Terminal): Promise<void> {
  const code = parseCode(text);
  if (code === undefined) throw new CliError(`"${text}" is not a code; a code looks like ABCD-EFGH`);
  for (let look = 0; look < LOOKS; look++) {
    const { nodeId } = await box.ask<"admit">({ op: "admit", code });
    if (nodeId !== null) return terminal.print(`The box with the code ${formatCode(code)} is admitted: ${nodeId}.`);
    if (look === 0) terminal.note(`Waiting for the box that shows ${formatCode(code)}…`);
    await pause(LOOK_MS);
  }
  throw new CliError(`no box has shown the code ${formatCode(code)} yet. It may still come: the code is good for ten minutes. Is the box on, and does it find this one (by multicast, or with --hint)?`);
}
