// Only a box made from the image can forget itself: its data partition is made anew at the next start.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { CliError } from "./cli-error.ts";
import type { Terminal } from "./terminal.ts";

const UNIT = "ringbox-factory-reset.service";

export function factoryReset(terminal: Terminal): void {
  if (!existsSync(`/usr/lib/systemd/system/${UNIT}`)) {
    throw new CliError("this machine was not made from the image; to begin anew, stop the box and empty its data directory");
  }
  terminal.note("Leaving the ring, then starting anew without what this box knew…");
  const { status, stderr } = spawnSync("/usr/bin/systemctl", ["start", UNIT], { encoding: "utf8" });
  if (status !== 0) throw new CliError(`the reset was not begun: ${stderr.trim().split("\n").at(-1) ?? ""}`);
}
