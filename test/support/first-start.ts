// Blank boxes with one fleet ticket that are switched on at about the same time, with nobody there before
// them: the production admission machine and the production box, on the world's clock and network, with multicast
// that loses packets.

import { type Address, formatAddress } from "../../src/base/address.ts";
import { instant } from "../../src/base/time.ts";
import { Admission, type AdmissionEffect, type AdmissionInput, type Announcement } from "../../src/provision/admission.ts";
import { openWorld } from "./open-boxes.ts";
import { SeededRandom } from "./seeded-random.ts";
import type { Box, World } from "./world.ts";

const FLEET = "f";
/** Between two questions of everybody, and how long somebody counts who is not heard (io/mdns.ts). */
const QUERY = 5_000;
const LIFETIME = 22_000;

export interface FirstStart {
  readonly seed: number;
  readonly boxes: number;
  /** The last box is switched on at most so long after the first, ms. */
  readonly spread: number;
  /** Of multicast packets, 0 to 1; 1: no multicast at all. */
  readonly multicastLoss: number;
  /** Whether each knows the others' addresses. */
  readonly hints: boolean;
}

export interface FirstStartOutcome {
  /** How many boxes founded a fleet of their own. */
  readonly founders: number;
  /** Instants (ms) of the world: when all were one ring; `undefined`: never. */
  readonly oneRingAt: number | undefined;
  readonly lastStartAt: number;
}

/** A box on its way: its announcement, and whoever hears for it. */
interface Station {
  readonly box: Box;
  announcement: Announcement | undefined;
  readonly lastHeard: Map<string, { at: number; announcement: Announcement }>;
  hear: (address: Address, announcement: Announcement) => void;
  unhear: (instance: string) => void;
}

export function firstStart(settings: FirstStart): FirstStartOutcome {
  const { world } = openWorld(settings.seed);
  const random = new SeededRandom(settings.seed, "first start");
  const stations: Station[] = [];
  let founders = 0;
  let lastStartAt = 0;
  for (let i = 0; i < settings.boxes; i++) {
    const box = world.addBox();
    box.mayStandAlone = false;
    stations.push({ box, announcement: undefined, lastHeard: new Map(), hear: () => {}, unhear: () => {} });
  }
  const air = new Air(world, random, stations, settings.multicastLoss);
  for (const station of stations) {
    const startsAt = random.below(settings.spread + 1);
    lastStartAt = Math.max(lastStartAt, startsAt);
    const hints = settings.hints ? stations.filter((other) => other !== station).map(({ box }) => box.overlay) : [];
    world.queue.after(startsAt, () => new BlankBox(world, random, air, station, hints, settings.multicastLoss < 1, () => founders++).start());
  }
  let oneRingAt: number | undefined;
  while (oneRingAt === undefined && world.now < lastStartAt + 120_000) {
    world.run(100);
    if (isOneRing(stations)) oneRingAt = world.now;
  }
  return { founders, oneRingAt, lastStartAt };
}

const isOneRing = (stations: readonly Station[]): boolean =>
  stations.every(({ box }) => {
    const members = box.life?.machine.snapshot?.().members.filter(({ state }) => state === "serving").length;
    return box.life?.phase === "serving" && members === stations.length - 1;
  });

class Air {
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #stations: readonly Station[];
  readonly #loss: number;

  constructor(world: World, random: SeededRandom, stations: readonly Station[], loss: number) {
    this.#world = world;
    this.#random = random;
    this.#stations = stations;
    this.#loss = loss;
    this.#ask();
  }

  /** What a box announces from now on; `undefined` is a goodbye. */
  announce(station: Station, announcement: Announcement | undefined): void {
    const former = station.announcement;
    station.announcement = announcement;
    if (former !== undefined) this.#toOthers(station, (other) => this.#forget(other, station));
    if (announcement !== undefined) for (const delay of [0, 1_000]) this.#world.queue.after(delay, () => this.#say(station));
    if (announcement !== undefined) this.#world.queue.after(this.#random.below(100), () => this.#answers());
  }

  #ask(): void {
    this.#answers();
    for (const station of this.#stations) {
      for (const [address, { at }] of station.lastHeard) {
        const from = this.#stations.find(({ box }) => formatAddress(box.overlay) === address);
        if (at + LIFETIME < this.#world.now && from !== undefined) this.#forget(station, from);
      }
    }
    this.#world.queue.after(QUERY, () => this.#ask());
  }

  #answers(): void {
    for (const station of this.#stations) this.#world.queue.after(20 + this.#random.below(100), () => this.#say(station));
  }

  #say(station: Station): void {
    const { announcement } = station;
    if (announcement === undefined) return;
    this.#toOthers(station, (other) => {
      const key = formatAddress(station.box.overlay);
      const known = other.lastHeard.get(key)?.announcement;
      other.lastHeard.set(key, { at: this.#world.now, announcement });
      if (known?.instance !== announcement.instance || known.state !== announcement.state) other.hear(station.box.overlay, announcement);
    });
  }

  #forget(station: Station, gone: Station): void {
    const key = formatAddress(gone.box.overlay);
    const known = station.lastHeard.get(key);
    station.lastHeard.delete(key);
    if (known !== undefined) station.unhear(known.announcement.instance);
  }

  #toOthers(station: Station, act: (other: Station) => void): void {
    for (const other of this.#stations) {
      if (other === station || this.#random.fraction() < this.#loss) continue;
      this.#world.queue.after(1 + this.#random.below(20), () => act(other));
    }
  }
}

/** What io/admission-desk.ts and io/running-box.ts do, in the world. */
class BlankBox {
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #air: Air;
  readonly #station: Station;
  readonly #hints: readonly Address[];
  readonly #founded: () => void;
  readonly #instance: string;
  readonly #admission: Admission;
  readonly #startedAt: number;

  constructor(world: World, random: SeededRandom, air: Air, station: Station, hints: readonly Address[], listening: boolean, founded: () => void) {
    this.#world = world;
    this.#random = random;
    this.#air = air;
    this.#station = station;
    this.#hints = hints;
    this.#founded = founded;
    this.#startedAt = world.now;
    this.#instance = Array.from({ length: 16 }, () => random.below(16).toString(16)).join("");
    this.#admission = new Admission({ ticket: "fleet", fleetHash: FLEET, instance: this.#instance, listening, random: random.fork(station.box.name) });
  }

  start(): void {
    this.#station.lastHeard.clear(); // nothing was heard before it was switched on
    this.#station.hear = (address, announcement) => this.#take({ type: "heard", address, announcement });
    this.#station.unhear = (instance) => this.#take({ type: "unheard", instance });
    this.#air.announce(this.#station, { fleetHash: FLEET, state: "blank", instance: this.#instance });
    for (const address of this.#hints) this.#take({ type: "hint", address });
    this.#take({ type: "start" });
  }

  #take(input: AdmissionInput): void {
    if (this.#admission.phase === "enrolled") return;
    for (const effect of this.#admission.step(instant(this.#world.now - this.#startedAt), input)) this.#perform(effect);
    const deadline = this.#admission.nextDeadline();
    if (deadline !== undefined) this.#world.queue.at(this.#startedAt + deadline, () => this.#tick());
  }

  #tick(): void {
    const deadline = this.#admission.nextDeadline();
    if (deadline !== undefined && this.#startedAt + deadline <= this.#world.now) this.#take({ type: "tick" });
  }

  #perform(effect: AdmissionEffect): void {
    if (effect.type === "found") this.#after(200, () => this.#enrolled({ type: "founded" }, []));
    else if (effect.type === "enroll") this.#after(60, () => this.#enroll(effect.address));
  }

  #enroll(address: Address): void {
    const member = this.#world.boxes.find((box) => formatAddress(box.overlay) === formatAddress(address));
    if (member?.life === undefined) return this.#take({ type: "unreachable", address, reason: "nothing listens there" });
    this.#after(60, () => this.#enrolled({ type: "granted", address }, [address]));
  }

  #enrolled(input: AdmissionInput, by: readonly Address[]): void {
    if (this.#admission.phase === "enrolled") return;
    this.#take(input);
    const { box } = this.#station;
    if (input.type === "founded") {
      box.mayStandAlone = true;
      this.#founded();
    }
    this.#air.announce(this.#station, undefined);
    this.#after(300, () => this.#run([...by, ...this.#hints]));
  }

  #run(hints: readonly Address[]): void {
    const { box } = this.#station;
    const waiting = { fleetHash: FLEET, state: "blank", instance: `00000000${box.nodeId.slice(0, 8)}` } as const;
    const serving = { fleetHash: FLEET, state: "serving", instance: box.nodeId.slice(0, 16) } as const;
    this.#station.lastHeard.clear();
    this.#station.unhear = () => {};
    this.#station.hear = (address, announcement) => {
      if (announcement.state === "serving") this.#world.input(box, { type: "candidate", address, source: "mdns" });
    };
    this.#world.observers.push({
      effect: (life, effect) => {
        if (life.box !== box || effect.type !== "phase-changed") return;
        this.#air.announce(this.#station, effect.phase === "serving" ? serving : waiting);
      },
    });
    this.#world.start(box, hints);
    this.#air.announce(this.#station, waiting);
  }

  /** Half of it to one and a half times. */
  #after(milliseconds: number, act: () => void): void {
    this.#world.queue.after(milliseconds / 2 + this.#random.below(milliseconds), act);
  }
}
