// Debian's Chromium at a host of the lab, as somebody there opens the page.

import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import type { Host } from "./network.ts";

const CHROMIUM = "/usr/bin/chromium";
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
/** Ignored by git. */
const ARTEFACTS = join(import.meta.dirname, "../../artefacts");

/** Why none can be opened, or `undefined`. */
export const whyNoBrowser = (): string | undefined => (existsSync(CHROMIUM) ? undefined : `${CHROMIUM} is not here (npm test as root installs it)`);

export async function openBrowser(
  host: Host,
  { flags = [], environment = {} }: { readonly flags?: readonly string[]; readonly environment?: Readonly<Record<string, string>> } = {},
): Promise<Browser> {
  const launcher = join(host.directory, `${host.name}-chromium`);
  writeFileSync(launcher, `#!/bin/sh\nexec ip netns exec ${host.namespace} ${CHROMIUM} "$@"\n`);
  chmodSync(launcher, 0o755);
  return await chromium.launch({ executablePath: launcher, args: [...FLAGS, ...flags], env: { ...process.env, ...environment } });
}

/** What a person sees, for whoever looks at the artefacts of a run. Returns the file. */
export async function keepPicture(page: Page, name: string): Promise<string> {
  mkdirSync(ARTEFACTS, { recursive: true });
  const path = join(ARTEFACTS, `lab-${name}.png`);
  await page.screenshot({ path, fullPage: true });
  return path;
}
