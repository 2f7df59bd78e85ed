// The client's log of what was written to subscribers while the network was in pieces, and what may be read after it.
// Which version had seen which is taken from the values themselves, and held against who could have known of whom.

import { decodeStoredData } from "../../src/overlay/wire/stored-data.ts";
import type { History, StoredRow } from "../../src/overlay/ports.ts";
import { includes, splitPreface, versionName } from "../../src/overlay/storage/history.ts";
import { SUBSCRIBER, SUBSCRIBER_SIBLING } from "../../src/peer/kinds.ts";
import type { ConflictReport } from "../../src/peer/reports.ts";
import { decodeSubscriber } from "../../src/peer/subscriber-codec.ts";
import { type Box, InvariantBroken } from "../support/world.ts";

export const REMOVED = "(removed)";

interface Known {
  readonly history: History;
  /** The display name, which each write has to itself, or `REMOVED`. */
  readonly text: string;
  acknowledged: boolean;
}

export class Versions {
  /** By the resource, then by the name of the version. */
  readonly #found = new Map<string, Map<string, Known>>();
  /** Names of versions that a box may have heard of. */
  readonly #heard = new Map<Box, Set<string>>();

  /** The names of a resource's versions of which the log knows. */
  known(resource: string): ReadonlySet<string> {
    return new Set(this.#found.get(resource)?.keys() ?? []);
  }

  /** Boxes that were together until now have told one another all they knew. */
  together(boxes: readonly Box[]): void {
    const all = new Set(boxes.flatMap((box) => [...(this.#heard.get(box) ?? [])]));
    for (const box of boxes) this.#heard.set(box, new Set(all));
  }

  /**
   * A write was acknowledged: it must be on disk, and claim only what could be known there. `before`: what was known
   * when it began. The boxes of each of `groups` are together.
   */
  acknowledged(resource: string, text: string, before: ReadonlySet<string>, groups: readonly (readonly Box[])[]): void {
    for (const group of groups) this.look(group);
    const found = [...(this.#found.get(resource) ?? [])].filter(([name, version]) => !before.has(name) && version.text === text);
    const newest = found.sort(([, a], [, b]) => b.history.version.stamp - a.history.version.stamp)[0];
    if (newest === undefined) throw new InvariantBroken(`${text} was acknowledged, and no box has it on disk`);
    newest[1].acknowledged = true;
  }

  /** Takes note of every version on the disks of boxes that are together. */
  look(group: readonly Box[]): void {
    this.together(group);
    for (const box of group) {
      for (const row of box.disk.rows()) {
        const version = versionOf(row);
        if (version === undefined) continue;
        const name = versionName(version.history.version);
        const versions = this.#found.get(row.resource) ?? new Map<string, Known>();
        this.#found.set(row.resource, versions);
        if (versions.has(name)) continue;
        versions.set(name, version);
        this.#requireHonest(row.resource, version.history, box);
        for (const one of group) this.#heard.get(one)?.add(name);
      }
    }
  }

  /** Nobody says that he has seen what he cannot have seen: so would a version of the other side be settled unseen. */
  #requireHonest(resource: string, { version, follows }: History, at: Box): void {
    const heard = this.#heard.get(at) ?? new Set();
    for (const seen of follows) {
      const isOpen = [...(this.#found.get(resource)?.keys() ?? [])].includes(versionName(seen)) && !heard.has(versionName(seen));
      if (isOpen) throw new InvariantBroken(`${versionName(version)} claims to have seen ${versionName(seen)}, of which ${at.name} cannot have heard`);
    }
  }

  /** What everybody must be shown of a subscriber after all were together for a while, and what may be shown besides. */
  expected(resource: string): { readonly required: ReadonlySet<string>; readonly allowed: ReadonlySet<string> } {
    const versions = [...(this.#found.get(resource)?.values() ?? [])];
    const open = versions.filter((one) => !versions.some((other) => other !== one && includes(other.history, one.history.version)));
    return {
      required: new Set(open.filter(({ acknowledged }) => acknowledged).map(({ text }) => text)),
      allowed: new Set(open.map(({ text }) => text)),
    };
  }

  requireShown(resource: string, username: string, listed: string | undefined, conflict: ConflictReport | undefined): void {
    const { required, allowed } = this.expected(resource);
    const shown = new Set(conflict === undefined ? [listed ?? REMOVED] : conflict.versions.map(({ removed, displayName }) => (removed ? REMOVED : displayName)));
    const say = (): string => `${username} shows ${[...shown].join()}, required is ${[...required].join()}, allowed ${[...allowed].join()}`;
    for (const text of required) if (!shown.has(text)) throw new InvariantBroken(`an acknowledged version is lost: ${say()}`);
    for (const text of shown) if (!allowed.has(text) && !(text === REMOVED && allowed.size === 0)) throw new InvariantBroken(`a version is back that was replaced: ${say()}`);
    if (conflict !== undefined && (conflict.versions[0]?.removed === true) !== (listed === undefined)) {
      throw new InvariantBroken(`${username}: the conflict and the list do not agree which version is in force`);
    }
  }
}

function versionOf(row: StoredRow): Known | undefined {
  if (row.kind !== SUBSCRIBER.id && row.kind !== SUBSCRIBER_SIBLING.id) return undefined;
  const outer = decodeStoredData(row.stored, row.kind === SUBSCRIBER.id ? "single" : "dictionary");
  const stored = outer.ok && row.kind === SUBSCRIBER_SIBLING.id ? decodeStoredData(outer.value.value, "single") : outer;
  const split = stored.ok ? splitPreface(stored.value.value) : undefined;
  if (!stored.ok || split?.ok !== true) throw new InvariantBroken(`a row that nobody can read: ${row.resource}`);
  const text = stored.value.exists ? (decodeSubscriber(split.value.content)?.displayName ?? "?") : REMOVED;
  return { history: split.value.preface, text, acknowledged: false };
}
