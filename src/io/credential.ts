// The credential this box works with: its certificate and the means to admit others. It changes while the box
// runs when the fleet's key holder renews it; everything that shows it or signs with it is told.

import type { Address } from "../base/address.ts";
import { FORMER_SECRET } from "../peer/peer.ts";
import type { FleetConfiguration } from "../overlay/configuration/document.ts";
import { equalBytes } from "../base/bytes.ts";
import type { Clock } from "./clock.ts";
import type { Enrolled } from "./enrolled.ts";
import type { FleetMembership } from "./identity-files.ts";
import type { Report } from "./journal.ts";
import { type Credential, fleetSecret, issueBoxCertificate, publicKeyOf } from "./pki.ts";
import { requestRenewal } from "./renewal.ts";
import type { CertificateTrust } from "./trust.ts";

const RETRY_MS = 2_000;

export interface CredentialKeeperSettings {
  readonly membership: FleetMembership;
  readonly privateKeyPem: string;
  readonly trust: CertificateTrust;
  readonly clock: Clock;
  /** Where members may be asked, the likeliest first. */
  readonly members: () => readonly Address[];
  /** A new membership; returns when it is on disk and in force. */
  readonly onRenewed: (membership: FleetMembership) => void;
  readonly onReport: Report;
}

export class CredentialKeeper {
  readonly #settings: CredentialKeeperSettings;
  #membership: FleetMembership;
  #wanted: Uint8Array | undefined;
  #asking = false;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(settings: CredentialKeeperSettings) {
    this.#settings = settings;
    this.#membership = settings.membership;
  }

  get membership(): FleetMembership {
    return this.#membership;
  }

  /** What is in force now: if another credential issues, this box fetches it. */
  configured(configuration: FleetConfiguration | undefined): void {
    const wanted = configuration?.issuingCertificate;
    this.#wanted = wanted === undefined || equalBytes(wanted, this.#membership.enrolled.issuing.certificate) ? undefined : wanted;
    if (this.#wanted !== undefined) this.#askSoon(0);
  }

  /** The fleet's key holder brought a new issuing credential to this very box. */
  async install(issuing: Credential): Promise<void> {
    const { overlayName, enrolled } = this.#membership;
    const publicKey = await publicKeyOf(this.#settings.privateKeyPem);
    const certificate = await issueBoxCertificate(issuing, { publicKey, nodeId: enrolled.nodeId, overlayName });
    this.#renewed({ nodeId: enrolled.nodeId, certificate, issuing });
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #askSoon(delay: number): void {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#askAll(), delay);
  }

  async #askAll(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    try {
      for (const address of this.#settings.members()) if (this.#wanted !== undefined && !this.#closed) await this.#ask(address);
    } finally {
      this.#asking = false;
    }
    if (this.#wanted !== undefined) this.#askSoon(RETRY_MS);
  }

  async #ask(address: Address): Promise<void> {
    const { privateKeyPem, trust, clock, onReport } = this.#settings;
    const answer = await requestRenewal({ address, membership: this.#membership, privateKeyPem, trust, clock });
    if (answer.outcome !== "granted") return onReport("debug", `no new certificate from ${address.host}: ${answer.reason}`);
    const { wanted, enrolled } = { wanted: this.#wanted, enrolled: answer.enrolled };
    // A member that has not renewed its own yet, or another Node-ID: not what was asked for.
    if (wanted === undefined || !equalBytes(wanted, enrolled.issuing.certificate) || enrolled.nodeId !== this.#membership.enrolled.nodeId) return;
    this.#renewed(enrolled);
  }

  #renewed(enrolled: Enrolled): void {
    const secret = fleetSecret(this.#membership.enrolled.issuing.privateKeyPem);
    const membership = { ...this.#membership, enrolled, formerSecret: { secret, until: this.#settings.clock.wall() + FORMER_SECRET } };
    this.#membership = membership;
    this.#wanted = undefined;
    this.#settings.trust.learnIssuing(membership.enrolled.issuing.certificate);
    this.#settings.onRenewed(membership);
    this.#settings.onReport("info", "This box has a new certificate, of the fleet's new issuing credential.");
  }
}
