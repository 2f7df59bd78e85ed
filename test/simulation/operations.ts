// Fetches and stores straight at the overlay, from boxes chosen by luck, with a ledger of what was
// acknowledged. For machines that take the overlay's own inputs.

import { fromOctets, toOctets } from "../../src/base/bytes.ts";
import { hours, milliseconds } from "../../src/base/time.ts";
import type { FetchOutcome, KindDefinition, OverlayEffect, OverlayInput, ResourceId } from "../../src/overlay/ports.ts";
import { createHash } from "node:crypto";
import { type Box, type BoxEffect, InvariantBroken, type Life, type Observer, type World } from "../support/world.ts";
import { Ledger } from "./ledger.ts";
import type { Work } from "./simulation.ts";
import type { Weather } from "./weather.ts";

export interface OperationSettings {
  /** Resources that are written to. */
  readonly resources: number;
  /** Mean time between two operations of the whole ring, milliseconds. */
  readonly mean: number;
  readonly soft: KindDefinition;
  readonly durable: KindDefinition;
}

interface Pending {
  readonly life: Life;
  readonly startedAt: number;
  /** Nothing was amiss when it started, so it may not fail unless something goes amiss now. */
  readonly calm: boolean;
  readonly what: string;
  readonly answered: (effect: Extract<OverlayEffect, { type: "fetched" | "stored" }>) => void;
}

/** An operation that starts this long after the last trouble has no excuse to fail. */
const CALM = 20_000;
/** An operation has to be answered, well or badly, in this time. */
const ANSWER_TIME = 6_000;
const LIFETIME = 600_000;
/** Two at once may cost what was acknowledged this shortly before. */
const UNSETTLED = 5_000;
/** A batch of soft rows is on disk so long after its first one was acknowledged: the disk of settings.ts, and some. */
const UNWRITTEN = 2_500;

export class Operations implements Observer, Work {
  readonly ledger = new Ledger();
  readonly counts = { fetches: 0, stores: 0, failed: 0 };
  #active = false;
  #ticket = 1;
  #serial = 0;
  #compared = 0;
  readonly #pending = new Map<number, Pending>();
  readonly #busy = new Set<string>();
  readonly #world: World;
  readonly #weather: Weather;
  readonly #settings: OperationSettings;
  readonly #random;

  constructor(world: World, weather: Weather, settings: OperationSettings) {
    this.#world = world;
    this.#weather = weather;
    this.#settings = settings;
    this.#random = world.random.fork("operations");
  }

  begin(): void {
    if (this.#active) return;
    this.#active = true;
    this.#schedule();
  }
  pause(): void {
    this.#active = false;
  }

  requireRest(): void {
    const [open] = this.#pending.values();
    if (open !== undefined) throw new InvariantBroken(`${open.what} is still under way`);
  }

  #schedule(): void {
    this.#world.queue.after(this.#random.exponential(this.#settings.mean), () => {
      if (!this.#active) return;
      this.#operate();
      this.#schedule();
    });
  }

  #operate(): void {
    const serving = this.#world.boxes.filter(({ life }) => life?.phase === "serving" && life.waiting === undefined);
    if (serving.length === 0) return;
    const box = this.#random.pick(serving);
    const name = `r${this.#random.below(this.#settings.resources)}`;
    if (this.#busy.has(name)) return;
    const kind = this.#random.chance(0.5) ? this.#settings.soft : this.#settings.durable;
    if (this.#random.chance(0.4)) this.#fetch(box, name);
    else this.#store(box, name, kind);
  }

  #ask(box: Box, what: string, input: (ticket: number) => OverlayInput, answered: Pending["answered"]): void {
    const { life } = box;
    if (life === undefined) return;
    const ticket = this.#ticket++;
    const { now } = this.#world;
    const calm = this.#weather.isCalm(CALM) && now - life.startedAt > CALM;
    this.#pending.set(ticket, { life, startedAt: now, calm, what: `${what} at ${box.name}`, answered });
    this.#world.input(box, input(ticket));
    this.#requireAnswer(ticket, life);
  }

  #requireAnswer(ticket: number, life: Life): void {
    this.#world.queue.after(ANSWER_TIME, () => {
      const pending = this.#pending.get(ticket);
      if (pending === undefined) return;
      // A box that stands still answers when it goes on.
      if (life.waiting !== undefined || life.wokeAt + ANSWER_TIME > this.#world.now) return this.#requireAnswer(ticket, life);
      if (pending.life.box.life === life) throw new InvariantBroken(`${pending.what} was not answered in time`);
      this.#pending.delete(ticket);
    });
  }

  #store(box: Box, name: string, kind: KindDefinition): void {
    const key = kind.model === "dictionary" ? `0${this.#random.below(4)}` : "";
    const text = this.#random.chance(0.15) ? undefined : `v${this.#serial++}`;
    const account = `${name} ${kind.name} ${key}`;
    const lifetime = kind === this.#settings.soft ? milliseconds(LIFETIME) : hours(24 * 365);
    this.#busy.add(name);
    const expires = kind === this.#settings.soft && text !== undefined;
    const expiresAt = expires ? this.#world.now + lifetime : Number.POSITIVE_INFINITY;
    const attempt = this.ledger.attempted(account, text, this.#world.now, expiresAt);
    this.counts.stores++;
    const value = text === undefined ? undefined : fromOctets(text);
    const changes = [{ key, value, lifetime }];
    this.#world.queue.after(ANSWER_TIME, () => this.#busy.delete(name));
    this.#ask(box, `store ${account}`, (ticket) => ({ type: "store", ticket, resource: resourceOf(name), kind: kind.id, changes }), (effect) => {
      if (effect.type !== "stored" || !effect.outcome.ok) return;
      this.ledger.acknowledged(account, attempt);
      if (kind.durability === "durable" && value !== undefined) this.#requireOnDisk(account, kind, name, key, value, effect.outcome.copies);
    });
  }

  /** Nothing may be acknowledged that so many disks do not have. */
  #requireOnDisk(account: string, kind: KindDefinition, name: string, key: string, value: Uint8Array, copies: number): void {
    const resource = resourceOf(name);
    const wanted = toOctets(value);
    let found = 0;
    for (const { disk } of this.#world.boxes) {
      const row = disk.row({ resource, kind: kind.id, key });
      if (row !== undefined && toOctets(row.stored).includes(wanted)) found++;
    }
    if (found < Math.min(copies, 2)) throw new InvariantBroken(`${account} was acknowledged with ${copies} copies; ${found} are on disk`);
  }

  #fetch(box: Box, name: string): void {
    this.counts.fetches++;
    this.#busy.add(name);
    const kinds = [this.#settings.soft.id, this.#settings.durable.id];
    this.#world.queue.after(ANSWER_TIME, () => this.#busy.delete(name));
    const startedAt = this.#world.now;
    this.#ask(box, `fetch ${name}`, (ticket) => ({ type: "fetch", ticket, resource: resourceOf(name), kinds }), (effect) => {
      if (effect.type !== "fetched" || !effect.outcome.ok) return;
      // In trouble another half or an older copy may answer; what is read in calm is held against the ledger.
      if (this.#weather.isCalm(this.#world.now - startedAt + CALM)) this.#compare(name, effect.outcome);
    });
  }

  #compare(name: string, outcome: FetchOutcome & { ok: true }): void {
    this.#compared++;
    const read = new Map<string, string>();
    for (const { kind, entries } of outcome.kinds) {
      const kindName = kind === this.#settings.soft.id ? this.#settings.soft.name : this.#settings.durable.name;
      for (const entry of entries) read.set(`${name} ${kindName} ${entry.key}`, toOctets(entry.value));
    }
    const accounts = new Set([...read.keys(), ...[...this.ledger.keys()].filter((key) => key.startsWith(`${name} `))]);
    for (const account of accounts) {
      const isSoft = account.startsWith(`${name} ${this.#settings.soft.name} `);
      this.ledger.read(account, read.get(account), this.#world.now, this.#weather.largestSkew, (at) => this.#isExcused(at, isSoft));
    }
  }
  /** Soft entries go to disk in batches: all boxes' power may take what was in memory only. */
  #isExcused(writtenAt: number, isSoft: boolean): boolean {
    if (this.#weather.excuses.some((at) => writtenAt <= at && at - writtenAt < UNSETTLED + ANSWER_TIME)) return true;
    return isSoft && this.#weather.disasters.some((at) => writtenAt <= at && at - writtenAt < UNWRITTEN);
  }

  effect({ box }: Life, effect: BoxEffect): void {
    if (effect.type !== "fetched" && effect.type !== "stored") return;
    const pending = this.#pending.get(effect.ticket);
    if (pending === undefined) throw new InvariantBroken(`${box.name} answers ticket ${effect.ticket}, which is not open`);
    this.#pending.delete(effect.ticket);
    if (!effect.outcome.ok) {
      this.counts.failed++;
      const { reason } = effect.outcome.fault;
      if (pending.calm && this.#weather.isCalm(CALM)) {
        throw new InvariantBroken(`${pending.what} failed in calm weather: ${JSON.stringify(effect.outcome.fault)} (${reason})`);
      }
    }
    pending.answered(effect);
  }

  /** Reads everything back, from boxes chosen by luck. */
  lookBack(): void {
    const serving = this.#world.boxes.filter(({ life }) => life?.phase === "serving");
    this.#compared = 0;
    for (let i = 0; i < this.#settings.resources; i++) {
      this.#world.queue.after(this.#random.below(2_000), () => this.#fetch(this.#random.pick(serving), `r${i}`));
    }
  }
  conclude(): void {
    if (this.#compared < this.#settings.resources) {
      throw new InvariantBroken(`only ${this.#compared} of ${this.#settings.resources} resources could be read back`);
    }
  }
}

const resourceOf = (name: string): ResourceId =>
  createHash("sha1").update(name).digest("hex").slice(0, 32) as ResourceId;
