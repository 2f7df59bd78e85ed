// How a ring comes to another version, seen from one box: the bundle is fetched from a neighbor, the box waits for its
// turn and for the leave of those that share its replicas, is written, drained, started anew and proved. One box
// goes first, alone; whatever fails at any box stops the roll-out at all (docs/updates.md, decision 39).

import { BoundedMap } from "../base/bounded-map.ts";
import { after, between, type Instant, milliseconds, minutes, seconds } from "../base/time.ts";
import { isOut, ROLL_OUT_TRANSITIONS, type Stage, type Trigger } from "./roll-out-stages.ts";
import type { Architecture } from "./update-bundle.ts";
import { compareVersions } from "./version.ts";

/** That the fleet is to have this bundle. Every box tells it on; of two the later one holds. */
export interface Wish {
  /** SHA-256 of the bundle's head, which names the content of all its parts. Lower-case hex. */
  readonly id: string;
  readonly version: string;
  readonly architecture: Architecture;
  /** Of the whole bundle. */
  readonly bytes: number;
  /** Node-ID of the box where it was said; that one goes last. */
  readonly by: string;
  /** Milliseconds since 1970 by the clock of that box, and later than any wish that it knew. */
  readonly at: number;
  /** Nobody begins any more; who is out of service already goes on. */
  readonly stopped: { readonly by: string; readonly reason: string } | null;
}

/** How one box stands; it goes to all others. */
export interface BoxUpdate {
  readonly wish: Wish | null;
  readonly stage: Stage;
  /** What it runs; `null`: not made from the image, so that nothing can be put into its other slot. */
  readonly running: { readonly version: string; readonly architecture: Architecture } | null;
  /** Of the fetching, 0 to 100. */
  readonly percent: number;
  /** In plain words, for people; may be empty. */
  readonly detail: string;
  /** Holds the whole bundle, checked, and gives it to others. */
  readonly has: boolean;
}

/** What a box was started from. */
export interface RunningSlot {
  readonly version: string;
  readonly architecture: Architecture;
  /** Another one at each start of the machine. */
  readonly boot: string;
  /** Marked good: the boot loader does not try it any more, it is what it takes. */
  readonly good: boolean;
  /** No older version is taken any more. */
  readonly floor: string;
}

/** What outlives a restart. */
export interface RollOutRecord {
  readonly wish: Wish | null;
  readonly stage: Stage;
  readonly detail: string;
  readonly boot: string;
  readonly has: boolean;
}

export type RollOutInput =
  /** First of all. `slot` is `undefined` on a machine that was not made from the image. */
  | { readonly type: "begin"; readonly self: string; readonly slot: RunningSlot | undefined; readonly record: RollOutRecord | undefined }
  /** Who this box is, and who else serves in its ring. */
  | { readonly type: "ring"; readonly self: string; readonly others: readonly string[] }
  /** Somebody said it here. `stopped` is heeded for the wish that is known. */
  | { readonly type: "wish"; readonly wish: Wish }
  | { readonly type: "heard"; readonly from: string; readonly update: BoxUpdate }
  | { readonly type: "fetching"; readonly percent: number; readonly detail: string }
  | { readonly type: "fetched" }
  /** The bundle of this wish lies here: an operator has brought it. */
  | { readonly type: "holds"; readonly id: string }
  /** It is whole, and this box must not take it. */
  | { readonly type: "bundle-refused"; readonly reason: string }
  | { readonly type: "slot"; readonly granted: boolean; readonly why: string }
  | { readonly type: "written"; readonly fault: string | undefined }
  | { readonly type: "drained" }
  /** The running version was marked good. */
  | { readonly type: "marked-good" }
  | { readonly type: "tick" };

export type RollOutEffect =
  /** Until `fetched` or `bundle-refused`; from those that `sources` names, asked again at each try. */
  | { readonly type: "fetch"; readonly wish: Wish }
  | { readonly type: "stop-fetching" }
  | { readonly type: "ask-slot" }
  | { readonly type: "give-slot-back" }
  /** Into the other slot; answered by `written`. */
  | { readonly type: "write"; readonly wish: Wish }
  | { readonly type: "drain" }
  /** The machine; what follows is `begin` of another agent. */
  | { readonly type: "restart" }
  | { readonly type: "keep"; readonly record: RollOutRecord }
  /** The others are to hear of it now. */
  | { readonly type: "tell" }
  | { readonly type: "say"; readonly text: string; readonly isFault: boolean };

/** Boxes whose standing is remembered; above it the one heard of longest ago is forgotten. */
const BOXES_MAX = 512;
/** A box that shares a replica set with this one stands at most so far from it on the ring. */
const NEAR = 2;
/** A box that is out of service longer has failed: three tries of a version that hangs end before. */
export const UPDATE_OUT_MAX = minutes(25);
/** A program that has just begun waits so long to hear of all that share its replicas: one of them may be out. */
const HEARD_WITHIN = minutes(1);
/** Between two questions for a slot; longer for those that come later on the ring, or two would stand in each other's way for ever. */
const SLOT_ASKED_AGAIN = seconds(5);

interface Standing {
  readonly update: BoxUpdate;
  /** Since when it has been in this stage, as far as we know. */
  readonly since: Instant;
}

export class RollOut {
  #slot: RunningSlot | undefined;
  #self = "";
  #others: readonly string[] = [];
  /** Before it was told, nobody knows whom to ask. */
  #knowsRing = false;
  #wish: Wish | null = null;
  #stage: Stage = "idle";
  #percent = 0;
  #detail = "";
  #has = false;
  #boot = "";
  #askNotBefore: Instant | undefined;
  #begun: Instant | undefined;
  /** By Node-ID. */
  readonly #boxes = new BoundedMap<string, Standing>(BOXES_MAX, "evict");
  #effects: RollOutEffect[] = [];
  #isChanged = false;

  /** What is to be kept comes first: what is done next may be a restart. */
  step(now: Instant, input: RollOutInput): readonly RollOutEffect[] {
    this.#effects = [];
    this.#isChanged = false;
    this.#take(now, input);
    this.#proceed(now);
    return this.#isChanged ? [this.#record(), { type: "tell" }, ...this.#effects] : this.#effects;
  }

  get own(): BoxUpdate {
    const running = this.#slot === undefined ? null : { version: this.#slot.version, architecture: this.#slot.architecture };
    return { wish: this.#wish, stage: this.#stage, running, percent: this.#percent, detail: this.#detail, has: this.#has };
  }

  /** How all boxes stand that were heard of, this one among them. */
  get boxes(): readonly { readonly nodeId: string; readonly update: BoxUpdate }[] {
    return [{ nodeId: this.#self, update: this.own }, ...[...this.#boxes.entries()].map(([nodeId, { update }]) => ({ nodeId, update }))];
  }

  /** Who has the bundle that is wished, the nearest behind this box first. */
  get sources(): readonly string[] {
    return inOrder(this.#others, this.#self).filter((nodeId) => {
      const update = this.#boxes.get(nodeId)?.update;
      return update?.has === true && update.wish?.id === this.#wish?.id;
    });
  }

  #take(now: Instant, input: RollOutInput): void {
    switch (input.type) {
      case "begin":
        this.#self = input.self;
        this.#begun = now;
        return this.#begin(input.slot, input.record);
      case "ring":
        this.#self = input.self;
        this.#others = input.others;
        this.#knowsRing = true;
        return;
      case "wish":
        return this.#heardWish(input.wish);
      case "heard":
        return this.#heard(now, input.from, input.update);
      case "fetching":
        if (this.#stage !== "fetching") return;
        this.#percent = input.percent;
        this.#detail = input.detail;
        return;
      case "fetched":
        if (this.#stage !== "fetching") return;
        this.#has = true;
        return this.#fire("fetched", "");
      case "holds":
        if (this.#wish?.id !== input.id || this.#has) return;
        this.#has = true;
        this.#isChanged = true;
        return this.#fire("fetched", "");
      case "bundle-refused":
        return this.#fire("refused", input.reason);
      case "slot":
        this.#askNotBefore = after(now, milliseconds(SLOT_ASKED_AGAIN * (1 + this.#place)));
        if (input.granted && this.#stage !== "asking") this.#effects.push({ type: "give-slot-back" });
        return this.#fire(input.granted ? "granted" : "not granted", input.why);
      case "written":
        return input.fault === undefined ? this.#fire("written", "") : this.#fire("not written", input.fault);
      case "drained":
        return this.#fire("drained", "");
      case "marked-good":
        if (this.#slot !== undefined) this.#slot = { ...this.#slot, good: true };
        return this.#fire("proved", "");
      case "tick":
        return this.#lookForLost(now);
    }
  }

  #begin(slot: RunningSlot | undefined, record: RollOutRecord | undefined): void {
    this.#slot = slot;
    this.#boot = slot?.boot ?? "";
    if (record === undefined) return;
    this.#wish = record.wish;
    this.#stage = record.stage;
    this.#detail = record.detail;
    this.#has = record.has;
    if (slot === undefined || record.wish === null) return void (this.#stage = "idle");
    const runsIt = slot.version === record.wish.version;
    // A restart that was ordered and has not come is ordered again.
    if (record.stage === "starting" && record.boot === slot.boot) return this.#fire("not restarted", "");
    if (runsIt) return this.#fire(slot.good ? "runs it, kept" : "runs it", "");
    if (record.stage === "starting" || record.stage === "proving") return this.#fire("runs the old one", `version ${record.wish.version} did not prove itself, and ${slot.version} runs again`);
    this.#fire("began anew", record.stage === "failed" ? record.detail : "");
  }

  #heard(now: Instant, from: string, update: BoxUpdate): void {
    const known = this.#boxes.get(from);
    const isSame = known?.update.stage === update.stage;
    this.#boxes.delete(from);
    this.#boxes.set(from, { update, since: known !== undefined && isSame ? known.since : now });
    if (update.wish !== null) this.#heardWish(update.wish);
  }

  #heardWish(wish: Wish): void {
    const known = this.#wish;
    if (known !== null && known.at === wish.at && known.id === wish.id) {
      if (known.stopped !== null || wish.stopped === null) return;
      this.#wish = { ...known, stopped: wish.stopped };
    } else {
      if (known !== null && (known.at > wish.at || (known.at === wish.at && known.id > wish.id))) return;
      // Whoever is out of service comes back first; it is told again meanwhile.
      if (isOut(this.#stage)) return;
      this.#has = this.#has && known?.id === wish.id;
      this.#wish = wish;
      this.#moveTo("idle", "");
    }
    this.#isChanged = true;
  }

  /** What follows of itself from what is known now. */
  #proceed(now: Instant): void {
    if (this.#wish === null || this.#self === "") return;
    if (this.#stage === "idle" && this.#isForUs()) this.#fire(this.#has ? "has it" : "wished", "");
    if (this.#stage === "idle" && this.#slot?.version === this.#wish.version && this.#slot.good) this.#fire("runs it, kept", "");
    if (this.#wish.stopped !== null) this.#fire("stopped", "");
    const mayAsk = this.#askNotBefore === undefined || now >= this.#askNotBefore;
    if (this.#stage === "ready" && mayAsk && this.#isOurTurn(now)) this.#fire("our turn", "");
  }

  #isForUs(): boolean {
    const [wish, slot] = [this.#wish, this.#slot];
    if (wish === null || wish.stopped !== null || slot === undefined) return false;
    return wish.architecture === slot.architecture && compareVersions(wish.version, slot.version) > 0 && compareVersions(wish.version, slot.floor) >= 0;
  }

  /** Nobody near is out; and one box has kept the version, or nobody is out at all and we are the first of those to whom it is new. */
  #isOurTurn(now: Instant): boolean {
    const wish = this.#wish;
    if (wish === null || !this.#knowsRing || this.#slot?.good !== true) return false;
    const isNew = this.#begun === undefined || between(this.#begun, now) < HEARD_WITHIN;
    if (isNew && (this.#others.length === 0 || this.#near(this.#others).some((nodeId) => !this.#boxes.has(nodeId)))) return false;
    const out = [...this.#boxes.entries()].filter(([, { update }]) => isOut(update.stage) && update.wish?.at === wish.at).map(([nodeId]) => nodeId);
    // Who is out is not in the ring, and has its place there all the same.
    if (this.#near([...this.#others, ...out]).some((nodeId) => out.includes(nodeId))) return false;
    const hasKept = [...this.#boxes.values()].some(({ update: { stage, running } }) => stage === "kept" && running?.version === wish.version && running.architecture === wish.architecture);
    return hasKept || (out.length === 0 && this.#firstOf(wish) === this.#self);
  }

  /** Among those near that wait, counted from the box where it was said. */
  get #place(): number {
    const waiting = this.#near(this.#others).filter((nodeId) => ["ready", "asking"].includes(this.#boxes.get(nodeId)?.update.stage ?? ""));
    return inOrder([...waiting, this.#self], this.#wish?.by ?? "").indexOf(this.#self);
  }

  /** Those of them that share replicas with this box. */
  #near(others: readonly string[]): readonly string[] {
    const order = inOrder(others, this.#self);
    return [...order.slice(0, NEAR), ...order.slice(-NEAR)];
  }

  /** Behind the box where it was said, itself the last. */
  #firstOf(wish: Wish): string | undefined {
    return inOrder([...this.#others, this.#self], wish.by).find((nodeId) => {
      const { running, stage } = nodeId === this.#self ? this.own : (this.#boxes.get(nodeId)?.update ?? { running: null, stage: "idle" });
      return running !== null && stage !== "failed" && running.architecture === wish.architecture && compareVersions(running.version, wish.version) < 0;
    });
  }

  /** A box that went out of service by this roll-out and does not come back. */
  #lookForLost(now: Instant): void {
    const wish = this.#wish;
    if (wish === null || wish.stopped !== null) return;
    const lost = [...this.#boxes.entries()].find(([, { update, since }]) => isOut(update.stage) && update.wish?.at === wish.at && between(since, now) > UPDATE_OUT_MAX);
    if (lost !== undefined) this.#stopAll(`the box ${lost[0].slice(0, 8)} did not come back`);
  }

  #stopAll(reason: string): void {
    if (this.#wish === null || this.#wish.stopped !== null) return;
    this.#wish = { ...this.#wish, stopped: { by: this.#self, reason } };
    this.#isChanged = true;
  }

  #fire(trigger: Trigger, detail: string): void {
    const cell = ROLL_OUT_TRANSITIONS[this.#stage][trigger];
    if (cell !== "ignore") this.#moveTo(cell, detail);
  }

  #moveTo(stage: Stage, detail: string): void {
    const left = this.#stage;
    this.#stage = stage;
    this.#detail = detail;
    this.#isChanged = true;
    if (stage !== left) this.#enter(left);
  }

  #enter(left: Stage): void {
    const wish = this.#wish;
    if (left === "fetching") this.#effects.push({ type: "stop-fetching" });
    if (isOut(left) && !isOut(this.#stage)) this.#effects.push({ type: "give-slot-back" });
    if (wish === null) return;
    switch (this.#stage) {
      case "fetching":
        this.#percent = 0;
        this.#effects.push({ type: "fetch", wish });
        break;
      case "asking":
        this.#effects.push({ type: "ask-slot" });
        break;
      case "writing":
        this.#say(`Update to version ${wish.version}: it is written into the other slot.`);
        this.#effects.push({ type: "write", wish });
        break;
      case "draining":
        this.#effects.push({ type: "drain" });
        break;
      case "starting":
        this.#say(`Update to version ${wish.version}: this machine starts anew.`);
        this.#effects.push({ type: "restart" });
        break;
      case "kept":
        this.#percent = 100;
        if (isOut(left)) this.#say(`Version ${wish.version} has proved itself, and stays.`);
        break;
      case "failed":
        this.#effects.push({ type: "say", text: `Update to version ${wish.version}: ${this.#detail}.`, isFault: true });
        this.#stopAll(this.#detail);
        break;
      default:
        break;
    }
  }

  #say(text: string): void {
    this.#effects.push({ type: "say", text, isFault: false });
  }

  #record(): RollOutEffect {
    return { type: "keep", record: { wish: this.#wish, stage: this.#stage, detail: this.#detail, boot: this.#boot, has: this.#has } };
  }
}

/** Boxes of the ring in their order behind a place; one that stands there comes last. */
function inOrder(boxes: readonly string[], place: string): readonly string[] {
  const all = [...new Set(boxes)].sort();
  return [...all.filter((nodeId) => nodeId > place), ...all.filter((nodeId) => nodeId <= place)];
}
