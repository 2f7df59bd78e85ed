// What runs in a terminal of the page, and as whom.

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Session } from "../../health/access/sessions.ts";
import type { TerminalsSettings } from "./terminals.ts";

/** Tried in this order when the agent is root. */
const UNPRIVILEGED = ["ringbox", "nobody"];

/** The menu of field tools, of the program beside this one; `page` is where it reads what it may not ask the agent for. */
export function fieldProgram(directory: string, page: string): Pick<TerminalsSettings, "program" | "user"> {
  const user = process.getuid?.() === 0 ? unprivilegedUser() : undefined;
  const entry = process.argv[1] ?? "";
  const ringbox = join(dirname(entry), entry.endsWith(".ts") ? "ringbox.ts" : "ringbox.mjs");
  return {
    user,
    program: (right: Session["right"]) => ({
      file: process.execPath,
      args: [ringbox, "--data", directory, "field-menu", "--page", page, ...(right === "shell" ? ["--shell"] : [])],
      environment: { PATH: "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", TERM: "xterm-256color", LANG: "C.UTF-8", HOME: user === undefined ? directory : "/", HISTFILE: "" },
    }),
  };
}

function unprivilegedUser(): { readonly uid: number; readonly gid: number } {
  const users = readFileSync("/etc/passwd", "utf8").split("\n").map((line) => line.split(":"));
  for (const wanted of UNPRIVILEGED) {
    const [, , uid, gid] = users.find(([name]) => name === wanted) ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  return { uid: 65_534, gid: 65_534 };
}
