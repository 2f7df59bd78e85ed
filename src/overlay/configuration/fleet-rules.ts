// What is in force in this fleet: the newest configuration document and all revocations this box has heard
// of. It judges what is offered to it and says what changed; who tells whom is the business of updates.ts.

import { BoundedMap } from "../../base/bounded-map.ts";
import { toHex } from "../../base/bytes.ts";
import type { Crypto } from "../../base/crypto.ts";
import { fault, ok, type Result } from "../../base/result.ts";
import { minutes, type WallTime } from "../../base/time.ts";
import type { NodeId } from "../ports.ts";
import { compareSequences, FIRST_SEQUENCE, type FleetConfiguration, readDocument } from "./document.ts";
import {
  decodeRevocations, encodeRevocations, isGenuine, MAX_REVOCATIONS, type Revocation,
} from "./revocations.ts";

/** What a box is told at its start of what its fleet has decided. */
export interface FleetRulesSettings {
  /** DER. */
  readonly rootCertificate: Uint8Array;
  /** The signed document; `undefined`: this box has none yet. */
  readonly document: Uint8Array | undefined;
  /** The set as it lies on disk; empty if there was none. */
  readonly revocations: Uint8Array;
}

/** What came of a document that was offered. */
export type DocumentOutcome = "newer" | "same" | "older";

export class FleetRules {
  readonly #overlayName: string;
  readonly #crypto: Crypto;
  readonly #rootCertificate: Uint8Array | undefined;
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
    if (settings?.document !== undefined) this.offerDocument(settings.document);
    // They were judged before they were written.
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
    const genuine = unknown.filter((revocation) => this.#isGenuine(revocation));
    const added = genuine.filter((revocation) => this.#revocations.set(revocation.nodeId, revocation));
    return { added: added.map(({ nodeId }) => nodeId), refused: unknown.length - added.length };
  }

  /** A statement that its operator brings: of one box, as of now. Why it is not taken, as a sentence. */
  revoke(statement: Uint8Array, now: WallTime): Result<NodeId, string> {
    const [revocation, ...others] = decodeRevocations(statement) ?? [];
    if (revocation === undefined || others.length > 0 || !this.#isGenuine(revocation)) return fault("The fleet's key has not signed this.");
    const { nodeId, revokedAt } = revocation;
    if (this.#revocations.has(nodeId)) return ok(nodeId);
    // What the box signed before stays good, what it signed since does not: so the time must be right.
    const apart = Math.abs(revokedAt - now);
    if (apart > STATEMENT_AGE) return fault(`The clock of the computer that signed this is ${Math.round(apart / 60_000)} minutes away from the ring's time; set it and try again.`);
    if (!this.#revocations.set(nodeId, revocation)) return fault(`This fleet has revoked ${MAX_REVOCATIONS} boxes, and remembers no more.`);
    return ok(nodeId);
  }

  /** Only the fleet's key puts a box out: every box holds what issues certificates, a stolen one too. */
  #isGenuine(revocation: Revocation): boolean {
    const root = this.#rootCertificate;
    return root !== undefined && isGenuine(revocation, this.#overlayName, [root], this.#crypto);
  }
}

/** How far from the ring's time a revocation may be when it is brought. */
const STATEMENT_AGE = minutes(5);
const NOTHING = new Uint8Array(0);
