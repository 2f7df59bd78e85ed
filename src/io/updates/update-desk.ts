// Brings this box to the version that its fleet wishes for: the roll-out's cores, one for each architecture, with what they need
// of disk, network and machine. Bundles for the other architecture are held and given on, and not installed.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type Duration, minutes, seconds } from "../../base/time.ts";
import { fault, ok, type Result } from "../../base/result.ts";
import { boxName } from "../../health/box-words.ts";
import type { PeerReport } from "../../peer/reports.ts";
import { type BoxUpdate, RollOut, type RollOutEffect, type RollOutInput, type RollOutRecord, type Wish } from "../../provision/roll-out.ts";
import { isOut } from "../../provision/roll-out-stages.ts";
import { type Architecture, ARCHITECTURES } from "../../provision/update-bundle.ts";
import { systemClock } from "../clock.ts";
import { parseJson } from "../control-frames.ts";
import type { OwnIdentity } from "../agent/own-identity.ts";
import { replaceFile } from "../replace-file.ts";
import { fetchBundle } from "./bundle-fetch.ts";
import type { FleetUpdate } from "../../provision/fleet-update.ts";
import { BundleShelf, type FleetRoot, type ShelvedBundle } from "./bundle-shelf.ts";
import type { SlotHands } from "./slot-hands.ts";
import { KeptRollOuts } from "./update-words.ts";

/** What is kept of the roll-outs, in the data directory. */
const RECORD_FILE = "update.json";
/** Longer than three tries of a version that does not prove itself. */
export const OUT_FOR_UPDATE = minutes(30);
const SOURCE_PAUSE = seconds(2);
const ROOM_PAUSE = seconds(30);
/** Bundles that came whole and were not what was asked for, until nobody is asked any more. */
const WRONG_BUNDLES = 3;

export interface UpdateDeskSettings {
  /** The data directory of the box. */
  readonly directory: string;
  readonly hands: SlotHands;
  readonly identity: () => OwnIdentity | undefined;
  readonly peers: () => readonly PeerReport[];
  readonly takeSlot: (length: Duration) => Promise<{ readonly granted: boolean; readonly why: string }>;
  readonly giveSlotBack: () => Promise<void>;
  /** To the other agents, now. */
  readonly tellNow: () => Promise<void>;
  /** Until nothing is being set up any more, or long enough. */
  readonly drain: () => Promise<void>;
  /** For journal and time line. */
  readonly record: (text: string, severity: "notice" | "warning") => void;
  readonly onFault: (error: unknown) => void;
}

export class UpdateDesk {
  readonly #settings: UpdateDeskSettings;
  readonly #shelf: BundleShelf;
  readonly #rollOuts: Readonly<Record<Architecture, RollOut>> = { "x86-64": new RollOut(), arm64: new RollOut() };
  /** BOUNDED: by the architectures. */
  readonly #records = new Map<string, RollOutRecord>();
  /** BOUNDED: by the architectures. */
  readonly #fetches = new Map<Architecture, AbortController>();
  /** What the operator brought last, and may yet wish for. */
  #uploaded = "";
  #begun = false;
  #good = false;

  constructor(settings: UpdateDeskSettings) {
    this.#settings = settings;
    this.#shelf = new BundleShelf(settings.directory);
  }

  /** To be called every second. */
  look(): void {
    const identity = this.#settings.identity();
    if (identity === undefined) return;
    if (!this.#begun) this.#begin(identity.nodeId);
    const slot = this.#settings.hands.slot();
    if (slot?.good === true && !this.#good) {
      this.#good = true;
      this.#step(slot.architecture, { type: "marked-good" });
    }
    const others = this.#settings.peers().filter(({ self, state }) => !self && state === "serving").map(({ nodeId }) => nodeId);
    // Until the peer has told who is there, nobody is asked for leave.
    const knowsRing = this.#settings.peers().some(({ self }) => self);
    for (const architecture of ARCHITECTURES) {
      if (knowsRing) this.#step(architecture, { type: "ring", self: identity.nodeId, others });
      this.#step(architecture, { type: "tick" });
    }
  }

  close(): void {
    for (const fetch of this.#fetches.values()) fetch.abort();
  }

  /** How this box stands, for the card. */
  get own(): readonly BoxUpdate[] {
    return ARCHITECTURES.map((architecture) => this.#rollOuts[architecture].own).filter(({ wish, running }) => wish !== null || running !== null);
  }

  heard(from: string, updates: readonly BoxUpdate[]): void {
    if (!this.#begun) return;
    for (const update of updates) {
      const architecture = update.wish?.architecture ?? update.running?.architecture;
      if (architecture !== undefined) this.#step(architecture, { type: "heard", from, update });
    }
  }

  /** Whether this box may let another one go: not while it is out itself. */
  get mayLend(): boolean {
    return !this.own.some(({ stage }) => isOut(stage));
  }

  /** A piece of a bundle from the operator. How many octets there are now, and of which bundle when that is all. */
  async receive(offset: number, total: number, bytes: Uint8Array): Promise<Result<{ readonly received: number; readonly bundle: ShelvedBundle | undefined }, string>> {
    const root = this.#root();
    if (root === undefined) return fault("this box is in no fleet yet");
    const lack = offset === 0 ? this.#shelf.lacksRoomFor(total) : undefined;
    if (lack !== undefined) return fault(lack);
    const received = this.#shelf.upload(offset, bytes);
    if (received !== total) return ok({ received, bundle: undefined });
    const bundle = await this.#shelf.finishUpload(root);
    if (!bundle.ok) return bundle;
    this.#uploaded = bundle.value.id;
    return ok({ received, bundle: bundle.value });
  }

  /** The whole fleet is to have a bundle that is here. */
  start({ id, manifest, bytes }: ShelvedBundle): void {
    const { architecture, version } = manifest;
    const known = this.#rollOuts[architecture].boxes.map(({ update }) => update.wish?.at ?? 0);
    const self = this.#settings.identity()?.nodeId ?? "";
    this.#step(architecture, { type: "wish", wish: { id, version, architecture, bytes, by: self, at: Math.max(Math.round(systemClock.wall()), ...known.map((at) => at + 1)), stopped: null } });
    // It lies here, also where it is not for this box.
    this.#step(architecture, { type: "holds", id });
  }

  /** Nobody begins any more. Whether there was something to stop. */
  stop(reason: string): boolean {
    const wishes = this.own.flatMap(({ wish }) => (wish === null || wish.stopped !== null ? [] : [wish]));
    const self = this.#settings.identity()?.nodeId ?? "";
    for (const wish of wishes) this.#step(wish.architecture, { type: "wish", wish: { ...wish, stopped: { by: self, reason } } });
    return wishes.length > 0;
  }

  /** How all boxes stand, for people and programs. */
  get report(): readonly FleetUpdate[] {
    const members = this.#settings.peers().filter(({ state }) => state !== "left" && state !== "revoked");
    return ARCHITECTURES.flatMap((architecture): FleetUpdate[] => {
      const known = new Map(this.#rollOuts[architecture].boxes.map(({ nodeId, update }) => [nodeId, update]));
      const { wish } = this.#rollOuts[architecture].own;
      if (wish === null) return [];
      const { version, stopped } = wish;
      return [{
        version, architecture, stopped: stopped?.reason ?? null,
        boxes: members.map(({ nodeId, self, state }) => {
          const update = known.get(nodeId);
          return { ...boxName(nodeId), self, state, stage: stageOf(update, wish), percent: update?.percent ?? 0, running: update?.running?.version ?? null, detail: update?.detail ?? "" };
        }),
      }];
    });
  }

  #root(): FleetRoot | undefined {
    const membership = this.#settings.identity()?.membership;
    return membership === undefined ? undefined : { fleet: membership.overlayName, rootCertificate: membership.rootCertificate };
  }

  #begin(self: string): void {
    this.#begun = true;
    const slot = this.#settings.hands.slot();
    this.#good = slot?.good === true;
    const kept = readRecords(join(this.#settings.directory, RECORD_FILE));
    for (const architecture of ARCHITECTURES) {
      const found = kept[architecture];
      const record = found === undefined ? undefined : { ...found, has: found.wish !== null && found.has && this.#shelf.has(found.wish.id) };
      if (record !== undefined) this.#records.set(architecture, record);
      this.#step(architecture, { type: "begin", self, slot: slot?.architecture === architecture ? slot : undefined, record });
    }
  }

  #step(architecture: Architecture, input: RollOutInput): void {
    if (!this.#begun) return;
    for (const effect of this.#rollOuts[architecture].step(systemClock.now(), input)) this.#perform(architecture, effect);
  }

  #perform(architecture: Architecture, effect: RollOutEffect): void {
    const { hands, record, tellNow, onFault } = this.#settings;
    switch (effect.type) {
      case "keep":
        return this.#keep(architecture, effect.record);
      case "tell":
        return void tellNow().catch(onFault);
      case "say":
        return record(effect.text, effect.isFault ? "warning" : "notice");
      case "fetch":
        return void this.#fetch(architecture, effect.wish).catch(onFault);
      case "stop-fetching":
        return this.#fetches.get(architecture)?.abort();
      case "ask-slot":
        return void this.#settings.takeSlot(OUT_FOR_UPDATE).then(({ granted, why }) => this.#step(architecture, { type: "slot", granted, why })).catch(onFault);
      case "give-slot-back":
        return void this.#settings.giveSlotBack().catch(onFault);
      case "write":
        return void hands.write(effect.wish.id).then((why) => this.#step(architecture, { type: "written", fault: why })).catch(onFault);
      case "drain":
        return void this.#settings.drain().then(() => this.#step(architecture, { type: "drained" })).catch(onFault);
      case "restart":
        return void this.#restart().catch(onFault);
    }
  }

  /** The others are told first: while this machine is away they know why. */
  async #restart(): Promise<void> {
    await this.#settings.tellNow();
    const refused = this.#settings.hands.restart();
    if (refused !== undefined) this.#settings.record(`The machine cannot be started anew: ${refused}.`, "warning");
  }

  #keep(architecture: Architecture, record: RollOutRecord): void {
    this.#records.set(architecture, record);
    replaceFile(join(this.#settings.directory, RECORD_FILE), `${JSON.stringify(Object.fromEntries(this.#records))}\n`, 0o600);
    const wished = [...this.#records.values()].flatMap(({ wish }) => (wish === null ? [] : [wish.id]));
    this.#shelf.keepOnly([this.#uploaded, ...wished]);
  }

  async #fetch(architecture: Architecture, wish: Wish): Promise<void> {
    this.#fetches.get(architecture)?.abort();
    const fetch = new AbortController();
    this.#fetches.set(architecture, fetch);
    const wait = (length: Duration): Promise<unknown> => pause(length, undefined, { signal: fetch.signal }).catch(() => undefined);
    for (let tries = 0, wrong = 0; !fetch.signal.aborted; tries += 1) {
      if (this.#shelf.has(wish.id)) return this.#step(architecture, { type: "fetched" });
      const lack = this.#shelf.lacksRoomFor(wish.bytes - this.#shelf.received(wish.id));
      if (lack !== undefined) {
        this.#waits(architecture, wish, lack);
        await wait(ROOM_PAUSE);
        continue;
      }
      const why = await this.#fetchFrom(architecture, wish, tries, fetch.signal);
      if (fetch.signal.aborted) return;
      if (why.wrong) wrong += 1;
      if (wrong >= WRONG_BUNDLES) return this.#step(architecture, { type: "bundle-refused", reason: why.text });
      if (why.text === "") continue;
      this.#waits(architecture, wish, why.text);
      await wait(SOURCE_PAUSE);
    }
  }

  /** From one of those that have it, another one at each try. `text`: what went wrong; `wrong`: what came was not it. */
  async #fetchFrom(architecture: Architecture, wish: Wish, tries: number, signal: AbortSignal): Promise<{ readonly text: string; readonly wrong: boolean }> {
    const identity = this.#settings.identity();
    const root = this.#root();
    const { sources } = this.#rollOuts[architecture];
    const from = this.#settings.peers().find(({ nodeId }) => nodeId === sources[tries % sources.length]);
    if (identity === undefined || root === undefined || from === undefined) return { text: "no box that is there has the bundle yet", wrong: false };
    let percent = -1;
    const onProgress = (received: number): void => {
      const now = percentOf(received, wish);
      if (now === percent) return; // there are many pieces to a hundredth
      percent = now;
      this.#step(architecture, { type: "fetching", percent, detail: `from ${boxName(from.nodeId).words}` });
    };
    const broke = await fetchBundle({ identity, from: from.overlay, id: wish.id, bytes: wish.bytes, shelf: this.#shelf, signal, onProgress });
    if (broke !== undefined) return { text: `${boxName(from.nodeId).words}: ${broke}`, wrong: false };
    const bundle = await this.#shelf.finish(wish.id, root);
    if (!bundle.ok) return { text: bundle.fault, wrong: true };
    const { manifest, bytes } = bundle.value;
    const isAsSaid = manifest.version === wish.version && manifest.architecture === wish.architecture && bytes === wish.bytes;
    return isAsSaid ? { text: "", wrong: false } : { text: "the bundle is not what was said of it", wrong: true };
  }

  /** It does not go on just now. */
  #waits(architecture: Architecture, wish: Wish, detail: string): void {
    this.#step(architecture, { type: "fetching", percent: percentOf(this.#shelf.received(wish.id), wish), detail });
  }
}

const percentOf = (received: number, { bytes }: Wish): number => Math.floor((received / bytes) * 100);

/** What people are told of a box: one that has not heard of the wish yet, or cannot follow it, is no fault. */
function stageOf(update: BoxUpdate | undefined, wish: Wish): FleetUpdate["boxes"][number]["stage"] {
  if (update === undefined || update.running === null) return "not-by-image";
  if (update.running.architecture !== wish.architecture) return "not-by-image";
  return update.wish?.at === wish.at ? update.stage : "idle";
}

function readRecords(path: string): KeptRollOuts {
  try {
    const parsed = KeptRollOuts.safeParse(parseJson(readFileSync(path, "utf8")));
    return parsed.success ? parsed.data : {};
  } catch {
    return {}; // there was never a roll-out
  }
}
