// The network of a simulated world. Links are modelled at the level at which the overlay core sees
// them (whole messages in order, verdicts of the link layer), so that an idle link costs no events:
// what a keep-alive would have found out is worked out when a path changes. Datagrams are modelled
// as they are: lost, doubled, overtaken.

import type { Address } from "../../src/base/address.ts";
import type { LinkId, NodeId, OverlayInput, Ticket } from "../../src/overlay/ports.ts";
import type { EventQueue } from "./event-queue.ts";
import type { SeededRandom } from "./seeded-random.ts";

/** One life of one box, as the network sees it: from its start to its end. */
export interface LinkPort {
  /** Where it stands; paths run between places. */
  readonly place: number;
  readonly nodeId: NodeId;
  readonly certificate: Uint8Array;
  readonly address: Address;
  receive(input: OverlayInput): void;
}

export interface NetworkSettings {
  /** One way, milliseconds. */
  readonly delayLeast: number;
  readonly delayMost: number;
  /** Of each packet. On a link a loss shows as a delay. */
  loss: number;
  /** Of each datagram. */
  duplicate: number;
}

/** The link layer gives its verdict after this silence; it asks an idle link for life this often. */
const SILENCE = 1_700;
const KEEP_ALIVE = 500;
const RETRANSMISSION = 200;
const MOST_RETRANSMISSIONS = 3;
const DIAL_TIMEOUT = 3_000;
/** After this long without an acknowledgement TCP gives a connection up. */
const TCP_GIVES_UP = 60_000;
const LONGEST_RESUME = 4_000;

type Item =
  | { readonly kind: "open"; readonly ready: number }
  | { readonly kind: "message"; readonly ready: number; readonly message: Uint8Array }
  | { readonly kind: "close"; readonly ready: number; readonly reason: string };

interface End {
  readonly port: LinkPort;
  readonly id: LinkId;
  /** Told of the link and not yet told (or asking) that it is closed. */
  open: boolean;
  readonly outgoing: Direction;
  readonly incoming: Direction;
}

/** One way of a link: what is under way, in order. */
interface Direction {
  readonly from: number;
  readonly to: number;
  readonly queue: Item[];
  lastReady: number;
  armed: boolean;
  /** The path is cut. */
  blocked: boolean;
  blockedAt: number;
  /** The sender is without power: nothing will ever come. */
  muted: boolean;
  /** The receiver was told of the silence. */
  silent: boolean;
  /** Rises with each change of `blocked` or `muted`; timed verdicts of another epoch are void. */
  epoch: number;
}

interface Link {
  readonly ends: readonly [End, End];
}

export class VirtualNetwork {
  readonly settings: NetworkSettings;
  readonly #queue: EventQueue;
  readonly #random: SeededRandom;
  readonly #listeners = new Map<string, LinkPort>();
  readonly #powered = new Set<number>();
  readonly #ends = new Map<LinkPort, Map<LinkId, { readonly link: Link; readonly end: End }>>();
  readonly #links = new Set<Link>();
  readonly #datagramPorts = new Map<string, { readonly place: number; receive(from: Address, octets: string): void }>();
  readonly #cuts = new Set<number>();
  #groups: readonly number[] = [];
  #nextLink = 1;
  #nextEphemeral = 20_000;
  /** Counted, for reports. */
  readonly counts = { messages: 0, datagrams: 0, dropped: 0, dials: 0, silences: 0 };

  constructor(queue: EventQueue, random: SeededRandom, settings: NetworkSettings) {
    this.#queue = queue;
    this.#random = random;
    this.settings = settings;
  }

  // --- places and paths ---------------------------------------------------------------------

  /** Cuts every path between places of different groups; places beyond the list are in group 0. */
  partition(groups: readonly number[]): void {
    this.#groups = groups;
    this.#pathsChanged();
  }
  /** Cuts the way from one place to another, and only that way. */
  cut(from: number, to: number): void {
    this.#cuts.add(from * 65_536 + to);
    this.#pathsChanged();
  }
  mend(from: number, to: number): void {
    if (this.#cuts.delete(from * 65_536 + to)) this.#pathsChanged();
  }
  heal(): void {
    this.#groups = [];
    this.#cuts.clear();
    this.#pathsChanged();
  }
  isCut(from: number, to: number): boolean {
    if ((this.#groups[from] ?? 0) !== (this.#groups[to] ?? 0)) return true;
    return this.#cuts.size > 0 && this.#cuts.has(from * 65_536 + to);
  }

  #pathsChanged(): void {
    for (const link of this.#links) for (const end of link.ends) this.#refresh(end.incoming, end);
  }

  #refresh(direction: Direction, receiver: End): void {
    const blocked = direction.muted || this.isCut(direction.from, direction.to);
    if (blocked === direction.blocked) return;
    direction.blocked = blocked;
    direction.epoch++;
    if (blocked) this.#watchSilence(direction, receiver);
    else this.#resume(direction, receiver);
  }

  #watchSilence(direction: Direction, receiver: End): void {
    const { epoch } = direction;
    direction.blockedAt = this.#queue.now;
    this.#queue.after(SILENCE - this.#random.below(KEEP_ALIVE), () => {
      if (direction.epoch !== epoch || !receiver.open || direction.silent) return;
      direction.silent = true;
      this.counts.silences++;
      receiver.port.receive({ type: "link-silent", link: receiver.id });
    });
  }

  /** What waited comes with the next retransmission, which has backed off with the length of the outage. */
  #resume(direction: Direction, receiver: End): void {
    const { epoch } = direction;
    const outage = this.#queue.now - direction.blockedAt;
    const wait = this.#random.below(Math.min(outage, LONGEST_RESUME) + 1) + this.#delay();
    this.#queue.after(wait, () => {
      if (direction.epoch !== epoch) return;
      if (direction.silent && receiver.open) {
        direction.silent = false;
        receiver.port.receive({ type: "link-heard", link: receiver.id });
      }
      this.#pump(direction, receiver);
    });
  }

  #delay(): number {
    return this.#random.between(this.settings.delayLeast, this.settings.delayMost);
  }
  /** Of one message on a link: loss is delay. */
  #linkDelay(): number {
    let delay = this.#delay();
    for (let i = 0; i < MOST_RETRANSMISSIONS && this.#random.chance(this.settings.loss); i++) delay += RETRANSMISSION << i;
    return delay;
  }

  // --- the lives of boxes -------------------------------------------------------------------

  start(port: LinkPort): void {
    this.#powered.add(port.place);
    this.#listeners.set(addressKey(port.address), port);
    this.#ends.set(port, new Map());
  }

  /** The process ends, the machine lives on: what was sent arrives, then the links close. */
  kill(port: LinkPort): void {
    for (const { end } of this.#endsOf(port)) this.#closeFrom(end, "connection reset");
    this.#forget(port);
  }

  /** Nothing more comes from there, not even the end of the links, until the place has power again. */
  cutPower(port: LinkPort): void {
    this.#powered.delete(port.place);
    for (const { link, end } of this.#endsOf(port)) {
      end.open = false;
      end.incoming.queue.length = 0;
      const { outgoing } = end;
      outgoing.queue.length = this.#random.below(outgoing.queue.length + 1);
      const other = otherEnd(link, end);
      this.#queue.at(outgoing.lastReady, () => {
        outgoing.muted = true;
        this.#refresh(outgoing, other);
      });
      this.#queue.after(TCP_GIVES_UP, () => this.#reset(link, other, "timeout"));
    }
    this.#forget(port);
  }

  /** The kernel there knows nothing of the links of before, and says so to whoever still uses one. */
  powerOn(place: number): void {
    if (this.#powered.has(place)) return;
    this.#powered.add(place);
    for (const link of [...this.#links]) {
      for (const end of link.ends) {
        if (end.incoming.muted && end.incoming.from === place && end.open) {
          this.#queue.after(this.#random.below(KEEP_ALIVE) + this.#delay(), () => this.#reset(link, end, "connection reset"));
        }
      }
    }
  }

  #reset(link: Link, end: End, reason: string): void {
    this.#links.delete(link);
    if (!end.open) return;
    end.open = false;
    this.#ends.get(end.port)?.delete(end.id);
    end.port.receive({ type: "link-closed", link: end.id, reason });
  }

  #endsOf(port: LinkPort): readonly { readonly link: Link; readonly end: End }[] {
    return [...(this.#ends.get(port)?.values() ?? [])];
  }
  #forget(port: LinkPort): void {
    this.#ends.delete(port);
    const key = addressKey(port.address);
    if (this.#listeners.get(key) === port) this.#listeners.delete(key);
  }

  // --- links --------------------------------------------------------------------------------

  dial(port: LinkPort, dial: Ticket, address: Address): void {
    this.counts.dials++;
    this.#queue.after(2 * this.#linkDelay(), () => {
      if (!this.#ends.has(port)) return;
      const target = this.#listeners.get(addressKey(address));
      const place = target?.place;
      const reachable = place !== undefined && !this.isCut(port.place, place) && !this.isCut(place, port.place);
      if (reachable) this.#queue.after(2 * this.#linkDelay(), () => this.#establish(port, dial, target as LinkPort));
      else this.#failDial(port, dial, this.#isPoweredAt(address, port.place) ? "refused" : "timeout");
    });
  }

  #isPoweredAt(address: Address, seenFrom: number): boolean {
    const place = this.placeOf(address);
    return place !== undefined && this.#powered.has(place) && !this.isCut(seenFrom, place) && !this.isCut(place, seenFrom);
  }
  /** Set by the world: which place has an address, whether or not a box runs there. */
  placeOf: (address: Address) => number | undefined = () => undefined;

  #failDial(port: LinkPort, dial: Ticket, reason: "refused" | "timeout"): void {
    this.#queue.after(reason === "refused" ? 0 : DIAL_TIMEOUT, () => {
      if (this.#ends.has(port)) port.receive({ type: "dial-failed", dial, reason });
    });
  }

  #establish(port: LinkPort, dial: Ticket, target: LinkPort): void {
    const ends = this.#ends.get(port);
    if (ends === undefined) return;
    const targetEnds = this.#ends.get(target);
    if (targetEnds === undefined || this.isCut(port.place, target.place)) return this.#failDial(port, dial, "refused");
    const there = this.#makeDirection(port.place, target.place);
    const back = this.#makeDirection(target.place, port.place);
    const near: End = { port, id: this.#nextLink++, open: true, outgoing: there, incoming: back };
    const far: End = { port: target, id: this.#nextLink++, open: true, outgoing: back, incoming: there };
    const link: Link = { ends: [near, far] };
    this.#links.add(link);
    ends.set(near.id, { link, end: near });
    targetEnds.set(far.id, { link, end: far });
    this.#enqueue(there, far, { kind: "open", ready: this.#queue.now + this.#delay() });
    port.receive({
      type: "link-opened", link: near.id, nodeId: target.nodeId, certificate: target.certificate,
      outbound: true, remote: target.address, dial,
    });
  }

  #makeDirection(from: number, to: number): Direction {
    return {
      from, to, queue: [], lastReady: this.#queue.now, armed: false,
      blocked: false, blockedAt: 0, muted: false, silent: false, epoch: 0,
    };
  }

  send(port: LinkPort, id: LinkId, message: Uint8Array): void {
    const found = this.#ends.get(port)?.get(id);
    if (found === undefined) throw new RangeError(`link ${id} is closed, and the box knows it`);
    this.counts.messages++;
    const { end, link } = found;
    const ready = Math.max(end.outgoing.lastReady, this.#queue.now + this.#linkDelay());
    this.#enqueue(end.outgoing, otherEnd(link, end), { kind: "message", ready, message });
  }

  close(port: LinkPort, id: LinkId, reason: string): void {
    const found = this.#ends.get(port)?.get(id);
    if (found !== undefined) this.#closeFrom(found.end, reason);
  }

  #closeFrom(end: End, reason: string): void {
    const found = this.#ends.get(end.port)?.get(end.id);
    if (found === undefined || !end.open) return;
    end.open = false;
    this.#ends.get(end.port)?.delete(end.id);
    const other = otherEnd(found.link, end);
    if (!other.open) {
      this.#links.delete(found.link);
      return;
    }
    const ready = Math.max(end.outgoing.lastReady, this.#queue.now + this.#linkDelay());
    this.#enqueue(end.outgoing, other, { kind: "close", ready, reason });
    this.#queue.after(TCP_GIVES_UP, () => this.#reset(found.link, other, "timeout"));
  }

  #enqueue(direction: Direction, receiver: End, item: Item): void {
    direction.queue.push(item);
    direction.lastReady = item.ready;
    this.#arm(direction, receiver);
  }

  #arm(direction: Direction, receiver: End): void {
    const first = direction.queue[0];
    if (first === undefined || direction.armed || direction.blocked) return;
    direction.armed = true;
    this.#queue.at(first.ready, () => {
      direction.armed = false;
      if (!direction.blocked) this.#pump(direction, receiver);
    });
  }

  #pump(direction: Direction, receiver: End): void {
    for (;;) {
      const first = direction.queue[0];
      if (first === undefined || direction.blocked || first.ready > this.#queue.now) break;
      direction.queue.shift();
      if (receiver.open) this.#arrive(receiver, first);
    }
    this.#arm(direction, receiver);
  }

  #arrive(receiver: End, item: Item): void {
    const { port, id } = receiver;
    if (item.kind === "message") port.receive({ type: "link-message", link: id, message: item.message });
    else if (item.kind === "open") this.#accept(receiver);
    else {
      const found = this.#ends.get(port)?.get(id);
      if (found !== undefined) this.#reset(found.link, receiver, item.reason);
    }
  }

  #accept(end: End): void {
    const found = this.#ends.get(end.port)?.get(end.id);
    if (found === undefined) return;
    const dialer = otherEnd(found.link, end).port;
    end.port.receive({
      type: "link-opened", link: end.id, nodeId: dialer.nodeId, certificate: dialer.certificate, outbound: false,
      remote: { host: dialer.address.host, port: this.#nextEphemeral++ }, dial: undefined,
    });
    if (this.isCut(end.outgoing.from, end.outgoing.to)) this.#pathsChanged();
  }

  /** How many links have at least one living end. */
  get openLinks(): number {
    return this.#links.size;
  }

  // --- datagrams ----------------------------------------------------------------------------

  bindDatagrams(address: Address, place: number, receive: (from: Address, octets: string) => void): void {
    this.#datagramPorts.set(addressKey(address), { place, receive });
  }
  unbindDatagrams(address: Address): void {
    this.#datagramPorts.delete(addressKey(address));
  }

  sendDatagram(from: Address, fromPlace: number, to: Address, octets: string): void {
    this.counts.datagrams++;
    const copies = 1 + (this.#random.chance(this.settings.duplicate) ? 1 : 0);
    for (let i = 0; i < copies; i++) {
      if (this.#random.chance(this.settings.loss)) this.counts.dropped++;
      else this.#queue.after(this.#delay(), () => this.#arriveDatagram(from, fromPlace, to, octets));
    }
  }

  #arriveDatagram(from: Address, fromPlace: number, to: Address, octets: string): void {
    const port = this.#datagramPorts.get(addressKey(to));
    if (port === undefined || this.isCut(fromPlace, port.place)) this.counts.dropped++;
    else port.receive(from, octets);
  }
}

const addressKey = ({ host, port }: Address): string => `${host} ${port}`;

const otherEnd = (link: Link, end: End): End => (link.ends[0] === end ? link.ends[1] : link.ends[0]);
