import type { CoreContext } from "../core-context.ts";
import { textBytes } from "../core-context.ts";
import type { Exchanges } from "./exchanges.ts";
import type { Member, Membership } from "../members/membership.ts";
import type { LinkId, NodeId } from "../ports.ts";
import type { Topology } from "../ring/topology.ts";
import { ERROR, type ErrorName, MESSAGE_CODE } from "../wire/code-points.ts";
import { rewriteForForwarding } from "../wire/forwarding.ts";
import { FragmentCollector } from "../wire/fragments.ts";
import { type DecodedHeader, decodeHeader, unsupportedOption } from "../wire/forwarding-header.ts";
import type { Destination } from "../wire/destination.ts";
import { MAX_MESSAGE_BYTES } from "../wire/framing.ts";
import { WILDCARD_NODE_ID } from "../wire/identifiers.ts";
import { type DecodedMessage, decodeContents, decodeMessage, type MessageExtension, peekMessageCode, verifyMessage } from "../wire/message.ts";
import type { MessageBody } from "../wire/message-body.ts";
import type { WireFault } from "../wire/wire-fault.ts";

/** A request meant for this box, and the way back to whoever sent it. */
export interface Received {
  readonly message: DecodedMessage;
  /** The member at the other end of the link it came over: the previous hop. */
  readonly hop: Member;
  readonly link: LinkId;
  /** Who made the request: the hop itself, or the signer if it travelled. */
  readonly sender: NodeId;
  /** The sender's certificate is a client's. */
  readonly isClient: boolean;
  /** Came over one hop from its sender. */
  readonly direct: boolean;
  /** The sender as a neighbor: it came over its own link, or through the member by which we reach each other. */
  readonly neighbor: Member | undefined;
  respond(body: MessageBody, extensions?: readonly MessageExtension[], certificates?: readonly Uint8Array[]): void;
  refuse(error: ErrorName, info?: string | Uint8Array): void;
}

interface Sender {
  readonly nodeId: NodeId;
  readonly isClient?: boolean;
}

/** What comes over links: forwarded, matched with its request, or handed to `deliver` (RFC 6940 section 6.1). */
export class Router {
  readonly #context: CoreContext;
  readonly #membership: Membership;
  readonly #exchanges: Exchanges;
  readonly #topology: Topology;
  readonly #deliver: (received: Received) => void;
  readonly #fragments = new FragmentCollector(MAX_MESSAGE_BYTES);

  constructor(
    context: CoreContext,
    membership: Membership,
    exchanges: Exchanges,
    topology: Topology,
    deliver: (received: Received) => void,
  ) {
    this.#context = context;
    this.#membership = membership;
    this.#exchanges = exchanges;
    this.#topology = topology;
    this.#deliver = deliver;
  }

  receive(link: LinkId, bytes: Uint8Array): void {
    const hop = this.#membership.findByLink(link);
    if (hop === undefined) return this.#context.count("message-without-link");
    const header = decodeHeader(bytes, this.#context.overlay);
    if (!header.ok) return this.#unreadable(link, hop, bytes, header.fault);
    const { destinations, ttl } = header.value;
    // Whoever goes by another document is told of ours first.
    const knowsOurs = header.value.configurationSequence === this.#context.rules.sequence;
    if (knowsOurs && ttl > this.#context.initialTtl) return this.#turnBack(link, hop, bytes, "Error_TTL_Exceeded", "ttl above the initial one");
    let mine = 0;
    while (this.#isSelf(destinations[mine])) mine++;
    const next = destinations[mine];
    if (next === undefined) return this.#arrived(link, hop, bytes, header.value);
    if (next.type === "resource" && mine === destinations.length - 1 && this.#topology.isResponsible(next.resource)) {
      return this.#arrived(link, hop, bytes, header.value);
    }
    if (next.type === "resource" && mine < destinations.length - 1) {
      return this.#turnBack(link, hop, bytes, "Error_Invalid_Message", "a resource with destinations behind it");
    }
    if (ttl === 0) return this.#turnBack(link, hop, bytes, "Error_TTL_Exceeded", "ttl");
    this.#forward(link, hop, bytes, header.value, mine, next);
  }

  #isSelf(destination: Destination | undefined): boolean {
    return destination?.type === "node" && (destination.nodeId === this.#context.self || destination.nodeId === WILDCARD_NODE_ID);
  }

  #forward(link: LinkId, hop: Member, bytes: Uint8Array, header: DecodedHeader, mine: number, next: Destination): void {
    const target = next.type === "node" ? next.nodeId : next.type === "resource" ? next.resource : undefined;
    // This peer makes no opaque ids: one that comes here was made by another, or in another life.
    if (target === undefined) return this.#context.count("opaque-destination");
    const option = unsupportedOption(header, "forwarder");
    if (option !== undefined) return this.#turnBack(link, hop, bytes, "Error_Unsupported_Forwarding_Option", `option ${option.type}`);
    const decoded = decodeMessage(bytes, this.#context.overlay);
    if (!decoded.ok) return this.#context.count("message-malformed");
    const request = isRequest(decoded.value.body);
    if (request && decoded.value.security.signature.identity.type === "none") {
      return this.#turnBack(link, hop, bytes, "Error_Forbidden", NOT_RESPONSIBLE);
    }
    if (header.via.some((destination) => this.#isSelf(destination))) {
      return this.#turnBack(link, hop, bytes, "Error_Loop_Detected", "this peer forwarded it before");
    }
    const nextHop = this.#topology.nextHop(target);
    const out = nextHop === undefined || (request && nextHop === hop.nodeId) ? undefined : this.#membership.linkTo(nextHop);
    if (out === undefined) return this.#turnBack(link, hop, bytes, "Error_Not_Found", "no way to the destination");
    const change = { dropDestinations: mine, ...(request ? { appendVia: { type: "node", nodeId: hop.nodeId } as const } : {}) };
    const message = rewriteForForwarding(bytes, header, change);
    if (message.length > MAX_MESSAGE_BYTES) return this.#turnBack(link, hop, bytes, "Error_Message_Too_Large", "too large to be forwarded");
    this.#context.count("message-forwarded");
    this.#context.emit({ type: "link-send", link: out, message });
  }

  /** Requests are told why they go no further; answers are dropped. */
  #turnBack(link: LinkId, hop: Member, bytes: Uint8Array, error: ErrorName, text: string): void {
    this.#context.count("message-turned-back");
    const decoded = decodeMessage(bytes, this.#context.overlay);
    if (!decoded.ok || !isRequest(decoded.value.body)) return;
    this.#exchanges.respondTo(hop, link, decoded.value.header, { type: "error", code: ERROR[error], info: textBytes(text) });
  }

  #arrived(link: LinkId, hop: Member, bytes: Uint8Array, header: DecodedHeader): void {
    const whole = this.#fragments.add(this.#context.now, bytes, header);
    if (whole === undefined) return;
    const decoded = whole === bytes ? decodeContents(bytes, header) : decodeMessage(whole, this.#context.overlay);
    if (!decoded.ok) {
      this.#context.count("message-malformed");
      return this.#refuseMalformed(link, hop, decoded.fault);
    }
    const message = decoded.value;
    if (!isRequest(message.body)) return this.#exchanges.answered(hop, message);
    const sender = this.#senderOf(hop, message);
    if (sender === undefined) return this.#context.count("message-not-genuine");
    const option = unsupportedOption(header, "destination");
    if (option !== undefined) return this.#turnBack(link, hop, whole, "Error_Unsupported_Forwarding_Option", `option ${option.type}`);
    this.#deliver(this.#receivedFrom(link, hop, message, sender));
  }

  /** Of another overlay, or of another version: its sender is told. Anything else is no RELOAD message. */
  #unreadable(link: LinkId, hop: Member, bytes: Uint8Array, fault: WireFault): void {
    this.#context.count("message-malformed");
    const { header, error, reason } = fault;
    if (header === undefined || error === undefined || !isRequestCode(peekMessageCode(bytes, header.headerLength))) return;
    this.#exchanges.respondTo(hop, link, header, { type: "error", code: ERROR[error], info: textBytes(reason) });
  }

  #refuseMalformed(link: LinkId, hop: Member, fault: Extract<ReturnType<typeof decodeMessage>, { ok: false }>["fault"]): void {
    if (fault.error === undefined || fault.header === undefined) return;
    const { error, header } = fault;
    this.#exchanges.respondTo(hop, link, header, { type: "error", code: ERROR[error], info: textBytes(fault.reason) });
  }

  #receivedFrom(link: LinkId, hop: Member, message: DecodedMessage, sender: Sender): Received {
    const respond = (body: MessageBody, extensions: readonly MessageExtension[] = [], certificates: readonly Uint8Array[] = []): void =>
      this.#exchanges.respondTo(hop, link, message.header, body, extensions, certificates);
    return {
      message,
      hop,
      link,
      sender: sender.nodeId,
      isClient: sender.isClient === true,
      direct: message.header.via.length === 0,
      neighbor: this.#neighbor(hop, message, sender.nodeId),
      respond,
      refuse: (error, info = "") =>
        respond({ type: "error", code: ERROR[error], info: typeof info === "string" ? textBytes(info) : info }),
    };
  }

  #neighbor(hop: Member, { header }: DecodedMessage, sender: NodeId): Member | undefined {
    if (header.via.length === 0) return hop;
    const member = this.#membership.find(sender);
    return member?.relay === undefined ? undefined : member;
  }

  /** Over one hop the link says who sends; what was forwarded must be signed by an enrolled box. */
  #senderOf(hop: Member, message: DecodedMessage): Sender | undefined {
    if (message.header.via.length === 0) return hop;
    const verified = verifyMessage(message, this.#context.crypto);
    if (!verified.ok) return undefined;
    const signer = this.#context.trust.inspect(verified.value);
    return "nodeId" in signer && !this.#context.rules.isRevoked(signer.nodeId) ? signer : undefined;
  }
}

/** The text by which a requester knows that its view of the ring is old. */
export const NOT_RESPONSIBLE = "not responsible";

/** Requests have odd codes, answers even ones and 0xffff (RFC 6940 section 14.8). */
const isRequest = (body: MessageBody): boolean => body.type.endsWith("_req");
const isRequestCode = (code: number | undefined): boolean => code !== undefined && code % 2 === 1 && code !== MESSAGE_CODE.error;
