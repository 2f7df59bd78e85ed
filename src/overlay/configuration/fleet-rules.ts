// What is in force in this fleet: the newest configuration document and all revocations this box has heard
// of. It judges what is offered to it and says what changed; who tells whom is the business of updates.ts.

import { BoundedMap } from "../../base/bounded-map.ts";
import { equalBytes, toHex } from "../../base/bytes.ts";
import type { Crypto } from "../../base/crypto.ts";
import { fault, ok, type Result } from "../../base/result.ts";
import type { WallTime } from "../../base/time.ts";
import type { NodeId } from "../ports.ts";
import { compareSequences, FIRST_SEQUENCE, type FleetConfiguration, readDocument } from "./document.ts";
import {
  decodeRevocations, encodeRevocations, isGenuine, MAX_REVOCATIONS, type Revocation, type RevocationSigner, signRevocation,
} from "./revocations.ts";

/** What a box is told at its start of what its fleet has decided. */
export interface FleetRulesSettings {
  /** DER. */
  readonly rootCertificate: Uint8Array;
  /** The signed document; `undefined`: this box has none yet. */
  readonly document: Uint8Array | undefined;
  /** The set as it lies on disk; empty if there was none. */
  readonly revocations: Uint8Array;
  /** The credential that this box may sign revocations with. */
  readonly issuing: RevocationSigner;
}

/** What came of a document that was offered. */
export type DocumentOutcome = "newer" | "same" | "older";

export class FleetRules {
  readonly #overlayName: string;
  readonly #crypto: Crypto;
  readonly #rootCertificate: Uint8Array | undefined;
  #issuing: RevocationSigner | undefined;
  #document: Uint8Array | undefined;
  #configuration: FleetConfiguration | undefined;
  /** Those that the document names. */
  #badNodes: ReadonlySet<NodeId> = new Set();
  /** By Node-ID; at the bound further ones are refused. */
  readonly #revocations = new BoundedMap<NodeId, Revocation>(MAX_REVOCATIONS, "refuse");

  constructor(overlayName: string, crypto: Crypto, settings: FleetRulesSettings | undefined) {
    this.#overlayName = overlayName;
    this.#crypto = crypto;
    this.#rootCertificate = settings?.rootCertificate;
    this.#issuing = settings?.issuing;
    if (settings?.document !== undefined) this.offerDocument(settings.document);
    // They were judged before they were written; a credential that signed them may have been retired since.
    for (const revocation of decodeRevocations(settings?.revocations ?? NOTHING) ?? []) this.#revocations.set(revocation.nodeId, revocation);
  }

  /** `configuration_sequence` of everything this box sends. */
  get sequence(): number {
    return this.#configuration?.sequence ?? FIRST_SEQUENCE;
  }
  get document(): Uint8Array | undefined {
    return this.#document;
  }
  get configuration(): FleetConfiguration | undefined {
    return this.#configuration;
  }
  /** Rises with each revocation. */
  get epoch(): number {
    return this.#revocations.size;
  }
  get revocations(): readonly Revocation[] {
    return [...this.#revocations.values()].sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
  }
  encodedRevocations(): Uint8Array {
    return encodeRevocations(this.revocations);
  }
  isRevoked(nodeId: NodeId): boolean {
    return this.#revocations.has(nodeId) || this.#badNodes.has(nodeId);
  }
  /** Everybody who is revoked, by statement or by document. */
  revokedNodes(): readonly NodeId[] {
    return [...new Set([...this.#revocations.keys(), ...this.#badNodes])].sort();
  }
  /** `undefined` also for one that only the document names: what it signed stays valid, whenever that was. */
  revokedAt(nodeId: NodeId): WallTime | undefined {
    return this.#revocations.get(nodeId)?.revokedAt;
  }
  /** The credential that issues certificates has changed: further revocations are signed with the new one. */
  issueWith(issuing: RevocationSigner): void {
    this.#issuing = issuing;
  }

  /** Takes a document that is genuine and newer; at one number the one with the larger hash, so that all agree. */
  offerDocument(document: Uint8Array): Result<DocumentOutcome, string> {
    if (this.#rootCertificate === undefined) return fault("this box knows no key of the fleet");
    const known = this.#document;
    const hash = (bytes: Uint8Array): string => toHex(this.#crypto.sha256(bytes));
    if (known !== undefined && hash(known) === hash(document)) return ok("same");
    const read = readDocument(document, { rootCertificate: this.#rootCertificate, overlayName: this.#overlayName, crypto: this.#crypto });
    if (!read.ok) return read;
    const order = known === undefined ? 1 : compareSequences(read.value.sequence, this.sequence);
    if (order < 0 || (order === 0 && known !== undefined && hash(document) < hash(known))) return ok("older");
    this.#document = document.slice();
    this.#configuration = read.value;
    this.#badNodes = new Set(read.value.badNodes);
    return ok("newer");
  }

  /** The Node-IDs that are newly revoked. Statements that are not genuine are left out, and counted in `refused`. */
  offerRevocations(bytes: Uint8Array): { readonly added: readonly NodeId[]; readonly refused: number } {
    const offered = decodeRevocations(bytes);
    if (offered === undefined) return { added: [], refused: 1 };
    const unknown = offered.filter(({ nodeId }) => !this.#revocations.has(nodeId));
    const genuine = unknown.filter((revocation) => isGenuine(revocation, this.#overlayName, this.#signersOf(revocation), this.#crypto));
    const added = genuine.filter((revocation) => this.#revocations.set(revocation.nodeId, revocation));
    return { added: added.map(({ nodeId }) => nodeId), refused: unknown.length - added.length };
  }

  /** Signs and takes in; why not, as a sentence. */
  revoke(nodeId: NodeId, at: WallTime): Result<Revocation, string> {
    if (this.#issuing === undefined) return fault("This box holds no credential to sign a revocation with.");
    const known = this.#revocations.get(nodeId);
    if (known !== undefined && isGenuine(known, this.#overlayName, this.#signers(), this.#crypto)) return ok(known);
    if (!this.#signers().includes(this.#issuing.certificate)) {
      return fault("This box has not received the fleet's new issuing credential yet; ask again in a moment, or ask another box.");
    }
    const revocation = signRevocation(this.#issuing, { overlayName: this.#overlayName, nodeId, revokedAt: known?.revokedAt ?? at }, this.#crypto);
    if (!this.#revocations.set(nodeId, revocation)) return fault(`This fleet has revoked ${MAX_REVOCATIONS} boxes, and remembers no more.`);
    return ok(revocation);
  }

  /** What a retired credential signed still counts for a box that the fleet's key has named since. */
  #signersOf({ nodeId }: Revocation): readonly Uint8Array[] {
    return this.#badNodes.has(nodeId) ? [...this.#signers(), ...(this.#configuration?.retired ?? [])] : this.#signers();
  }

  /** Whose word counts: the fleet's key, and the credential that issues now. */
  #signers(): readonly Uint8Array[] {
    const own = this.#issuing?.certificate;
    const named = this.#configuration?.issuingCertificate;
    const issuing = own !== undefined && named !== undefined && equalBytes(own, named) ? own : (named ?? own);
    return [this.#rootCertificate, issuing].filter((certificate) => certificate !== undefined);
  }
}

const NOTHING = new Uint8Array(0);
