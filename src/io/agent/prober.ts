// Tries boxes by real calls, this one and its two neighbors on the ring, and watches the neighbors' SIP ports between
// the calls: a port that falls silent is told within seconds.

import { between, type Instant, milliseconds, seconds } from "../../base/time.ts";
import type { Listen } from "../../health/ports.ts";
import { PROOF_INTERVAL } from "../../health/proof-book.ts";
import { systemClock } from "../clock.ts";
import type { Receipt } from "./fleet-words.ts";
import type { OwnIdentity } from "./own-identity.ts";
import { pageIn, SipWatch } from "./sip-watch.ts";
import { tryCall } from "./trial-call.ts";

/** After a failure a box is tried again sooner: it is told that it works as soon as it does. */
const AFTER_FAILURE = seconds(2);
/** A neighbor's SIP port that has not answered for so long is told of, before the next call is due. */
const NEIGHBOR_SILENCE = milliseconds(2_000);

export interface Neighbor {
  readonly nodeId: string;
  readonly listens: readonly Listen[];
}

/** One after another, never twice at once, when it is due. */
class Turn {
  #last: Instant | undefined;
  #failed = false;
  #busy = false;

  async take(act: () => Promise<boolean>): Promise<void> {
    const now = systemClock.now();
    const interval = this.#failed ? AFTER_FAILURE : PROOF_INTERVAL;
    if (this.#busy || (this.#last !== undefined && between(this.#last, now) < interval)) return;
    this.#busy = true;
    this.#last = now;
    try {
      this.#failed = !(await act());
    } finally {
      this.#busy = false;
    }
  }

  /** The next look finds it due. */
  now(): void {
    this.#last = undefined;
  }
}

export class Prober {
  readonly #turn = new Turn();

  /** Calls through this box's own sockets, if it is time: each receipt as soon as it is there. */
  async proveSelf(identity: OwnIdentity, listens: readonly Listen[], onReceipt: (receipt: Receipt) => void): Promise<void> {
    await this.#turn.take(() => proveAll(identity, listens, onReceipt));
  }

  proveNow(): void {
    this.#turn.now();
  }
}

/** What this agent knows of one neighbor. */
export class NeighborWatch {
  readonly nodeId: string;
  readonly #turn = new Turn();
  readonly #watches = new Map<string, Watched>(); // BOUNDED: by the transports
  #page: string | undefined;

  constructor(nodeId: string) {
    this.nodeId = nodeId;
  }

  /** Of its agent; `undefined`: not known yet. */
  get page(): string | undefined {
    return this.#page;
  }

  close(): void {
    for (const { watch } of this.#watches.values()) watch.close();
    this.#watches.clear();
  }

  async prove(identity: OwnIdentity, { listens }: Neighbor, onReceipt: (receipt: Receipt) => void): Promise<void> {
    await this.#turn.take(() => proveAll(identity, listens, onReceipt));
  }

  /** Asks its SIP ports; one that has fallen silent is told as a failed proof. */
  async look(identity: OwnIdentity, { listens }: Neighbor, onReceipt: (receipt: Receipt) => void): Promise<void> {
    const keys = listens.map(keyOf);
    for (const [key, { watch }] of this.#watches) {
      if (keys.includes(key)) continue;
      watch.close();
      this.#watches.delete(key);
    }
    await Promise.all(listens.map((listen) => this.#ask(identity, listen, onReceipt)));
  }

  async #ask(identity: OwnIdentity, listen: Listen, onReceipt: (receipt: Receipt) => void): Promise<void> {
    const { transport } = listen;
    const watched = this.#watchOf(identity, listen);
    const answer = await watched.watch.ask();
    const now = systemClock.now();
    if (answer !== undefined) {
      watched.answeredAt = now;
      this.#page = pageIn(answer.response);
      if (watched.silent) this.#turn.now();
      watched.silent = false;
    } else if (!watched.silent && between(watched.answeredAt, now) > NEIGHBOR_SILENCE) {
      watched.silent = true;
      onReceipt({ transport, succeeded: false, tookMs: null, detail: "no answer to OPTIONS" });
    }
  }

  #watchOf(identity: OwnIdentity, { transport, host, port }: Listen): Watched {
    const key = keyOf({ transport, host, port });
    const known = this.#watches.get(key);
    if (known !== undefined) return known;
    const { domain } = identity.membership;
    const made = { watch: new SipWatch({ transport, box: { host, port }, domain, user: "ringbox-agent" }), answeredAt: systemClock.now(), silent: false };
    this.#watches.set(key, made);
    return made;
  }
}

interface Watched {
  readonly watch: SipWatch;
  answeredAt: Instant;
  /** It has been told that nobody answers. */
  silent: boolean;
}

const keyOf = ({ transport, host, port }: Listen): string => `${transport} ${host} ${port}`;

/** Whether all calls succeeded. A call that failed is made once more: one lost packet is no fault of a box. */
async function proveAll(
  identity: OwnIdentity,
  listens: readonly Listen[],
  onReceipt: (receipt: Receipt) => void,
): Promise<boolean> {
  const outcomes = await Promise.all(
    listens.map(async ({ transport, host, port }) => {
      const settings = { transport, box: { host, port }, domain: identity.membership.domain, by: identity.nodeId, fleetSecret: identity.fleetSecret };
      const first = await tryCall(settings);
      const outcome = first.succeeded ? first : await tryCall(settings);
      const { succeeded, tookMs, detail } = outcome;
      onReceipt({ transport, succeeded, tookMs: succeeded ? tookMs : null, detail: detail.slice(0, 300) });
      return succeeded;
    }),
  );
  return outcomes.every((succeeded) => succeeded);
}
