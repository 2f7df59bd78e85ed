// A few overlay cores on a virtual network and virtual disks: whole messages, no frames, no TLS.

import { createHash } from "node:crypto";
import type { Address } from "../../src/base/address.ts";
import { fromOctets, toHex, toOctets } from "../../src/base/bytes.ts";
import type { Crypto } from "../../src/base/crypto.ts";
import { DeadlineQueue } from "../../src/base/deadline-queue.ts";
import type { Random } from "../../src/base/random.ts";
import { instant, type Instant, milliseconds, minutes, seconds, wallTime } from "../../src/base/time.ts";
import { CERTIFICATE_BY_NODE, CERTIFICATE_BY_USER } from "../../src/peer/kinds.ts";
import type { FleetRulesSettings } from "../../src/overlay/configuration/fleet-rules.ts";
import { OverlayCore } from "../../src/overlay/overlay-core.ts";
import type {
  EntryChange,
  FetchOutcome,
  KindDefinition,
  NodeId,
  OverlayEffect,
  OverlayInput,
  OverlayTiming,
  PeerInfo,
  ResourceId,
  RuleOutcome,
  StoredRow,
  StoreOutcome,
  Trust,
} from "../../src/overlay/ports.ts";

export const SOFT: KindDefinition = {
  id: 0xf0000001, name: "EDGE-BINDING", model: "dictionary", durability: "soft", signed: false, maxEntries: 10, maxValueBytes: 2048,
};
export const DURABLE: KindDefinition = {
  id: 0xf0000002, name: "SUBSCRIBER", model: "single", durability: "durable", signed: true, maxEntries: 1, maxValueBytes: 2048,
};

/** Values of this kind know what their writers had seen. */
export const VERSIONED: KindDefinition = { ...DURABLE, id: 0xf0000004, name: "VERSIONED", siblings: 0xf0000005 };
export const SIBLINGS: KindDefinition = {
  ...DURABLE, id: 0xf0000005, name: "SIBLINGS", model: "dictionary", signed: false, maxEntries: 16, siblingsOf: VERSIONED.id,
};
/** One kind for each access policy of the RFC; NODE-MATCH is that of CERTIFICATE_BY_NODE. */
export const BY_USER_NODE: KindDefinition = { ...DURABLE, id: 0xf0000010, name: "BY-USER-NODE", model: "dictionary", maxEntries: 10, access: "USER-NODE-MATCH" };
export const BY_NODE_MULTIPLE: KindDefinition = { ...DURABLE, id: 0xf0000011, name: "BY-NODE-MULTIPLE", access: "NODE-MULTIPLE", maxNodeMultiple: 3 };
export const TEST_KINDS: readonly KindDefinition[] = [
  SOFT, DURABLE, VERSIONED, SIBLINGS, CERTIFICATE_BY_NODE, CERTIFICATE_BY_USER, BY_USER_NODE, BY_NODE_MULTIPLE,
];

export const TIMING: OverlayTiming = {
  attempt: milliseconds(500),
  operation: seconds(6),
  suspicion: milliseconds(2_000),
  antiEntropy: seconds(30),
  holdDown: milliseconds(1_500),
  redialFirst: seconds(1),
  redialLongest: seconds(30),
  seek: seconds(3),
};

/** The link layer says "silent" after so long without a frame. */
const SILENCE_MS = 1_700;
const WALL_START = 1_800_000_000_000;

/** mulberry32. */
export class SeededRandom implements Random {
  #state: number;
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }
  #word(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }
  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.#word() & 0xff);
  }
  below(bound: number): number {
    return this.#word() % bound;
  }
  fraction(): number {
    return this.#word() / 2 ** 32;
  }
}

const hash = (name: string, bytes: Uint8Array): Uint8Array => new Uint8Array(createHash(name).update(bytes).digest());
/** The "certificate" is a text with the Node-ID; a "signature" the hash of certificate and text. */
export const certificateOf = (nodeId: NodeId): Uint8Array => fromOctets(`certificate of ${nodeId}`);
const signature = (certificate: Uint8Array, bytes: Uint8Array): Uint8Array =>
  new Uint8Array(createHash("sha256").update(certificate).update(bytes).digest());

export const cryptoFor = (nodeId: NodeId): Crypto => ({
  md5Hex: (octets) => toHex(hash("md5", fromOctets(octets))),
  sha256Hex: (octets) => toHex(hash("sha256", fromOctets(octets))),
  sha1: (bytes) => hash("sha1", bytes),
  sha256: (bytes) => hash("sha256", bytes),
  hmacSha256Hex: () => "",
  hmacSha1: () => new Uint8Array(20),
  sign: (bytes) => signature(certificateOf(nodeId), bytes),
  verify: (certificate, bytes, made) => toHex(signature(certificate, bytes)) === toHex(made),
});
export const trust: Trust = {
  inspect: (certificate) => {
    const text = toOctets(certificate);
    return text.startsWith("certificate of ") ? { nodeId: text.slice(15) as NodeId } : { refused: "not a certificate" };
  },
};

export const resourceOf = (name: string): ResourceId => toHex(hash("sha1", fromOctets(name)).subarray(0, 16)) as ResourceId;
export const text = (value: string): Uint8Array => fromOctets(value);

interface Link {
  readonly id: number;
  readonly ends: readonly [WorldBox, WorldBox];
  open: boolean;
  silent: boolean;
  /** So that messages of one direction stay in order. */
  readonly arrives: [number, number];
}

export interface BoxOptions {
  readonly mayStandAlone?: boolean;
  readonly zone?: string;
  readonly hints?: readonly WorldBox[];
  readonly clockError?: number;
  /** What was on its disk before. */
  readonly disk?: Map<string, StoredRow>;
  readonly members?: readonly PeerInfo[];
  readonly incarnation?: number;
  /** How long the ring had lived when it was last in it. */
  readonly ringAge?: number;
  /** What its fleet has decided, as far as it knows. */
  readonly rules?: FleetRulesSettings | undefined;
}

type Wanted = { [Type in OverlayEffect["type"]]: Extract<OverlayEffect, { type: Type }> };

export class WorldBox {
  readonly core: OverlayCore;
  readonly info: PeerInfo;
  readonly disk: Map<string, StoredRow>;
  readonly effects: OverlayEffect[] = [];
  readonly answers = new Map<number, (effect: OverlayEffect) => void>();
  /** As on its disk. */
  rules: FleetRulesSettings | undefined;
  alive = true;
  /** No messages leave or arrive, links stay open: a power cut, or a pulled cable. */
  unplugged = false;
  /** What has come while the process stands still; `undefined`: it runs. */
  waiting: OverlayInput[] | undefined;
  diskWorks = true;
  diskDelay = 2;
  constructor(core: OverlayCore, info: PeerInfo, disk: Map<string, StoredRow>) {
    this.core = core;
    this.info = info;
    this.disk = disk;
  }
  get id(): NodeId {
    return this.info.nodeId;
  }
  seen<Type extends OverlayEffect["type"]>(type: Type): Wanted[Type][] {
    return this.effects.filter((effect): effect is Wanted[Type] => effect.type === type);
  }
}

interface Happening {
  readonly run: () => void;
}

export class OverlayWorld {
  readonly random: SeededRandom;
  readonly boxes: WorldBox[] = [];
  readonly links: Link[] = [];
  now = 0;
  /** For boxes started from now on. */
  meshLimit: number | undefined;
  /** Whether two boxes cannot reach each other. */
  cut: (a: WorldBox, b: WorldBox) => boolean = () => false;
  delay: (from: WorldBox, to: WorldBox) => number = () => 1 + this.random.below(3);
  /** Every message on its way; for counting. */
  messages = 0;
  /** Told of every message that arrives. */
  overhear: (to: WorldBox, message: Uint8Array) => void = () => {};
  readonly #queue = new DeadlineQueue<Happening>();
  readonly #wakes = new Map<WorldBox, Happening>();
  #nextLink = 1;
  #nextTicket = 1;
  #nextPort = 1;

  constructor(seed = 1) {
    this.random = new SeededRandom(seed);
  }

  add(options: BoxOptions = {}, nodeId: NodeId = toHex(this.random.bytes(16)) as NodeId): WorldBox {
    const address: Address = { host: `10.0.${this.#nextPort >> 8}.${this.#nextPort & 255}`, port: 6084 };
    this.#nextPort++;
    const info: PeerInfo = {
      nodeId, overlay: address, sip: { ...address, port: 5060 }, zone: options.zone ?? "", incarnation: options.incarnation ?? 1, software: "test",
    };
    return this.#start(info, options);
  }

  /** The same box again after its death, with its disk or a blank one. */
  restart(old: WorldBox, options: BoxOptions = {}): WorldBox {
    const members = old.seen("members-changed").at(-1)?.members ?? [];
    this.boxes.splice(this.boxes.indexOf(old), 1);
    return this.#start({ ...old.info, incarnation: old.info.incarnation + 1 }, { disk: old.disk, members, mayStandAlone: true, rules: old.rules, ...options }, old);
  }

  #start(info: PeerInfo, options: BoxOptions, old?: WorldBox): WorldBox {
    const disk = options.disk ?? new Map<string, StoredRow>();
    const core = new OverlayCore(
      {
        overlayName: "test.ring", self: info, certificate: certificateOf(info.nodeId), kinds: TEST_KINDS, rows: [...disk.values()],
        members: options.members ?? [], mayStandAlone: options.mayStandAlone ?? this.boxes.length === 0, timing: TIMING,
        ringAge: options.ringAge ?? old?.seen("ring-age").at(-1)?.age,
        ...(options.rules === undefined ? {} : { rules: options.rules }),
        ...(this.meshLimit === undefined ? {} : { meshLimit: this.meshLimit }),
      },
      cryptoFor(info.nodeId),
      new SeededRandom(this.random.below(2 ** 32)),
      trust,
      () => wallTime(WALL_START + this.now + (options.clockError ?? 0)),
    );
    const box = new WorldBox(core, info, disk);
    box.rules = options.rules;
    this.boxes.push(box);
    this.give(box, { type: "tick" });
    for (const hint of options.hints ?? this.boxes.slice(0, -1).slice(0, 2)) this.give(box, { type: "candidate", address: hint.info.overlay, source: "hint" });
    return box;
  }

  /** N boxes, one ring, quiet. */
  static ring(count: number, seed = 1, options: BoxOptions & { readonly meshLimit?: number } = {}): OverlayWorld {
    const world = new OverlayWorld(seed);
    world.meshLimit = options.meshLimit;
    for (let i = 0; i < count; i++) {
      world.add(options);
      world.until(() => world.serving().length === i + 1, 20_000);
    }
    world.run(5_000);
    return world;
  }

  serving(): WorldBox[] {
    return this.boxes.filter(({ alive, core }) => alive && core.phase === "serving");
  }
  box(id: NodeId | undefined): WorldBox {
    const found = this.boxes.find((box) => box.id === id);
    if (found === undefined) throw new Error(`no box ${id}`);
    return found;
  }
  ownerOf(resource: ResourceId): WorldBox {
    return this.box(this.serving()[0]?.core.locate(resource).owner);
  }

  give(box: WorldBox, input: OverlayInput): void {
    if (!box.alive) return;
    if (box.waiting !== undefined) {
      if (input.type !== "tick") box.waiting.push(input);
      return;
    }
    const effects = box.core.step(instant(this.now), input);
    for (const effect of effects) {
      box.effects.push(effect);
      this.#carryOut(box, effect);
    }
    this.#armWake(box);
  }

  /** The process stands still: what comes waits in its sockets. */
  stop(box: WorldBox): void {
    box.waiting = [];
    for (const link of this.links) if (link.open && link.ends.includes(box)) this.#silenceLater(link);
  }
  /** It goes on, and finds `first` in its sockets before all that has waited there; `notices`: it knows that it slept. */
  resume(box: WorldBox, first: () => void, notices = true): void {
    const waiting = box.waiting ?? [];
    box.waiting = undefined;
    if (notices) this.give(box, { type: "slept" });
    first();
    for (const input of waiting) this.give(box, input);
    for (const link of this.links) if (link.open) this.#hearAgain(link);
  }

  at(ms: number, run: () => void): void {
    this.#queue.set({ run }, instant(ms));
  }
  after(ms: number, run: () => void): void {
    this.at(this.now + ms, run);
  }
  run(ms: number): void {
    const end = this.now + ms;
    this.until(() => false, ms);
    this.now = end;
  }
  /** Runs until the condition holds; whether it did within `ms`. */
  until(condition: () => boolean, ms: number): boolean {
    const end = this.now + ms;
    for (;;) {
      if (condition()) return true;
      const next = this.#queue.next();
      if (next === undefined || next > end) {
        this.now = end;
        return condition();
      }
      this.now = Math.max(this.now, next);
      this.#queue.takeDue(instant(this.now))?.run();
    }
  }

  kill(box: WorldBox): void {
    box.alive = false;
    for (const link of this.links.filter(({ open, ends }) => open && ends.includes(box))) this.#close(link, "killed");
  }
  /** Silence: links stay open, nothing passes. */
  unplug(box: WorldBox): void {
    box.unplugged = true;
    for (const link of this.links) if (link.open && link.ends.includes(box)) this.#silenceLater(link);
  }
  plug(box: WorldBox): void {
    box.unplugged = false;
    for (const link of this.links) if (link.open && link.ends.includes(box)) this.#hearAgain(link);
  }
  partition(side: readonly WorldBox[]): void {
    this.cut = (a, b) => side.includes(a) !== side.includes(b);
    for (const link of this.links) if (link.open && this.cut(...link.ends)) this.#silenceLater(link);
  }
  /** Cuts the paths between the pairs that are named, and no other. */
  cutPaths(isCut: (a: WorldBox, b: WorldBox) => boolean): void {
    this.cut = isCut;
    for (const link of this.links) if (link.open && isCut(...link.ends)) this.#silenceLater(link);
      else if (link.open) this.#hearAgain(link);
  }
  heal(): void {
    this.cut = () => false;
    for (const link of this.links) if (link.open) this.#hearAgain(link);
  }
  connect(from: WorldBox, to: WorldBox, dial?: number): Link {
    const link: Link = { id: this.#nextLink++, ends: [from, to], open: true, silent: false, arrives: [0, 0] };
    this.links.push(link);
    [from, to].forEach((box, end) => {
      const other = end === 0 ? to : from;
      this.give(box, {
        type: "link-opened", link: link.id, nodeId: other.id, certificate: certificateOf(other.id), outbound: end === 0,
        remote: other.info.overlay, dial: end === 0 ? dial : undefined,
      });
    });
    return link;
  }
  closeLink(link: Link): void {
    this.#close(link, "closed by the test");
  }

  /** What came of a decision for the whole fleet. */
  decideNow(box: WorldBox, decision: { readonly type: "configure"; readonly document: Uint8Array } | { readonly type: "revoke"; readonly statement: Uint8Array }): RuleOutcome {
    let outcome: RuleOutcome | undefined;
    const ticket = this.#nextTicket++;
    box.answers.set(ticket, (effect) => {
      if (effect.type === "configured" || effect.type === "revoked") outcome = effect.outcome;
    });
    this.give(box, { ...decision, ticket });
    this.until(() => outcome !== undefined, 10_000);
    if (outcome === undefined) throw new Error("a decision without an answer");
    return outcome;
  }

  store(box: WorldBox, resource: ResourceId, kind: KindDefinition, changes: readonly EntryChange[], told: (outcome: StoreOutcome) => void = () => {}): void {
    const ticket = this.#nextTicket++;
    box.answers.set(ticket, (effect) => effect.type === "stored" && told(effect.outcome));
    this.give(box, { type: "store", ticket, resource, kind: kind.id, changes });
  }
  storeText(box: WorldBox, name: string, key: string, value: string, told?: (outcome: StoreOutcome) => void): void {
    this.store(box, resourceOf(name), SOFT, [{ key, value: text(value), lifetime: minutes(60) }], told);
  }
  fetch(box: WorldBox, resource: ResourceId, told: (outcome: FetchOutcome) => void, kinds: readonly KindDefinition[] = [SOFT]): void {
    const ticket = this.#nextTicket++;
    box.answers.set(ticket, (effect) => effect.type === "fetched" && told(effect.outcome));
    this.give(box, { type: "fetch", ticket, resource, kinds: kinds.map(({ id }) => id) });
  }
  storeNow(box: WorldBox, resource: ResourceId, kind: KindDefinition, key: string, value: string | undefined, lifetime = minutes(60)): StoreOutcome {
    let outcome: StoreOutcome | undefined;
    this.store(box, resource, kind, [{ key, value: value === undefined ? undefined : text(value), lifetime }], (answer) => (outcome = answer));
    this.until(() => outcome !== undefined, 10_000);
    if (outcome === undefined) throw new Error("a store without an answer");
    return outcome;
  }
  fetchNow(box: WorldBox, resource: ResourceId, kind: KindDefinition = SOFT): Record<string, string> | string {
    let outcome: FetchOutcome | undefined;
    this.fetch(box, resource, (answer) => (outcome = answer), [kind]);
    this.until(() => outcome !== undefined, 10_000);
    if (outcome === undefined) throw new Error("a fetch without an answer");
    return shown(outcome);
  }

  #carryOut(box: WorldBox, effect: OverlayEffect): void {
    switch (effect.type) {
      case "dial":
        return this.after(2, () => this.#dial(box, effect.dial, effect.address));
      case "link-send":
        return this.#send(box, effect.link, effect.message);
      case "link-close": {
        const link = this.links.find(({ id }) => id === effect.link);
        if (link !== undefined) this.#closeFrom(link, box, effect.reason);
        return;
      }
      case "persist":
        return this.#persist(box, effect);
      case "rules-changed":
        if (box.rules !== undefined) box.rules = { ...box.rules, document: effect.document, revocations: effect.revocations };
        return;
      case "fetched":
      case "stored":
      case "listed":
      case "configured":
      case "revoked":
        box.answers.get(effect.ticket)?.(effect);
        box.answers.delete(effect.ticket);
        return;
      default:
        return;
    }
  }

  #dial(box: WorldBox, dial: number, address: Address): void {
    const target = this.boxes.find(({ info, alive }) => alive && info.overlay.host === address.host);
    const reachable = target !== undefined && !target.unplugged && !box.unplugged && !this.cut(box, target);
    if (target === undefined || !reachable) return this.give(box, { type: "dial-failed", dial, reason: "refused" });
    if (target.waiting !== undefined) return this.after(4_000, () => this.give(box, { type: "dial-failed", dial, reason: "no answer" }));
    this.connect(box, target, dial);
  }

  #send(box: WorldBox, id: number, bytes: Uint8Array): void {
    const link = this.links.find((one) => one.id === id);
    if (link === undefined || !link.open) return;
    const end = link.ends[0] === box ? 0 : 1;
    const to = link.ends[1 - end] as WorldBox;
    this.messages++;
    const arrival = Math.max(link.arrives[end] as number, this.now + this.delay(box, to));
    link.arrives[end] = arrival;
    this.at(arrival, () => {
      if (!link.open || box.unplugged || to.unplugged || this.cut(box, to)) return;
      this.overhear(to, bytes);
      this.give(to, { type: "link-message", link: id, message: bytes });
    });
  }

  #persist(box: WorldBox, { ticket, puts, removals }: Extract<OverlayEffect, { type: "persist" }>): void {
    this.after(box.diskDelay, () => {
      if (!box.alive) return;
      if (!box.diskWorks) {
        if (ticket !== undefined) this.give(box, { type: "persist-failed", ticket, reason: "no space left" });
        return;
      }
      for (const row of puts) box.disk.set(`${row.resource} ${row.kind} ${row.key}`, row);
      for (const row of removals) box.disk.delete(`${row.resource} ${row.kind} ${row.key}`);
      if (ticket !== undefined) this.give(box, { type: "persisted", ticket });
    });
  }

  #close(link: Link, reason: string): void {
    if (!link.open) return;
    link.open = false;
    this.links.splice(this.links.indexOf(link), 1);
    for (const end of link.ends) this.after(1, () => this.give(end, { type: "link-closed", link: link.id, reason }));
  }
  /** The other end hears of it only if anything passes between them. */
  #closeFrom(link: Link, by: WorldBox, reason: string): void {
    const other = link.ends[0] === by ? link.ends[1] : link.ends[0];
    const passes = !by.unplugged && !other.unplugged && !this.cut(by, other);
    link.open = false;
    this.links.splice(this.links.indexOf(link), 1);
    this.after(passes ? 1 : 4_000, () => this.give(other, { type: "link-closed", link: link.id, reason }));
  }
  #silenceLater(link: Link): void {
    this.after(SILENCE_MS, () => {
      const broken = link.ends.some(({ unplugged, waiting }) => unplugged || waiting !== undefined) || this.cut(...link.ends);
      if (!link.open || !broken || link.silent) return;
      link.silent = true;
      // Whoever stands still itself takes nobody for silent.
      for (const end of link.ends) if (end.waiting === undefined) this.give(end, { type: "link-silent", link: link.id });
    });
  }
  #hearAgain(link: Link): void {
    if (!link.silent || link.ends.some(({ unplugged }) => unplugged) || this.cut(...link.ends)) return;
    link.silent = false;
    for (const end of link.ends) this.give(end, { type: "link-heard", link: link.id });
  }

  #armWake(box: WorldBox): void {
    const old = this.#wakes.get(box);
    if (old !== undefined) this.#queue.delete(old);
    const deadline: Instant | undefined = box.core.nextDeadline();
    if (deadline === undefined) return;
    const wake = { run: () => this.give(box, { type: "tick" }) };
    this.#wakes.set(box, wake);
    this.#queue.set(wake, instant(Math.max(deadline, this.now)));
  }
}

export function shown(outcome: FetchOutcome): Record<string, string> | string {
  if (!outcome.ok) return outcome.fault.reason;
  return Object.fromEntries((outcome.kinds[0]?.entries ?? []).map(({ key, value }) => [key, toOctets(value)]));
}
