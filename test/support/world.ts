// Many boxes in one process: machines on a virtual clock, a virtual network and virtual disks.
// Whatever happens is an event of one queue and luck comes from one seed, so a run can be had again.

import type { Address } from "../../src/base/address.ts";
import { type Instant, instant, type WallTime, wallTime } from "../../src/base/time.ts";
import type { NodeId, OverlayEffect, OverlayInput, OverlaySnapshot, PeerInfo, Phase, StoredRow } from "../../src/overlay/ports.ts";
import type { ServiceAddressEffect } from "../../src/peer/service-addresses.ts";
import type { SipEffect, SipInput } from "../../src/sip/ports.ts";
import { EventQueue } from "./event-queue.ts";
import { splitLargestGap } from "./placement.ts";
import { SeededRandom } from "./seeded-random.ts";
import { simulatedCertificate } from "./simulated-crypto.ts";
import { Trace } from "./trace.ts";
import { type DiskSettings, VirtualDisk } from "./virtual-disk.ts";
import { type LinkPort, type NetworkSettings, VirtualNetwork } from "./virtual-network.ts";

/** What a machine of the simulation may be told; a machine takes those that its kind knows. */
export type BoxInput =
  | OverlayInput
  | SipInput
  | { readonly type: "clock"; readonly wall: WallTime }
  | { readonly type: "control"; readonly ticket: number; readonly request: object }
  | { readonly type: "admission"; readonly ticket: number; readonly request: object }
  | { readonly type: "shut-down" };

export type BoxEffect =
  | OverlayEffect
  | SipEffect
  | ServiceAddressEffect
  | { readonly type: "replied"; readonly ticket: number; readonly reply: object }
  | { readonly type: "admission-answered"; readonly ticket: number; readonly answer: object };

export interface BoxMachine {
  step(now: Instant, inputs: readonly BoxInput[]): readonly BoxEffect[];
  nextDeadline(): Instant | undefined;
  /** Machines that are in a ring. */
  snapshot?(): OverlaySnapshot;
}

/** What a machine is made of at each start of its box. */
export interface Boot {
  readonly self: PeerInfo;
  readonly certificate: Uint8Array;
  readonly rows: readonly StoredRow[];
  readonly members: readonly PeerInfo[];
  readonly mayStandAlone: boolean;
  readonly random: SeededRandom;
}

/** One life of a box, from the start of its process to its end. */
export interface Life extends LinkPort {
  readonly box: Box;
  readonly machine: BoxMachine;
  readonly self: PeerInfo;
  /** The machine's instants are the world's plus this: they begin near zero with each life. */
  readonly offset: number;
  readonly startedAt: number;
  phase: Phase | "starting";
  wakeAt: number | undefined;
  stepsAtOneTime: number;
  lastStepAt: number;
  /** What has come while the process stands still; `undefined`: it runs. */
  waiting: BoxInput[] | undefined;
  /** Links that others closed while it stood still, until it has been told of all that waited. */
  readonly closedUnheard: Set<number>;
  /** When it last went on after a standstill. */
  wokeAt: number;
  /** The number of the step with which it left. */
  leftInStep: number;
}

/** A place in the rack: an address, a disk, and whatever box stands there now. */
export interface Box {
  readonly name: string;
  readonly place: number;
  readonly overlay: Address;
  readonly sip: Address;
  readonly zone: string;
  readonly disk: VirtualDisk;
  nodeId: NodeId;
  incarnation: number;
  members: readonly PeerInfo[];
  mayStandAlone: boolean;
  /** Of its wall clock against true time, milliseconds. */
  wallOffset: number;
  life: Life | undefined;
}

export interface WorldSettings {
  readonly seed: number;
  readonly network: NetworkSettings;
  readonly disk: DiskSettings;
  readonly makeMachine: (boot: Boot) => BoxMachine;
  /** True time at its start, ms since 1970; WORLD_START if not given. */
  readonly startsAt?: number;
  readonly trace?: (line: string) => void;
}

/** Sees everything and changes nothing; throws `InvariantBroken` where it must not be so. */
export interface Observer {
  effect?(life: Life, effect: BoxEffect): void;
  started?(life: Life): void;
  /** `how` a life ended. */
  ended?(life: Life, how: Ending): void;
}

export type Ending = "kill" | "power" | "left";

/** True time at the start of the world, where nobody says otherwise: 2026-01-01. */
export const WORLD_START = 1_767_225_600_000;
/** A process that has left takes a moment to end, and may be told things meanwhile. */
const EXIT_TAKES = 20;
const STEPS_AT_ONE_TIME = 20_000;

export class InvariantBroken extends Error {
  override readonly name = "InvariantBroken";
}

export class World {
  readonly queue = new EventQueue();
  readonly random: SeededRandom;
  readonly network: VirtualNetwork;
  readonly trace: Trace;
  readonly boxes: Box[] = [];
  readonly observers: Observer[] = [];
  steps = 0;
  readonly #settings: WorldSettings;
  readonly #startsAt: number;
  readonly #diskRandom: SeededRandom;
  readonly #placeByAddress = new Map<string, number>();

  constructor(settings: WorldSettings) {
    this.#settings = settings;
    this.#startsAt = settings.startsAt ?? WORLD_START;
    this.random = new SeededRandom(settings.seed, "world");
    this.#diskRandom = this.random.fork("disk");
    this.network = new VirtualNetwork(this.queue, this.random.fork("network"), settings.network);
    this.network.placeOf = ({ host }) => this.#placeByAddress.get(host);
    this.trace = new Trace(settings.trace);
  }

  get now(): number {
    return this.queue.now;
  }
  trueTime(): WallTime {
    return wallTime(this.#startsAt + this.queue.now);
  }
  /** Lets everything happen that is due within the next `duration`. */
  run(duration: number): void {
    const end = this.queue.now + duration;
    while (this.queue.runNext(end));
  }

  // --- boxes --------------------------------------------------------------------------------

  /** A new box in the rack, without power. The first one founds the fleet. */
  addBox(zone = ""): Box {
    const place = this.boxes.length;
    const host = `10.0.${place >> 8}.${place & 255}`;
    const box: Box = {
      name: `b${place}`,
      place,
      overlay: { host, port: 6084 },
      sip: { host, port: 5060 },
      zone,
      disk: new VirtualDisk(this.queue, this.#diskRandom, this.#settings.disk),
      nodeId: this.#enroll(),
      incarnation: 0,
      members: [],
      mayStandAlone: place === 0,
      wallOffset: 0,
      life: undefined,
    };
    this.boxes.push(box);
    this.#placeByAddress.set(host, place);
    return box;
  }

  /** A Node-ID as enrollment chooses it. */
  #enroll(): NodeId {
    return splitLargestGap(this.boxes.map(({ nodeId }) => nodeId), this.random);
  }

  /** Makes every box remember all others, as if they had been a ring before. */
  rememberAll(): void {
    for (const box of this.boxes) {
      box.mayStandAlone = true;
      box.members = this.boxes.filter((other) => other !== box).map((other) => this.#infoOf(other));
    }
  }

  #infoOf({ nodeId, overlay, sip, zone, incarnation }: Box): PeerInfo {
    return { nodeId, overlay, sip, zone, incarnation, software: "simulated" };
  }

  /** Switches a box on. `hints` are addresses where members may be. */
  start(box: Box, hints: readonly Address[] = []): Life {
    if (box.life !== undefined) throw new Error(`${box.name} is running`);
    box.incarnation++;
    const self = this.#infoOf(box);
    this.network.powerOn(box.place);
    const rows = box.disk.open((report) => this.#receive(life, report));
    const certificate = simulatedCertificate(box.nodeId);
    const machine = this.#settings.makeMachine({
      self, certificate, rows, members: box.members, mayStandAlone: box.mayStandAlone,
      random: this.random.fork(`machine ${box.name}`),
    });
    const life: Life = {
      box, machine, self, certificate, place: box.place, nodeId: box.nodeId, address: box.overlay,
      offset: this.random.below(1_000) - this.now, startedAt: this.now, phase: "starting",
      wakeAt: undefined, stepsAtOneTime: 0, lastStepAt: -1, waiting: undefined, closedUnheard: new Set(), wokeAt: -1, leftInStep: Number.POSITIVE_INFINITY,
      receive: (input) => this.#receive(life, input),
    };
    box.life = life;
    this.trace.note(this.now, box.name, "fault", { type: `start ${box.nodeId} ${box.incarnation}` });
    this.network.start(life);
    this.network.bindDatagrams(box.sip, box.place, (from, octets) =>
      this.#receive(life, { type: "received", octets, flow: { transport: "udp", local: box.sip, remote: from, connection: 0 } }),
    );
    for (const observer of this.observers) observer.started?.(life);
    this.#receive(life, { type: "clock", wall: this.#wall(box) });
    for (const address of hints) this.#receive(life, { type: "candidate", address, source: "hint" });
    this.#arm(life);
    return life;
  }

  #wall(box: Box): WallTime {
    return wallTime(this.#startsAt + this.now + box.wallOffset);
  }

  /** The process ends at once; the kernel lives on and resets its connections. */
  kill(box: Box): void {
    this.#end(box, "kill");
  }
  /** Nobody hears of it; connections fall silent. */
  cutPower(box: Box): void {
    this.#end(box, "power");
  }
  /** Throws the box away and puts a blank one in its place, without power yet. */
  replace(box: Box): void {
    if (box.life !== undefined) this.#end(box, "power");
    box.disk.wipe();
    box.nodeId = this.#enroll();
    box.incarnation = 0;
    box.members = [];
    box.mayStandAlone = false;
  }
  /** The process stands still: what comes waits in its sockets, and nothing comes from it. */
  pause(box: Box): void {
    if (box.life === undefined || box.life.waiting !== undefined) return;
    box.life.waiting = [];
    this.trace.note(this.now, box.name, "fault", { type: "pause" });
    for (const other of this.boxes) if (other !== box) this.network.cut(box.place, other.place);
  }
  /** It goes on, knows that it slept, and finds what has waited. */
  resume(box: Box): void {
    const { life } = box;
    for (const other of this.boxes) if (other !== box) this.network.mend(box.place, other.place);
    const waiting = life?.waiting;
    if (life === undefined || waiting === undefined) return;
    life.waiting = undefined;
    life.wokeAt = this.now;
    this.#receive(life, { type: "slept" });
    for (const input of waiting) this.#receive(life, input);
    life.closedUnheard.clear();
  }
  /** Asks the box to hand over and go; its life ends when it has. */
  leave(box: Box): void {
    this.input(box, { type: "shut-down" });
  }
  setClock(box: Box, wallOffset: number): void {
    box.wallOffset = wallOffset;
    this.input(box, { type: "clock", wall: this.#wall(box) });
  }

  #end(box: Box, how: Ending): void {
    const { life } = box;
    if (life === undefined) return;
    box.life = undefined;
    this.trace.note(this.now, box.name, "fault", { type: how });
    box.disk.crash();
    if (how === "power") this.network.cutPower(life);
    else this.network.kill(life);
    this.network.unbindDatagrams(box.sip);
    for (const observer of this.observers) observer.ended?.(life, how);
  }

  /** Something that comes of itself at this moment: an operator's question, a fetch. */
  input(box: Box, input: BoxInput): void {
    if (box.life !== undefined) this.#receive(box.life, input);
  }

  // --- one step -----------------------------------------------------------------------------

  #receive(life: Life, input: BoxInput): void {
    const { box } = life;
    if (box.life !== life) return;
    if (life.waiting !== undefined) {
      if (input.type !== "tick") life.waiting.push(input);
      if (input.type === "link-closed") life.closedUnheard.add(input.link);
      return;
    }
    this.steps++;
    this.trace.note(this.now, box.name, "in", input);
    this.#countSteps(life);
    let effects: readonly BoxEffect[];
    try {
      effects = life.machine.step(instant(this.now + life.offset), [input]);
    } catch (thrown) {
      throw new InvariantBroken(`${box.name}: the step on ${input.type} threw: ${thrown instanceof Error ? thrown.stack : String(thrown)}`);
    }
    try {
      for (const effect of effects) this.#perform(life, effect);
    } catch (thrown) {
      if (!(thrown instanceof RangeError)) throw thrown;
      throw new InvariantBroken(`${box.name}, told of ${input.type}: ${thrown.message}`);
    }
    this.#arm(life);
  }

  #countSteps(life: Life): void {
    if (life.lastStepAt !== this.now) life.stepsAtOneTime = 0;
    life.lastStepAt = this.now;
    if (life.stepsAtOneTime++ > STEPS_AT_ONE_TIME) throw new InvariantBroken(`${life.box.name}: time does not go on`);
  }

  #perform(life: Life, effect: BoxEffect): void {
    this.trace.note(this.now, life.box.name, "out", effect);
    for (const observer of this.observers) observer.effect?.(life, effect);
    switch (effect.type) {
      case "dial":
        return this.network.dial(life, effect.dial, effect.address);
      case "link-send":
        if (life.closedUnheard.has(effect.link)) return;
        return this.network.send(life, effect.link, effect.message);
      case "link-close":
        return this.network.close(life, effect.link, effect.reason);
      case "persist":
        return life.box.disk.persist(effect);
      case "members-changed":
        life.box.members = effect.members;
        return;
      case "phase-changed":
        return this.#enter(life, effect.phase);
      case "send":
        return this.network.sendDatagram(life.box.sip, life.place, effect.flow.remote, effect.octets);
      case "connect":
        return this.#connect(life, effect);
      case "resolve":
        return this.queue.after(5, () => this.#receive(life, { type: "resolved", ticket: effect.ticket, targets: [] }));
      default:
    }
  }

  #connect(life: Life, effect: Extract<SipEffect, { type: "connect" }>): void {
    if (effect.transport === "udp") this.network.sendDatagram(life.box.sip, life.place, effect.remote, effect.octets);
    else this.queue.after(1, () => this.#receive(life, { type: "transport-error", ticket: effect.ticket }));
  }

  #enter(life: Life, phase: Phase): void {
    life.phase = phase;
    if (phase === "left") life.leftInStep = this.steps;
    if (phase === "serving") life.box.mayStandAlone = true;
    if (phase === "left") this.queue.after(EXIT_TAKES, () => (life.box.life === life ? this.#end(life.box, "left") : undefined));
  }

  #arm(life: Life): void {
    const deadline = life.machine.nextDeadline();
    if (deadline === undefined) return;
    const wanted = Math.max(deadline - life.offset, this.now);
    if (life.wakeAt !== undefined && life.wakeAt <= wanted) return;
    life.wakeAt = wanted;
    this.queue.at(wanted, () => this.#wake(life, wanted));
  }

  #wake(life: Life, armedFor: number): void {
    if (life.box.life !== life || life.wakeAt !== armedFor) return;
    life.wakeAt = undefined;
    const deadline = life.machine.nextDeadline();
    if (deadline !== undefined && deadline - life.offset <= this.now) this.#receive(life, { type: "tick" });
    else this.#arm(life);
  }
}
