// The two slots of a disk: which one runs, which one is written, and what the boot menu must not show meanwhile.

import { fault, ok, type Result } from "../base/result.ts";
import { guidOf, type NewName, type Partition } from "./partition-table.ts";
import type { UpdateManifest } from "./update-bundle.ts";

/** Times a new version may be started until the boot loader takes the other one. */
const TRIES = 3;
const ENTRY_PREFIX = "ringbox_";
const ENTRY_SUFFIX = ".efi";

export interface SlotPlan {
  readonly verity: Partition;
  readonly root: Partition;
  /** How the two are named once their content is on disk. */
  readonly names: readonly NewName[];
  /** Boot entries that go before the first octet is written: what they start is about to be overwritten. */
  readonly staleEntries: readonly string[];
  /** The boot entry that is made last. */
  readonly newEntry: string;
}

/** `rootHash`: of the version that runs. `entries`: names of files in EFI/Linux. */
export function planSlot(rootHash: string, partitions: readonly Partition[], entries: readonly string[], manifest: UpdateManifest): Result<SlotPlan, string> {
  const runningRoot = partitions.find(({ uuid }) => uuid === guidOf(rootHash.slice(0, 32)));
  const runningVerity = partitions.find(({ uuid }) => uuid === guidOf(rootHash.slice(32)));
  if (runningRoot === undefined || runningVerity === undefined) return fault("the version that runs was not found on this disk");
  const otherOf = (running: Partition): Partition | undefined => {
    const others = partitions.filter(({ type, index }) => type === running.type && index !== running.index);
    return others.length === 1 ? others[0] : undefined;
  };
  const [root, verity] = [otherOf(runningRoot), otherOf(runningVerity)];
  if (root === undefined || verity === undefined) return fault("this disk has no other slot; was it started once?");
  const running = versionOf(runningRoot.name);
  const own = entries.filter((name) => entryVersion(name) === running);
  if (!own.includes(`${ENTRY_PREFIX}${running}${ENTRY_SUFFIX}`)) return fault("the version that runs is not marked good yet");
  if (manifest.version === running || manifest.rootHash === rootHash) return fault(`version ${running} runs already`);
  for (const [part, { length }] of [["root", root], ["verity", verity]] as const) {
    const bytes = manifest.parts.find(({ name }) => name === part)?.bytes ?? 0;
    if (bytes > length) return fault(`the bundle's ${part} has ${bytes} octets, and the slot ${length}`);
  }
  const label = `${ENTRY_PREFIX}${manifest.version}`;
  return ok({
    verity, root,
    names: [
      { index: verity.index, name: `${label}_verity`, uuid: guidOf(manifest.rootHash.slice(32)) },
      { index: root.index, name: `${label}_root`, uuid: guidOf(manifest.rootHash.slice(0, 32)) },
    ],
    staleEntries: entries.filter((name) => isEntry(name) && !own.includes(name)),
    newEntry: `${label}+${TRIES}${ENTRY_SUFFIX}`,
  });
}

const versionOf = (label: string): string => label.split("_")[1] ?? "";
const isEntry = (name: string): boolean => name.startsWith(ENTRY_PREFIX) && name.endsWith(ENTRY_SUFFIX);

/** Of `ringbox_1.4.0.efi`, `ringbox_1.4.0+3.efi` and `ringbox_1.4.0+0-3.efi`. */
const entryVersion = (name: string): string | undefined =>
  isEntry(name) ? name.slice(ENTRY_PREFIX.length, -ENTRY_SUFFIX.length).split("+")[0] : undefined;
