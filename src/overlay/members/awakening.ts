// A box that was stopped for a while (SIGSTOP, a virtual machine put aside, an event loop that stood
// still) does not know what it missed: others may answer for its share by now. Like a lease that has
// run out: it answers for nothing until those it counted as members have confirmed it.

import { type Duration, milliseconds, seconds } from "../../base/time.ts";
import type { CoreContext } from "../core-context.ts";
import type { Exchanges } from "../routing/exchanges.ts";
import type { Membership } from "./membership.ts";
import type { NodeId } from "../ports.ts";

/** Members that have died meanwhile do not keep it waiting longer: then it goes on with those that are left. */
const LONGEST = seconds(4);

/** Between two looks at who has not confirmed yet. */
const AGAIN: Duration = milliseconds(100);

export class Awakening {
  readonly #context: CoreContext;
  readonly #membership: Membership;
  readonly #exchanges: Exchanges;
  readonly #over: () => void;
  /** Members that have not confirmed yet; `undefined`: this box is awake. BOUNDED: by members. */
  #unconfirmed: Set<NodeId> | undefined;
  readonly #asked = new Set<NodeId>();
  /** Rises with each sleep: what was asked before the last one proves nothing. */
  #sleeps = 0;

  constructor(parts: { context: CoreContext; membership: Membership; exchanges: Exchanges }, over: () => void) {
    this.#context = parts.context;
    this.#membership = parts.membership;
    this.#exchanges = parts.exchanges;
    this.#over = over;
  }

  /** Whether this box may answer for its share. */
  get isAwake(): boolean {
    return this.#unconfirmed === undefined;
  }

  woke(): void {
    this.#sleeps++;
    this.#asked.clear();
    const others = this.#membership.view.ids.filter((id) => id !== this.#context.self);
    if (others.length === 0 && this.#unconfirmed === undefined) return;
    this.#context.count("woke-late");
    this.#unconfirmed = new Set([...others, ...(this.#unconfirmed ?? [])]);
    this.#context.later("awake at last", LONGEST, () => this.#end());
    this.#ask();
  }

  /** Asks those that are in the ring as we see it; whoever has given us up has closed its link, and says Update when it is back. */
  #ask(): void {
    const waiting = this.#unconfirmed;
    if (waiting === undefined) return;
    const sleep = this.#sleeps;
    for (const hop of waiting) {
      if (this.#asked.has(hop) || !this.#membership.view.has(hop) || !this.#membership.isLinked(hop)) continue;
      this.#asked.add(hop);
      this.#exchanges.request({ hop, body: { type: "ping_req", padding: new Uint8Array(0) }, timeout: this.#context.settings.timing.attempt }, ({ type }) => {
        if (sleep !== this.#sleeps) return;
        this.#asked.delete(hop);
        if (type === "answer" && this.#membership.view.has(hop)) this.#confirmed(hop);
      });
    }
    this.#context.later("awake yet", AGAIN, () => this.#ask());
  }

  #confirmed(nodeId: NodeId): void {
    this.#unconfirmed?.delete(nodeId);
    if (this.#unconfirmed?.size === 0) this.#end();
  }

  #end(): void {
    this.#unconfirmed = undefined;
    this.#context.agenda.cancel("awake yet");
    this.#context.agenda.cancel("awake at last");
    this.#over();
  }
}
