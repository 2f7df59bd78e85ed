import type { CoreContext } from "../core-context.ts";
import type { Exchanges } from "../routing/exchanges.ts";
import type { Member, Membership } from "./membership.ts";
import type { NodeId } from "../ports.ts";

/** Members asked to try a box that we do not hear. */
const HELPERS = 3;

/** A box that others hear is given so many times the waiting; then our link to it is what is broken. */
const ROUNDS_IF_VOUCHED = 2;

/** What to think of a box that is silent (the indirect probes of SWIM, as source-routed RELOAD Pings). */
export class Verdicts {
  readonly #context: CoreContext;
  readonly #membership: Membership;
  readonly #exchanges: Exchanges;

  constructor(parts: { context: CoreContext; membership: Membership; exchanges: Exchanges }) {
    this.#context = parts.context;
    this.#membership = parts.membership;
    this.#exchanges = parts.exchanges;
  }

  silent(member: Member): void {
    if (this.#context.agenda.isSet(`verdict ${member.nodeId}`)) return;
    this.#context.count("member-silent");
    this.#round(member, 1);
  }

  heard({ nodeId }: Member): void {
    this.#context.agenda.cancel(`verdict ${nodeId}`);
  }

  #round(member: Member, round: number): void {
    const { suspicion } = this.#context.settings.timing;
    let vouched = false;
    for (const helper of this.#helpers(member.nodeId)) {
      const request = {
        hop: helper,
        beyond: [{ type: "node", nodeId: member.nodeId } as const],
        body: { type: "ping_req", padding: new Uint8Array(0) } as const,
        signed: true,
        answeredBy: member.nodeId,
        timeout: suspicion,
      };
      this.#exchanges.request(request, (outcome) => {
        if (outcome.type === "answer") vouched = true;
      });
    }
    this.#context.later(`verdict ${member.nodeId}`, suspicion, () => {
      if (vouched && round < ROUNDS_IF_VOUCHED) return this.#round(member, round + 1);
      this.#context.count("verdict-gone");
      this.#membership.close(member, "nothing was heard from it");
    });
  }

  #helpers(suspect: NodeId): readonly NodeId[] {
    const candidates = this.#membership.inState("serving").filter(({ nodeId }) => nodeId !== suspect && !this.#membership.isSilent(nodeId));
    const chosen: NodeId[] = [];
    while (chosen.length < HELPERS && candidates.length > 0) {
      const [taken] = candidates.splice(this.#context.random.below(candidates.length), 1);
      if (taken !== undefined) chosen.push(taken.nodeId);
    }
    return chosen;
  }
}
