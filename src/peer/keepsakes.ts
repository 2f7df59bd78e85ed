// What this box remembers of the users whose phones hang on it. When every box that held a user is cut
// off or dead at once, the ring that is left has never heard of the user: then this box tells it.

import { BoundedMap } from "../base/bounded-map.ts";
import { equalBytes } from "../base/bytes.ts";
import { DeadlineQueue } from "../base/deadline-queue.ts";
import { hours, instant, milliseconds, type WallTime, wallTime } from "../base/time.ts";
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

export interface OwnBinding {
  /** As the ring has it. */
  readonly entry: Entry;
  /** When the ring forgets it, which is later than `registeredUntil`. */
  readonly expiresAt: WallTime;
  readonly storedCseq: number;
  /** Of the last REGISTER that was answered, stored or not. */
  readonly cseq: number;
  /** What the phone was promised. */
  readonly registeredUntil: WallTime;
  /** Of the last REGISTER that was answered and not stored. */
  readonly refreshedAt: WallTime | undefined;
}

/** What a REGISTER said of one binding, and what the ring is told of it if it is told. */
export type Heard = Pick<OwnBinding, "cseq" | "registeredUntil" | "expiresAt"> & { readonly key: string };

/** A user as the SIP core shall see it, and what the ring has to be told for that. */
export interface Recollection {
  readonly kinds: readonly KindEntries[];
  readonly gifts: readonly { readonly kind: KindId; readonly changes: readonly EntryChange[] }[];
}

export class Keepsakes {
  readonly #users = new BoundedMap<string, Keepsake>(USERS_MAX, "evict");
  /** When the first binding of a user runs out, as its phone was told. BOUNDED: by #users, but for those forgotten since. */
  readonly #ends = new DeadlineQueue<string>();

  /** What the ring said of a user, completed by what it has never heard of: of a kind with generation 0 no box has had a value. */
  read(aor: string, holders: readonly NodeId[], kinds: readonly KindEntries[], wall: WallTime): Recollection {
    const kept = this.#users.get(aor);
    const bindings = found(kinds, EDGE_BINDING.id);
    const subscriber = found(kinds, SUBSCRIBER.id);
    const lostBindings = isUnheardOf(bindings) ? (kept?.own ?? []).filter(({ registeredUntil }) => registeredUntil > wall) : [];
    const lostSubscriber = isUnheardOf(subscriber) && kept !== undefined && wall - kept.readAt < LONGEST ? kept.subscriber : undefined;
    const overtaken = (kept?.own ?? []).flatMap((binding) => renewedOver(binding, bindings.entries, wall));
    const own = isUnheardOf(bindings) ? lostBindings : [...(kept?.own ?? []).filter(isAmong(bindings.entries)), ...overtaken];
    const credentials = lostSubscriber ?? subscriber.entries[0];
    if (credentials === undefined && own.length === 0) this.#users.delete(aor);
    else this.#users.set(aor, { holders, readAt: lostSubscriber === undefined ? wall : (kept?.readAt ?? wall), subscriber: credentials, own });
    const gifts = [
      ...(lostBindings.length + overtaken.length === 0 ? [] : [{ kind: EDGE_BINDING.id, changes: [...lostBindings, ...overtaken].map(bindingGift) }]),
      ...(lostSubscriber === undefined ? [] : [{ kind: SUBSCRIBER.id, changes: [{ ...lostSubscriber, lifetime: SUBSCRIBER_LIFETIME }] }]),
    ];
    return {
      kinds: [
        lostBindings.length + overtaken.length === 0 ? bindings : { ...bindings, entries: replaced(bindings.entries, [...lostBindings, ...overtaken]) },
        lostSubscriber === undefined ? subscriber : { ...subscriber, entries: [lostSubscriber] },
      ],
      gifts,
    };
  }

  /** Changes of bindings that were stored, and what the REGISTER said of those that are new. */
  wrote(aor: string, holders: readonly NodeId[], changes: readonly EntryChange[], heard: readonly Heard[], wall: WallTime): void {
    const kept = this.#users.get(aor) ?? { holders, readAt: wall, subscriber: undefined, own: [] };
    const changed = new Set(changes.map(({ key }) => key));
    const written = changes.flatMap(({ key, value, lifetime }): OwnBinding[] =>
      value === undefined ? [] : [ownBinding({ key, value, storedAt: wall }, wallTime(wall + lifetime), heard.find((one) => one.key === key))],
    );
    this.#keep(aor, { ...kept, own: [...kept.own.filter(({ entry }) => !changed.has(entry.key)), ...written] });
  }

  /** What this box wrote of a user and the ring still had when last asked. */
  own(aor: string): readonly OwnBinding[] {
    return this.#users.get(aor)?.own ?? NONE;
  }

  /** All that this box wrote and that has not run out. */
  living(wall: WallTime): OwnBinding[] {
    return [...this.#users.values()].flatMap(({ own }) => own.filter(({ registeredUntil }) => registeredUntil > wall));
  }

  /** A REGISTER that was answered without being stored. */
  refreshed(aor: string, heard: readonly Heard[], wall: WallTime): void {
    const kept = this.#users.get(aor);
    if (kept === undefined) return;
    const own = kept.own.map((binding) => ({ ...binding, ...said(heard.find(({ key }) => key === binding.entry.key), wall) }));
    this.#keep(aor, { ...kept, own });
  }

  /** Users of whom a binding has run out without a further REGISTER: each is told once. */
  takeEnded(wall: WallTime): string | undefined {
    return this.#ends.takeDue(instant(wall));
  }
  nextEnd(): WallTime | undefined {
    const next = this.#ends.next();
    return next === undefined ? undefined : wallTime(next);
  }

  #keep(aor: string, keepsake: Keepsake): void {
    this.#users.set(aor, keepsake);
    const end = Math.min(...keepsake.own.map(({ registeredUntil }) => registeredUntil));
    if (end === Number.POSITIVE_INFINITY) this.#ends.delete(aor);
    else this.#ends.set(aor, instant(end));
  }

  /** Users whose phones were heard here since the ring was told of them: another half of it may have been told of another box. */
  refreshedHere(wall: WallTime): readonly string[] {
    return [...this.#users.entries()].flatMap(([aor, { own }]) =>
      own.some(({ refreshedAt, registeredUntil }) => refreshedAt !== undefined && registeredUntil > wall) ? [aor] : [],
    );
  }

  /** Users with phones at this box of whose holders none is left. */
  orphans(isLeft: (holder: NodeId) => boolean, wall: WallTime): readonly string[] {
    // Users of one arc share one array of holders.
    const verdicts = new Map<readonly NodeId[], boolean>();
    const orphans: string[] = [];
    for (const [aor, { holders, own }] of this.#users.entries()) {
      let isLost = verdicts.get(holders);
      if (isLost === undefined) verdicts.set(holders, (isLost = !holders.some(isLeft)));
      if (isLost && own.some(({ registeredUntil }) => registeredUntil > wall)) orphans.push(aor);
    }
    return orphans;
  }
}

const NONE: readonly OwnBinding[] = [];

const ownBinding = (entry: Entry, expiresAt: WallTime, heard: Heard | undefined): OwnBinding => ({
  entry,
  expiresAt: heard?.expiresAt ?? expiresAt,
  storedCseq: heard?.cseq ?? 0,
  cseq: heard?.cseq ?? 0,
  registeredUntil: heard?.registeredUntil ?? expiresAt,
  refreshedAt: undefined,
});

/** What another box wrote in the place of ours before the phone came here last: ours again, as old as that last time. */
function renewedOver(binding: OwnBinding, entries: readonly Entry[], wall: WallTime): readonly OwnBinding[] {
  const { entry, refreshedAt, registeredUntil } = binding;
  const other = entries.find(({ key }) => key === entry.key);
  if (other === undefined || refreshedAt === undefined || registeredUntil <= wall) return [];
  const isOvertaken = other.storedAt < refreshedAt && !equalBytes(other.value, entry.value);
  return isOvertaken ? [{ ...binding, entry: { ...entry, storedAt: refreshedAt } }] : [];
}

const replaced = (entries: readonly Entry[], by: readonly OwnBinding[]): readonly Entry[] => [
  ...entries.filter(({ key }) => !by.some(({ entry }) => entry.key === key)),
  ...by.map(({ entry }) => entry),
];

const said = (heard: Heard | undefined, wall: WallTime) =>
  heard === undefined ? {} : { cseq: heard.cseq, registeredUntil: heard.registeredUntil, refreshedAt: wall };

const found = (kinds: readonly KindEntries[], id: KindId): KindEntries =>
  kinds.find(({ kind }) => kind === id) ?? { kind: id, generation: 0, entries: [] };

const isUnheardOf = ({ generation, entries }: KindEntries): boolean => generation === 0 && entries.length === 0;

/** Whether the ring still has what this box wrote, and not what another box wrote over it. */
const isAmong = (entries: readonly Entry[]) => ({ entry }: OwnBinding): boolean =>
  entries.some(({ key, value }) => key === entry.key && equalBytes(value, entry.value));

/** With the time of its writing, so that it yields to whatever was written since on the other side. */
const bindingGift = ({ entry, expiresAt }: OwnBinding): EntryChange => ({ ...entry, lifetime: milliseconds(expiresAt - entry.storedAt) });
