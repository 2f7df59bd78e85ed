import { BoundedMap } from "../../base/bounded-map.ts";
import { fromUtf8Octets, toOctets } from "../../base/bytes.ts";
import { between, type Duration, type Instant, milliseconds } from "../../base/time.ts";
import type { CoreContext } from "../core-context.ts";
import type { Member, Membership } from "../members/membership.ts";
import type { LinkId, NodeId } from "../ports.ts";
import { ERROR } from "../wire/code-points.ts";
import { UNSIGNED } from "../wire/security-block.ts";
import type { Destination } from "../wire/destination.ts";
import { type ForwardingHeader, type ForwardingOption, OPTION_FLAG } from "../wire/forwarding-header.ts";
import { MAX_MESSAGE_BYTES } from "../wire/framing.ts";
import { newTransactionId, type TransactionId } from "../wire/identifiers.ts";
import {
  type DecodedMessage,
  encodeMessage,
  encodeSignedMessage,
  encodeWithSecurity,
  type Message,
  type MessageExtension,
  verifyMessage,
} from "../wire/message.ts";
import type { MessageBody } from "../wire/message-body.ts";

/** Requests of this box that wait for an answer; above, a request fails at once as unreachable. */
const MAX_OUTSTANDING = 65_536;

export type Outcome =
  | { readonly type: "answer"; readonly message: DecodedMessage; readonly body: MessageBody }
  | { readonly type: "error"; readonly code: number; readonly text: string }
  | { readonly type: "timeout" }
  /** No link, or it closed before the answer came. */
  | { readonly type: "unreachable" };

export interface Request {
  /** The linked member the request is sent to. */
  readonly hop: NodeId;
  /** What follows the hop in the destination list; the request is signed if it will travel further. */
  readonly beyond?: readonly Destination[];
  readonly body: MessageBody;
  readonly extensions?: readonly MessageExtension[];
  /** For what may be forwarded: otherwise whoever is not meant refuses it. */
  readonly signed?: boolean;
  /** Certificates the receiver may need to verify values inside. */
  readonly certificates?: readonly Uint8Array[];
  /** Who must have signed the answer, if not the hop. */
  readonly answeredBy?: NodeId;
  /** `configuration_sequence`, if not that of the document in force. */
  readonly sequence?: number;
  readonly timeout: Duration;
}

interface Outstanding {
  readonly request: Request;
  /** `configuration_sequence` it was sent with. */
  readonly sequence: number;
  /** It was refused for its sequence before. */
  readonly again: boolean;
  readonly link: LinkId;
  readonly hop: NodeId;
  /** The link is not the hop's own. */
  readonly relayed: boolean;
  readonly answeredBy: NodeId | undefined;
  /** When it was sent, if the other side answers it at once: the answer then measures the round trip. */
  readonly measuredFrom: Instant | undefined;
  readonly told: (outcome: Outcome) => void;
}

const ANSWERED_AT_ONCE: ReadonlySet<MessageBody["type"]> = new Set(["ping_req", "update_req", "exp_a_req"]);

/** Smoothed as RFC 6298 section 2 smooths it. */
function measure(member: Member, roundTrip: Duration): void {
  member.roundTrip = member.roundTrip === undefined ? roundTrip : milliseconds((7 * member.roundTrip + roundTrip) / 8);
}

/** One overlay request and its answer, matched by transaction id. */
export class Exchanges {
  readonly #context: CoreContext;
  readonly #membership: Membership;
  readonly #behind: (hop: Member) => void;
  readonly #outstanding = new BoundedMap<TransactionId, Outstanding>(MAX_OUTSTANDING, "refuse");

  /** `behind`: that box has an older configuration than this one, and is to be told. */
  constructor(context: CoreContext, membership: Membership, behind: (hop: Member) => void) {
    this.#context = context;
    this.#membership = membership;
    this.#behind = behind;
  }

  get outstanding(): number {
    return this.#outstanding.size;
  }

  /** `told` is called once, never within this call. */
  request(request: Request, told: (outcome: Outcome) => void): void {
    this.#request(request, told, false);
  }

  #request(request: Request, told: (outcome: Outcome) => void, again: boolean): void {
    const link = this.#membership.linkTo(request.hop);
    if (link === undefined) return this.#context.soon(() => told({ type: "unreachable" }));
    const transactionId = newTransactionId(this.#context.random);
    const relayed = this.#membership.isRelayed(request.hop);
    const signed = relayed || (request.signed ?? false);
    const measuredFrom = ANSWERED_AT_ONCE.has(request.body.type) && !relayed ? this.#context.now : undefined;
    const answeredBy = request.answeredBy ?? (relayed && request.beyond === undefined ? request.hop : undefined);
    const sequence = request.sequence ?? this.#context.rules.sequence;
    const waiting: Outstanding = { request, sequence, again, link, hop: request.hop, relayed, answeredBy, measuredFrom, told };
    const message: Message = {
      header: this.#header(transactionId, request.hop, request.beyond ?? [], sequence),
      body: request.body,
      extensions: request.extensions ?? [],
    };
    const bytes = this.#encode(message, signed, request.certificates);
    if (bytes.length > MAX_MESSAGE_BYTES) {
      this.#context.count("request-too-large");
      return this.#context.soon(() => told({ type: "error", code: ERROR.Error_Message_Too_Large, text: "too large for a link" }));
    }
    if (!this.#outstanding.set(transactionId, waiting)) return this.#context.soon(() => told({ type: "unreachable" }));
    this.#context.later(waiting, request.timeout, () => this.#end(transactionId, { type: "timeout" }));
    this.#context.emit({ type: "link-send", link, message: bytes });
  }

  /** Says something over a link without waiting for an answer, whoever is at its end. */
  announce(link: LinkId, to: NodeId, body: MessageBody, extensions: readonly MessageExtension[], sequence: number): void {
    const header = this.#header(newTransactionId(this.#context.random), to, [], sequence);
    this.#context.emit({ type: "link-send", link, message: encodeMessage({ header, body, extensions }) });
  }

  /** Answers a request that came over the link of `hop`: along its via list, backwards (RFC 6940 section 6.2.2). */
  respondTo(
    hop: Member,
    link: LinkId,
    { via, transactionId, options, maxResponseLength }: ForwardingHeader,
    body: MessageBody,
    extensions: readonly MessageExtension[] = [],
    certificates: readonly Uint8Array[] = [],
  ): void {
    const header = { ...this.#header(transactionId, hop.nodeId, [...via].reverse()), options: options.length === 0 ? options : copiedOptions(options) };
    const out = hop.links.some(({ id }) => id === link) ? link : hop.links[0]?.id;
    if (out === undefined) return;
    const message = this.#encode({ header, body, extensions }, via.length > 0, certificates);
    const most = maxResponseLength > 0 ? Math.min(maxResponseLength, MAX_MESSAGE_BYTES) : MAX_MESSAGE_BYTES;
    const isTooLarge = message.length > most && body.type !== "error";
    this.#context.emit({ type: "link-send", link: out, message: isTooLarge ? this.#encode({ header, body: TOO_LARGE, extensions: [] }, via.length > 0) : message });
  }

  /** Of a message that begins here: to `hop`, and beyond it. */
  #header(
    transactionId: TransactionId,
    hop: NodeId,
    beyond: readonly Destination[],
    sequence = this.#context.rules.sequence,
  ): ForwardingHeader {
    return {
      overlay: this.#context.overlay,
      configurationSequence: sequence,
      ttl: this.#context.initialTtl,
      transactionId,
      maxResponseLength: 0,
      via: [],
      destinations: [{ type: "node", nodeId: hop }, ...beyond],
      options: [],
    };
  }

  /** An answer came over a link of `hop`. */
  answered(hop: Member, message: DecodedMessage): void {
    const waiting = this.#outstanding.get(message.header.transactionId);
    if (waiting === undefined) return this.#context.count("answer-unexpected");
    if (!this.#isGenuine(waiting, hop, message)) return this.#context.count("answer-not-genuine");
    const { body } = message;
    // Whoever was to forward it knows no way on.
    if (waiting.relayed && isUnsigned(message)) return this.#end(message.header.transactionId, { type: "unreachable" });
    if (body.type === "error" && this.#retriesInStep(hop, message.header.transactionId, waiting, body.code)) return;
    if (waiting.measuredFrom !== undefined) measure(hop, between(waiting.measuredFrom, this.#context.now));
    this.#end(
      message.header.transactionId,
      body.type === "error"
        ? { type: "error", code: body.code, text: fromUtf8Octets(toOctets(body.info)) }
        : { type: "answer", message, body },
    );
  }

  /**
   * Refused for its configuration_sequence (RFC 6940 section 6.3.2.1): whoever was behind has been told before
   * the answer came, or is told now, and the request is sent once more.
   */
  #retriesInStep(hop: Member, transactionId: TransactionId, waiting: Outstanding, code: number): boolean {
    const isBehind = code === ERROR.Error_Config_Too_New;
    const wasBehind = code === ERROR.Error_Config_Too_Old && waiting.sequence !== this.#context.rules.sequence;
    if (waiting.again || !(isBehind || wasBehind)) return false;
    if (isBehind) this.#behind(hop);
    this.#outstanding.delete(transactionId);
    this.#context.agenda.cancel(waiting);
    this.#request(waiting.request, waiting.told, true);
    return true;
  }

  /** Whatever waits for an answer over this link will not get it. */
  linkClosed(link: LinkId): void {
    for (const [transactionId, waiting] of [...this.#outstanding]) {
      if (waiting.link === link) this.#context.soon(() => this.#end(transactionId, { type: "unreachable" }));
    }
  }

  /** What travels further is signed; between two enrolled boxes the hop authenticates. */
  #isGenuine(waiting: Outstanding, hop: Member, message: DecodedMessage): boolean {
    if (isUnsigned(message)) {
      const isError = message.body.type === "error";
      return waiting.relayed ? isError : hop.nodeId === waiting.hop && (isError || waiting.answeredBy === undefined);
    }
    const verified = verifyMessage(message, this.#context.crypto);
    if (!verified.ok) return false;
    const signer = this.#context.trust.inspect(verified.value);
    return "nodeId" in signer && !this.#context.rules.isRevoked(signer.nodeId) && (waiting.answeredBy === undefined || signer.nodeId === waiting.answeredBy || message.body.type === "error");
  }

  #end(transactionId: TransactionId, outcome: Outcome): void {
    const waiting = this.#outstanding.get(transactionId);
    if (waiting === undefined) return;
    this.#outstanding.delete(transactionId);
    this.#context.agenda.cancel(waiting);
    waiting.told(outcome);
  }

  #encode(message: Message, signed: boolean, certificates: readonly Uint8Array[] = []): Uint8Array {
    if (signed) return encodeSignedMessage(message, this.#context.signer);
    if (certificates.length === 0) return encodeMessage(message);
    return encodeWithSecurity({ ...message, security: { ...UNSIGNED, certificates } });
  }
}

const TOO_LARGE: MessageBody = { type: "error", code: ERROR.Error_Response_Too_Large, info: new Uint8Array(0) };

/** What a request wants to see again in its answer (RFC 6940 section 6.3.2.3), critical for nobody any more. */
const copiedOptions = (options: readonly ForwardingOption[]): readonly ForwardingOption[] =>
  options.filter(({ flags }) => (flags & OPTION_FLAG.responseCopy) !== 0).map((option) => ({ ...option, flags: 0 }));

const isUnsigned = (message: DecodedMessage): boolean => message.security.signature.identity.type === "none";
