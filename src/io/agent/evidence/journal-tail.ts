// The last lines that ringboxd and the agent wrote, where the machine keeps a journal.

import { execFile } from "node:child_process";
import { seconds } from "../../../base/time.ts";

const LINES = "2000";
const TAIL_MAX_BYTES = 4 * 1_048_576;

/** `undefined`: there is none, or this user may not read it. */
export function journalTail(): Promise<string | undefined> {
  const parameters = ["--no-pager", "-o", "short-iso", "-n", LINES, "-u", "ringboxd", "-u", "ringbox-agent"];
  return new Promise((settle) => {
    execFile("journalctl", parameters, { timeout: seconds(5), maxBuffer: TAIL_MAX_BYTES, encoding: "utf8" }, (error, output) => settle(error === null && output !== "" ? output : undefined));
  });
}
