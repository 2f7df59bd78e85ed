// SIP boxes and telephones on a virtual clock and a virtual network, with a location service that is a map.

import assert from "node:assert/strict";
import { type Address, formatAddress, isIpv6 } from "../../src/base/address.ts";
import type { Random } from "../../src/base/random.ts";
import { hours, instant, minutes, seconds, wallTime } from "../../src/base/time.ts";
import { responseTo } from "../../src/sip/message/build.ts";
import { digestHa1, digestResponse, parseDigestCredentials } from "../../src/sip/message/digest.ts";
import type { SipRequest, SipResponse } from "../../src/sip/message/message.ts";
import { parseMessage } from "../../src/sip/message/parse.ts";
import { StreamFramer } from "../../src/sip/message/stream-framer.ts";
import { isSipUri, type SipUri, uriParameter } from "../../src/sip/message/uri.ts";
import type { Binding, Credentials, EventLookup, EventState, Flow, FoundBinding, KeptMessage, MediaEnding, MediaQuestion, SipEffect, SipInput, SipSettings, Subscription, Target, TransportName } from "../../src/sip/ports.ts";
import { SipCore } from "../../src/sip/sip-core.ts";
import { hashCrypto } from "./hash-crypto.ts";

export const DOMAIN = "example.test";
const WALL_AT_START = 1_767_225_600_000;
const LATENCY = 1;

/** Numbers that look random enough for tags and never differ between runs. */
export function countingRandom(seed = 1): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state;
  };
  return {
    bytes: (length) => Uint8Array.from({ length }, () => next() >>> 24),
    below: (bound) => next() % bound,
    fraction: () => next() / 2 ** 32,
  };
}

export const settingsOf = (host: string, nodeId: string, more: Partial<SipSettings> = {}): SipSettings => ({
  domain: DOMAIN,
  nodeId,
  fleetSecret: new Uint8Array(32).fill(7),
  sipPort: 5060,
  localAddresses: [host],
  software: "Ringbox/test",
  registration: "authenticated",
  expiry: { minimum: seconds(60), standard: hours(1), maximum: hours(2) },
  ...more,
});

/** What the ring has of one AoR's events. */
interface WatchedUser {
  readonly subscriptions: Map<string, Subscription>;
  readonly states: Map<string, EventState & { readonly writtenAt: number }>;
}

interface User {
  readonly credentials: Credentials;
  readonly bindings: Map<string, Binding>;
}

interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** One end of a TCP connection. */
interface TcpEnd {
  readonly owner: Box | Phone;
  readonly number: number;
  readonly flow: Flow;
  peer: TcpEnd | undefined;
}

export class SipWorld {
  time = 0;
  readonly boxes: Box[] = [];
  readonly phones: Phone[] = [];
  readonly users = new Map<string, User>();
  readonly names = new Map<string, readonly Target[]>();
  /** By AoR. */
  readonly watched = new Map<string, WatchedUser>();
  /** By AoR and key. */
  readonly messages = new Map<string, Map<string, KeptMessage>>();
  /** Whether a UDP datagram is lost. */
  loses: (from: Address, to: Address, octets: string) => boolean = () => false;
  isStoreAvailable = true;
  /** Whether the location service knows which boxes are dead. */
  knowsDead = true;
  /** What the media relay was asked, and what it makes of a description. */
  readonly mediaQuestions: (MediaQuestion | MediaEnding)[] = [];
  relays: (question: MediaQuestion) => string | undefined = () => undefined;
  relayDelay = LATENCY;
  readonly #events: Event[] = [];
  #order = 0;
  #connections = 0;
  #calls = 0;

  box(host: string, more: Partial<SipSettings> = {}): Box {
    const box = new Box(this, host, more);
    this.boxes.push(box);
    return box;
  }

  phone(user: string, host: string, box: Box, transport: TransportName = "udp", port = 5060): Phone {
    const phone = new Phone(this, user, { host, port }, box, transport);
    this.phones.push(phone);
    return phone;
  }

  addUser(name: string, password = "secret"): void {
    const ha1 = (algorithm: "MD5" | "SHA-256") => digestHa1(hashCrypto, algorithm, name, DOMAIN, password);
    const credentials = { username: name, realm: DOMAIN, ha1Md5: ha1("MD5"), ha1Sha256: ha1("SHA-256") };
    this.users.set(`${name}@${DOMAIN}`, { credentials, bindings: new Map() });
  }

  nextCallId(): string {
    this.#calls += 1;
    return `call-${this.#calls}`;
  }

  bindings(aor: string): readonly Binding[] {
    return [...(this.users.get(aor)?.bindings.values() ?? [])];
  }

  eventsOf(aor: string): WatchedUser {
    const known = this.watched.get(aor) ?? { subscriptions: new Map(), states: new Map() };
    this.watched.set(aor, known);
    return known;
  }

  messagesOf(aor: string): Map<string, KeptMessage> {
    const known = this.messages.get(aor) ?? new Map<string, KeptMessage>();
    this.messages.set(aor, known);
    return known;
  }

  /** Every box knows all the others, as in a ring. */
  introduceBoxes(): void {
    for (const box of this.boxes) box.core.setFleetAddresses(this.boxes.filter((other) => other !== box).map(({ address }) => address));
  }

  later(delay: number, run: () => void): void {
    this.#order += 1;
    this.#events.push({ at: this.time + delay, order: this.#order, run });
  }

  /** Lets `ms` milliseconds pass, with everything that happens in them. */
  run(ms = 50): void {
    const end = this.time + ms;
    for (let turns = 0; ; turns++) {
      assert(turns < 200_000, "the world does not come to rest");
      const next = this.#nextEvent();
      const tick = Math.min(...this.boxes.map((box) => (box.isAlive ? (box.core.nextDeadline() ?? Infinity) : Infinity)));
      const at = Math.min(next?.at ?? Infinity, tick);
      if (at > end) break;
      this.time = Math.max(this.time, at);
      if (next !== undefined && next.at <= tick) {
        this.#events.splice(this.#events.indexOf(next), 1);
        next.run();
      } else for (const box of this.boxes) if ((box.core.nextDeadline() ?? Infinity) <= this.time) box.input({ type: "tick" });
    }
    this.time = end;
  }

  #nextEvent(): Event | undefined {
    let first: Event | undefined;
    for (const event of this.#events) {
      if (first === undefined || event.at < first.at || (event.at === first.at && event.order < first.order)) first = event;
    }
    return first;
  }

  at(address: Address): Box | Phone | undefined {
    const isThere = (end: Box | Phone) => end.hosts.includes(address.host) && (end.address.port === address.port || (end instanceof Box && end.core.snapshot().streamPorts.tls === address.port));
    return this.boxes.find(isThere) ?? this.phones.find(isThere);
  }

  datagram(from: Address, to: Address, octets: string): void {
    if (this.loses(from, to, octets)) return;
    this.later(LATENCY, () => this.at(to)?.datagram(from, to, octets));
  }

  /** A connection from one end to whoever listens at `to`; `undefined`: refused. */
  connect(from: Box | Phone, to: Address, wanted: TransportName = "tcp"): TcpEnd | undefined {
    const there = this.at(to);
    if (there === undefined || !there.isAlive) return undefined;
    this.#connections += 1;
    const near = { host: from.hostTowards(to.host), port: 30_000 + this.#connections };
    const transport = from instanceof Phone && from.transport !== "udp" ? from.transport : wanted;
    const end = (owner: Box | Phone, local: Address, remote: Address): TcpEnd => {
      const number = this.#connections * 2 + (owner === from ? 0 : 1);
      return { owner, number, flow: { transport, local, remote, connection: number }, peer: undefined };
    };
    const a = end(from, near, to);
    const b = end(there, to, near);
    a.peer = b;
    b.peer = a;
    there.accepted(b);
    return a;
  }
}

export class Box {
  readonly world: SipWorld;
  readonly address: Address;
  /** All addresses of the box; the first is `address`'. */
  readonly hosts: readonly string[];
  readonly nodeId: string;
  readonly core: SipCore;
  isAlive = true;
  readonly #ends = new Map<number, TcpEnd>();
  /** Counted events, in order. */
  readonly counted: string[] = [];

  constructor(world: SipWorld, host: string, more: Partial<SipSettings>) {
    this.world = world;
    this.nodeId = String(world.boxes.length + 1).padStart(8, "0").padEnd(32, "0");
    const settings = settingsOf(host, this.nodeId, more);
    this.address = { host, port: settings.sipPort };
    this.hosts = settings.localAddresses;
    const wallClock = () => wallTime(WALL_AT_START + world.time);
    this.core = new SipCore(settings, hashCrypto, countingRandom(world.boxes.length + 1), wallClock);
  }

  hostTowards(remote: string): string {
    return this.hosts.find((host) => isIpv6(host) === isIpv6(remote)) ?? this.address.host;
  }

  input(input: SipInput): void {
    if (!this.isAlive) return;
    for (const effect of this.core.step(instant(this.world.time), input)) this.#carryOut(effect);
  }
  datagram(from: Address, to: Address, octets: string): void {
    this.input({ type: "received", flow: { transport: "udp", local: to, remote: from, connection: 0 }, octets });
  }
  accepted(end: TcpEnd): void {
    this.#ends.set(end.number, end);
  }
  stream(end: TcpEnd, octets: string): void {
    this.input({ type: "received", flow: end.flow, octets });
  }
  closed(end: TcpEnd): void {
    this.#ends.delete(end.number);
    this.input({ type: "connection-closed", connection: end.number });
  }

  #carryOut(effect: SipEffect): void {
    const { world } = this;
    switch (effect.type) {
      case "send":
        if (effect.flow.transport === "udp") return world.datagram(effect.flow.local, effect.flow.remote, effect.octets);
        return this.#write(effect.flow.connection, effect.octets);
      case "connect":
        return this.#connect(effect);
      case "close-connection": {
        const peer = this.#ends.get(effect.connection)?.peer;
        this.#ends.delete(effect.connection);
        if (peer !== undefined) world.later(LATENCY, () => peer.owner.closed(peer));
        return;
      }
      case "find-user":
        return world.later(LATENCY, () => this.input({ type: "user-found", ticket: effect.ticket, lookup: this.#find(effect.aor) }));
      case "change-bindings":
        return world.later(LATENCY, () => {
          if (world.isStoreAvailable) {
            const bindings = world.users.get(effect.aor)?.bindings;
            for (const key of effect.changes.removals) bindings?.delete(key);
            for (const binding of effect.changes.upserts) bindings?.set(binding.key, binding);
          }
          const outcome = world.isStoreAvailable ? "stored" : "unavailable";
          this.input({ type: "bindings-changed", ticket: effect.ticket, result: { outcome } });
        });
      case "read-events":
        return world.later(LATENCY, () => this.input({ type: "events-read", ticket: effect.ticket, lookup: this.#readEvents(effect.aor) }));
      case "change-events":
        return world.later(LATENCY, () => {
          if (world.isStoreAvailable) this.#changeEvents(effect);
          const outcome = world.isStoreAvailable ? "stored" : "unavailable";
          this.input({ type: "events-changed", ticket: effect.ticket, result: { outcome } });
        });
      case "read-messages":
        return world.later(LATENCY, () => this.input({ type: "messages-read", ticket: effect.ticket, lookup: this.#readMessages(effect.aor) }));
      case "change-messages":
        return world.later(LATENCY, () => {
          const outcome = world.isStoreAvailable ? "stored" : "unavailable";
          if (world.isStoreAvailable) for (const message of effect.upserts) world.messagesOf(effect.aor).set(message.key, message);
          this.input({ type: "messages-changed", ticket: effect.ticket, result: { outcome } });
        });
      case "resolve":
        return world.later(LATENCY, () =>
          this.input({ type: "resolved", ticket: effect.ticket, targets: world.names.get(effect.host) ?? [] }),
        );
      case "relay-media": {
        const { ticket, question } = effect;
        world.mediaQuestions.push(question);
        if (question.verb === "delete") return;
        return world.later(world.relayDelay, () => this.input({ type: "media-relayed", ticket, sdp: world.relays(question) }));
      }
      case "count":
        this.counted.push(effect.event);
    }
  }

  #write(connection: number, octets: string): void {
    const peer = this.#ends.get(connection)?.peer;
    if (peer !== undefined) this.world.later(LATENCY, () => peer.owner.stream(peer, octets));
  }

  #connect(effect: Extract<SipEffect, { type: "connect" }>): void {
    const { world } = this;
    if (effect.transport === "udp") {
      const from = { host: effect.from ?? this.hostTowards(effect.remote.host), port: this.address.port };
      if (world.at(effect.remote) !== undefined) return world.datagram(from, effect.remote, effect.octets);
      return world.later(LATENCY, () => this.input({ type: "transport-error", ticket: effect.ticket }));
    }
    const open = [...this.#ends.values()].find(({ flow }) => formatAddress(flow.remote) === formatAddress(effect.remote));
    const end = open ?? world.connect(this, effect.remote, effect.transport);
    world.later(LATENCY, () => {
      if (end === undefined) return this.input({ type: "transport-error", ticket: effect.ticket });
      this.#ends.set(end.number, end);
      this.input({ type: "connected", ticket: effect.ticket, flow: end.flow });
      this.#write(end.number, effect.octets);
    });
  }

  #changeEvents({ aor, change }: Extract<SipEffect, { type: "change-events" }>): void {
    const { subscriptions, states } = this.world.eventsOf(aor);
    for (const key of change.removals) (change.of === "states" ? states : subscriptions).delete(key);
    if (change.of === "states") for (const state of change.upserts) states.set(state.key, { ...state, writtenAt: WALL_AT_START + this.world.time });
    else for (const one of change.upserts) subscriptions.set(one.key, one);
  }

  #readEvents(aor: string): EventLookup {
    const found = this.#find(aor);
    if (found.outcome === "unavailable") return found;
    const wall = WALL_AT_START + this.world.time;
    const { subscriptions, states } = this.world.eventsOf(aor);
    return {
      outcome: "found",
      isUser: found.credentials !== undefined,
      bindings: found.bindings,
      subscriptions: [...subscriptions.values()].filter(({ expiresAt }) => expiresAt > wall).map((one) => ({ ...one, reach: this.#reach(one.edge) })),
      states: [...states.values()].filter(({ expiresAt }) => expiresAt > wall).map((state) => ({ ...state, writtenAt: wallTime(state.writtenAt) })),
    };
  }

  #readMessages(aor: string): Extract<SipInput, { type: "messages-read" }>["lookup"] {
    const found = this.#find(aor);
    if (found.outcome === "unavailable") return found;
    const wall = WALL_AT_START + this.world.time;
    const messages = [...this.world.messagesOf(aor).values()].filter(({ expiresAt }) => expiresAt > wall);
    return { outcome: "found", bindings: found.bindings, messages };
  }

  #reach(edge: string): FoundBinding["reach"] {
    if (edge === this.nodeId) return { at: "here" };
    const owner = this.world.boxes.find((box) => box.nodeId === edge);
    const isReachable = owner !== undefined && (owner.isAlive || !this.world.knowsDead);
    return isReachable ? { at: "elsewhere", box: owner.address } : { at: "gone" };
  }

  #find(aor: string): Extract<SipInput, { type: "user-found" }>["lookup"] {
    if (!this.world.isStoreAvailable) return { outcome: "unavailable" };
    const user = this.world.users.get(aor);
    const bindings = [...(user?.bindings.values() ?? [])].map((binding): FoundBinding => ({ ...binding, reach: this.#reach(binding.edge) }));
    return { outcome: "found", credentials: user?.credentials, bindings, hasMessages: this.world.messagesOf(aor).size > 0, isWatched: this.world.eventsOf(aor).subscriptions.size > 0 };
  }
}

export interface RequestOptions {
  readonly to?: string;
  readonly from?: string;
  readonly fromTag?: string;
  readonly callId?: string;
  readonly cseq?: number;
  readonly cseqMethod?: string;
  readonly branch?: string;
  readonly contact?: string;
  readonly routes?: readonly string[];
  readonly fields?: readonly string[];
  readonly maxForwards?: number;
  readonly body?: string;
}

/** What a dialog remembers at one of its ends (RFC 3261 12.1). */
export interface Dialog {
  readonly callId: string;
  readonly local: string;
  readonly remote: string;
  readonly target: string;
  readonly routes: readonly string[];
}

export class Phone {
  readonly world: SipWorld;
  readonly user: string;
  address: Address;
  box: Box;
  readonly transport: TransportName;
  isAlive = true;
  /** Requests received, and how they are answered: statuses to send, in order, or a function. */
  readonly requests: SipRequest[] = [];
  readonly responses: SipResponse[] = [];
  /** Everything that came, as text. */
  readonly heard: string[] = [];
  answers: (request: SipRequest) => readonly number[] = (request) => (request.method === "ACK" ? [] : [200]);
  /** The session description in its 18x and 2xx to an INVITE. */
  describes = "";
  #end: TcpEnd | undefined;
  readonly #framers = new Map<number, StreamFramer>();
  readonly #came = new Map<SipRequest, Address | TcpEnd>();
  #branches = 0;
  #cseq = 0;
  registerCallId: string | undefined;

  constructor(world: SipWorld, user: string, address: Address, box: Box, transport: TransportName) {
    this.world = world;
    this.user = user;
    this.address = address;
    this.box = box;
    this.transport = transport;
  }

  get hosts(): readonly string[] {
    return [this.address.host];
  }
  hostTowards(): string {
    return this.address.host;
  }
  get aor(): string {
    return `sip:${this.user}@${DOMAIN}`;
  }
  get contact(): string {
    return `<sip:${this.user}@${formatAddress(this.address)}${this.transport === "udp" ? "" : `;transport=${this.transport}`}>`;
  }

  request(method: string, uri: string, options: RequestOptions = {}): string {
    this.#branches += 1;
    this.#cseq += 1;
    const cseq = options.cseq ?? this.#cseq;
    const lines = [
      `${method} ${uri} SIP/2.0`,
      `Via: SIP/2.0/${this.transport.toUpperCase()} ${formatAddress(this.address)};branch=${options.branch ?? `z9hG4bK-${this.user}-${this.address.host}-${this.#branches}`};rport`,
      ...(options.routes ?? []).map((route) => `Route: ${route}`),
      `Max-Forwards: ${options.maxForwards ?? 70}`,
      `From: ${options.from ?? `<${this.aor}>`};tag=${options.fromTag ?? `tag-${this.user}`}`,
      `To: ${options.to ?? `<${uri}>`}`,
      `Call-ID: ${options.callId ?? this.world.nextCallId()}`,
      `CSeq: ${cseq} ${options.cseqMethod ?? method}`,
      ...(options.contact === "" ? [] : [`Contact: ${options.contact ?? this.contact}`]),
      ...(options.fields ?? []),
      `Content-Length: ${(options.body ?? "").length}`,
    ];
    return `${lines.join("\r\n")}\r\n\r\n${options.body ?? ""}`;
  }

  /** Sends text to the phone's box, or elsewhere by UDP. */
  send(octets: string, to: Address = { host: this.box.hostTowards(this.address.host), port: this.box.address.port }): void {
    if (this.transport === "udp") return this.world.datagram(this.address, to, octets);
    this.#end ??= this.world.connect(this, { host: this.box.hostTowards(this.address.host), port: this.box.address.port });
    const peer = this.#end?.peer;
    if (peer !== undefined) this.world.later(LATENCY, () => peer.owner.stream(peer, octets));
  }

  hangUpConnection(): void {
    const peer = this.#end?.peer;
    this.#end = undefined;
    if (peer !== undefined) this.world.later(LATENCY, () => peer.owner.closed(peer));
  }

  /** Sends a request, answers its challenge if there is one, and returns the final or last response. */
  ask(method: string, uri: string, options: RequestOptions = {}, password = "secret"): SipResponse {
    const callId = options.callId ?? this.world.nextCallId();
    const first = this.exchange(this.request(method, uri, { ...options, callId }));
    if (first.status !== 401 && first.status !== 407) return first;
    const credentials = this.credentials(first, method, uri, password);
    if (method === "INVITE") this.send(this.ackTo(first, uri));
    return this.exchange(this.request(method, uri, { ...options, callId, fields: [...(options.fields ?? []), credentials] }));
  }

  exchange(octets: string, ms = 100): SipResponse {
    const before = this.responses.length;
    this.send(octets);
    this.world.run(ms);
    const last = this.responses.slice(before).at(-1);
    assert(last !== undefined, `no answer to ${octets.slice(0, octets.indexOf("\r"))}`);
    return last;
  }

  /** Credentials for the first challenge of a response that has this algorithm. */
  credentials(challenged: SipResponse, method: string, uri: string, password = "secret", algorithm: "MD5" | "SHA-256" = "MD5", nc = "00000001"): string {
    const name = challenged.status === 401 ? "www-authenticate" : "proxy-authenticate";
    const text = challenged.headers(name).find((value) => value.includes(`algorithm=${algorithm}`));
    const challenge = parseDigestCredentials(`${text}, username="x", uri="x", response="x"`);
    assert(challenge !== undefined, `no challenge by ${algorithm}: ${challenged.octets}`);
    const parts = { ...challenge, username: this.user, uri, qop: "auth", cnonce: "c0ffee", nc, algorithm };
    const ha1 = digestHa1(hashCrypto, algorithm, this.user, challenge.realm, password);
    const response = digestResponse(hashCrypto, parts, method, ha1);
    const field = challenged.status === 401 ? "Authorization" : "Proxy-Authorization";
    return `${field}: Digest username="${this.user}", realm="${challenge.realm}", nonce="${challenge.nonce}", uri="${uri}", response="${response}", algorithm=${algorithm}, qop=auth, nc=${nc}, cnonce="c0ffee"`;
  }

  register(options: RequestOptions & { readonly expires?: number } = {}): SipResponse {
    this.registerCallId ??= this.world.nextCallId();
    const fields = [...(options.fields ?? []), ...(options.expires === undefined ? [] : [`Expires: ${options.expires}`])];
    return this.ask("REGISTER", `sip:${DOMAIN}`, { to: `<${this.aor}>`, callId: this.registerCallId, ...options, fields });
  }

  ackTo(response: SipResponse, uri: string): string {
    const to = response.header("to") ?? "";
    const cseq = response.cseq?.number ?? 0;
    const branch = response.topVia?.branch ?? "";
    const callId = response.callId ?? "";
    return this.request("ACK", uri, { to, cseq, branch, callId, contact: "", from: fromWithoutTag(response) });
  }

  reply(request: SipRequest, status: number, fields: readonly (readonly [string, string])[] = []): void {
    const all: (readonly [string, string])[] = [...request.headers("record-route").map((value) => ["Record-Route", value] as const), ...fields];
    if (status > 100 && status < 300) all.push(["Contact", this.contact]);
    const body = request.method === "INVITE" && status > 100 && status < 300 ? this.describes : "";
    if (body !== "") all.push(["Content-Type", "application/sdp"]);
    const response = responseTo(request, status, "", { toTag: `tag-${this.user}-${this.address.host}-${this.address.port}`, fields: all, body });
    const way = this.#came.get(request);
    if (way === undefined) return;
    if ("host" in way) return this.world.datagram(this.address, way, response.octets);
    const { peer } = way;
    if (peer !== undefined) this.world.later(LATENCY, () => peer.owner.stream(peer, response.octets));
  }

  /** The dialog as the caller sees it, from a response; or as the callee sees it, from the request. */
  dialogOf(message: SipRequest | SipResponse, own: SipResponse | undefined = undefined): Dialog {
    const contact = message.contacts;
    assert(contact !== undefined && contact !== "*");
    const routes = message.list("record-route");
    const isCaller = message.type === "response";
    return {
      callId: message.callId ?? "",
      local: (isCaller ? message.header("from") : (own ?? message).header("to")) ?? "",
      remote: (isCaller ? message.header("to") : message.header("from")) ?? "",
      target: contact[0]?.uriText ?? "",
      routes: isCaller ? routes.toReversed() : routes,
    };
  }

  /** Sends a request within a dialog to where its route set says. */
  inDialog(method: string, dialog: Dialog, options: RequestOptions = {}): void {
    const tag = dialog.local.slice(dialog.local.indexOf(";tag=") + 5);
    const from = dialog.local.slice(0, dialog.local.indexOf(";tag="));
    const octets = this.request(method, dialog.target, {
      callId: dialog.callId, from, fromTag: tag, to: dialog.remote, routes: dialog.routes, ...options,
    });
    const hop = parseUriOf(dialog.routes[0] ?? `<${dialog.target}>`);
    this.send(octets, { host: hop.host, port: hop.port ?? 5060 });
  }

  last(method: string): SipRequest {
    const request = this.requests.findLast((candidate) => candidate.method === method);
    assert(request !== undefined, `${this.user} has heard no ${method}`);
    return request;
  }

  datagram(from: Address, _to: Address, octets: string): void {
    if (this.isAlive) this.#hear(from, octets);
  }
  accepted(end: TcpEnd): void {
    this.#framers.set(end.number, new StreamFramer());
  }
  stream(end: TcpEnd, octets: string): void {
    const framer = this.#framers.get(end.number) ?? new StreamFramer();
    this.#framers.set(end.number, framer);
    this.heard.push(octets);
    for (const piece of framer.push(octets)) if (piece.type === "message") this.#hear(end, piece.octets);
  }
  closed(end: TcpEnd): void {
    if (this.#end === end) this.#end = undefined;
  }

  #hear(way: Address | TcpEnd, octets: string): void {
    this.heard.push(octets);
    const parsed = parseMessage(octets);
    if (!parsed.ok) return;
    const message = parsed.value;
    if (message.type === "response") return void this.responses.push(message);
    this.requests.push(message);
    this.#came.set(message, way);
    for (const status of this.answers(message)) this.reply(message, status);
  }
}

const fromWithoutTag = (response: SipResponse): string => {
  const from = response.header("from") ?? "";
  return from.slice(0, from.indexOf(";tag="));
};

function parseUriOf(route: string): SipUri {
  const text = route.slice(route.indexOf("<") + 1, route.indexOf(">"));
  const parsed = parseMessage(`OPTIONS ${text} SIP/2.0\r\n\r\n`);
  const request = parsed.ok ? parsed.value : parsed.fault.type === "rejected" ? parsed.fault.request : undefined;
  assert(request?.type === "request" && request.uri !== undefined && isSipUri(request.uri), route);
  return request.uri;
}

export { minutes, uriParameter };
