// What befalls the boxes of a run: deaths, cuts, full disks, wrong clocks, newcomers, leavers. All of it
// comes from the seed, and all of it within what the ring promises to survive: a death is followed by
// another one only when the copies have had their time, two at once are followed by a long rest.

import type { Box, World } from "../support/world.ts";

/** How often each thing happens, relative to the others. */
export interface FaultMix {
  readonly kill: number;
  readonly power: number;
  readonly twoAtOnce: number;
  readonly replace: number;
  readonly leave: number;
  readonly partition: number;
  readonly stall: number;
  readonly diskFull: number;
  readonly clock: number;
  readonly allAtOnce: number;
}

export type FaultKind = keyof FaultMix;

export const NO_FAULTS: FaultMix = {
  kill: 0, power: 0, twoAtOnce: 0, replace: 0, leave: 0, partition: 0, stall: 0, diskFull: 0, clock: 0, allAtOnce: 0,
};

export const FAULT_MIXES = {
  calm: NO_FAULTS,
  churn: { ...NO_FAULTS, kill: 4, power: 2, twoAtOnce: 1, replace: 3, leave: 3, stall: 3, clock: 1, diskFull: 1 },
  partition: { ...NO_FAULTS, partition: 5, stall: 3 },
  clocks: { ...NO_FAULTS, clock: 5, kill: 1, stall: 1 },
  "registration-storm": { ...NO_FAULTS, kill: 4, power: 2, twoAtOnce: 1, replace: 3, leave: 3, stall: 3 },
  "power-cut": { ...NO_FAULTS, power: 5, twoAtOnce: 2, allAtOnce: 1, diskFull: 1 },
} as const satisfies Record<string, FaultMix>;

export interface WeatherSettings {
  readonly mix: FaultMix;
  /** Mean time between faults, milliseconds. */
  readonly mean: number;
}

/** A death and the copies it costs have this long before the next. */
const REST = 15_000;
/** Two at once leave one copy; three again within 30 seconds is what the ring says. */
const LONG_REST = 45_000;
const LEAST_RUNNING = 3;
/** Two years: whatever the wall clock of one box says, the ring goes by its own time. */
const LARGEST_JUMP = 2 * 365 * 86_400_000;
/** Every other jump is a small one, as when a clock is set by the network. */
const SMALL_JUMP = 140_000;
/** A box that was asked to leave has handed everything over after this. */
const LEAVE_TAKES = 15_000;

export class Weather {
  readonly counts: Record<FaultKind, number> = { ...NO_FAULTS };
  /** Boxes started after their first start, and blank ones put in. */
  joins = 0;
  /** When something last went wrong or right again. */
  lastChangeAt = 0;
  /** Writes acknowledged in the 5 seconds before a time in this list may be lost: two boxes died at once. */
  readonly excuses: number[] = [];
  /** When all boxes lost their power at once: what was in memory only may be lost. */
  readonly disasters: number[] = [];
  #active = false;
  /** Rises when the weather clears: what was to happen later in the spell then does not. */
  #spell = 0;
  #restUntil = 0;
  #partitioned = false;
  readonly #stalled: Set<string> = new Set();
  readonly #leaving = new Set<Box>();
  readonly #full = new Set<Box>();
  readonly #world: World;
  readonly #settings: WeatherSettings;
  readonly #random;

  constructor(world: World, settings: WeatherSettings) {
    this.#world = world;
    this.#settings = settings;
    this.#random = world.random.fork("weather");
  }

  begin(): void {
    if (this.#active) return;
    this.#active = true;
    this.#schedule();
  }

  /** Ends all trouble: paths heal, disks have room, every box runs. */
  clear(): void {
    this.#active = false;
    this.#spell++;
    this.#changed();
    this.#partitioned = false;
    this.#stalled.clear();
    this.#full.clear();
    this.#world.network.heal();
    for (const box of this.#world.boxes) {
      box.disk.full = false;
      if (box.wallOffset !== 0 && box.life !== undefined) this.#world.setClock(box, 0);
      box.wallOffset = 0;
    }
    this.#startAll();
    this.#later(LEAVE_TAKES, () => {
      this.#leaving.clear();
      this.#startAll();
    });
  }

  #startAll(): void {
    for (const box of this.#world.boxes) this.start(box);
  }

  /** Nothing has changed for `duration`, and nothing is broken now. */
  isCalm(duration: number): boolean {
    if (this.#partitioned || this.#stalled.size > 0 || this.#leaving.size > 0 || this.#full.size > 0) return false;
    return this.#world.now - this.lastChangeAt >= duration;
  }
  /** How far the ring's time may be from true time, and what is stamped by it: milliseconds. */
  get largestSkew(): number {
    return 5_000;
  }
  get isPartitioned(): boolean {
    return this.#partitioned;
  }

  /** Starts a box with hints to a few others, as its ticket or its memory has them. */
  start(box: Box): void {
    if (box.life !== undefined) return;
    this.#changed();
    this.joins++;
    const others = this.#random.shuffle(this.#running()).slice(0, 3);
    this.#world.start(box, others.map(({ overlay }) => overlay));
  }

  #running(): Box[] {
    return this.#world.boxes.filter(({ life }) => life !== undefined);
  }
  /** Boxes in full service for a while, whose loss is within the promise. */
  #settled(): Box[] {
    const { now } = this.#world;
    return this.#running().filter(
      (box) => box.life?.phase === "serving" && now - box.life.startedAt > REST && !this.#leaving.has(box),
    );
  }
  #changed(): void {
    this.lastChangeAt = this.#world.now;
  }

  #schedule(): void {
    this.#world.queue.after(this.#random.exponential(this.#settings.mean), () => {
      if (!this.#active) return;
      this.#strike(this.#draw());
      this.#schedule();
    });
  }

  #draw(): FaultKind | undefined {
    const kinds = Object.entries(this.#settings.mix) as [FaultKind, number][];
    let left = this.#random.below(kinds.reduce((sum, [, weight]) => sum + weight, 0));
    for (const [kind, weight] of kinds) {
      if (left < weight) return kind;
      left -= weight;
    }
    return undefined;
  }

  #strike(kind: FaultKind | undefined): void {
    if (kind === undefined || this.#world.now < this.#restUntil || this.#partitioned) return;
    const settled = this.#settled();
    if (settled.length === 0) return;
    const box = this.#random.pick(settled);
    const spare = settled.length - LEAST_RUNNING;
    const needed = kind === "twoAtOnce" ? 2 : ["kill", "power", "replace", "leave"].includes(kind) ? 1 : 0;
    if (spare < needed) return;
    this.counts[kind]++;
    // A wall clock that jumps is no excuse for anything.
    if (kind !== "clock") this.#changed();
    this.#befall(kind, box, settled);
  }

  #befall(kind: FaultKind, box: Box, settled: readonly Box[]): void {
    const random = this.#random;
    switch (kind) {
      case "kill":
        this.#rest(REST);
        this.#world.kill(box);
        return this.#startLater(box, random.between(500, 60_000));
      case "power":
        this.#rest(REST);
        this.#world.cutPower(box);
        return this.#startLater(box, random.between(5_000, 600_000));
      case "twoAtOnce":
        return this.#killTwo(settled);
      case "replace":
        this.#rest(REST);
        if (random.chance(0.5)) this.#world.kill(box);
        else this.#world.cutPower(box);
        return this.#later(random.between(20_000, 300_000), () => {
          if (box.life === undefined) this.#world.replace(box);
          this.start(box);
        });
      case "leave":
        return this.#leave(box);
      case "partition":
        return this.#cutInTwo();
      case "stall":
        return this.#stall(box, settled);
      case "diskFull":
        box.disk.full = true;
        this.#full.add(box);
        return this.#later(random.between(10_000, 300_000), () => {
          this.#full.delete(box);
          box.disk.full = false;
        });
      case "clock":
        return this.#setClock(box, random.chance(0.5) ? LARGEST_JUMP : SMALL_JUMP);
      case "allAtOnce":
        return this.#killAll();
    }
  }

  #setClock(box: Box, largest: number): void {
    this.#world.setClock(box, this.#random.between(-largest, largest));
  }

  #rest(duration: number): void {
    this.#restUntil = this.#world.now + duration;
  }
  #later(delay: number, action: () => void): void {
    const spell = this.#spell;
    this.#world.queue.after(delay, () => {
      if (this.#spell !== spell) return;
      this.#changed();
      action();
    });
  }
  #startLater(box: Box, delay: number): void {
    this.#later(delay, () => this.start(box));
  }

  /** Ring neighbors, most of the time: that is where it hurts. */
  #killTwo(settled: readonly Box[]): void {
    this.#rest(LONG_REST);
    this.excuses.push(this.#world.now);
    const ring = [...settled].sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
    const at = this.#random.below(ring.length);
    const step = this.#random.chance(0.7) ? 1 : 1 + this.#random.below(ring.length - 1);
    const power = this.#random.chance(0.4);
    for (const box of [ring[at], ring[(at + step) % ring.length]]) {
      if (box === undefined) continue;
      if (power) this.#world.cutPower(box);
      else this.#world.kill(box);
      this.#startLater(box, this.#random.between(1_000, 120_000));
    }
  }

  #killAll(): void {
    this.#rest(LONG_REST);
    this.disasters.push(this.#world.now);
    for (const box of this.#running()) {
      this.#world.cutPower(box);
      this.#startLater(box, this.#random.between(1_000, 10_000));
    }
  }

  #leave(box: Box): void {
    this.#rest(REST);
    this.#leaving.add(box);
    this.#world.leave(box);
    this.#later(this.#random.between(60_000, 600_000), () => {
      this.#leaving.delete(box);
      if (box.life === undefined && this.#random.chance(0.3)) this.#world.replace(box);
      this.start(box);
    });
  }

  #cutInTwo(): void {
    const share = 0.2 + this.#random.fraction() * 0.6;
    this.#partitioned = true;
    this.#world.network.partition(this.#world.boxes.map(() => (this.#random.chance(share) ? 1 : 0)));
    this.#later(this.#random.between(5_000, 180_000), () => {
      if (!this.#partitioned) return;
      this.#partitioned = false;
      this.#rest(LONG_REST);
      this.#world.network.heal();
    });
  }

  /** One path, one way or both, is dead for some seconds. */
  #stall(box: Box, settled: readonly Box[]): void {
    const other = this.#random.pick(settled);
    if (other === box) return;
    const bothWays = this.#random.chance(0.5);
    const name = `${box.name} ${other.name}`;
    this.#stalled.add(name);
    this.#world.network.cut(box.place, other.place);
    if (bothWays) this.#world.network.cut(other.place, box.place);
    this.#later(this.#random.between(500, 20_000), () => {
      if (!this.#stalled.delete(name)) return;
      this.#world.network.mend(box.place, other.place);
      this.#world.network.mend(other.place, box.place);
    });
  }
}
