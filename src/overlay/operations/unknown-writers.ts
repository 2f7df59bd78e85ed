import { BoundedMap } from "../../base/bounded-map.ts";
import { fromHex, toHex } from "../../base/bytes.ts";
import { type Duration, minutes, seconds } from "../../base/time.ts";
import type { CoreContext } from "../core-context.ts";
import type { FetchOutcome, NodeId, ResourceId } from "../ports.ts";
import type { StoredEntry } from "../storage/entry.ts";
import type { Holdings } from "../storage/holdings.ts";
import { KIND } from "../wire/code-points.ts";
import type { Operations } from "./operations.ts";

/** Writers whose certificates are sought at once; what others wrote stays unproved until this box starts anew. */
const MAX_WRITERS = 64;
/** Values of one writer that wait for its certificate; further ones stay unproved. */
const MAX_WAITING = 4_096;
/** From the first value on: more of one writer mostly come together. */
const FIRST_LOOK: Duration = seconds(1);
const LOOK_AGAIN: Duration = minutes(1);
const LOOKS = 5;

interface Sought {
  readonly writer: NodeId;
  /** BOUNDED: MAX_WAITING. */
  readonly waiting: StoredEntry[];
  looks: number;
}

/**
 * Values that this box keeps though it has no certificate to check their signatures by: their writers have
 * published theirs (RFC 6940 section 8), and may be gone for ever. What is then found to be wrongly signed is
 * dropped, and comes back from whoever has it right.
 */
export class UnknownWriters {
  readonly #context: CoreContext;
  readonly #holdings: Holdings;
  readonly #operations: Operations;
  readonly #sought = new BoundedMap<NodeId, Sought>(MAX_WRITERS, "refuse");

  constructor(parts: { readonly context: CoreContext; readonly holdings: Holdings; readonly operations: Operations }) {
    this.#context = parts.context;
    this.#holdings = parts.holdings;
    this.#operations = parts.operations;
  }

  /** A value was kept, or found on disk, whose signature names a certificate that is not known. */
  kept(entry: StoredEntry): void {
    const writer = entry.preface?.version.writer; // other kinds do not say whose hand it was
    if (writer === undefined || this.#context.kind(KIND.CERTIFICATE_BY_NODE) === undefined) return;
    const known = this.#sought.get(writer);
    if (known !== undefined) {
      if (known.waiting.length < MAX_WAITING) known.waiting.push(entry);
      return;
    }
    const sought: Sought = { writer, waiting: [entry], looks: 0 };
    if (this.#sought.set(writer, sought)) this.#context.later(sought, FIRST_LOOK, () => this.#look(sought));
  }

  #look(sought: Sought): void {
    sought.looks++;
    const place = toHex(this.#context.crypto.sha1(fromHex(sought.writer))).slice(0, 32) as ResourceId;
    this.#operations.fetchThen(place, [KIND.CERTIFICATE_BY_NODE], (outcome) => this.#found(sought, outcome));
  }

  #found(sought: Sought, outcome: FetchOutcome): void {
    for (const { entries } of outcome.ok ? outcome.kinds : []) for (const { value } of entries) this.#holdings.offerCertificate(value, sought.writer);
    const unproved = sought.waiting.filter((entry) => !this.#holdings.prove(entry));
    sought.waiting.splice(0, sought.waiting.length, ...unproved);
    if (unproved.length > 0 && sought.looks < LOOKS) return this.#context.later(sought, LOOK_AGAIN, () => this.#look(sought));
    for (const _ of unproved) this.#context.count("writer-not-found");
    this.#sought.delete(sought.writer);
  }
}
