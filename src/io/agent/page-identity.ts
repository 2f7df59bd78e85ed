// Keeps the page's certificate right while the agent runs: addresses come and go, the fleet renews its authority, and
// a box is admitted. The key is made on the box and kept, so that a browser's exception outlives a restart.

import { existsSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { createPrivateKey } from "node:crypto";
import { join } from "node:path";
import { seconds } from "../../base/time.ts";
import { systemClock } from "../clock.ts";
import { parseMembership } from "../identity-files.ts";
import type { Report } from "../journal.ts";
import { localAddresses } from "../local-addresses.ts";
import { isOutdated, makePageCertificate, type PageCertificate } from "../page-certificate.ts";
import { type Credential, makePrivateKey } from "../pki.ts";
import { replaceFile } from "../replace-file.ts";

const LOOKED_EVERY = seconds(10);
const KEY_FILE = "page.key";

export interface PageIdentitySettings {
  /** The box's data directory; it need not be there. */
  readonly directory: string;
  /** Numeric address that the page is served on; `undefined`: all of this machine. */
  readonly listen: string | undefined;
  /** Names besides the box's own: those that an operator gave it in DNS. */
  readonly extraNames: readonly string[];
  /** The box's words, for `WORDS.local`; empty while it has none. */
  readonly words: () => string;
  readonly onChanged: (identity: { readonly key: string; readonly certificate: PageCertificate }) => void;
  readonly onReport: Report;
}

export class PageIdentity {
  readonly #settings: PageIdentitySettings;
  readonly #key: string;
  #certificate: PageCertificate | undefined;
  #timer: NodeJS.Timeout | undefined;
  #busy = false;

  constructor(settings: PageIdentitySettings) {
    this.#settings = settings;
    this.#key = keptKey(settings.directory, settings.onReport);
  }

  /** The first certificate; from then on `onChanged` tells of others. */
  async open(): Promise<{ readonly key: string; readonly certificate: PageCertificate }> {
    const certificate = await this.#make();
    this.#timer = setInterval(() => void this.#look(), LOOKED_EVERY);
    return { key: this.#key, certificate };
  }

  close(): void {
    clearInterval(this.#timer);
  }

  get certificate(): PageCertificate | undefined {
    return this.#certificate;
  }

  /** Every name and address by which a browser may call this box, lower case. */
  names(): ReadonlySet<string> {
    const own = hostname().toLowerCase();
    const words = this.#settings.words();
    const names = [own, `${own}.local`, ...this.#settings.extraNames, ...(words === "" || words.includes(" ") ? [] : [`${words}.local`])];
    const { listen } = this.#settings;
    return new Set([...names.filter(isHostName), ...(listen === undefined ? [] : [listen]), ...localAddresses().map(({ address }) => address.toLowerCase())]);
  }

  async #look(): Promise<void> {
    if (this.#busy || this.#certificate === undefined) return;
    if (!isOutdated(this.#certificate, this.#authority(), [...this.names()], systemClock.wall())) return;
    this.#busy = true;
    try {
      this.#settings.onChanged({ key: this.#key, certificate: await this.#make() });
    } catch (error) {
      this.#settings.onReport("warning", `the page's certificate cannot be renewed: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      this.#busy = false;
    }
  }

  async #make(): Promise<PageCertificate> {
    this.#certificate = await makePageCertificate(this.#key, this.#authority(), [...this.names()], systemClock.wall());
    return this.#certificate;
  }

  /** `undefined`: the box is not in a fleet yet, or this user may not read what it has of it. */
  #authority(): Credential | undefined {
    try {
      return parseMembership(readFileSync(join(this.#settings.directory, "fleet.json"), "utf8"))?.enrolled.issuing;
    } catch {
      return undefined; // the next look tells
    }
  }
}

/** A directory that does not take a key leaves the page with one for this run. */
function keptKey(directory: string, onReport: Report): string {
  const path = join(directory, KEY_FILE);
  try {
    const kept = readFileSync(path, "utf8");
    if (createPrivateKey(kept).asymmetricKeyDetails?.namedCurve === "prime256v1") return kept;
  } catch {
    // There is none, or it is damaged: the page gets another.
  }
  const fresh = makePrivateKey();
  try {
    if (existsSync(directory)) replaceFile(path, fresh, 0o600);
  } catch (error) {
    onReport("warning", `the page's key is not kept: ${error instanceof Error ? error.message : String(error)}`);
  }
  return fresh;
}

const isHostName = (name: string): boolean => name.length <= 253 && /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(name);
