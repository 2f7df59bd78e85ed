import { encodeSummaryRequest, summaryIn } from "../replicas/arc-summary.ts";
import { between, type Instant, seconds } from "../../base/time.ts";
import type { CoreContext } from "../core-context.ts";
import type { Exchanges } from "../routing/exchanges.ts";
import type { NodeId } from "../ports.ts";
import type { Arc } from "../ring/ring.ts";
import type { EntryStore } from "../storage/store.ts";

/** A joining box says this often how far it is. */
const REPORT_EVERY = seconds(5);

/** How much a joining box is going to receive, asked of one donor for each arc; for whoever looks on, nothing waits for it. */
export class ShareCount {
  readonly #context: CoreContext;
  readonly #exchanges: Exchanges;
  readonly #store: EntryStore;
  readonly #viewTag: () => number;
  /** Entries by the end of their arc. BOUNDED: by the arcs of one share. */
  readonly #expected = new Map<string, number>();
  #begun: Instant | undefined;

  constructor(context: CoreContext, exchanges: Exchanges, store: EntryStore, viewTag: () => number) {
    this.#context = context;
    this.#exchanges = exchanges;
    this.#store = store;
    this.#viewTag = viewTag;
  }

  begin(): void {
    this.#begun = this.#context.now;
    this.#context.later("report share", REPORT_EVERY, () => this.#report());
  }
  /** The share is here, or this box is not joining any more. */
  end(): void {
    if (this.#begun !== undefined && this.#expected.size > 0) {
      const took = Math.round(between(this.#begun, this.#context.now) / 100) / 10;
      this.#context.report("info", `Received its share: ${this.#store.size} entries in ${took} s.`);
    }
    this.#begun = undefined;
    this.#expected.clear();
    this.#context.agenda.cancel("report share");
  }

  ask(arcs: readonly { readonly arc: Arc; readonly holders: readonly NodeId[] }[]): void {
    for (const { arc, holders } of arcs) {
      const [donor] = holders;
      if (donor === undefined || this.#expected.has(arc.upTo)) continue;
      const parts = [{ arc, digest: { high: 0, low: 0, count: 0 } }];
      const body = {
        type: "exp_a_req",
        body: encodeSummaryRequest({ type: "compare", time: this.#context.clock.now(), view: this.#viewTag(), parts }),
      } as const;
      this.#exchanges.request(
        { hop: donor, body, timeout: this.#context.settings.timing.attempt },
        (outcome) => {
          const answer = summaryIn(outcome);
          if (this.#begun === undefined || answer?.type !== "compared") return;
          this.#expected.set(arc.upTo, answer.differing[0]?.count ?? 0);
        },
      );
    }
  }

  /** Entries here and in all; `undefined` before the donors have told. */
  get progress(): { readonly received: number; readonly expected: number } | undefined {
    if (this.#expected.size === 0) return undefined;
    const expected = [...this.#expected.values()].reduce((sum, count) => sum + count, 0);
    return { received: Math.min(this.#store.size, expected), expected };
  }

  #report(): void {
    const { progress } = this;
    if (progress !== undefined)
      this.#context.report(
        "info",
        `Receiving its share: ${progress.received} of ${progress.expected} entries.`,
      );
    this.#context.later("report share", REPORT_EVERY, () => this.#report());
  }
}
