// Subscribers of which there are versions whose writers did not know of each other: written on both sides of a cut,
// or at two boxes in one moment. One of them is in force; all are shown until somebody decides.

import { equalBytes } from "../base/bytes.ts";
import type { Entry, EntryChange, History, KindEntries, NodeId, Version } from "../overlay/ports.ts";
import { includes, seenIn, versionName } from "../overlay/storage/history.ts";
import { SUBSCRIBER, SUBSCRIBER_LIFETIME, SUBSCRIBER_SIBLING, SUBSCRIBER_TOMBSTONE } from "./kinds.ts";
import type { BoxReference, ConflictReport, ConflictVersion } from "./reports.ts";
import { decodeSubscriber } from "./subscriber-codec.ts";

/** Kinds of which a change of a subscriber must have seen everything. */
export const VERSION_KINDS = [SUBSCRIBER.id, SUBSCRIBER_SIBLING.id] as const;

/** Stands for the removal that is in force, but too long ago to be remembered. */
const FORGOTTEN = "removed";

interface KnownVersion {
  readonly name: string;
  /** `undefined`: the subscriber was removed. */
  readonly value: Uint8Array | undefined;
  readonly history: History | undefined;
}

const entriesOf = (kinds: readonly KindEntries[], id: number): KindEntries | undefined => kinds.find(({ kind }) => kind === id);

const known = ({ value, history }: Entry, removed: boolean): KnownVersion => ({
  name: history === undefined ? "" : versionName(history.version),
  value: removed ? undefined : value,
  history,
});

/** The version in force first, then the others, the latest first. Those that are over, or say the same, are left out. */
function versionsIn(kinds: readonly KindEntries[]): readonly KnownVersion[] {
  const values = entriesOf(kinds, SUBSCRIBER.id);
  const [living] = values?.entries ?? [];
  const [deletion] = values?.deletions ?? [];
  const standing = living !== undefined ? known(living, false) : deletion !== undefined ? known(deletion, true) : undefined;
  const siblings = (entriesOf(kinds, SUBSCRIBER_SIBLING.id)?.entries ?? []).map((entry) => known(entry, entry.isDeletion === true));
  const all = [standing ?? { name: FORGOTTEN, value: undefined, history: undefined }, ...siblings];
  const [first] = all;
  const open = siblings.filter((one) => !all.some((other) => other !== one && isOver(one, other)) && !(first !== undefined && saysTheSame(one, first)));
  open.sort((a, b) => (b.history?.version.stamp ?? 0) - (a.history?.version.stamp ?? 0) || (a.name < b.name ? -1 : 1));
  return first === undefined ? open : [first, ...open];
}

const isOver = (one: KnownVersion, other: KnownVersion): boolean =>
  one.history !== undefined && other.history !== undefined && includes(other.history, one.history.version);

const saysTheSame = (a: KnownVersion, b: KnownVersion): boolean =>
  a.value === undefined || b.value === undefined ? a.value === b.value : equalBytes(a.value, b.value);

/** What a new version that settles everything there is has to name. */
function allSeen(kinds: readonly KindEntries[]): readonly Version[] {
  const histories = kinds
    .filter(({ kind }) => VERSION_KINDS.some((id) => id === kind))
    .flatMap(({ entries, deletions }) => [...entries, ...(deletions ?? [])])
    .flatMap(({ history }) => (history === undefined ? [] : [history]));
  return seenIn(histories);
}

/** A subscriber's new value, or its removal, after all that `kinds` shows. */
export const subscriberChange = (kinds: readonly KindEntries[], value: Uint8Array | undefined): EntryChange => ({
  key: "",
  value,
  lifetime: value === undefined ? SUBSCRIBER_TOMBSTONE : SUBSCRIBER_LIFETIME,
  follows: allSeen(kinds),
});

/** The change that makes a version the only one; `undefined` if there is no such version any more. */
export function choiceOf(kinds: readonly KindEntries[], version: string): EntryChange | undefined {
  const chosen = versionsIn(kinds).find(({ name }) => name === version);
  return chosen === undefined ? undefined : subscriberChange(kinds, chosen.value);
}

/** `undefined`: there is no conflict. `box`: how a box is referred to. */
export function conflictIn(kinds: readonly KindEntries[], box: (nodeId: NodeId) => BoxReference): ConflictReport | undefined {
  const versions = versionsIn(kinds);
  const decoded = versions.map(({ value }) => (value === undefined ? undefined : decodeSubscriber(value)));
  const named = decoded.find((subscriber) => subscriber !== undefined);
  if (versions.length < 2 || named === undefined) return undefined;
  const passwords = [...new Set(decoded.flatMap((subscriber) => (subscriber === undefined ? [] : [subscriber.ha1Sha256])))];
  return {
    username: named.username,
    aor: `${named.username}@${named.realm}`,
    versions: versions.map(({ name, history }, index): ConflictVersion => {
      const subscriber = decoded[index];
      return {
        version: name,
        inForce: index === 0,
        removed: subscriber === undefined,
        displayName: subscriber?.displayName ?? "",
        password: subscriber === undefined ? null : passwords.indexOf(subscriber.ha1Sha256) + 1,
        writtenAt: history?.version.stamp ?? null,
        box: history === undefined ? null : box(history.version.writer),
      };
    }),
  };
}
