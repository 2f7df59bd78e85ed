import { ByteWriter, toHex } from "../../base/bytes.ts";
import type { ConfigUpdates } from "../configuration/config-updates.ts";
import type { Awakening } from "../members/awakening.ts";
import type { CoreContext } from "../core-context.ts";
import type { Introductions } from "../members/introductions.ts";
import type { Member, Membership } from "../members/membership.ts";
import type { Neighborhood } from "../members/neighborhood.ts";
import type { KindDefinition, KindId, NodeId, Phase } from "../ports.ts";
import type { Reading } from "../operations/reading.ts";
import type { Repair } from "../replicas/repair.ts";
import { shareOf } from "../ring/ring.ts";
import { Diagnostics } from "./diagnostics.ts";
import type { Received } from "./router.ts";
import { NOT_RESPONSIBLE } from "./router.ts";
import type { Holdings } from "../storage/holdings.ts";
import { placeOf, type StoredEntry } from "../storage/entry.ts";
import type { Storing } from "../replicas/storing.ts";
import { PAGE_BYTES } from "../replicas/arc-summary.ts";
import { decodeBundle, encodeBundleAnswer, isBundle } from "../replicas/fetch-bundle.ts";
import type { Summaries } from "../replicas/summaries.ts";
import type { Stabilization } from "../ring/stabilization.ts";
import type { Topology } from "../ring/topology.ts";
import { EXTENSION } from "../wire/code-points.ts";
import { MAX_CERTIFICATES } from "../wire/security-block.ts";
import { unknownKinds } from "../wire/error-info.ts";
import type { FetchAns, FetchReq, FindReq, JoinReq, LeaveReq, ProbeInformation, ProbeReq, RouteQueryReq, StatReq, StoreReq, UpdateReq } from "../wire/message-body.ts";
import { encodeStoredMetaData } from "../wire/stored-data.ts";

interface Parts {
  readonly context: CoreContext;
  readonly membership: Membership;
  readonly topology: Topology;
  readonly holdings: Holdings;
  readonly reading: Reading;
  readonly storing: Storing;
  readonly summaries: Summaries;
  readonly introductions: Introductions;
  readonly repair: Repair;
  readonly updates: ConfigUpdates;
  readonly awakening: Awakening;
  readonly stabilization: Stabilization;
  readonly neighborhood: Neighborhood;
  readonly phase: () => Phase;
}

interface Events {
  updated(member: Member): void;
  joinBegan(member: Member): void;
  pinged(received: Received): void;
  /** Whether this box can do without the copies of one whose disk fails. */
  letsAside(nodeId: NodeId): boolean;
}

/** Hash algorithm number of SHA-256 in the TLS 1.2 registry, which StatAns uses. */
const SHA256 = 4;

/** The answer to every request this box may get. */
export class Responder {
  readonly #parts: Parts;
  readonly #diagnostics: Diagnostics;
  readonly #events: Events;

  constructor(parts: Parts, events: Events) {
    this.#parts = parts;
    this.#diagnostics = new Diagnostics(parts);
    this.#events = events;
  }

  answer(received: Received): void {
    if (!this.#parts.updates.isInStep(received)) return;
    const critical = received.message.extensions.find(({ type, critical: must }) => must && !KNOWN_EXTENSIONS.has(type));
    if (critical !== undefined) return received.refuse("Error_Unknown_Extension", new ByteWriter(3).u8(2).u16(critical.type).finish());
    const { body } = received.message;
    if (received.isClient && !this.#isForClients(received)) return received.refuse("Error_Forbidden", "not for clients");
    switch (body.type) {
      case "ping_req":
        return this.#ping(received);
      case "path_track_req":
        return this.#diagnostics.pathTrack(received, body);
      case "probe_req":
        return this.#probe(received, body);
      case "attach_req":
        return this.#parts.introductions.attachReceived(received, body);
      case "join_req":
        return this.#join(received, body);
      case "leave_req":
        return this.#leave(received, body);
      case "update_req":
        return this.#update(received, body);
      case "route_query_req":
        return this.#routeQuery(received, body);
      case "store_req":
        return this.#store(received, body);
      case "fetch_req":
        return this.#fetch(received, body);
      case "stat_req":
        return this.#stat(received, body);
      case "find_req":
        return this.#find(received, body);
      case "config_update_req":
        return this.#parts.updates.received(received, body);
      case "exp_a_req":
        if (received.neighbor?.info === undefined) return received.refuse("Error_Forbidden", "between neighbors only");
        if (isBundle(body.body)) return this.#fetchMany(received, body.body);
        return this.#parts.summaries.answer(received, received.neighbor, body.body);
      case "app_attach_req":
        return received.refuse("Error_Not_Found", "no such application");
      default:
        return received.refuse("Error_Forbidden", "not offered here");
    }
  }

  /** What a client may ask for: it writes where a kind says who may, and is no part of the ring. */
  #isForClients({ message: { body, extensions } }: Received): boolean {
    const kindIs = (id: KindId, allowed: (kind: KindDefinition) => boolean): boolean => {
      const kind = this.#parts.context.kind(id);
      return kind === undefined || allowed(kind);
    };
    switch (body.type) {
      case "attach_req":
        return !extensions.some(({ type }) => type === EXTENSION.peer_info);
      case "store_req":
        return body.replicaNumber === 0 && body.kinds.every(({ kind }) => kindIs(kind, ({ access }) => access !== undefined));
      case "fetch_req":
      case "stat_req":
        return body.specifiers.every(({ kind }) => kindIs(kind, ({ boxesOnly }) => boxesOnly !== true));
      case "find_req":
        return body.kinds.every((id) => kindIs(id, ({ boxesOnly }) => boxesOnly !== true));
      case "ping_req":
      case "probe_req":
      case "path_track_req":
      case "route_query_req":
      case "config_update_req":
      case "app_attach_req":
        return true;
      default:
        return false;
    }
  }

  #ping(received: Received): void {
    this.#events.pinged(received);
    const { context } = this.#parts;
    const extensions = this.#diagnostics.withPing(received);
    if (extensions === undefined) return;
    received.respond({ type: "ping_ans", responseId: toHex(context.random.bytes(8)), time: context.clock.now() }, extensions);
  }

  #probe(received: Received, { requested }: ProbeReq): void {
    const { context, membership, holdings } = this.#parts;
    const share = membership.view.has(context.self) ? shareOf(membership.view.arcOf(context.self)) : 0;
    const values: Record<number, ProbeInformation> = {
      1: { type: "responsible_set", value: Math.round(share * 1e9) },
      2: { type: "num_resources", value: holdings.store.size },
      3: { type: "uptime", value: context.uptimeSeconds },
    };
    received.respond({ type: "probe_ans", list: requested.flatMap((type) => values[type] ?? []) });
  }

  #join(received: Received, { nodeId }: JoinReq): void {
    const { neighbor } = received;
    if (neighbor?.nodeId !== nodeId || neighbor.info === undefined) return received.refuse("Error_Forbidden", "not over its own link");
    if (this.#parts.phase() !== "serving") return received.refuse("Error_Not_Found", "this peer is not in a ring");
    this.#parts.membership.apply(neighbor, "join");
    this.#events.joinBegan(neighbor);
    // Before the answer: whoever began to join earlier is to be met first.
    this.#parts.introductions.sendUpdate(nodeId, this.#parts.introductions.fullUpdate());
    received.respond({ type: "join_ans", overlayData: new Uint8Array(0) });
  }

  #leave(received: Received, { nodeId, leave }: LeaveReq): void {
    const { neighbor } = received;
    if (neighbor?.nodeId !== nodeId) return received.refuse("Error_Forbidden", "not over its own link");
    const standsAside = received.message.extensions.some(({ type }) => type === EXTENSION.aside);
    if (standsAside && !this.#events.letsAside(nodeId)) return received.refuse("Error_Forbidden", "this disk fails too");
    received.respond({ type: "leave_ans" });
    this.#parts.membership.apply(neighbor, standsAside ? "stand aside" : "leave");
    if (standsAside) neighbor.introducedAs = "aside";
    if (leave.type === "none") return;
    for (const id of leave.neighbors) this.#parts.introductions.heardOf(id, nodeId);
  }

  #update(received: Received, body: UpdateReq): void {
    const { neighbor } = received;
    if (neighbor?.info === undefined) return received.refuse("Error_Forbidden", "not over its own link");
    received.respond({ type: "update_ans" });
    this.#parts.membership.apply(neighbor, "ready");
    if (received.message.extensions.some(({ type }) => type === EXTENSION.partial_view)) this.#parts.neighborhood.othersArePartial();
    this.#parts.introductions.updateReceived(neighbor, body);
    if (body.update.type !== "peer_ready") this.#parts.stabilization.updateReceived(neighbor.nodeId, body.update.successors);
    this.#events.updated(neighbor);
  }

  #routeQuery(received: Received, { destination, sendUpdate }: RouteQueryReq): void {
    const { context, topology, introductions, stabilization } = this.#parts;
    if (destination.type !== "node" && destination.type !== "resource") return received.refuse("Error_Not_Found", "not a place on the ring");
    const place = destination.type === "node" ? destination.nodeId : destination.resource;
    const mine = destination.type === "resource" ? topology.isResponsible(destination.resource) : place === context.self;
    const nextPeer = mine ? context.self : topology.nextHop(place);
    if (nextPeer === undefined) return received.refuse("Error_Not_Found", "no way to the destination");
    received.respond({ type: "route_query_ans", nextPeer }, stabilization.told(received.message.extensions));
    if (sendUpdate) introductions.sendUpdate(received.hop.nodeId, introductions.fullUpdate());
  }

  #store(received: Received, body: StoreReq): void {
    const { certificates } = received.message.security;
    if (body.replicaNumber > 0) {
      // A client, which never said where it can be reached, holds nothing.
      if (received.neighbor?.info === undefined) return received.refuse("Error_Forbidden", "copies come from their holders");
      return this.#parts.storing.receive(received, body, certificates);
    }
    if (!this.#parts.topology.isResponsible(body.resource)) return this.#refuseForeign(received);
    if (!this.#parts.awakening.isAwake) return received.refuse("Error_Request_Timeout", NOT_AWAKE);
    this.#parts.storing.receive(received, body, certificates);
  }

  #fetch(received: Received, body: FetchReq): void {
    const { reading, topology, holdings } = this.#parts;
    const respond = (): void => {
      const kinds = reading.answer(body);
      if ("unknown" in kinds) return received.refuse("Error_Unknown_Kind", unknownKinds(kinds.unknown));
      received.respond({ type: "fetch_ans", kinds }, [], holdings.certificatesFor(kinds));
    };
    if (received.message.extensions.some(({ type }) => type === EXTENSION.replica_read)) return respond();
    if (!topology.isResponsible(body.resource)) return this.#refuseForeign(received);
    if (!this.#parts.awakening.isAwake) return received.refuse("Error_Request_Timeout", NOT_AWAKE);
    reading.asOwner(body.resource, body.specifiers.map(({ kind }) => kind), respond);
  }

  /** From what this box holds itself; as much as goes into a message of usual length. */
  #fetchMany(received: Received, bytes: Uint8Array): void {
    const { reading, holdings } = this.#parts;
    const fetches = decodeBundle(bytes);
    if (!fetches.ok) return received.refuse("Error_Invalid_Message", fetches.fault.reason);
    const answers: FetchAns[] = [];
    const certificates = new Set<Uint8Array>();
    let size = 0;
    for (const fetch of fetches.value) {
      const kinds = reading.answer(fetch);
      if ("unknown" in kinds) return received.refuse("Error_Unknown_Kind", unknownKinds(kinds.unknown));
      const needed = holdings.certificatesFor(kinds).filter((certificate) => !certificates.has(certificate));
      if (answers.length > 0 && (size >= PAGE_BYTES || certificates.size + needed.length > MAX_CERTIFICATES)) break;
      answers.push({ type: "fetch_ans", kinds });
      for (const certificate of needed) certificates.add(certificate);
      for (const { values } of kinds) for (const value of values) size += value.length;
    }
    received.respond({ type: "exp_a_ans", body: encodeBundleAnswer(answers) }, [], [...certificates]);
  }

  #stat(received: Received, { resource, specifiers }: StatReq): void {
    const { reading, topology, context } = this.#parts;
    if (!topology.isResponsible(resource)) return this.#refuseForeign(received);
    const answer = reading.answer({ resource, specifiers });
    if ("unknown" in answer) return received.refuse("Error_Unknown_Kind", unknownKinds(answer.unknown));
    const kinds = specifiers.map((specifier, index) => {
      const kind = context.kind(specifier.kind);
      const entries = kind === undefined ? [] : reading.selected(resource, specifier);
      const values = entries.map((entry) => this.#metaData(entry));
      return { kind: specifier.kind, generation: answer[index]?.generation ?? 0, values };
    });
    received.respond({ type: "stat_ans", kinds });
  }
  #metaData(entry: StoredEntry): Uint8Array {
    const { context } = this.#parts;
    const kind = context.kind(entry.kind);
    const hashed = new ByteWriter(entry.value.length + 4).u32(entry.value.length).bytes(entry.value).finish();
    return encodeStoredMetaData({
      storageTime: entry.storedAt,
      lifetime: entry.lifetime,
      place: kind === undefined ? { model: "single" } : placeOf(kind, entry.key),
      exists: entry.exists,
      valueLength: entry.value.length,
      hashAlgorithm: SHA256,
      hash: toHex(context.crypto.sha256(hashed)),
    });
  }

  #find(received: Received, { resource, kinds }: FindReq): void {
    const { topology, holdings, membership, context } = this.#parts;
    if (!topology.isResponsible(resource)) return this.#refuseForeign(received);
    const arc = { after: membership.view.arcOf(context.self).after, upTo: context.self };
    const results = kinds.map((kind) => {
      const own = [...holdings.store.resourcesIn(arc)].filter((id) => holdings.store.kind(id, kind) !== undefined);
      return { kind, closest: own.find((id) => id >= resource) ?? own.at(-1) };
    });
    received.respond({ type: "find_ans", results });
  }

  /** Addressed to this box alone, about a resource that is another's: the asker's view is old, or ours. */
  #refuseForeign(received: Received): void {
    const { introductions } = this.#parts;
    received.refuse("Error_Forbidden", NOT_RESPONSIBLE);
    introductions.sendUpdate(received.hop.nodeId, introductions.neighborsUpdate());
  }
}

const KNOWN_EXTENSIONS: ReadonlySet<number> = new Set(Object.values(EXTENSION));

/** The text for an operator who reads a trace. */
const NOT_AWAKE = "this box stood still and asks first whether the share is still its own";
