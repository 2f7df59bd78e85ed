import { BoundedMap } from "../../base/bounded-map.ts";
import { after, type Instant, seconds } from "../../base/time.ts";
import { ByteReader, ByteWriter, DecodeError, toHex } from "../../base/bytes.ts";
import type { CoreContext } from "../core-context.ts";
import { MAX_MEMBERS } from "./membership.ts";
import type { NodeId } from "../ports.ts";
import { EXTENSION } from "../wire/code-points.ts";
import type { MessageExtension } from "../wire/message.ts";

const NONCE_BYTES = 8;
/** Starts of one box that are remembered, the present one among them. */
const MAX_NONCES = 8;
/** So long after the last proof two boxes are kept out: longer than the two, dialing again and again, take to be heard in turn. */
const PROOF_HOLDS = seconds(30);
/** And so long what somebody was told, or says that it was told: longer than until it is told again. */
const WORD_HOLDS = seconds(15);
/** Bits of the octet after the nonce. */
const YOU_ARE_DOUBLE = 1;
const I_AM_DOUBLE = 2;

interface Known {
  /** Of its starts, the one heard last at the end. BOUNDED: MAX_NONCES. */
  readonly nonces: readonly string[];
  /** This box has seen both. */
  readonly provenUntil: Instant | undefined;
  /** It says that it was told so by others. */
  readonly saidUntil: Instant | undefined;
}

/**
 * Two boxes with one identity: a data directory was copied. Each start of a box has a nonce of its own, which it says
 * with each introduction. A start that is heard again after another one of the same box has not ended with it: there
 * are two. Both are kept out of the ring, and each is told; whoever is told says so to the others.
 */
export class Doubles {
  readonly #context: CoreContext;
  readonly #nonce: Uint8Array;
  /** BOUNDED: as many as members; beyond it the oldest begins anew. */
  readonly #known = new BoundedMap<NodeId, Known>(MAX_MEMBERS, "evict");
  readonly #becameDouble: () => void;
  #toldUntil: Instant | undefined;

  /** `becameDouble`: this box has just been told that it is one of two. */
  constructor(context: CoreContext, becameDouble: () => void) {
    this.#context = context;
    this.#becameDouble = becameDouble;
    this.#nonce = context.random.bytes(NONCE_BYTES);
  }

  /** Whether another box uses this box's identity: somebody said so lately. */
  get isDouble(): boolean {
    return this.#isAhead(this.#toldUntil);
  }

  /** Identities that two boxes use. */
  get others(): readonly NodeId[] {
    return [...this.#known].flatMap(([nodeId, known]) => (this.#isHeld(known) ? [nodeId] : []));
  }

  /** What goes with an introduction to this box. */
  extensionFor(nodeId: NodeId): MessageExtension {
    const writer = new ByteWriter(NONCE_BYTES + 1);
    // What one has only been told is not told on: two would keep one another in the belief for ever.
    const isProven = this.#isAhead(this.#known.get(nodeId)?.provenUntil);
    writer.bytes(this.#nonce).u8((isProven ? YOU_ARE_DOUBLE : 0) + (this.isDouble ? I_AM_DOUBLE : 0));
    return { type: EXTENSION.boot, critical: false, contents: writer.finish() };
  }

  /** What a box said of its start, and of us, over a link of its own. */
  introduced(nodeId: NodeId, extensions: readonly MessageExtension[]): "as before" | "another start" | "one of two" {
    const said = bootIn(extensions);
    if (said === undefined) return "as before";
    const { now } = this.#context;
    if ((said.flags & YOU_ARE_DOUBLE) !== 0) this.#told();
    const before = this.#known.get(nodeId) ?? { nonces: [], provenUntil: undefined, saidUntil: undefined };
    const { nonces } = before;
    const isProof = nonces.includes(said.nonce) && nonces.at(-1) !== said.nonce;
    const known: Known = {
      nonces: [...nonces.filter((nonce) => nonce !== said.nonce), said.nonce].slice(-MAX_NONCES),
      provenUntil: isProof ? after(now, PROOF_HOLDS) : before.provenUntil,
      saidUntil: (said.flags & I_AM_DOUBLE) !== 0 ? after(now, WORD_HOLDS) : before.saidUntil,
    };
    if (this.#isHeld(known) && !this.#isHeld(before)) {
      this.#context.report("warning", `Two boxes use one identity, ${nodeId}: a data directory was copied. Neither is let into the ring; stop one of them, and empty its data directory.`);
    }
    this.#known.set(nodeId, known);
    if (this.#isHeld(known)) return "one of two";
    return nonces.length > 0 && nonces.at(-1) !== said.nonce ? "another start" : "as before";
  }

  #told(): void {
    const isNews = !this.isDouble;
    this.#toldUntil = after(this.#context.now, WORD_HOLDS);
    if (isNews) {
      this.#context.report("warning", "Another box uses this box's identity: a data directory was copied. This box takes no changes of subscribers until one of the two has stopped.");
      this.#becameDouble();
    }
  }

  #isHeld({ provenUntil, saidUntil }: Known): boolean {
    return this.#isAhead(provenUntil) || this.#isAhead(saidUntil);
  }
  #isAhead(until: Instant | undefined): boolean {
    return until !== undefined && until > this.#context.now;
  }
}

function bootIn(extensions: readonly MessageExtension[]): { readonly nonce: string; readonly flags: number } | undefined {
  const extension = extensions.find(({ type }) => type === EXTENSION.boot);
  if (extension === undefined) return undefined;
  try {
    const reader = new ByteReader(extension.contents);
    return { nonce: toHex(reader.bytes(NONCE_BYTES)), flags: reader.u8() };
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}
