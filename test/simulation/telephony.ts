// People with phones, and an operator who adds and removes subscribers. For machines that are whole boxes.

import type { Address } from "../../src/base/address.ts";
import { SimulatedCrypto } from "../support/simulated-crypto.ts";
import { headerOf, parameterOf, type SipText, statusOf } from "../support/sip-text.ts";
import { type Box, type BoxEffect, InvariantBroken, type Life, type Observer, type World } from "../support/world.ts";
import type { ControlReply, ControlRequest } from "../../src/peer/control.ts";
import { Ledger } from "./ledger.ts";
import { Phone } from "./phone.ts";
import type { Work } from "./simulation.ts";
import type { Weather } from "./weather.ts";

export interface TelephonySettings {
  readonly domain: string;
  readonly phones: number;
  /** Mean time between two calls of all phones, and between two things the operator does; milliseconds. */
  readonly callMean: number;
  readonly operatorMean: number;
  /** What phones ask for, seconds. */
  readonly expires: number;
  /** SIP transactions, questions and forked requests that a box has under way. */
  openTransactions(box: Box): number;
}

interface Registration {
  readonly life: Life;
  readonly at: number;
  readonly expiresAt: number;
}

interface Desk {
  readonly phone: Phone;
  /** What was last answered with 200. */
  confirmed: Registration | undefined;
  /** Until when the last attempt, whatever came of it, may hold. */
  attemptedUntil: number;
  busy: boolean;
  /** A timer for the next refresh of another number is void. */
  refresh: number;
}

const CALM = 20_000;
const ANSWER_TIME = 10_000;
const UNSETTLED = 6_000;
const OFFICE_NAMES = 20;
const WHERE_ASKED = 5;
/** Every so many people have one. */
const SECOND_PHONE = 4;

export class Telephony implements Observer, Work {
  readonly counts = { registers: 0, registerFailures: 0, calls: 0, callsAnswered: 0, callsFailed: 0, callsPromised: 0, operator: 0 };
  readonly #subscribers = new Ledger();
  readonly #desks: Desk[] = [];
  readonly #seconds: Desk[] = [];
  readonly #replies = new Map<number, (reply: ControlReply) => void>();
  readonly #open = new Set<string>();
  readonly #crypto = new SimulatedCrypto(new Uint8Array(32));
  #ticket = 1;
  #serial = 0;
  #active = false;
  #wired = false;
  readonly #world: World;
  readonly #weather: Weather;
  readonly #settings: TelephonySettings;
  readonly #random;

  constructor(world: World, weather: Weather, settings: TelephonySettings) {
    this.#world = world;
    this.#weather = weather;
    this.#settings = settings;
    this.#random = world.random.fork("telephony");
  }

  begin(): void {
    if (this.#active) return;
    this.#active = true;
    if (!this.#wired) this.#wire();
    this.#every(this.#settings.callMean, () => this.#placeCall());
    this.#every(this.#settings.operatorMean, () => this.#administer(`office${this.#random.below(OFFICE_NAMES)}`));
  }
  pause(): void {
    this.#active = false;
  }

  /** Nobody calls and no phone refreshes: every transaction has ended (RFC 3261 section 17, RFC 6026). */
  requireRest(): void {
    for (const box of this.#world.boxes) {
      const open = this.#settings.openTransactions(box);
      if (open > 0) throw new InvariantBroken(`${box.name} has ${open} SIP transactions left over`);
    }
  }

  #every(mean: number, action: () => void): void {
    this.#world.queue.after(this.#random.exponential(mean), () => {
      if (!this.#active) return;
      action();
      this.#every(mean, action);
    });
  }

  // --- the operator -------------------------------------------------------------------------

  /** Puts a phone on every desk, each with its subscriber. */
  #wire(): void {
    this.#wired = true;
    for (let i = 0; i < this.#settings.phones; i++) this.#putPhone(`p${i}`, i, i % SECOND_PHONE === 0);
  }

  /** Some people have a second phone somewhere; often nobody is there to take it. */
  #putPhone(user: string, i: number, second: boolean): void {
    const desks = [this.#makeDesk(user, { host: `10.9.${i >> 8}.${i & 255}`, port: 5062 })];
    this.#desks.push(...desks);
    if (second) desks.push(this.#makeDesk(user, { host: `10.10.${i >> 8}.${i & 255}`, port: 5062 }));
    this.#seconds.push(...desks.slice(1));
    this.#subscribe(user, `secret ${user}`, () => {
      for (const desk of desks) this.#registerSoon(desk, 60_000);
    });
  }

  #makeDesk(user: string, address: Address): Desk {
    const account = { user, domain: this.#settings.domain, password: `secret ${user}` };
    const place = this.#random.below(this.#world.boxes.length);
    const phone = new Phone(this.#world, this.#crypto, account, place, address);
    return { phone, confirmed: undefined, attemptedUntil: 0, busy: false, refresh: 0 };
  }

  /** Until it is so. */
  #subscribe(user: string, password: string, done: () => void): void {
    this.#world.queue.after(this.#random.below(30_000), () => {
      this.#add(user, password, (added) => (added ? done() : this.#subscribe(user, password, done)));
    });
  }

  #add(username: string, password: string, done: (added: boolean) => void): void {
    const { domain } = this.#settings;
    const displayName = `n${this.#serial++}`;
    const a1 = `${username}:${domain}:${password}`;
    const subscriber = { username, realm: domain, displayName, ha1Md5: this.#crypto.md5Hex(a1), ha1Sha256: this.#crypto.sha256Hex(a1) };
    const attempt = this.#subscribers.attempted(username, displayName, this.#world.now);
    this.#ask({ op: "subscriber-add", subscriber, existing: "replace" }, (reply) => {
      if (reply.ok) this.#subscribers.acknowledged(username, attempt);
      done(reply.ok);
    });
  }

  #administer(username: string): void {
    if (this.#open.has(username)) return;
    this.#open.add(username);
    this.counts.operator++;
    this.#world.queue.after(ANSWER_TIME + 1_000, () => this.#open.delete(username));
    if (this.#random.chance(0.8)) return this.#add(username, "office", () => undefined);
    const attempt = this.#subscribers.attempted(username, undefined, this.#world.now);
    this.#ask({ op: "subscriber-remove", username }, (reply) => {
      // "absent" is said by a half that never heard of it, too: it removes nothing.
      if (reply.ok) this.#subscribers.acknowledged(username, attempt);
    });
  }

  /** Asks a serving box; in calm weather it has to know the answer. */
  #ask(request: ControlRequest, answered: (reply: ControlReply) => void, box = this.#anyServing()): void {
    const life = box?.life;
    const gone: ControlReply = { ok: false, fault: "unavailable", text: "the box that was asked is gone" };
    if (box === undefined || life === undefined) return this.#world.queue.after(1_000, () => answered(gone));
    const ticket = this.#ticket++;
    const calm = this.#isCalmFor(life);
    this.#replies.set(ticket, (reply) => {
      if (!reply.ok && calm && this.#weather.isCalm(CALM) && reply.fault !== "absent" && reply.fault !== "exists") {
        throw new InvariantBroken(`${box.name} refuses ${JSON.stringify(request)} in calm weather: ${reply.text}`);
      }
      answered(reply);
    });
    this.#world.queue.after(ANSWER_TIME, () => {
      if (this.#replies.delete(ticket)) {
        if (box.life === life) throw new InvariantBroken(`${box.name} does not answer ${JSON.stringify(request)}`);
        answered(gone);
      }
    });
    this.#world.input(box, { type: "control", ticket, request });
  }

  #serving(): Box[] {
    return this.#world.boxes.filter(({ life }) => life?.phase === "serving");
  }
  #anyServing(): Box | undefined {
    const serving = this.#serving();
    return serving.length === 0 ? undefined : this.#random.pick(serving);
  }
  /** Whether nothing disturbed this life of a box from `CALM` before `since` until now. */
  #isCalmFor(life: Life, since: number = this.#world.now): boolean {
    const isQuiet = this.#weather.isCalm(CALM + this.#world.now - since) && since - life.startedAt > CALM;
    return isQuiet && life.box.life === life && life.phase === "serving";
  }

  effect({ box }: Life, effect: BoxEffect): void {
    if (effect.type !== "replied") return;
    const answered = this.#replies.get(effect.ticket);
    if (answered === undefined) throw new InvariantBroken(`${box.name} answers ticket ${effect.ticket}, which is not open`);
    this.#replies.delete(effect.ticket);
    answered(effect.reply as ControlReply);
  }

  // --- registrations ------------------------------------------------------------------------

  #registerSoon(desk: Desk, within: number): void {
    const refresh = ++desk.refresh;
    this.#world.queue.after(this.#random.below(within) + 1, () => {
      if (desk.refresh === refresh) this.#register(desk);
    });
  }

  /** At the box it knows, if that one is well; else at any its place can reach. */
  #register(desk: Desk): void {
    const { phone } = desk;
    if (!this.#active) return this.#registerSoon(desk, 120_000);
    const reachable = this.#serving().filter(({ place }) => !this.#world.network.isCut(phone.place, place));
    const last = desk.confirmed?.life.box;
    const box = last !== undefined && reachable.includes(last) ? last : reachable.length === 0 ? undefined : this.#random.pick(reachable);
    const life = box?.life;
    if (box === undefined || life === undefined) return this.#registerSoon(desk, 60_000);
    const since = this.#world.now;
    const { expires } = this.#settings;
    this.counts.registers++;
    desk.attemptedUntil = this.#world.now + 2 * expires * 1_000 + 40_000;
    phone.register(box.sip, expires, (response) => this.#registered(desk, life, response, since));
  }

  #registered(desk: Desk, life: Life, response: SipText | undefined, since: number): void {
    const { now } = this.#world;
    if (response !== undefined && statusOf(response) === 200) {
      const granted = grantedExpiry(response, desk.phone.contact) ?? this.#settings.expires;
      desk.confirmed = { life, at: now, expiresAt: now + granted * 1_000 };
      const refresh = ++desk.refresh;
      this.#world.queue.after(granted * this.#random.between(500, 850), () => {
        if (desk.refresh === refresh) this.#register(desk);
      });
      return;
    }
    this.counts.registerFailures++;
    if (this.#isCalmFor(life, since)) {
      throw new InvariantBroken(`${desk.phone.aor} cannot register at ${life.box.name} in calm weather: ${response?.start ?? "no answer"}`);
    }
    this.#registerSoon(desk, 10_000);
  }

  /** Half of the phones keep asking their box whether it is there, and find another one soon. */
  ended(life: Life): void {
    for (const desk of [...this.#desks, ...this.#seconds]) {
      if (desk.confirmed?.life === life && this.#random.chance(0.5)) this.#registerSoon(desk, 60_000);
    }
  }

  // --- calls --------------------------------------------------------------------------------

  #placeCall(): void {
    if (this.#desks.length < 2) return;
    const [caller, callee] = this.#random.shuffle(this.#desks);
    if (caller === undefined || callee === undefined || caller.busy || callee.busy || caller.confirmed === undefined) return;
    const callerLife = caller.confirmed.life;
    const binding = callee.confirmed;
    for (const { phone } of this.#seconds) phone.deaf = this.#random.chance(0.5);
    const mustRing = this.#isCalmFor(callerLife) && this.#holds(caller) && this.#holds(callee);
    const startedAt = this.#world.now;
    this.counts.calls++;
    if (mustRing) this.counts.callsPromised++;
    caller.busy = true;
    callee.busy = true;
    const free = (): void => {
      caller.busy = false;
      callee.busy = false;
    };
    const what = `the call of ${caller.phone.aor} at ${callerLife.box.name} to ${callee.phone.aor} at ${binding?.life.box.name}`;
    const judge = (step: string) => (response: SipText | undefined): void => {
      const status = response === undefined ? 0 : statusOf(response);
      if (step === "BYE" || status !== 200) free();
      if (step === "INVITE") this.counts[status === 200 ? "callsAnswered" : "callsFailed"]++;
      if (status !== 200 && mustRing && this.#weather.isCalm(CALM + this.#world.now - startedAt) && binding === callee.confirmed) {
        throw new InvariantBroken(`${what} failed at ${step} in calm weather: ${response?.start ?? "no answer"}`);
      }
    };
    caller.phone.call(callerLife.box.sip, callee.phone.aor, this.#random.between(1_000, 30_000), judge("INVITE"), judge("BYE"));
  }

  /** Confirmed, not about to expire, and the box that holds the flow is the one that did then. */
  #holds({ confirmed }: Desk): boolean {
    return confirmed !== undefined && confirmed.life.box.life === confirmed.life && confirmed.expiresAt - this.#weather.largestSkew > this.#world.now;
  }

  // --- looking back -------------------------------------------------------------------------

  #seen = { subscribers: false, registrations: false, whereabouts: 0 };

  lookBack(): void {
    this.#seen = { subscribers: false, registrations: false, whereabouts: 0 };
    if (this.#desks.length === 0) return;
    this.#ask({ op: "subscriber-list" }, (reply) => this.#compareSubscribers(reply));
    this.#ask({ op: "registration-list", aor: null }, (reply) => this.#compareRegistrations(reply));
    for (let i = 0; i < WHERE_ASKED; i++) this.#askWhere(this.#random.pick(this.#desks).phone.aor);
  }

  conclude(): void {
    if (this.#desks.length === 0) return;
    const { subscribers, registrations, whereabouts } = this.#seen;
    if (!subscribers || !registrations || whereabouts !== WHERE_ASKED) {
      throw new InvariantBroken(`the boxes did not answer all when asked what they hold: ${JSON.stringify(this.#seen)}`);
    }
  }

  #compareSubscribers(reply: ControlReply): void {
    if (!reply.ok || reply.op !== "subscriber-list") return;
    const listed = new Map(reply.subscribers.map(({ username, displayName }) => [username, displayName]));
    for (const username of new Set([...this.#subscribers.keys(), ...listed.keys()])) {
      this.#subscribers.read(username, listed.get(username), this.#world.now, this.#weather.largestSkew, (at) => this.#isExcused(at));
    }
    this.#seen.subscribers = true;
  }

  #isExcused(writtenAt: number): boolean {
    return this.#weather.excuses.some((at) => writtenAt <= at && at - writtenAt < UNSETTLED);
  }

  #compareRegistrations(reply: ControlReply): void {
    if (!reply.ok || reply.op !== "registration-list") return;
    const listed = new Map(reply.registrations.map(({ aor, bindings }) => [aor, bindings]));
    const { now } = this.#world;
    for (const { phone, confirmed, attemptedUntil } of [...this.#desks, ...this.#seconds]) {
      const bindings = listed.get(phone.aor) ?? [];
      const isListed = bindings.some(({ contact }) => contact.includes(`${phone.address.host}:`));
      if (isListed && attemptedUntil + this.#weather.largestSkew < now) throw new InvariantBroken(`the binding of ${phone.aor} is expired and listed`);
      if (isListed || confirmed === undefined || confirmed.expiresAt - this.#weather.largestSkew < now) continue;
      if (this.#isExcused(confirmed.at) || this.#weather.disasters.some((at) => confirmed.at <= at)) continue;
      throw new InvariantBroken(`the binding of ${phone.aor}, confirmed at ${confirmed.at} by ${confirmed.life.box.name}, is lost`);
    }
    this.#seen.registrations = true;
  }

  /**
   * Every box says the same, and each replica says that it holds what is there. A binding may end between two
   * answers: what differs is asked once more.
   */
  #askWhere(aor: string, again = false): void {
    const boxes = this.#random.shuffle(this.#serving()).slice(0, 3);
    let first: string | undefined;
    let answers = 0;
    let asksAgain = false;
    for (const box of boxes) {
      this.#ask({ op: "where", aor }, (reply) => {
        if (!reply.ok || reply.op !== "where" || asksAgain) return;
        const { where } = reply;
        // A replica that was asked over a lossy path may be "unknown"; nothing else may differ.
        const text = JSON.stringify({ ...where, replicas: where.replicas.map(({ nodeId }) => nodeId) });
        first ??= text;
        if (text !== first && !again) {
          asksAgain = true;
          return this.#askWhere(aor, true);
        }
        if (text !== first) throw new InvariantBroken(`${box.name} says ${text}, another box ${first}`);
        const isThere = where.subscriber || where.bindings.length > 0;
        if (isThere && where.replicas.some(({ holds }) => holds === "no")) {
          throw new InvariantBroken(`not every replica holds ${text}: ${JSON.stringify(where.replicas.map(({ holds }) => holds))}`);
        }
        if (++answers === boxes.length) this.#seen.whereabouts++;
      }, box);
    }
  }
}

/** Seconds granted to a contact, from the 200 of a REGISTER. */
function grantedExpiry(response: SipText, contact: string): number | undefined {
  for (const [name, value] of response.headers) {
    if (name !== "contact" || !value.includes(contact)) continue;
    const expires = Number(parameterOf(value, "expires"));
    if (expires > 0) return expires;
  }
  const expires = Number(headerOf(response, "expires"));
  return expires > 0 ? expires : undefined;
}
