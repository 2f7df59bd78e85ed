// What the command line has of the page: the code to sign in with.

import * as z from "zod/mini";
import { writeFileSync } from "node:fs";
import { askAgent, bytesFromAgent } from "./agent-client.ts";
import { CliError } from "./cli-error.ts";
import { plainReason } from "./plain-reason.ts";
import type { Terminal } from "./terminal.ts";

const webCodeSchema = z.object({
  code: z.string(),
  right: z.enum(["actions", "shell"]),
  goodForSeconds: z.number(),
  page: z.string(),
  fingerprint: z.string(),
});

export type WebCode = z.infer<typeof webCodeSchema>;

export interface WebCodeOptions {
  readonly shell?: boolean;
  readonly for?: string;
}

export async function makeWebCode(directory: string, { shell, for: holder }: WebCodeOptions): Promise<WebCode> {
  const answer = webCodeSchema.safeParse(await askAgent(directory, "POST", "/api/code", { right: shell === true ? "shell" : "actions", holder: holder ?? "" }));
  if (!answer.success) throw new CliError("ringbox-agent answers in a way that this ringbox does not know; are they of the same version?");
  return answer.data;
}

export async function printWebCode(directory: string, options: WebCodeOptions, terminal: Terminal): Promise<void> {
  const { code, right, goodForSeconds, page, fingerprint } = await makeWebCode(directory, options);
  terminal.print(code);
  terminal.note(`Type it on ${page} within ${Math.round(goodForSeconds / 60)} minutes; it is good once${right === "shell" ? ", and gives a shell" : ""}.`);
  terminal.note(`If the browser warns, compare the certificate's SHA-256: ${fingerprint}`);
}

export interface EvidenceOptions {
  readonly out?: string;
}

/** Into a file that only its owner reads. */
export async function writeEvidence(directory: string, { out }: EvidenceOptions, terminal: Terminal): Promise<void> {
  const pack = await bytesFromAgent(directory, "POST", "/api/evidence", {});
  const file = out ?? `ringbox-evidence-${new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, "")}.tar.gz`;
  try {
    writeFileSync(file, pack, { mode: 0o600 });
  } catch (error) {
    throw new CliError(`${file} cannot be written: ${plainReason(error)}`);
  }
  terminal.print(file);
  terminal.note("It has no passwords and keys in it; it says who called whom. README.txt in it lists the rest.");
}
