// What this box remembers of the users whose phones hang on it. When every box that held a user is cut
// off or dead at once, the ring that is left has never heard of the user: then this box tells it.

import { BoundedMap } from "../base/bounded-map.ts";
import { equalBytes } from "../base/bytes.ts";
import { hours, milliseconds, type WallTime, wallTime } from "../base/time.ts";
import type { Entry, EntryChange, KindEntries, KindId, NodeId } from "../overlay/ports.ts";
import { EDGE_BINDING, SUBSCRIBER, SUBSCRIBER_LIFETIME } from "./kinds.ts";

/** BOUNDED: users remembered; beyond it those read first are forgotten, and wait for their phones to register again. */
const USERS_MAX = 20_000;

/** A subscriber read longer ago is not given back: the removal might have been forgotten meanwhile. */
const LONGEST = hours(2);

interface Keepsake {
  /** Those who held the user when this box last read it. */
  readonly holders: readonly NodeId[];
  readonly readAt: WallTime;
  readonly subscriber: Entry | undefined;
  /** Bindings that this box wrote. BOUNDED: by the kind. */
  readonly own: readonly OwnBinding[];
}

interface OwnBinding {
  readonly entry: Entry;
  readonly expiresAt: WallTime;
}

/** A user as the SIP core shall see it, and what the ring has to be told for that. */
export interface Recollection {
  readonly kinds: readonly KindEntries[];
  readonly gifts: readonly { readonly kind: KindId; readonly changes: readonly EntryChange[] }[];
}

export class Keepsakes {
  readonly #users = new BoundedMap<string, Keepsake>(USERS_MAX, "evict");

  /** What the ring said of a user, completed by what it has never heard of: of a kind with generation 0 no box has had a value. */
  read(aor: string, holders: readonly NodeId[], kinds: readonly KindEntries[], wall: WallTime): Recollection {
    const kept = this.#users.get(aor);
    const bindings = found(kinds, EDGE_BINDING.id);
    const subscriber = found(kinds, SUBSCRIBER.id);
    const lostBindings = isUnheardOf(bindings) ? (kept?.own ?? []).filter(({ expiresAt }) => expiresAt > wall) : [];
    const lostSubscriber = isUnheardOf(subscriber) && kept !== undefined && wall - kept.readAt < LONGEST ? kept.subscriber : undefined;
    const own = isUnheardOf(bindings) ? lostBindings : (kept?.own ?? []).filter(isAmong(bindings.entries));
    const credentials = lostSubscriber ?? subscriber.entries[0];
    if (credentials === undefined && own.length === 0) this.#users.delete(aor);
    else this.#users.set(aor, { holders, readAt: lostSubscriber === undefined ? wall : (kept?.readAt ?? wall), subscriber: credentials, own });
    const gifts = [
      ...(lostBindings.length === 0 ? [] : [{ kind: EDGE_BINDING.id, changes: lostBindings.map(bindingGift) }]),
      ...(lostSubscriber === undefined ? [] : [{ kind: SUBSCRIBER.id, changes: [{ ...lostSubscriber, lifetime: SUBSCRIBER_LIFETIME }] }]),
    ];
    return {
      kinds: [
        lostBindings.length === 0 ? bindings : { ...bindings, entries: lostBindings.map(({ entry }) => entry) },
        lostSubscriber === undefined ? subscriber : { ...subscriber, entries: [lostSubscriber] },
      ],
      gifts,
    };
  }

  /** Changes of bindings that were stored. */
  wrote(aor: string, holders: readonly NodeId[], changes: readonly EntryChange[], wall: WallTime): void {
    const kept = this.#users.get(aor) ?? { holders, readAt: wall, subscriber: undefined, own: [] };
    const changed = new Set(changes.map(({ key }) => key));
    const written = changes.flatMap(({ key, value, lifetime }): OwnBinding[] =>
      value === undefined ? [] : [{ entry: { key, value, storedAt: wall }, expiresAt: wallTime(wall + lifetime) }],
    );
    this.#users.set(aor, { ...kept, own: [...kept.own.filter(({ entry }) => !changed.has(entry.key)), ...written] });
  }

  /** Users with phones at this box of whose holders none is left. */
  orphans(isLeft: (holder: NodeId) => boolean, wall: WallTime): readonly string[] {
    // Users of one arc share one array of holders.
    const verdicts = new Map<readonly NodeId[], boolean>();
    const orphans: string[] = [];
    for (const [aor, { holders, own }] of this.#users.entries()) {
      let isLost = verdicts.get(holders);
      if (isLost === undefined) verdicts.set(holders, (isLost = !holders.some(isLeft)));
      if (isLost && own.some(({ expiresAt }) => expiresAt > wall)) orphans.push(aor);
    }
    return orphans;
  }
}

const found = (kinds: readonly KindEntries[], id: KindId): KindEntries =>
  kinds.find(({ kind }) => kind === id) ?? { kind: id, generation: 0, entries: [] };

const isUnheardOf = ({ generation, entries }: KindEntries): boolean => generation === 0 && entries.length === 0;

/** Whether the ring still has what this box wrote, and not what another box wrote over it. */
const isAmong = (entries: readonly Entry[]) => ({ entry }: OwnBinding): boolean =>
  entries.some(({ key, value }) => key === entry.key && equalBytes(value, entry.value));

/** With the time of its writing, so that it yields to whatever was written since on the other side. */
const bindingGift = ({ entry, expiresAt }: OwnBinding): EntryChange => ({ ...entry, lifetime: milliseconds(expiresAt - entry.storedAt) });
