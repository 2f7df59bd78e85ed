// A fleet that is brought to another version, in memory: cores of the roll-out with slots, restarts and boot loaders played
// beside them, and a clock that only the test moves. What happens is decided by one seed.

import assert from "node:assert/strict";
import { instant, minutes, seconds } from "../../src/base/time.ts";
import { SlotBook } from "../../src/health/slots.ts";
import { type BoxUpdate, RollOut, type RollOutInput, type RollOutRecord, type RunningSlot, type Wish } from "../../src/provision/roll-out.ts";
import { isOut, type Stage } from "../../src/provision/roll-out-stages.ts";
import { compareVersions } from "../../src/provision/version.ts";
import { SeededRandom } from "./seeded-random.ts";

export const OLD = "1.0.0";
export const NEW = "1.1.0";
/** Boxes that share replicas with one stand so far from it. */
const NEAR = 2;
const STEP = 1_000;
const TRIES = 3;

export interface World {
  readonly boxes: number;
  readonly seed: number;
  /** Boxes on which the new version does not prove itself: none, all, or those that a fraction of luck picks. */
  readonly poisoned: number;
  /** Chance in a second that some box dies for good. */
  readonly deaths: number;
  /** Chance in a second that some box's agent ends and begins anew: it has forgotten to whom it gave leave. */
  readonly crashes: number;
  /** Chance that a word to another box is lost. */
  readonly loss: number;
}

interface Machine {
  readonly nodeId: string;
  core: RollOut;
  slots: SlotBook;
  record: RollOutRecord | undefined;
  version: string;
  good: boolean;
  boot: number;
  tries: number;
  /** In the other slot, to be tried at the next start. */
  other: string | undefined;
  alive: boolean;
  /** Off until then: it starts. */
  offUntil: number;
  fetching: boolean;
  /** What its agent has of the others, by Node-ID: a later card has a higher count. */
  cards: Map<string, { readonly count: number; readonly update: BoxUpdate }>;
  readonly isPoisoned: boolean;
}

export class RollOutWorld {
  readonly machines: Machine[] = [];
  readonly #world: World;
  readonly #random: SeededRandom;
  now = 0;
  #count = 0;
  /** Boxes that began to run the new version and fell back. */
  readonly fellBack = new Set<string>();
  /** Once a box has failed: who began only then. */
  readonly beganAfterStop: string[] = [];
  stoppedAt: number | undefined;

  constructor(world: World) {
    this.#world = world;
    this.#random = new SeededRandom(world.seed);
    for (let index = 0; index < world.boxes; index += 1) this.add(OLD);
  }

  add(version: string): Machine {
    const nodeId = Array.from({ length: 32 }, () => this.#below(16).toString(16)).join("");
    const machine: Machine = {
      nodeId, core: new RollOut(), slots: new SlotBook(), record: undefined, version, good: true, boot: 1, tries: 0, other: undefined,
      alive: true, offUntil: 0, fetching: false, cards: new Map(), isPoisoned: this.#chance(this.#world.poisoned),
    };
    this.machines.push(machine);
    this.#begin(machine);
    return machine;
  }

  /** Says it at one box, which has the bundle. */
  order(at = this.machines[0]): Wish {
    assert(at !== undefined);
    const wish: Wish = { id: "ab".repeat(32), version: NEW, architecture: "x86-64", bytes: 1_000_000, by: at.nodeId, at: this.now + 1, stopped: null };
    at.record = { wish: null, stage: "idle", detail: "", boot: String(at.boot), has: true };
    this.#input(at, { type: "wish", wish });
    this.#input(at, { type: "fetched" });
    return wish;
  }

  stage(machine: Machine): Stage {
    return machine.core.own.stage;
  }

  runFor(length: number): void {
    for (const end = this.now + length; this.now < end; ) this.#second();
  }

  #second(): void {
    this.now += STEP;
    if (this.#chance(this.#world.deaths)) this.#dies();
    if (this.#chance(this.#world.crashes)) this.#crashes();
    const serving = this.machines.filter(({ alive, offUntil }) => alive && offUntil <= this.now);
    for (const machine of this.machines) if (machine.alive && machine.offUntil > 0 && machine.offUntil <= this.now) this.#boots(machine);
    for (const machine of serving) {
      if (!machine.alive || machine.offUntil > this.now) continue;
      const others = serving.filter(({ nodeId, alive }) => alive && nodeId !== machine.nodeId).map(({ nodeId }) => nodeId);
      this.#input(machine, { type: "ring", self: machine.nodeId, others });
      if (machine.fetching && machine.core.sources.length > 0 && this.#chance(0.2)) this.#input(machine, { type: "fetched" });
      if (this.stage(machine) === "proving") this.#proves(machine);
      const told = serving[this.#below(serving.length)];
      if (told !== undefined) this.#tell(machine, told);
      this.#input(machine, { type: "tick" });
    }
    this.#check();
  }

  /** Its own card goes, and those of all others that it has. */
  #tell(from: Machine, to: Machine): void {
    if (from === to || !to.alive || to.offUntil > this.now || this.#chance(this.#world.loss)) return;
    this.#count += 1;
    from.cards.set(from.nodeId, { count: this.#count, update: from.core.own });
    for (const [nodeId, card] of [...from.cards]) {
      if (nodeId === to.nodeId || (to.cards.get(nodeId)?.count ?? 0) >= card.count) continue;
      to.cards.set(nodeId, card);
      this.#input(to, { type: "heard", from: nodeId, update: card.update });
    }
  }

  #input(machine: Machine, input: RollOutInput): void {
    const before = this.stage(machine);
    const queue: RollOutInput[] = [input];
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      for (const effect of machine.core.step(instant(this.now), next)) {
        switch (effect.type) {
          case "keep":
            machine.record = effect.record;
            if (effect.record.wish?.stopped != null) this.stoppedAt ??= this.now;
            break;
          case "fetch":
            machine.fetching = true;
            break;
          case "stop-fetching":
            machine.fetching = false;
            break;
          case "ask-slot":
            queue.push({ type: "slot", granted: this.#askSlot(machine), why: "" });
            break;
          case "give-slot-back":
            for (const near of [machine, ...this.#near(machine)]) near.slots.giveBack(machine.nodeId);
            break;
          case "write":
            assert(machine.good, "the running version is good before its other slot is written");
            machine.other = effect.wish.version;
            queue.push({ type: "written", fault: undefined });
            break;
          case "drain":
            queue.push({ type: "drained" });
            break;
          case "tell":
            for (const near of this.#near(machine)) this.#tell(machine, near);
            break;
          case "restart":
            machine.offUntil = this.now + 30_000 + this.#below(60_000);
            queue.length = 0;
            break;
          case "say":
            break;
        }
      }
    }
    if (this.stoppedAt !== undefined && this.stoppedAt < this.now && this.stage(machine) === "writing" && before !== "writing" && machine.core.own.wish?.stopped !== null) this.beganAfterStop.push(machine.nodeId);
  }

  #askSlot(machine: Machine): boolean {
    const asked = [machine, ...this.#near(machine)];
    // Who is out itself gives no leave, whatever it has forgotten.
    const granted = asked.every((near) => near === machine || !isOut(this.stage(near))) && asked.every(({ alive, offUntil, slots }) => alive && offUntil <= this.now && slots.ask(instant(this.now), machine.nodeId, minutes(30)));
    if (!granted) for (const near of asked) near.slots.giveBack(machine.nodeId);
    return granted;
  }

  /** The nearest boxes of the ring as it is now. */
  #near(machine: Machine): Machine[] {
    const ring = this.machines.filter(({ alive, offUntil }) => alive && offUntil <= this.now).toSorted((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
    const others = ring.filter((other) => other !== machine);
    const at = others.filter(({ nodeId }) => nodeId < machine.nodeId).length;
    const turned = [...others.slice(at), ...others.slice(0, at)];
    return [...new Set([...turned.slice(0, NEAR), ...turned.slice(-NEAR)])];
  }

  #begin(machine: Machine): void {
    machine.core = new RollOut();
    machine.fetching = false;
    machine.cards = new Map();
    const slot: RunningSlot = { version: machine.version, architecture: "x86-64", boot: String(machine.boot), good: machine.good, floor: "0.0.0" };
    this.#input(machine, { type: "begin", self: machine.nodeId, slot, record: machine.record });
  }

  #boots(machine: Machine): void {
    machine.offUntil = 0;
    machine.boot += 1;
    if (machine.other !== undefined && machine.tries < TRIES) {
      machine.tries += 1;
      machine.version = machine.other;
      machine.good = false;
    } else if (machine.other !== undefined) {
      machine.other = undefined;
      machine.version = OLD;
      machine.good = true;
      this.fellBack.add(machine.nodeId);
    }
    this.#begin(machine);
  }

  #proves(machine: Machine): void {
    if (machine.isPoisoned) {
      if (this.#chance(0.02)) machine.offUntil = this.now + seconds(40); // its proof did not come in time
      return;
    }
    if (!this.#chance(0.1)) return;
    machine.good = true;
    machine.other = undefined;
    machine.tries = 0;
    this.#input(machine, { type: "marked-good" });
  }

  #crashes(): void {
    const machine = this.machines[this.#below(this.machines.length)];
    if (machine === undefined || !machine.alive || machine.offUntil > 0) return;
    machine.slots = new SlotBook();
    this.#begin(machine);
  }

  #dies(): void {
    const alive = this.machines.filter((machine) => machine.alive);
    const dead = alive[this.#below(alive.length)];
    if (dead !== undefined && alive.length > 2) dead.alive = false;
  }

  /** Of boxes that share replicas at most one is away by the roll-out. Who dies brings others together that stood apart. */
  #check(): void {
    if (this.#world.deaths > 0) return;
    const ring = this.machines.toSorted((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
    const away = ring.flatMap((machine, index) => (isOut(this.stage(machine)) || machine.offUntil > this.now ? [index] : []));
    for (const one of away) {
      for (const other of away) {
        const apart = Math.min((one - other + ring.length) % ring.length, (other - one + ring.length) % ring.length);
        assert(one === other || apart > NEAR, `seed ${this.#world.seed}: two boxes that share replicas are away at ${this.now / 1_000} s`);
      }
    }
  }

  get done(): boolean {
    return this.machines.every(({ alive, version, good }) => !alive || (compareVersions(version, NEW) === 0 && good));
  }

  #below(limit: number): number {
    return this.#random.below(limit);
  }
  #chance(of: number): boolean {
    return this.#random.below(1_000_000) < of * 1_000_000;
  }
}
