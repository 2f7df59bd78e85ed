// Kamailio for a benchmark, with the configurations of ../shared/bench.

import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { sharedPath } from "../support/shared.ts";
import { pause, pidOf, scratch, type Server, start, stop } from "./machine.ts";

export async function kamailio(defines: readonly string[]): Promise<Server> {
  const config = sharedPath("bench/kamailio-registrar.cfg") ?? "";
  const options = ["-f", config, "-A", "PORT=7010", "-A", "WORKERS=1", ...defines, "-DD", "-E", "-m", "1024", "-M", "32", "-x", "fm", "-X", "fm"];
  const parent = start("kamailio", options, "kamailio.log");
  await pause(3_000);
  return { pids: family(pidOf(parent)), stop: () => stop(parent) };
}

export async function kamailioCluster(nodes: number): Promise<Server> {
  const parent = start("bash", [sharedPath("bench/kamailio-dmq-cluster.sh") ?? "", `${nodes}`, mkdtempSync(join(scratch, "dmq-"))], "dmq.log");
  await pause(10_000 + nodes * 500);
  return { pids: family(pidOf(parent)).slice(1), stop: () => stop(parent) };
}

/** A process and all that descend from it. */
function family(pid: number): number[] {
  const children = existsSync(`/proc/${pid}/task/${pid}/children`)
    ? readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number)
    : [];
  return [pid, ...children.flatMap(family)];
}
