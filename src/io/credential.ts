// The credential this box works with: its certificate and the means to admit others. It changes while the box
// runs: the certificate is renewed long before it ends, and all of it when the fleet's key holder renews the
// issuing credential. Everything that shows it or signs with it is told.
//
// A box that holds the issuing credential makes its next certificate itself (docs/decisions/0019): no member
// needs to be there, and it could do so anyway. It asks a member for one if it does not hold the credential
// that issues now, and if a member does not believe what it shows.

import { X509Certificate } from "node:crypto";
import type { Address } from "../base/address.ts";
import { equalBytes } from "../base/bytes.ts";
import type { Random } from "../base/random.ts";
import { hours, minutes, seconds, type WallTime, wallTime } from "../base/time.ts";
import { compareSequences, type FleetConfiguration } from "../overlay/configuration/document.ts";
import { FORMER_SECRET } from "../peer/peer.ts";
import { formatDay } from "../provision/calendar.ts";
import type { CertificateTime } from "./certificate-time.ts";
import type { Enrolled } from "./enrolled.ts";
import { readConfiguration } from "./fleet-configuration.ts";
import type { FleetMembership } from "./identity-files.ts";
import type { Report } from "./journal.ts";
import { CERTIFICATE_LIFE, certificateEnd, type Credential, fleetSecret, issueBoxCertificate, publicKeyOf } from "./pki.ts";
import { requestRenewal } from "./renewal.ts";
import type { CertificateTrust } from "./trust.ts";

/** Between two looks at how much of the certificate's life is left. */
const LOOK_EVERY = minutes(1);
/** After an attempt that failed: the wait doubles up to the longest. */
const RETRY_FIRST = seconds(2);
const RETRY_LONGEST = minutes(5);
/** Between two questions to members that refused this box. */
const REFUSED_PAUSE = seconds(10);
/** This many attempts in a row fail before an operator is told: members renew their own first. */
const PATIENCE = 5;
/** A certificate that ends later than any that is made now was made by a wrong clock, or in former times. */
const LONGEST_LIFE = CERTIFICATE_LIFE + hours(24);

/** How it stands with this box's certificate. */
export interface CertificateState {
  readonly endsAt: WallTime;
  /** Why it was not renewed though it should be: what follows a colon. */
  readonly trouble: string | undefined;
}

export interface CredentialKeeperSettings {
  readonly membership: FleetMembership;
  readonly privateKeyPem: string;
  readonly trust: CertificateTrust;
  readonly time: Pick<CertificateTime, "agreed" | "making">;
  readonly random: Random;
  /** Where members may be asked, the likeliest first. */
  readonly members: () => readonly Address[];
  /** What the fleet has decided, as far as this box knows. */
  readonly configuration: () => FleetConfiguration | undefined;
  /** A box that its fleet has put out renews nothing. */
  readonly isOut: () => boolean;
  /** A new membership, to be put in force; whether it is on disk. */
  readonly onRenewed: (membership: FleetMembership) => boolean;
  readonly onState: (state: CertificateState) => void;
  readonly onReport: Report;
}

export class CredentialKeeper {
  readonly #settings: CredentialKeeperSettings;
  /** So much of the life is left at the renewal: a third, a tenth of that more or less, so that boxes do not move in step. */
  readonly #early: number;
  #membership: FleetMembership;
  /** The certificate that issues now, if this box does not hold it. */
  #wanted: Uint8Array | undefined;
  #isKept = true;
  #busy = false;
  #failures = 0;
  #trouble: string | undefined;
  #told: CertificateState | undefined;
  #refusalAskedAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(settings: CredentialKeeperSettings) {
    this.#settings = settings;
    this.#membership = settings.membership;
    this.#early = (CERTIFICATE_LIFE / 3) * (0.9 + settings.random.fraction() / 5);
  }

  get membership(): FleetMembership {
    return this.#membership;
  }

  /** Resolves when what this box will show is as good as it can be made here; it is looked after from then on. */
  async start(): Promise<void> {
    await this.#look();
  }

  /** What is in force now: if another credential issues, this box fetches it. */
  configured(configuration: FleetConfiguration | undefined): void {
    const wanted = configuration?.issuingCertificate;
    this.#wanted = wanted === undefined || equalBytes(wanted, this.#membership.enrolled.issuing.certificate) ? undefined : wanted;
    if (this.#wanted !== undefined) this.#lookAfter(0);
  }

  /** A member does not believe this box's certificate: what a new one would cure, it is asked for. */
  refusedAt(address: Address): void {
    const now = performance.now();
    if (this.#closed || this.#settings.isOut() || now - this.#refusalAskedAt < REFUSED_PAUSE) return;
    this.#refusalAskedAt = now;
    void this.#ask(address).then((declined) => {
      if (declined === undefined || this.#closed) return;
      this.#trouble = `another box refused it, and gave no new one: ${declined}`;
      this.#tell();
    });
  }

  /** The fleet's key holder brought a new issuing credential to this very box. */
  async install(issuing: Credential): Promise<void> {
    this.#renewed(await this.#makeWith(issuing));
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #lookAfter(delay: number): void {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#look(), delay);
  }

  async #look(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      const failed = this.#settings.isOut() ? undefined : await this.#attend();
      this.#failures = failed === undefined ? 0 : this.#failures + 1;
      const isTold = failed !== undefined && (this.#wanted === undefined || this.#failures >= PATIENCE);
      // Among others again: whoever refused it does so no more.
      if (isTold) this.#trouble = failed;
      else if (failed === undefined && this.#settings.time.agreed !== undefined) this.#trouble = undefined;
    } finally {
      this.#busy = false;
    }
    this.#tell();
    this.#lookAfter(this.#failures === 0 ? LOOK_EVERY : this.#retryAfter());
  }

  #retryAfter(): number {
    const wait = Math.min(RETRY_LONGEST, RETRY_FIRST * 2 ** Math.min(this.#failures - 1, 16));
    return wait * (0.75 + this.#settings.random.fraction() / 2);
  }

  /** Does what is to be done now; why it could not be. */
  async #attend(): Promise<string | undefined> {
    if (this.#wanted !== undefined) return this.#askAll();
    if (!this.#isKept) this.#isKept = this.#settings.onRenewed(this.#membership);
    else if (this.#isDue()) {
      try {
        this.#renewed(await this.#makeWith(this.#membership.enrolled.issuing));
      } catch (error) {
        return `this box could not make a new one (${error instanceof Error ? error.message : String(error)})`;
      }
    }
    return this.#isKept ? undefined : "the new one could not be written to its disk";
  }

  get #endsAt(): WallTime {
    return wallTime(new X509Certificate(this.#membership.enrolled.certificate).validToDate.getTime());
  }

  #isDue(): boolean {
    const { time } = this.#settings;
    const left = this.#endsAt - time.making();
    if (time.agreed !== undefined && left > LONGEST_LIFE) return true;
    const next = certificateEnd(this.#membership.enrolled.issuing, time.making());
    return left < this.#early && next.getTime() > this.#endsAt;
  }

  async #makeWith(issuing: Credential): Promise<Enrolled> {
    const { overlayName, enrolled } = this.#membership;
    const { privateKeyPem, time } = this.#settings;
    const publicKey = await publicKeyOf(privateKeyPem);
    const notAfter = certificateEnd(issuing, time.making());
    const certificate = await issueBoxCertificate(issuing, { publicKey, nodeId: enrolled.nodeId, overlayName, notAfter });
    return { nodeId: enrolled.nodeId, certificate, issuing };
  }

  async #askAll(): Promise<string | undefined> {
    let reason = "no other box can be reached";
    for (const address of this.#settings.members()) {
      if (this.#wanted === undefined || this.#closed) return undefined;
      reason = (await this.#ask(address)) ?? reason;
    }
    return this.#wanted === undefined ? undefined : `the fleet has a new issuing credential, and no box has given it to this one: ${reason}`;
  }

  /** Why there is no new certificate from there. */
  async #ask(address: Address): Promise<string | undefined> {
    const { privateKeyPem, trust, onReport } = this.#settings;
    const answer = await requestRenewal({ address, membership: this.#membership, privateKeyPem, trust });
    if (answer.outcome !== "granted") {
      onReport("debug", `no new certificate from ${address.host}: ${answer.reason}`);
      return answer.reason;
    }
    // A member that has not renewed its own yet, or another Node-ID: not what was asked for.
    if (answer.enrolled.nodeId !== this.#membership.enrolled.nodeId || !this.#isInForce(answer.enrolled)) return "it has no new one itself yet";
    if (!this.#closed) this.#renewed(answer.enrolled);
    return undefined;
  }

  /** Whether the credential that issued it is the one that issues now: as this box knows, or as a newer document says that came along. */
  #isInForce({ issuing, document }: Enrolled): boolean {
    const wanted = this.#wanted ?? this.#membership.enrolled.issuing.certificate;
    if (equalBytes(issuing.certificate, wanted)) return true;
    const brought = document === undefined ? undefined : readConfiguration(document, this.#membership);
    const known = this.#settings.configuration();
    if (brought?.ok !== true || !equalBytes(brought.value.issuingCertificate, issuing.certificate)) return false;
    return known === undefined || compareSequences(brought.value.sequence, known.sequence) > 0;
  }

  #renewed(enrolled: Enrolled): void {
    const { time, trust, onRenewed, onReport } = this.#settings;
    const { enrolled: before } = this.#membership;
    const isOfAnother = !equalBytes(before.issuing.certificate, enrolled.issuing.certificate);
    const formerSecret = { secret: fleetSecret(before.issuing.privateKeyPem), until: time.making() + FORMER_SECRET };
    this.#membership = { ...this.#membership, enrolled, ...(isOfAnother ? { formerSecret } : {}) };
    this.#wanted = undefined;
    this.#trouble = undefined;
    this.#failures = 0;
    trust.learnIssuing(enrolled.issuing.certificate);
    this.#isKept = onRenewed(this.#membership);
    onReport("info", isOfAnother
      ? "This box has a new certificate, of the fleet's new issuing credential."
      : `This box has a new certificate, good until ${formatDay(this.#endsAt)}.`);
    this.#tell();
    if (!this.#isKept) this.#lookAfter(RETRY_FIRST);
  }

  #tell(): void {
    const state: CertificateState = { endsAt: this.#endsAt, trouble: this.#trouble };
    if (this.#told?.endsAt === state.endsAt && this.#told.trouble === state.trouble) return;
    if (state.trouble !== undefined && state.trouble !== this.#told?.trouble) {
      this.#settings.onReport("warning", `This box's certificate ends on ${formatDay(state.endsAt)} and was not renewed: ${state.trouble}.`);
    }
    this.#told = state;
    this.#settings.onState(state);
  }
}
