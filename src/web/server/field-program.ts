// What runs in a terminal of the page, and as whom.

import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { TerminalsSettings } from "./terminals.ts";

/** Tried in this order when the agent is root. */
const UNPRIVILEGED = ["ringbox", "nobody"];
/** Takes also root's groups away, and every way back. */
const SETPRIV = "/usr/bin/setpriv";

interface User {
  readonly uid: number;
  readonly gid: number;
}

/** The menu of field tools, of the program beside this one; `page` is where it reads what it may not ask the agent for. */
export function fieldProgram(directory: string, page: string): Pick<TerminalsSettings, "program" | "user"> {
  const user = process.getuid?.() === 0 ? unprivilegedUser() : undefined;
  const drop = user === undefined || !existsSync(SETPRIV) ? [] : [SETPRIV, `--reuid=${user.uid}`, `--regid=${user.gid}`, "--clear-groups", "--no-new-privs", "--inh-caps=-all", "--"];
  const entry = process.argv[1] ?? "";
  const ringbox = join(dirname(entry), entry.endsWith(".ts") ? "ringbox.ts" : "ringbox.mjs");
  const home = user === undefined ? directory : "/";
  return {
    user: drop.length > 0 ? undefined : user,
    program: (right) => {
      const [file = "", ...args] = [...drop, process.execPath, ringbox, "--data", directory, "field-menu", "--page", page, ...(right === "shell" ? ["--shell"] : [])];
      return { file, args, directory: home, environment: { PATH: "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", TERM: "xterm-256color", LANG: "C.UTF-8", HOME: home, HISTFILE: "" } };
    },
  };
}

function unprivilegedUser(): User {
  const users = readFileSync("/etc/passwd", "utf8").split("\n").map((line) => line.split(":"));
  for (const wanted of UNPRIVILEGED) {
    const [, , uid, gid] = users.find(([name]) => name === wanted) ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  return { uid: 65_534, gid: 65_534 };
}
