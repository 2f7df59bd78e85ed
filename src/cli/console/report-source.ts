// Where a screen gets the report from: the agent's own socket, or, for whoever may not open it, the page on this machine.

import { seconds } from "../../base/time.ts";
import { askAgent } from "../agent-client.ts";
import { CliError } from "../cli-error.ts";
import { ScreenReport } from "./report-view.ts";

export interface ReportSource {
  /** Rejects with a `CliError`. */
  readonly report: () => Promise<ScreenReport>;
  /** Also what only the box's own console may; rejects where this user may not. */
  readonly act: (action: string, target: string, confirm: boolean) => Promise<string>;
  readonly read: (path: string) => Promise<unknown>;
}

export function reportSource(directory: string, page: string | undefined): ReportSource {
  const read = async (path: string): Promise<unknown> => {
    try {
      return await askAgent(directory, "GET", path);
    } catch (error) {
      if (page === undefined) throw error;
      return await overHttp(new URL(path, page));
    }
  };
  return {
    read,
    report: async () => {
      const parsed = ScreenReport.safeParse(await read("/api/report"));
      if (!parsed.success) throw new CliError("ringbox-agent answers in a way that this ringbox does not know; are they of the same version?");
      return parsed.data;
    },
    act: async (action, target, confirm) => {
      const answer = await askAgent(directory, "POST", `/api/actions/${action}`, { target, confirm });
      return typeof answer === "object" && answer !== null && "text" in answer ? String(answer.text) : "";
    },
  };
}

async function overHttp(url: URL): Promise<unknown> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(seconds(5)) });
    if (response.ok) return await response.json();
    throw new CliError((await response.text()).slice(0, 200).trim());
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw new CliError(`ringbox-agent does not answer at ${url.origin}`);
  }
}
