// What the agent cannot do itself, being an unprivileged user: write the other slot, and start the machine anew. It writes its
// wish into a file of its own; a unit of root sees it, does it, and says what came of it (image/tree, decision 40).

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { minutes, seconds } from "../../base/time.ts";
import type { RunningSlot } from "../../provision/roll-out.ts";
import { ARCHITECTURES } from "../../provision/update-bundle.ts";
import { isVersion } from "../../provision/version.ts";
import { replaceFile } from "../replace-file.ts";

/** Written by root: `name=value` lines. */
const SLOT_FILE = "slot";
/** What came of the last wish: the wish, then `ok` or why not. */
const RESULT_FILE = "result";
/** In the agent's own directory. */
const WISH_FILE = "update-wish";
const WRITTEN_WITHIN = minutes(10);
const LOOKED_EVERY = seconds(0.25);

export class SlotHands {
  readonly #slots: string;
  readonly #wishes: string;

  /** `slots`: directory of root; `wishes`: one that the agent may write. Neither need be there. */
  constructor(slots: string, wishes: string) {
    this.#slots = slots;
    this.#wishes = wishes;
  }

  /** What this machine was started from; `undefined`: it was not made from the image, or its boot has not said so yet. */
  slot(): RunningSlot | undefined {
    const lines = read(join(this.#slots, SLOT_FILE))?.split("\n").map((line) => line.split("=")) ?? [];
    const value = (name: string): string => lines.find(([key]) => key === name)?.[1] ?? "";
    const [version, floor, boot] = [value("version"), value("floor"), value("boot")];
    const architecture = ARCHITECTURES.find((name) => name === value("architecture"));
    if (!isVersion(version) || !isVersion(floor) || architecture === undefined || boot === "") return undefined;
    return { version, floor, boot, architecture, good: value("good") === "yes" };
  }

  /** Writes a bundle of the shelf into the other slot. Resolves with why that was not done; `undefined`: it was. */
  async write(id: string): Promise<string | undefined> {
    const wish = `install ${id} ${Date.now()}`;
    const refused = this.#wish(wish);
    if (refused !== undefined) return refused;
    for (let waited = 0; waited < WRITTEN_WITHIN; waited += LOOKED_EVERY) {
      const [done, ...why] = read(join(this.#slots, RESULT_FILE))?.trimEnd().split("\n") ?? [];
      if (done === wish) return why.join(" ") === "ok" ? undefined : why.join(" ").slice(0, 200);
      await pause(LOOKED_EVERY);
    }
    return `nobody wrote the other slot within ${WRITTEN_WITHIN / 60_000} minutes`;
  }

  /** The whole machine. Why that cannot be asked for; `undefined`: it was. */
  restart(): string | undefined {
    return this.#wish(`restart ${Date.now()}`);
  }

  #wish(wish: string): string | undefined {
    try {
      replaceFile(join(this.#wishes, WISH_FILE), `${wish}\n`, 0o600);
      return undefined;
    } catch (error) {
      return `the wish cannot be written: ${error instanceof Error ? error.message : String(error)}`;
    }
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined; // not there yet
  }
}
