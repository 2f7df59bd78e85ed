// The fleet's rules for those parts of a box that work outside the peer: enrollment and trust.

import type { FleetConfiguration } from "../overlay/configuration/document.ts";
import { decodeRevocations } from "../overlay/configuration/revocations.ts";
import type { NodeId } from "../overlay/ports.ts";
import { readConfiguration } from "./fleet-configuration.ts";
import { fingerprint } from "./pki.ts";
import type { StoredRules } from "./rules-files.ts";
import type { IssuingRules } from "./trust.ts";

export class RulesInForce implements IssuingRules {
  readonly #self: NodeId | undefined;
  #stored: StoredRules;
  #configuration: FleetConfiguration | undefined;
  #revoked: ReadonlySet<NodeId>;
  /** SHA-256 of certificates, hex. */
  #retired: ReadonlySet<string>;

  constructor(fleet: { readonly rootCertificate: Uint8Array; readonly overlayName: string }, stored: StoredRules, self: NodeId | undefined) {
    this.#self = self;
    const read = stored.document === undefined ? undefined : readConfiguration(stored.document, fleet);
    this.#stored = stored;
    this.#configuration = read?.ok === true ? read.value : undefined;
    this.#revoked = revokedBy(stored, this.#configuration);
    this.#retired = new Set(this.#configuration?.retired.map(fingerprint));
  }

  get stored(): StoredRules {
    return this.#stored;
  }
  get configuration(): FleetConfiguration | undefined {
    return this.#configuration;
  }
  /** Whether this very box is revoked. */
  get isOut(): boolean {
    return this.#self !== undefined && this.isRevoked(this.#self);
  }
  isRevoked(nodeId: NodeId): boolean {
    return this.#revoked.has(nodeId);
  }
  /** Whether a ticket of this serial admits nobody any more. */
  refusesTicket(serial: string): boolean {
    return this.#configuration?.refusedTickets.includes(serial) === true;
  }
  isRetired(issuer: string): boolean {
    return this.#retired.has(issuer);
  }
  isKept(nodeId: NodeId, key: string): boolean {
    return this.#configuration?.kept.some((box) => box.nodeId === nodeId && box.key === key) === true;
  }

  changed(stored: StoredRules, configuration: FleetConfiguration | undefined): void {
    this.#stored = stored;
    this.#configuration = configuration;
    this.#revoked = revokedBy(stored, configuration);
    this.#retired = new Set(configuration?.retired.map(fingerprint));
  }
}

function revokedBy({ revocations }: StoredRules, configuration: FleetConfiguration | undefined): ReadonlySet<NodeId> {
  const stated = decodeRevocations(revocations) ?? [];
  return new Set([...stated.map(({ nodeId }) => nodeId), ...(configuration?.badNodes ?? [])]);
}
