// A few overlay cores whose links are real link machines, with their frames and keep-alives, on modelled
// TCP connections over paths that lose and delay packets. TLS is two more flights of the handshake.

import type { Address } from "../../src/base/address.ts";
import { toHex } from "../../src/base/bytes.ts";
import { instant, wallTime } from "../../src/base/time.ts";
import { type LinkEffect, type LinkInput, LinkMachine } from "../../src/overlay/link/link-machine.ts";
import { OverlayCore } from "../../src/overlay/overlay-core.ts";
import type { NodeId, OverlayEffect, OverlayInput, PeerInfo } from "../../src/overlay/ports.ts";
import { overlayHash } from "../../src/overlay/wire/identifiers.ts";
import { decodeMessage } from "../../src/overlay/wire/message.ts";
import { OVERLAY_TIMING } from "../../src/peer/peer.ts";
import { EventQueue } from "./event-queue.ts";
import { certificateOf, cryptoFor, DURABLE, SeededRandom, SOFT, trust } from "./overlay-world.ts";
import { type Path, TcpDirection } from "./tcp-model.ts";

const WALL_START = 1_800_000_000_000;
const OVERLAY_NAME = "tcp.ring";
const MAX_MESSAGE_BYTES = 262_144;
/** SYNs are repeated after one second, two, four; a dial has four seconds. */
const SYN_TIMEOUT = 1_000;
const DIAL_TIMEOUT = 4_000;

export interface Weather {
  readonly loss: number;
  readonly delayLeast: number;
  readonly delayMost: number;
}

/** 10 % loss, 50±40 ms. */
export const ROUGH: Weather = { loss: 0.1, delayLeast: 10, delayMost: 90 };
export const FAIR: Weather = { loss: 0, delayLeast: 1, delayMost: 3 };

type Segment = { readonly bytes: Uint8Array } | { readonly end: string };

class End {
  readonly id: number;
  readonly box: TcpBox;
  readonly other: NodeId;
  readonly remote: Address;
  readonly dial: number | undefined;
  readonly machine: LinkMachine;
  outgoing: TcpDirection<Segment> | undefined;
  state: "greeting" | "open" | "closed" = "greeting";
  wakeAt = Number.POSITIVE_INFINITY;
  constructor(id: number, box: TcpBox, peer: TcpBox, dial: number | undefined, machine: LinkMachine) {
    this.id = id;
    this.box = box;
    this.other = peer.info.nodeId;
    this.remote = peer.info.overlay;
    this.dial = dial;
    this.machine = machine;
  }
}

export class TcpBox {
  readonly place: number;
  readonly core: OverlayCore;
  readonly info: PeerInfo;
  readonly ends = new Map<number, End>();
  readonly answers = new Map<number, (effect: OverlayEffect) => void>();
  alive = true;
  /** Members that it has given up. */
  gone = 0;
  /** In messages that carry values: Stores, and the answers to Fetches. */
  bytesCopied = 0;
  wakeAt = Number.POSITIVE_INFINITY;
  constructor(place: number, core: OverlayCore, info: PeerInfo) {
    this.place = place;
    this.core = core;
    this.info = info;
  }
  /** How often something has happened that the core counts. */
  count(event: string): number {
    return this.core.snapshot().counters[event] ?? 0;
  }
}

export class TcpWorld implements Path {
  readonly queue = new EventQueue();
  readonly random: SeededRandom;
  readonly boxes: TcpBox[] = [];
  weather: Weather = FAIR;
  /** Whether a packet sent now from one place gets to another, luck aside. */
  passes: (from: number, to: number, now: number) => boolean = () => true;
  readonly #overlay = overlayHash(OVERLAY_NAME, cryptoFor("00" as NodeId));
  #nextId = 1;

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
  }

  get now(): number {
    return this.queue.now;
  }
  run(ms: number): void {
    const end = this.queue.now + ms;
    while (this.queue.runNext(end));
  }
  until(condition: () => boolean, ms: number): boolean {
    for (const end = this.now + ms; this.now < end; ) {
      if (condition()) return true;
      this.run(Math.min(10, end - this.now));
    }
    return condition();
  }

  packet(from: number, to: number): number | undefined {
    const { loss, delayLeast, delayMost } = this.weather;
    if (!this.passes(from, to, this.now) || this.random.fraction() < loss) return undefined;
    return delayLeast + this.random.fraction() * (delayMost - delayLeast);
  }

  /** N boxes, one ring. */
  static ring(count: number, seed: number): TcpWorld {
    const world = new TcpWorld(seed);
    for (let place = 0; place < count; place++) {
      world.add();
      if (!world.until(() => world.boxes.every(({ core }) => core.phase === "serving"), 30_000)) throw new Error("no ring");
    }
    world.run(5_000);
    return world;
  }

  add(): TcpBox {
    const place = this.boxes.length;
    const address = { host: `10.0.0.${place}`, port: 6084 };
    const nodeId = toHex(this.random.bytes(16)) as NodeId;
    const info: PeerInfo = { nodeId, overlay: address, sip: { ...address, port: 5060 }, zone: "", incarnation: 1, software: "test" };
    const core = new OverlayCore(
      {
        overlayName: OVERLAY_NAME, self: info, certificate: certificateOf(nodeId), kinds: [SOFT, DURABLE], rows: [], members: [],
        mayStandAlone: place === 0, timing: OVERLAY_TIMING,
      },
      cryptoFor(nodeId), new SeededRandom(this.random.below(2 ** 32)), trust, () => wallTime(WALL_START + this.now),
    );
    const box = new TcpBox(place, core, info);
    this.boxes.push(box);
    this.give(box, { type: "tick" });
    for (const other of this.boxes.slice(0, Math.min(place, 2))) this.give(box, { type: "candidate", address: other.info.overlay, source: "hint" });
    return box;
  }

  /** The process ends; its kernel closes the connections. */
  kill(box: TcpBox): void {
    box.alive = false;
    for (const end of [...box.ends.values()]) this.#close(end, "killed");
  }

  give(box: TcpBox, input: OverlayInput): void {
    if (!box.alive) return;
    const stirred = new Set<End>();
    for (const effect of box.core.step(instant(this.now), input)) this.#carryOut(box, effect, stirred);
    for (const end of stirred) this.#step(end, { type: "tick" });
    this.#armBox(box);
  }

  #carryOut(box: TcpBox, effect: OverlayEffect, stirred: Set<End>): void {
    switch (effect.type) {
      case "dial":
        return this.#dial(box, effect.dial, effect.address);
      case "link-send": {
        const end = box.ends.get(effect.link);
        if (this.#carriesValues(effect.message)) box.bytesCopied += effect.message.length;
        if (end?.state !== "open") return;
        this.#step(end, { type: "send", message: effect.message });
        stirred.add(end);
        return;
      }
      case "link-close": {
        const end = box.ends.get(effect.link);
        if (end !== undefined) this.#close(end, effect.reason);
        return;
      }
      case "persist": {
        const { ticket } = effect;
        if (ticket !== undefined) this.queue.after(3, () => this.give(box, { type: "persisted", ticket }));
        return;
      }
      case "member-gone":
        box.gone++;
        return;
      case "stored":
      case "fetched":
        box.answers.get(effect.ticket)?.(effect);
        box.answers.delete(effect.ticket);
        return;
      default:
    }
  }

  #carriesValues(message: Uint8Array): boolean {
    const decoded = decodeMessage(message, this.#overlay);
    return decoded.ok && (decoded.value.body.type === "store_req" || decoded.value.body.type === "fetch_ans");
  }

  /** SYN and its answer, then the two flights of TLS 1.3: each is repeated until it arrives. */
  #dial(box: TcpBox, dial: number, address: Address): void {
    const target = this.boxes.find(({ info }) => info.overlay.host === address.host);
    let over = false;
    const fail = (reason: string): void => {
      if (!over) this.give(box, { type: "dial-failed", dial, reason });
      over = true;
    };
    this.queue.after(DIAL_TIMEOUT, () => fail("no answer"));
    if (target === undefined) return;
    const [there, back] = [{ from: box.place, to: target.place }, { from: target.place, to: box.place }];
    this.#exchange(there, SYN_TIMEOUT, () => over, () => {
      if (!target.alive) return fail("refused");
      this.#exchange(there, 300, () => over, () => this.#exchange(back, 300, () => over, () => {
        if (over) return;
        over = true;
        if (target.alive && box.alive) this.#connect(box, target, dial);
      }));
    });
  }
  #exchange({ from, to }: { from: number; to: number }, timeout: number, given: () => boolean, done: () => void): void {
    let arrived = false;
    const attempt = (wait: number): void => {
      if (arrived || given()) return;
      const there = this.packet(from, to);
      const back = there === undefined ? undefined : this.packet(to, from);
      if (there !== undefined && back !== undefined) {
        arrived = true;
        this.queue.after(there + back, done);
      } else this.queue.after(wait, () => attempt(2 * wait));
    };
    attempt(timeout);
  }

  #connect(near: TcpBox, far: TcpBox, dial: number): void {
    const [a, b] = [this.#end(near, far, dial), this.#end(far, near, undefined)];
    a.outgoing = new TcpDirection(this.queue, this, { from: near.place, to: far.place }, (segment) => this.#arrive(b, segment));
    b.outgoing = new TcpDirection(this.queue, this, { from: far.place, to: near.place }, (segment) => this.#arrive(a, segment));
    for (const end of [a, b]) {
      end.box.ends.set(end.id, end);
      this.#step(end, { type: "greet" });
      this.#step(end, { type: "tick" });
    }
  }
  #end(box: TcpBox, peer: TcpBox, dial: number | undefined): End {
    const random = new SeededRandom(this.random.below(2 ** 32));
    const settings = { overlay: this.#overlay, remote: peer.info.nodeId, maxMessageBytes: MAX_MESSAGE_BYTES, random };
    return new End(this.#nextId++, box, peer, dial, new LinkMachine(settings, instant(this.now)));
  }

  #arrive(end: End, segment: Segment): void {
    if (end.state === "closed" || !end.box.alive) return;
    if ("end" in segment) return this.#close(end, segment.end);
    if (end.state === "greeting") {
      end.state = "open";
      const { id: link, other: nodeId, remote, dial } = end;
      this.give(end.box, { type: "link-opened", link, nodeId, certificate: certificateOf(nodeId), outbound: dial !== undefined, remote, dial });
    }
    this.#step(end, { type: "bytes", bytes: segment.bytes, wall: wallTime(WALL_START + this.now) });
    this.#step(end, { type: "tick" });
  }

  #close(end: End, reason: string): void {
    if (end.state === "closed") return;
    const was = end.state;
    end.state = "closed";
    end.box.ends.delete(end.id);
    end.outgoing?.send({ end: "the other side closed the link" });
    if (was === "open") this.give(end.box, { type: "link-closed", link: end.id, reason });
    else if (end.dial !== undefined) this.give(end.box, { type: "dial-failed", dial: end.dial, reason });
  }

  #step(end: End, input: LinkInput): void {
    if (end.state === "closed") return;
    for (const effect of end.machine.step(instant(this.now), input)) this.#tell(end, effect);
    const deadline = end.state === "open" || end.state === "greeting" ? end.machine.nextDeadline() : undefined;
    if (deadline === undefined || deadline >= end.wakeAt) return;
    const at = Math.max(deadline, this.now);
    end.wakeAt = at;
    this.queue.at(at, () => {
      if (end.wakeAt !== at) return;
      end.wakeAt = Number.POSITIVE_INFINITY;
      if (end.box.alive) this.#step(end, { type: "tick" });
    });
  }

  #tell(end: End, effect: LinkEffect): void {
    const link = end.id;
    if (effect.type === "write") end.outgoing?.send({ bytes: effect.bytes });
    else if (effect.type === "broken") this.#close(end, effect.reason);
    else if (end.state === "greeting") this.#close(end, "the other side says nothing");
    else if (effect.type === "message") this.give(end.box, { type: "link-message", link, message: effect.message });
    else this.give(end.box, { type: effect.type === "silent" ? "link-silent" : "link-heard", link });
  }

  #armBox(box: TcpBox): void {
    const deadline = box.core.nextDeadline();
    if (deadline === undefined || deadline >= box.wakeAt) return;
    const at = Math.max(deadline, this.now);
    box.wakeAt = at;
    this.queue.at(at, () => {
      if (box.wakeAt !== at) return;
      box.wakeAt = Number.POSITIVE_INFINITY;
      const due = box.core.nextDeadline();
      if (due !== undefined && due <= this.now) this.give(box, { type: "tick" });
      else this.#armBox(box);
    });
  }
}
