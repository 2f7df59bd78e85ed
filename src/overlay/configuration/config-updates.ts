// Who tells whom what is in force (RFC 6940 sections 6.3.2.1 and 6.5.4). Each link begins with a ConfigUpdate
// both ways, before anything else: a box that was off knows what was decided before it accepts a word of it.
// After that a change goes to every linked box at once, and whoever is found behind is told again.

import type { Result } from "../../base/result.ts";
import type { CoreContext } from "../core-context.ts";
import type { Member, Membership } from "../members/membership.ts";
import type { LinkId, NodeId } from "../ports.ts";
import type { Exchanges, Outcome } from "../routing/exchanges.ts";
import type { Received } from "../routing/router.ts";
import { EXTENSION } from "../wire/code-points.ts";
import type { MessageExtension } from "../wire/message.ts";
import type { ConfigUpdateReq } from "../wire/message-body.ts";
import { ANY_SEQUENCE, compareSequences } from "./document.ts";
import type { DocumentOutcome, FleetRules } from "./fleet-rules.ts";

interface Events {
  /** The document has changed. */
  configured(): void;
  /** These are believed no more; this box itself may be among them. */
  revoked(nodeIds: readonly NodeId[]): void;
  /** A linked box has a new certificate; it is a good one, and its own. */
  renewed(member: Member, certificate: Uint8Array): void;
}

/** How many of the boxes that are linked have said that they know. */
export interface Told {
  readonly told: number;
  readonly linked: number;
}

export class ConfigUpdates {
  readonly #context: CoreContext;
  readonly #rules: FleetRules;
  readonly #membership: Membership;
  readonly #exchanges: Exchanges;
  readonly #events: Events;

  constructor(parts: { context: CoreContext; membership: Membership; exchanges: Exchanges }, events: Events) {
    this.#context = parts.context;
    this.#rules = parts.context.rules;
    this.#membership = parts.membership;
    this.#exchanges = parts.exchanges;
    this.#events = events;
  }

  /** The first word over a new link. Whoever is revoked gets the proof, and nothing else. */
  linkOpened(link: LinkId, nodeId: NodeId): void {
    const body = this.#body();
    if (body !== undefined) this.#exchanges.announce(link, nodeId, body, this.#extensions(), ANY_SEQUENCE);
  }

  /** Tells a linked box what this one knows, until it answers or has no link. `known` hears of the first attempt. */
  tell(member: Member, known: (outcome: Outcome) => void = () => {}, more: readonly MessageExtension[] = []): void {
    const body = this.#body();
    const { attempt } = this.#context.settings.timing;
    if (body === undefined) return this.#context.soon(() => known({ type: "unreachable" }));
    const request = { hop: member.nodeId, body, extensions: [...this.#extensions(), ...more], sequence: ANY_SEQUENCE, timeout: attempt };
    this.#exchanges.request(request, (outcome) => {
      if (outcome.type === "timeout") this.tell(member, () => {}, more);
      known(outcome);
    });
  }

  /** Tells everybody who is linked, except `source`; `done` hears how many have it when all have answered or had their time. */
  spread(source: NodeId | undefined, done: (told: Told) => void = () => {}): void {
    const others = [...this.#membership.members].filter(({ nodeId }) => this.#membership.isLinked(nodeId) && nodeId !== source);
    const linked = others.filter(({ nodeId }) => !this.#rules.isRevoked(nodeId));
    for (const { nodeId, links } of others) for (const { id } of links) if (this.#rules.isRevoked(nodeId)) this.linkOpened(id, nodeId);
    let [told, waiting] = [0, linked.length];
    if (waiting === 0) return this.#context.soon(() => done({ told: 0, linked: 0 }));
    for (const member of linked) {
      this.tell(member, (outcome) => {
        if (outcome.type === "answer") told++;
        if (--waiting === 0) done({ told, linked: linked.length });
      });
    }
  }

  /** This box's certificate is a new one: those that saw the one before over a link go on with this. */
  showCertificate(certificate: Uint8Array): void {
    const extension = { type: EXTENSION.certificate, critical: false, contents: certificate };
    for (const member of this.#membership.members) {
      if (this.#membership.isLinked(member.nodeId) && !this.#rules.isRevoked(member.nodeId)) this.tell(member, undefined, [extension]);
    }
  }

  /** Whether the sender goes by the same document; if not it is refused, and told what it lacks (section 6.3.2.1). */
  isInStep({ message, sender, refuse }: Received): boolean {
    const { configurationSequence } = message.header;
    const order = compareSequences(configurationSequence, this.#rules.sequence);
    if (order === 0) return true;
    if (message.body.type === "config_update_req" && (order > 0 || configurationSequence === ANY_SEQUENCE)) return true;
    // The document first: it is there when the refusal is read.
    const member = this.#membership.find(sender);
    if (order < 0 && member !== undefined && this.#membership.isLinked(sender)) this.tell(member);
    refuse(order < 0 ? "Error_Config_Too_Old" : "Error_Config_Too_New");
    return false;
  }

  received(received: Received, { update }: ConfigUpdateReq): void {
    received.respond({ type: "config_update_ans" });
    const sender = received.direct ? received.hop : undefined;
    const outcome = update.type === "config" ? this.#takeDocument(update.document, sender) : undefined;
    const contentsOf = (wanted: number): Uint8Array | undefined => received.message.extensions.find(({ type }) => type === wanted)?.contents;
    const [revocations, certificate] = [contentsOf(EXTENSION.revocations), contentsOf(EXTENSION.certificate)];
    const added = revocations === undefined ? [] : this.#takeRevocations(revocations, sender);
    if (certificate !== undefined && sender !== undefined) this.#takeCertificate(certificate, sender);
    if (outcome === "newer" || added.length > 0) this.#changed(outcome === "newer", added, sender);
    else if (outcome === "older" && sender !== undefined) this.tell(sender);
  }

  /** A document that its operator brings to this box. */
  configure(document: Uint8Array): Result<DocumentOutcome, string> {
    const before = this.#rules.revokedNodes();
    const outcome = this.#rules.offerDocument(document);
    if (outcome.ok && outcome.value === "newer") this.#tookDocument(before);
    return outcome;
  }

  #takeDocument(document: Uint8Array, sender: Member | undefined): DocumentOutcome | undefined {
    const before = this.#rules.revokedNodes();
    const known = this.#rules.sequence;
    const outcome = this.#rules.offerDocument(document);
    if (!outcome.ok) {
      this.#context.count("configuration-refused");
      this.#context.report("warning", `a configuration from ${sender?.nodeId ?? "somebody"} is refused: ${outcome.fault}`);
      return undefined;
    }
    if (outcome.value === "older") this.#context.count("configuration-older");
    if (outcome.value === "newer") {
      this.#context.report("info", `Configuration ${this.#rules.sequence} is in force; before it was ${known}.`);
      this.#tookDocument(before);
    }
    return outcome.value;
  }

  /** That it holds the key, the link has proved with the one before: who has the link compares the two. */
  #takeCertificate(certificate: Uint8Array, sender: Member): void {
    const inspected = this.#context.trust.inspect(certificate);
    if ("nodeId" in inspected && inspected.nodeId === sender.nodeId) return this.#events.renewed(sender, certificate.slice());
    this.#context.count("certificate-refused");
  }

  #tookDocument(revokedBefore: readonly NodeId[]): void {
    const known = new Set(revokedBefore);
    const added = this.#rules.revokedNodes().filter((nodeId) => !known.has(nodeId));
    this.#events.configured();
    if (added.length > 0) this.#context.soon(() => this.#events.revoked(added));
  }

  #takeRevocations(bytes: Uint8Array, sender: Member | undefined): readonly NodeId[] {
    const { added, refused } = this.#rules.offerRevocations(bytes);
    for (let i = 0; i < refused; i++) this.#context.count("revocation-refused");
    if (refused > 0) this.#context.report("warning", `${refused} revocations from ${sender?.nodeId ?? "somebody"} are refused: this fleet has not signed them`);
    return added;
  }

  /** To all before the links to the revoked are cut, so that they learn what they are. */
  #changed(document: boolean, revoked: readonly NodeId[], sender: Member | undefined): void {
    this.spread(sender?.nodeId);
    if (!document) this.#events.configured();
    if (revoked.length > 0) this.#events.revoked(revoked);
  }

  #body(): ConfigUpdateReq | undefined {
    const { document } = this.#rules;
    return document === undefined ? undefined : { type: "config_update_req", update: { type: "config", document } };
  }
  #extensions(): readonly MessageExtension[] {
    if (this.#rules.epoch === 0) return [];
    return [{ type: EXTENSION.revocations, critical: false, contents: this.#rules.encodedRevocations() }];
  }
}
