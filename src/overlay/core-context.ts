import { assert } from "../base/assert.ts";
import { BoundedMap } from "../base/bounded-map.ts";
import type { Crypto } from "../base/crypto.ts";
import type { Random } from "../base/random.ts";
import { after, type Duration, type Instant, instant, milliseconds, type WallTime } from "../base/time.ts";
import { fromOctets, utf8Octets } from "../base/bytes.ts";
import { Agenda, type AgendaKey } from "./agenda.ts";
import { FleetRules } from "./configuration/fleet-rules.ts";
import { limited } from "./configuration/limits.ts";
import type { KindDefinition, KindId, NodeId, OverlayEffect, OverlaySettings, Ticket, Trust } from "./ports.ts";
import { HybridClock } from "./storage/clock.ts";
import { INITIAL_TTL } from "./wire/forwarding-header.ts";
import { overlayHash } from "./wire/identifiers.ts";
import { makeSigner, type Signer } from "./wire/security-block.ts";

/** More actions in one step than any batch needs: a loop of our own making. */
const MAX_ACTIONS_PER_STEP = 1_000_000;

/**
 * What every part of the core shares: what it was told at its making, the time of this step, the
 * agenda, and the effects gathered so far.
 */
export class CoreContext {
  readonly settings: OverlaySettings;
  readonly crypto: Crypto;
  readonly random: Random;
  readonly trust: Trust;
  readonly clock: HybridClock;
  /** What is in force in this fleet. */
  readonly rules: FleetRules;
  signer: Signer;
  /** The `overlay` field of every header. */
  readonly overlay: number;
  readonly agenda = new Agenda();
  /** Counted events by name; names are literals of this program. BOUNDED: further names are not counted. */
  readonly counters = new BoundedMap<string, number>(256, "refuse");
  readonly #kinds: ReadonlyMap<KindId, KindDefinition>;
  #now = instant(0);
  #startedAt: Instant | undefined;
  #effects: OverlayEffect[] = [];
  /** Emptied in every step. */
  #soon: (() => void)[] = [];
  #lastTicket = 0;

  constructor(settings: OverlaySettings, crypto: Crypto, random: Random, trust: Trust, wall: () => WallTime) {
    this.settings = settings;
    this.crypto = crypto;
    this.random = random;
    this.trust = trust;
    this.clock = new HybridClock(wall);
    this.rules = new FleetRules(settings.overlayName, crypto, settings.rules);
    this.signer = makeSigner(settings.certificate, crypto);
    this.overlay = overlayHash(utf8Octets(settings.overlayName), crypto);
    this.#kinds = new Map(settings.kinds.map((kind) => [kind.id, kind]));
  }

  /** Signs with this certificate (DER) from here on; the key is the same. */
  signAs(certificate: Uint8Array): void {
    this.signer = makeSigner(certificate, this.crypto);
  }

  get self(): NodeId {
    return this.settings.self.nodeId;
  }
  get now(): Instant {
    return this.#now;
  }
  get uptimeSeconds(): number {
    return Math.floor((this.#now - (this.#startedAt ?? this.#now)) / 1_000);
  }
  get wasStarted(): boolean {
    return this.#startedAt !== undefined;
  }
  kind(id: KindId): KindDefinition | undefined {
    return this.#kinds.get(id);
  }
  /** As the document in force limits it, for new values. Copies of what is there go on by the program's limits. */
  limited(kind: KindDefinition): KindDefinition {
    return limited(kind, this.rules.configuration?.limits);
  }
  /** Links that a message of this box may go over. */
  get initialTtl(): number {
    return this.rules.configuration?.limits.initialTtl ?? INITIAL_TTL;
  }

  /** Sets the time of this step. */
  begin(now: Instant): void {
    this.#now = now;
    this.#startedAt ??= now;
    this.clock.begin(now);
  }
  /** Runs what is due and what was put off to the end of the step, until nothing is left. */
  settle(): void {
    for (let count = 0; ; count++) {
      assert(count < MAX_ACTIONS_PER_STEP, "a step that does not end");
      const soon = this.#soon;
      if (soon.length > 0) {
        this.#soon = [];
        for (const action of soon) action();
        continue;
      }
      const action = this.agenda.takeDue(this.#now);
      if (action === undefined) return;
      action();
    }
  }
  takeEffects(): readonly OverlayEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  emit(effect: OverlayEffect): void {
    this.#effects.push(effect);
  }
  report(level: "debug" | "info" | "warning", text: string): void {
    this.emit({ type: "report", level, text });
  }
  count(event: string): void {
    this.counters.set(event, (this.counters.get(event) ?? 0) + 1);
    this.emit({ type: "count", event });
  }
  newTicket(): Ticket {
    return ++this.#lastTicket;
  }

  /** Later in this very step, when the present call is over. */
  soon(action: () => void): void {
    this.#soon.push(action);
  }
  later(name: AgendaKey, delay: Duration, action: () => void): void {
    this.agenda.set(name, after(this.#now, delay), action);
  }
  /** `delay`, give or take a quarter: so that boxes do not move in step. */
  jittered(delay: Duration): Duration {
    return milliseconds(Math.round(delay * (0.75 + this.random.fraction() / 2)));
  }
}

/** The UTF-8 bytes of a text. */
export const textBytes = (text: string): Uint8Array => fromOctets(utf8Octets(text));
