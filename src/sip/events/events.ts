// SIP-specific event notification (RFC 6665) as one part of the core: this box as a state agent for the users of the fleet.

import { earliest, type Instant } from "../../base/time.ts";
import type { Gatekeeper } from "../auth/gatekeeper.ts";
import type { CoreContext } from "../core-context.ts";
import { responseTo } from "../message/build.ts";
import type { ValidRequest } from "../message/message.ts";
import type { Flow } from "../ports.ts";
import { CallWatch } from "./call-watch.ts";
import { Door } from "./door.ts";
import { Notifier } from "./notifier.ts";
import { PublishDesk } from "./publish-desk.ts";
import { SubscribeDesk } from "./subscribe-desk.ts";
import { Teller } from "./teller.ts";

export class Events {
  readonly #core: CoreContext;
  readonly #notifier: Notifier;
  readonly #teller: Teller;
  readonly #subscribeDesk: SubscribeDesk;
  readonly #publishDesk: PublishDesk;
  readonly calls: CallWatch;

  /** `prefix`: random, so that no branch repeats one of an earlier life of this process. */
  constructor(core: CoreContext, gatekeeper: Gatekeeper, prefix: string) {
    this.#core = core;
    this.#notifier = new Notifier(core, prefix);
    this.#teller = new Teller(core, this.#notifier, prefix);
    this.calls = new CallWatch(core, this.#teller);
    const door = new Door(core, gatekeeper);
    this.#subscribeDesk = new SubscribeDesk(core, door, this.#notifier, this.#teller);
    this.#publishDesk = new PublishDesk(core, door, this.#teller);
  }

  /** Subscriptions whose NOTIFYs this box sends. */
  get subscriptions(): number {
    return this.#notifier.size;
  }

  nextDeadline(): Instant | undefined {
    return earliest(this.#notifier.nextDeadline(), earliest(this.#teller.nextDeadline(), this.calls.nextDeadline()));
  }
  tick(now: Instant): void {
    this.#notifier.tick(now);
    this.#teller.tick(now);
    this.calls.tick(now);
  }

  /** SUBSCRIBE or PUBLISH to a user of our domain. */
  receive(now: Instant, request: ValidRequest, flow: Flow, aor: string): void {
    if (request.method === "SUBSCRIBE") this.#subscribeDesk.receive(now, request, flow, aor);
    else this.#publishDesk.receive(now, request, flow, aor);
  }

  /** Bindings of a user have come or gone: whoever watches his presence or registrations is told. */
  registrationChanged(now: Instant, aor: string): void {
    this.#teller.tell(now, aor);
  }

  /** Whether phones that hang on this box are to go to others. */
  setGoing(now: Instant, isGoing: boolean): void {
    this.#notifier.setGoing(now, isGoing);
  }

  /** Whether it was a word from another box, which is answered here. */
  takeHint(now: Instant, request: ValidRequest, flow: Flow): boolean {
    const hint = this.#teller.read(request, flow);
    if (hint === undefined) return false;
    const server = this.#core.serve(now, request, flow);
    if (server === undefined) return true;
    const answer = (at: Instant): void => this.#core.transactions.respond(at, server, responseTo(request, 200, "", this.#core.answerOptions(request, [])));
    if (hint.reason === "changed") this.#teller.heard(now, hint.aor, answer);
    else {
      this.calls.watched(now, hint.aor);
      answer(now);
    }
    return true;
  }
}
