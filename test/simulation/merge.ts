// Five boxes; the network is cut 3|2 for ten minutes, then shuffled through random cuts, with writes on all sides. After
// each heal: one ring, equal copies, and of all that was acknowledged nothing lost, nothing undone, every conflict shown.

import { fromOctets, toHex } from "../../src/base/bytes.ts";
import type { ControlReply, ControlRequest } from "../../src/peer/control.ts";
import { Phone } from "./phone.ts";
import { requireWholeRing, snapshotOf } from "./invariants.ts";
import { peerSetting } from "./settings.ts";
import { KEPT_CERTIFICATE } from "../../src/overlay/storage/kept-certificates.ts";
import { SimulatedCrypto } from "../support/simulated-crypto.ts";
import { statusOf } from "../support/sip-text.ts";
import { type Box, type BoxEffect, InvariantBroken, type Life, type Observer, World } from "../support/world.ts";
import { REMOVED, Versions } from "./versions.ts";

export interface MergeSettings {
  readonly seed: number;
  readonly boxes: number;
  /** Random cuts after the first one. */
  readonly cuts: number;
  /** Of packets, 0 to 1. */
  readonly loss: number;
  /** How far the clocks of boxes jump now and then, milliseconds either way. */
  readonly clockJump: number;
}

export interface MergeOutcome {
  readonly hash: string;
  readonly writes: number;
  readonly acknowledged: number;
  readonly conflicts: number;
  readonly settled: number;
  readonly registrations: number;
  /** Longest of all heals, seconds of virtual time. */
  readonly ringSeconds: number;
  readonly equalSeconds: number;
}

const DOMAIN = "fleet.example";
const FIRST_CUT = 600_000;
const RING_WITHIN = 30_000;
const EQUAL_WITHIN = 60_000;
const NAMES = 8;
const PHONES = 6;
const EXPIRES = 3_600;
const ANSWER_TIME = 10_000;
const WRITE_MEAN = 3_000;
const LOOK_EVERY = 500;

interface Desk {
  readonly phone: Phone;
  /** The box that last said 200, and whether something else was tried since. */
  holder: Box | undefined;
  /** All that said 200 since the ring was one: a refresh that is not stored does not overtake what the other side wrote. */
  readonly holders: Set<string>;
  isSure: boolean;
  busy: boolean;
}

type Answers = Record<"subscribers" | "conflicts" | "registrations", (ControlReply & { ok: true }) | undefined>;

class Merge implements Observer {
  readonly #world: World;
  readonly #settings: MergeSettings;
  readonly #random;
  readonly #crypto = new SimulatedCrypto(new Uint8Array(32));
  readonly #versions = new Versions();
  readonly #replies = new Map<number, (reply: ControlReply) => void>();
  readonly #busy = new Set<string>();
  readonly #desks: Desk[] = [];
  #groups: readonly (readonly Box[])[] = [];
  #writing = false;
  #ticket = 0;
  #serial = 0;
  readonly counts = { writes: 0, acknowledged: 0, conflicts: 0, settled: 0, registrations: 0 };
  ringSeconds = 0;
  equalSeconds = 0;

  constructor(world: World, settings: MergeSettings) {
    this.#world = world;
    this.#settings = settings;
    this.#random = world.random.fork("merge");
  }

  run(): void {
    this.#rackUp();
    const [first, ...others] = this.#world.boxes;
    if (first === undefined) return;
    const shuffled = this.#random.shuffle([first, ...others]);
    this.#cut([shuffled.slice(0, 3), shuffled.slice(3)], FIRST_CUT);
    for (let i = 0; i < this.#settings.cuts; i++) this.#cut(this.#someGroups(), this.#random.between(20_000, 90_000));
  }

  #rackUp(): void {
    const { boxes: count } = this.#settings;
    for (let i = 0; i < count; i++) {
      const box = this.#world.addBox();
      this.#world.start(box, this.#world.boxes.slice(0, 1).filter((other) => other !== box).map(({ overlay }) => overlay));
      this.#world.run(2_000);
    }
    this.#world.run(60_000);
    requireWholeRing(this.#world);
    this.#groups = [this.#world.boxes];
    for (let i = 0; i < PHONES; i++) this.#makeDesk(`p${i}`, i % count);
    for (let i = 0; i < NAMES; i++) this.#add(`n${i}`, this.#anyBox());
    this.#world.run(20_000);
    for (const desk of this.#desks) this.#register(desk);
    this.#world.run(40_000);
  }

  #makeDesk(user: string, place: number): void {
    const account = { user, domain: DOMAIN, password: `secret ${user}` };
    this.#desks.push({ phone: new Phone(this.#world, this.#crypto, account, place, { host: `10.9.0.${this.#desks.length}`, port: 5062 }), holder: undefined, holders: new Set(), isSure: false, busy: false });
    this.#add(user, this.#anyBox());
  }

  /** One to four groups of whatever boxes. */
  #someGroups(): readonly (readonly Box[])[] {
    const groups = new Map<number, Box[]>();
    const count = this.#random.between(2, 4);
    for (const box of this.#world.boxes) {
      const group = this.#random.below(count);
      groups.set(group, [...(groups.get(group) ?? []), box]);
    }
    return [...groups.values()];
  }

  #cut(groups: readonly (readonly Box[])[], duration: number): void {
    this.#versions.look(this.#world.boxes);
    this.#groups = groups;
    this.#world.network.partition(this.#world.boxes.map((box) => groups.findIndex((group) => group.includes(box))));
    this.#writing = true;
    this.#write();
    this.#world.run(duration);
    // What is under way when the network heals may come from either side; what is begun then need not be judged.
    this.#writing = false;
    if (this.#random.chance(0.5)) this.#world.run(ANSWER_TIME);
    this.#world.network.heal();
    this.#afterHeal();
  }

  #afterHeal(): void {
    const healedAt = this.#world.now;
    this.ringSeconds = Math.max(this.ringSeconds, this.#until(healedAt, RING_WITHIN, () => this.#requireOneRing()));
    this.equalSeconds = Math.max(this.equalSeconds, this.#until(healedAt, EQUAL_WITHIN, () => this.#requireEqual()));
    this.#groups = [this.#world.boxes];
    // What was under way at the heal has come to its end.
    this.#world.run(Math.max(0, healedAt + ANSWER_TIME - this.#world.now));
    this.#versions.look(this.#world.boxes);
    this.#lookBack();
    if (this.#random.chance(0.5)) this.#settleSome();
  }

  /** How long it took, seconds. Throws what the condition threw last if it takes longer. */
  #until(since: number, within: number, condition: () => void): number {
    for (;;) {
      try {
        condition();
        return (this.#world.now - since) / 1_000;
      } catch (thrown) {
        if (!(thrown instanceof InvariantBroken) || this.#world.now - since >= within) throw thrown;
      }
      this.#world.run(LOOK_EVERY);
    }
  }

  #requireOneRing(): void {
    for (const box of this.#world.boxes) {
      const seen = snapshotOf(box).members.filter(({ state }) => state === "serving").length + 1;
      if (seen !== this.#world.boxes.length) throw new InvariantBroken(`${box.name} sees ${seen} boxes`);
    }
  }

  /** What the boxes say of themselves, and what is on their disks. */
  #requireEqual(): void {
    requireWholeRing(this.#world);
    const ring = [...this.#world.boxes].sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
    const rows = new Map<string, Map<Box, string>>();
    for (const box of ring) {
      for (const row of box.disk.rows()) {
        // Each box keeps for itself the certificates of those whose values it holds: no part of the ring.
        if (row.kind === KEPT_CERTIFICATE.id) continue;
        const place = `${row.resource} ${row.kind} ${row.key}`;
        rows.set(place, (rows.get(place) ?? new Map<Box, string>()).set(box, toHex(row.stored)));
      }
    }
    for (const [place, copies] of rows) {
      const owner = Math.max(0, ring.findIndex(({ nodeId }) => nodeId >= place.slice(0, 32)));
      const holders = [0, 1, 2].map((step) => ring[(owner + step) % ring.length]).filter((box) => box !== undefined);
      const bytes = new Set(holders.map((box) => copies.get(box)));
      if (bytes.size !== 1) throw new InvariantBroken(`the disks of ${holders.map(({ name }) => name).join()} differ at ${place}`);
    }
  }

  // --- writes -------------------------------------------------------------------------------

  #write(): void {
    this.#world.queue.after(this.#random.exponential(WRITE_MEAN), () => {
      if (!this.#writing) return;
      this.#writeOne();
      this.#write();
    });
  }

  #writeOne(): void {
    const box = this.#anyBox();
    const name = `n${this.#random.below(NAMES)}`;
    const luck = this.#random.fraction();
    if (luck < 0.5) this.#add(name, box);
    else if (luck < 0.65) this.#remove(name, box);
    else if (luck < 0.95) this.#register(this.#random.pick(this.#desks));
    else if (this.#settings.clockJump > 0) this.#world.setClock(box, this.#random.between(-this.#settings.clockJump, this.#settings.clockJump));
  }

  #anyBox(): Box {
    return this.#random.pick(this.#world.boxes);
  }
  #groupOf(box: Box): readonly Box[] {
    return this.#groups.find((group) => group.includes(box)) ?? [box];
  }
  #resourceOf(username: string): string {
    return toHex(this.#crypto.sha1(fromOctets(`${username}@${DOMAIN}`)).subarray(0, 16));
  }

  #add(username: string, box: Box): void {
    const displayName = `v${this.#serial++}`;
    const a1 = `${username}:${DOMAIN}:secret ${username}`;
    const subscriber = { username, realm: DOMAIN, displayName, ha1Md5: this.#crypto.md5Hex(a1), ha1Sha256: this.#crypto.sha256Hex(a1) };
    this.#change(username, box, { op: "subscriber-add", subscriber, existing: "replace" }, displayName);
  }
  #remove(username: string, box: Box): void {
    this.#change(username, box, { op: "subscriber-remove", username }, REMOVED);
  }

  /** One at a time in each group: which of two that were under way together had seen the other is not ours to say. */
  #change(username: string, box: Box, request: ControlRequest, text: string): void {
    const group = this.#groupOf(box);
    const place = `${username} ${group.map(({ name }) => name).join()}`;
    if (this.#busy.has(place)) return;
    this.#busy.add(place);
    this.counts.writes++;
    const before = this.#versions.known(this.#resourceOf(username));
    this.#ask(box, request, (reply) => {
      this.#busy.delete(place);
      if (reply?.ok !== true) return;
      this.counts.acknowledged++;
      this.#versions.acknowledged(this.#resourceOf(username), text, before, this.#groups);
    });
  }

  #ask(box: Box, request: ControlRequest, answered: (reply: ControlReply | undefined) => void): void {
    const ticket = ++this.#ticket;
    this.#replies.set(ticket, answered);
    this.#world.queue.after(ANSWER_TIME, () => {
      if (this.#replies.delete(ticket)) throw new InvariantBroken(`${box.name} does not answer ${JSON.stringify(request)}`);
    });
    this.#world.input(box, { type: "control", ticket, request });
  }

  effect(_: Life, effect: BoxEffect): void {
    if (effect.type !== "replied") return;
    const answered = this.#replies.get(effect.ticket);
    this.#replies.delete(effect.ticket);
    answered?.(effect.reply as ControlReply);
  }

  #register(desk: Desk): void {
    const reachable = this.#world.boxes.filter(({ place }) => !this.#world.network.isCut(desk.phone.place, place));
    const box = this.#random.pick(reachable);
    if (desk.busy) return;
    desk.busy = true;
    desk.isSure = false;
    desk.phone.register(box.sip, EXPIRES, (response) => {
      // What was not answered well may still be under way, and the later one.
      this.#world.queue.after(response !== undefined && statusOf(response) === 200 ? 0 : ANSWER_TIME, () => (desk.busy = false));
      if (response === undefined || statusOf(response) !== 200) return;
      desk.holder = box;
      desk.holders.clear();
      desk.holders.add(box.nodeId);
      desk.isSure = true;
      this.counts.registrations++;
    });
  }

  // --- looking back -------------------------------------------------------------------------

  /** Every box shows the same, and it is what the log of the writes wants. */
  #lookBack(): void {
    const answers = this.#world.boxes.map((box) => this.#answersOf(box));
    this.#world.run(ANSWER_TIME);
    for (const name of ["subscribers", "conflicts", "registrations"] as const) {
      const [first, ...others] = answers.map((answer) => JSON.stringify(answer[name]));
      for (const other of others) if (other !== first) throw new InvariantBroken(`two boxes do not show the same: ${first} and ${other}`);
    }
    const [answer] = answers;
    if (answer?.subscribers?.op !== "subscriber-list" || answer.conflicts?.op !== "conflict-list" || answer.registrations?.op !== "registration-list") {
      throw new InvariantBroken(`a box does not say what it holds: ${JSON.stringify(answer)}`);
    }
    const { subscribers } = answer.subscribers;
    const { conflicts } = answer.conflicts;
    this.counts.conflicts += conflicts.length;
    for (let i = 0; i < NAMES; i++) {
      const username = `n${i}`;
      const listed = subscribers.find((one) => one.username === username)?.displayName;
      this.#versions.requireShown(this.#resourceOf(username), username, listed, conflicts.find((one) => one.username === username));
    }
    const bindings = new Map(answer.registrations.registrations.map(({ aor, bindings: found }) => [aor, found]));
    for (const { phone, holder, holders, isSure } of this.#desks) {
      const binding = bindings.get(phone.aor)?.find(({ contact }) => contact.includes(`${phone.address.host}:`));
      if (holder !== undefined && binding === undefined) throw new InvariantBroken(`the registration of ${phone.aor} at ${holder.name} is lost`);
      if (isSure && binding !== undefined && !holders.has(binding.flowOwner.nodeId)) throw new InvariantBroken(`${phone.aor} registered last at ${holder?.name}, not at ${binding.flowOwner.nodeId}`);
      if (binding !== undefined) keepOnly(holders, binding.flowOwner.nodeId);
    }
  }

  #answersOf(box: Box): Answers {
    const answers: Answers = { subscribers: undefined, conflicts: undefined, registrations: undefined };
    const keep = (name: keyof Answers) => (reply: ControlReply | undefined): void => {
      if (reply?.ok === true) answers[name] = reply;
    };
    this.#ask(box, { op: "subscriber-list" }, keep("subscribers"));
    this.#ask(box, { op: "conflict-list" }, keep("conflicts"));
    this.#ask(box, { op: "registration-list", aor: null }, keep("registrations"));
    return answers;
  }

  /** The operator decides some of the conflicts, at whatever box: afterwards they are gone everywhere. */
  #settleSome(): void {
    const decided: string[] = [];
    this.#ask(this.#anyBox(), { op: "conflict-list" }, (reply) => {
      if (reply?.ok !== true || reply.op !== "conflict-list") return;
      for (const { username, versions } of reply.conflicts) {
        if (this.#random.chance(0.3)) continue;
        const { version, removed, displayName } = this.#random.pick(versions);
        this.#change(username, this.#anyBox(), { op: "conflict-resolve", username, version }, removed ? REMOVED : displayName);
        decided.push(username);
      }
    });
    this.#world.run(ANSWER_TIME + 5_000);
    this.#ask(this.#anyBox(), { op: "conflict-list" }, (reply) => {
      if (reply?.ok !== true || reply.op !== "conflict-list") throw new InvariantBroken("the conflicts cannot be listed");
      const left = reply.conflicts.find(({ username }) => decided.includes(username));
      if (left !== undefined) throw new InvariantBroken(`${left.username} was decided and is listed: ${JSON.stringify(left)}`);
      this.counts.settled += decided.length;
    });
    this.#world.run(ANSWER_TIME);
  }
}

/** Throws `InvariantBroken`, with the seed and the last happenings. */
export function simulateMerge(settings: MergeSettings): MergeOutcome {
  const { seed, loss, boxes } = settings;
  const world = new World({
    seed,
    network: { delayLeast: 1, delayMost: 6, loss, duplicate: loss / 5 },
    disk: { syncLeast: 1, syncMost: 15, batch: 2_000 },
    makeMachine: (boot) => peerSetting(boxes, 0, false).makeMachine(boot),
  });
  const merge = new Merge(world, settings);
  world.observers.push(merge);
  try {
    merge.run();
  } catch (thrown) {
    if (!(thrown instanceof InvariantBroken)) throw thrown;
    throw new InvariantBroken(`seed ${seed} at ${(world.now / 1_000).toFixed(1)} s: ${thrown.message}\n${world.trace.last().slice(-10).join("\n")}`);
  }
  return { hash: world.trace.digest(), ...merge.counts, ringSeconds: merge.ringSeconds, equalSeconds: merge.equalSeconds };
}

function keepOnly(names: Set<string>, name: string): void {
  names.clear();
  names.add(name);
}
