// Proof users at this box (sip/auth/proof-user.ts). Their credentials follow from the fleet's secret, and their
// bindings stay here: a box is tried every ten seconds, and what nobody else needs is not written to flash.
// They are looked up in the ring like everybody, so that a trial call tries that too.

import { BoundedMap } from "../base/bounded-map.ts";
import type { Crypto } from "../base/crypto.ts";
import type { WallTime } from "../base/time.ts";
import { proofCredentials } from "../sip/auth/proof-user.ts";
import type { Binding, BindingChanges, Credentials } from "../sip/ports.ts";

/** Three boxes try one over five transports; above it the one that tried longest ago must begin anew. */
const PROOF_USERS_MAX = 64;

export class ProofUsers {
  readonly #crypto: Crypto;
  readonly #domain: string;
  readonly #secret: () => Uint8Array;
  /** By AoR. */
  readonly #bindings = new BoundedMap<string, readonly Binding[]>(PROOF_USERS_MAX, "evict");

  constructor(crypto: Crypto, domain: string, secret: () => Uint8Array) {
    this.#crypto = crypto;
    this.#domain = domain;
    this.#secret = secret;
  }

  credentials(aor: string): Credentials {
    const username = aor.slice(0, -(this.#domain.length + 1));
    return proofCredentials(this.#crypto, this.#secret(), username, this.#domain);
  }

  bindings(aor: string, wall: WallTime): readonly Binding[] {
    return (this.#bindings.get(aor) ?? []).filter(({ expiresAt }) => expiresAt > wall);
  }

  change(aor: string, { upserts, removals }: BindingChanges): void {
    const changed = new Set([...removals, ...upserts.map(({ key }) => key)]);
    const kept = (this.#bindings.get(aor) ?? []).filter(({ key }) => !changed.has(key));
    const bindings = [...kept, ...upserts];
    if (bindings.length === 0) this.#bindings.delete(aor);
    else this.#bindings.set(aor, bindings);
  }
}
