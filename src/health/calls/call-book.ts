// The recent calls of this box, as the peer tells them: what is newer, again and again. They stay when the peer is gone.

import { BoundedMap } from "../../base/bounded-map.ts";
import type { CallView } from "../ports.ts";
import type { CallEntry, RecentCall } from "../report.ts";
import { isUnderWay, outcomeWords } from "./call-words.ts";

/** As many as the peer remembers; the one heard of first goes. */
const CALLS_MAX = 1_500;
export const CALLS_IN_REPORT = 40;
/** A number inside is no longer; of another one whoever reads without signing in sees the end. */
const INSIDE_LENGTH = 5;
const SHOWN_END = 3;
/** Who calls when a person has a phone ring from the page. */
const LINE_TEST = "line-test";

export class CallBook {
  /** By id. */
  readonly #calls = new BoundedMap<string, CallView>(CALLS_MAX, "evict");
  /** The same, newest first: the report is made often, and what is told changes seldom. BOUNDED: by #calls. */
  #newest: readonly CallView[] = [];
  /** Of the peer that told. */
  #life = "";
  /** Calls that went on when the peer ended: nobody saw their end. BOUNDED: by #calls. */
  readonly #unseen = new Set<string>();

  /** What the peer told, in the order of their beginning. */
  heard(at: number, life: string, calls: readonly CallView[]): void {
    if (life !== this.#life) {
      this.#life = life;
      for (const [id, call] of this.#calls) if (isUnderWay(call, at)) this.#unseen.add(id);
    }
    for (const call of calls) {
      this.#calls.set(call.id, call);
      this.#unseen.delete(call.id);
    }
    for (const id of this.#unseen) if (!this.#calls.has(id)) this.#unseen.delete(id);
    this.#newest = [...this.#calls.values()].sort((a, b) => b.startedAt - a.startedAt);
  }

  underWay(at: number): number {
    return this.#newest.filter((call) => this.#isUnderWay(call, at)).length;
  }

  /** Newest first: those that go on, and the last ones that ended. `isPhone`: who is registered, and is named in full. */
  recent(at: number, isPhone: (aor: string) => boolean): RecentCall[] {
    const calls = this.#newest.filter(({ kind }) => kind === "call");
    const going = calls.filter((call) => this.#isUnderWay(call, at)).slice(0, CALLS_IN_REPORT);
    const over = calls.filter((call) => !this.#isUnderWay(call, at)).slice(0, CALLS_IN_REPORT - going.length);
    const name = (aor: string): string => (isPhone(aor) ? aor : shortened(aor));
    return [...going, ...over]
      .sort((a, b) => b.startedAt - a.startedAt)
      .map((call) => ({ ...this.#entry(call, at), from: name(call.from), to: name(call.to) }))
      .map(({ id, from, to, startedAt, endedAt, outcome }) => ({ id, from, to, startedAt, endedAt, outcome }));
  }

  /** All, newest first, with full names: for who is signed in. */
  all(at: number): CallEntry[] {
    const of = (kind: CallView["kind"]): CallView[] => this.#newest.filter((call) => call.kind === kind);
    return [...of("call"), ...of("registration")].map((call) => this.#entry(call, at));
  }

  #entry(call: CallView, at: number): CallEntry {
    const { kind, id, from, to, startedAt } = call;
    const isUnseen = this.#unseen.has(id);
    const endedAt = this.#isUnderWay(call, at) ? null : (call.endedAt ?? call.answeredAt ?? startedAt);
    return { kind, id, from, to, startedAt, endedAt, outcome: isUnseen ? "not known: this box started anew meanwhile" : outcomeWords(call, at) };
  }

  #isUnderWay(call: CallView, at: number): boolean {
    return isUnderWay(call, at) && !this.#unseen.has(call.id);
  }}

/** `…345@example.test`: who the party is stays between those who talked. */
function shortened(name: string): string {
  const at = name.lastIndexOf("@");
  const user = at < 0 ? name : name.slice(0, at);
  return user.length <= INSIDE_LENGTH || user === LINE_TEST ? name : `…${user.slice(-SHOWN_END)}${at < 0 ? "" : name.slice(at)}`;
}
