// The links to other boxes: TLS 1.3 with certificates on both sides, one port for links and enrollment.

import { connect, createSecureContext, createServer, type SecureContext, type SecureContextOptions, type Server, type TLSSocket } from "node:tls";
import type { Address } from "../base/address.ts";
import { BoundedMap } from "../base/bounded-map.ts";
import type { Random } from "../base/random.ts";
import type { Duration, Instant } from "../base/time.ts";
import type { LinkId, NodeId, OverlayEffect, OverlayInput, Ticket, Trust } from "../overlay/ports.ts";
import { overlayHash } from "../overlay/wire/identifiers.ts";
import type { Clock } from "./clock.ts";
import { NodeCrypto } from "./crypto.ts";
import { describeSocketError, LinkConnection, type LinkEnds, type LinkListener } from "./link-connection.ts";
import { describeListenError, ListenError } from "./listen-error.ts";
import { ENROLLMENT_ALPN, identifyPeer, LINK_ALPN, refusalLine, tlsIdentity } from "./tls-identity.ts";

export type LinkCommand = Extract<OverlayEffect, { type: "dial" | "link-send" | "link-close" }>;
export type LinkEvent = Extract<
  OverlayInput,
  { type: "link-opened" | "link-message" | "link-silent" | "link-heard" | "link-closed" | "dial-failed" }
>;

export interface LinksSettings {
  readonly overlayName: string;
  /** DER: this box's certificate and the issuing certificate, and its key. */
  readonly certificate: Uint8Array;
  readonly issuingCertificate: Uint8Array;
  readonly privateKeyPem: string;
  readonly trust: Trust;
  readonly random: Random;
  readonly clock: Clock;
  readonly maxMessageBytes: number;
  readonly onInput: (input: LinkEvent) => void;
  /** A connection with ALPN `http/1.1`. */
  readonly onEnrollment: (socket: TLSSocket) => void;
  readonly onReport: (level: "debug" | "info" | "warning", text: string) => void;
  /** Somebody that this box dialed said that it is not believed. */
  readonly onRefused?: (address: Address) => void;
  readonly onCount?: (event: "link-without-tls" | "link-refused" | "link-broken") => void;
  /** TLS key log lines, for tests that let tshark read the wire. */
  readonly onKeyLog?: (line: Uint8Array) => void;
}

const DIAL_TIMEOUT_MS = 4_000;
const HANDSHAKE_TIMEOUT_MS = 5_000;
const CLOSE_PATIENCE_MS = 1_500;
/** Links that are open or greeting. */
const MAX_LINKS = 1_024;
const MAX_DIALS_IN_FLIGHT = 32;
const MAX_DIALS_WAITING = 1_024;
/** Connections from outside, links among them; the next ones are closed unread. */
const MAX_CONNECTIONS = 2_048;

type Dial = Extract<LinkCommand, { type: "dial" }>;

export class Links {
  readonly #settings: LinksSettings;
  readonly #overlay: number;
  /** Made once: to read the certificates anew for each dial costs as much as the handshake. */
  #identity: SecureContext;
  #shown: SecureContextOptions;
  #maxMessageBytes: number;
  readonly #listener: LinkListener;
  /** BOUNDED: a connection above the bound is refused. */
  readonly #links = new BoundedMap<LinkId, LinkConnection>(MAX_LINKS, "refuse");
  readonly #dirty = new Set<LinkConnection>(); // BOUNDED: by #links
  readonly #dialing = new Map<Ticket, TLSSocket>(); // BOUNDED: MAX_DIALS_IN_FLIGHT
  #dialsWaiting: Dial[] = []; // BOUNDED: MAX_DIALS_WAITING, then the dial fails
  #server: Server | undefined;
  #lastLink = 0;
  #timer: NodeJS.Timeout | undefined;
  #timerAt: Instant | undefined;
  #flushScheduled = false;
  #closed = false;

  constructor(settings: LinksSettings) {
    this.#settings = settings;
    this.#overlay = overlayHash(settings.overlayName, new NodeCrypto(undefined));
    this.#shown = tlsIdentity(settings);
    this.#maxMessageBytes = settings.maxMessageBytes;
    this.#identity = createSecureContext(this.#shown);
    this.#listener = {
      opened: (link) => this.#emit({ type: "link-opened", link: link.id, ...link.ends }),
      told: (link, effect) =>
        this.#emit(effect.type === "message"
          ? { type: "link-message", link: link.id, message: effect.message }
          : { type: effect.type === "silent" ? "link-silent" : "link-heard", link: link.id }),
      broken: () => this.#settings.onCount?.("link-broken"),
      closed: (link, reason) => this.#linkClosed(link, reason),
      stirred: (link) => this.#stirred(link),
    };
  }

  /** Listens; `host` undefined: every address. Port 0: any free port. Rejects with `ListenError`. */
  async open(listen: { readonly host: string | undefined; readonly port: number }): Promise<void> {
    const server = createServer({
      ...this.#shown,
      requestCert: true,
      rejectUnauthorized: false, // identifyPeer decides, and says why
      ALPNProtocols: [LINK_ALPN, ENROLLMENT_ALPN],
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    });
    server.maxConnections = MAX_CONNECTIONS;
    server.on("secureConnection", (socket) => this.#accepted(socket));
    server.on("tlsClientError", (error, socket) => {
      this.#settings.onCount?.("link-without-tls");
      this.#settings.onReport("debug", `${socket.remoteAddress ?? "somebody"} began no link: ${describeSocketError(error)}`);
      socket.destroy();
    });
    const { onKeyLog } = this.#settings;
    if (onKeyLog !== undefined) server.on("keylog", onKeyLog);
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error) => reject(new ListenError(describeListenError(error, "overlay", "TCP", listen, "--overlay-port"), error)));
      server.listen(listen.port, listen.host, resolve);
    });
    server.on("error", (error) => this.#settings.onReport("warning", `overlay port: ${error.message}`));
  }

  /** From here on links are opened for messages of up to so many bytes, if that is more than the program's own limit. */
  takeUpTo(bytes: number): void {
    this.#maxMessageBytes = Math.max(bytes, this.#settings.maxMessageBytes);
  }

  /** What this box shows from here on; links that are open stay. */
  showIdentity(identity: Parameters<typeof tlsIdentity>[0]): void {
    this.#shown = tlsIdentity(identity);
    this.#identity = createSecureContext(this.#shown);
    this.#server?.setSecureContext(this.#shown);
  }

  /** A box at the other end has a new certificate. The link goes on with it if its key is the one that was proved at the handshake. */
  showed(nodeId: NodeId, certificate: Uint8Array): void {
    for (const link of this.#links.values()) if (link.ends.nodeId === nodeId) link.renew(certificate);
  }

  /** Closes the links of boxes that are not believed any more. */
  judgeAnew(): void {
    for (const link of [...this.#links.values()]) {
      const inspected = this.#settings.trust.inspect(link.certificate);
      if ("refused" in inspected) link.close(`it is not believed: ${inspected.refused}`);
    }
  }

  get port(): number {
    const address = this.#server?.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  /** Carries out a whole batch; then writes once to each link. */
  perform(commands: readonly LinkCommand[]): void {
    for (const command of commands) {
      if (command.type === "dial") this.#dial(command);
      else if (command.type === "link-send") this.#links.get(command.link)?.send(command.message);
      else this.#closeAfterLastWord(command);
    }
    this.#flush();
  }

  /** What this batch has said over the link goes out before it ends. */
  #closeAfterLastWord({ link, reason }: Extract<LinkCommand, { type: "link-close" }>): void {
    this.#links.get(link)?.tick();
    this.#links.get(link)?.close(reason);
  }

  /** The smoothed round trip of a link; undefined until it was measured. */
  roundTrip(link: LinkId): Duration | undefined {
    return this.#links.get(link)?.roundTrip;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const link of [...this.#links.values()]) link.close("this box is stopping");
    for (const socket of this.#dialing.values()) socket.destroy();
    this.#dialsWaiting = [];
    const server = this.#server;
    this.#server = undefined;
    if (server?.listening === true) await closed(server);
  }

  #accepted(socket: TLSSocket): void {
    const remote = remoteOf(socket);
    socket.on("error", () => socket.destroy()); // a reader of its own follows
    if (this.#closed) return void socket.destroy();
    if (socket.alpnProtocol === ENROLLMENT_ALPN) return this.#settings.onEnrollment(socket);
    if (socket.alpnProtocol !== LINK_ALPN) return void socket.destroy();
    this.#judge(socket, remote, undefined);
  }

  /** The other side's certificate is checked here, before anything it sends is read. */
  #judge(socket: TLSSocket, remote: Address, dial: Ticket | undefined): void {
    const found = identifyPeer(socket, this.#settings.trust);
    const peer = "nodeId" in found && found.isClient && dial !== undefined ? { refused: "its certificate is a client's" } : found;
    if ("refused" in peer) {
      const reason = `it is not believed: ${peer.refused}`;
      this.#refuse(socket, remote, peer.refused);
      if (dial !== undefined) this.#emit({ type: "dial-failed", dial, reason });
      return;
    }
    const { nodeId, certificate, key } = peer;
    if (key !== undefined && this.#isOfAnother(key, nodeId)) {
      const reason = "its key has another Node-ID already";
      this.#refuse(socket, remote, reason);
      if (dial !== undefined) this.#emit({ type: "dial-failed", dial, reason });
      return;
    }
    socket.setNoDelay(true);
    const ends: LinkEnds = { nodeId, certificate, outbound: dial !== undefined, remote, dial };
    const { random, clock } = this.#settings;
    const maxMessageBytes = this.#maxMessageBytes;
    const machine = { overlay: this.#overlay, remote: peer.nodeId, maxMessageBytes, random };
    const link = new LinkConnection(++this.#lastLink, socket, ends, machine, clock, this.#listener);
    if (!this.#links.set(link.id, link)) {
      this.#refuse(socket, remote, "this box has too many links");
      if (dial !== undefined) this.#emit({ type: "dial-failed", dial, reason: "this box has too many links" });
      return;
    }
    link.start();
  }

  /** One box is one place in the ring: whoever got one key certified for many is linked as the first that came. */
  #isOfAnother(key: string, nodeId: NodeId): boolean {
    for (const { ends } of this.#links.values()) {
      if (ends.nodeId === nodeId) continue;
      const inspected = this.#settings.trust.inspect(ends.certificate);
      if ("nodeId" in inspected && inspected.key === key) return true;
    }
    return false;
  }

  #refuse(socket: TLSSocket, remote: Address, reason: string): void {
    this.#settings.onCount?.("link-refused");
    this.#settings.onReport("warning", `link with ${remote.host} refused: ${reason}`);
    socket.resume();
    socket.end(refusalLine(reason.replace(/^its /, "your ")));
    setTimeout(() => socket.destroy(), 1_000).unref();
  }

  #dial(dial: Dial): void {
    if (this.#dialing.size < MAX_DIALS_IN_FLIGHT) return this.#connect(dial);
    if (this.#dialsWaiting.length < MAX_DIALS_WAITING) this.#dialsWaiting.push(dial);
    else this.#emit({ type: "dial-failed", dial: dial.dial, reason: "too many dials at once" });
  }

  #connect({ dial, address }: Dial): void {
    const socket = connect({
      host: address.host,
      port: address.port,
      secureContext: this.#identity,
      ALPNProtocols: [LINK_ALPN],
      rejectUnauthorized: false, // identifyPeer decides, and says why
      checkServerIdentity: () => undefined,
    });
    const { onKeyLog } = this.#settings;
    if (onKeyLog !== undefined) socket.on("keylog", onKeyLog);
    this.#dialing.set(dial, socket);
    const fail = (reason: string): void => {
      if (!this.#dialEnded(dial)) return;
      socket.destroy();
      this.#emit({ type: "dial-failed", dial, reason });
    };
    const timeout = setTimeout(() => fail("no answer"), DIAL_TIMEOUT_MS);
    socket.on("error", (error) => fail(describeSocketError(error)));
    socket.on("close", () => {
      clearTimeout(timeout);
      fail("the connection was closed");
    });
    socket.once("secureConnect", () => {
      clearTimeout(timeout);
      if (!this.#dialEnded(dial)) return;
      if (socket.alpnProtocol === LINK_ALPN) return this.#judge(socket, address, dial);
      socket.destroy();
      this.#emit({ type: "dial-failed", dial, reason: "the other side does not speak this protocol" });
    });
  }

  /** Whether the dial was still under way; the next one that waits takes its place. */
  #dialEnded(dial: Ticket): boolean {
    if (!this.#dialing.delete(dial)) return false;
    const next = this.#dialsWaiting.shift();
    if (next !== undefined) this.#connect(next);
    return true;
  }

  #linkClosed(link: LinkConnection, reason: string): void {
    this.#dirty.delete(link);
    const wasOpen = this.#links.get(link.id) === link && this.#opened.delete(link.id);
    this.#links.delete(link.id);
    if (wasOpen) return this.#emit({ type: "link-closed", link: link.id, reason });
    const { dial, remote } = link.ends;
    if (dial !== undefined && link.wasRefused) this.#settings.onRefused?.(remote);
    if (dial !== undefined) this.#emit({ type: "dial-failed", dial, reason });
    else this.#settings.onReport("info", `link with ${remote.host} did not open: ${reason}`);
  }

  readonly #opened = new Set<LinkId>(); // BOUNDED: by #links

  #emit(input: LinkEvent): void {
    if (input.type === "link-opened") this.#opened.add(input.link);
    this.#settings.onInput(input);
  }

  #stirred(link: LinkConnection): void {
    const deadline = link.nextDeadline();
    if (deadline === undefined) return;
    if (deadline <= this.#settings.clock.now()) {
      this.#dirty.add(link);
      this.#scheduleFlush();
    } else this.#wakeBy(deadline);
  }

  #scheduleFlush(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    setImmediate(() => {
      this.#flushScheduled = false;
      this.#flush();
    });
  }

  /** One write for each link in which something waits. */
  #flush(): void {
    const waiting = [...this.#dirty];
    this.#dirty.clear();
    for (const link of waiting) link.tick();
  }

  /** One timer for all links. */
  #wakeBy(deadline: Instant): void {
    if (this.#closed || (this.#timerAt !== undefined && this.#timerAt <= deadline)) return;
    clearTimeout(this.#timer);
    this.#timerAt = deadline;
    this.#timer = setTimeout(() => this.#wake(), Math.max(0, deadline - this.#settings.clock.now()));
  }

  #wake(): void {
    this.#timerAt = undefined;
    const now = this.#settings.clock.now();
    for (const link of [...this.#links.values()]) {
      const deadline = link.nextDeadline();
      if (deadline === undefined) continue;
      if (deadline <= now) link.tick();
      else this.#wakeBy(deadline);
    }
  }
}

/** Resolves when the last connection has ended, or soon: somebody's slow enrollment does not keep this box from stopping. */
function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const patience = setTimeout(resolve, CLOSE_PATIENCE_MS);
    server.close(() => {
      clearTimeout(patience);
      resolve();
    });
  });
}

function remoteOf(socket: TLSSocket): Address {
  const host = socket.remoteAddress ?? "";
  return { host: host.startsWith("::ffff:") ? host.slice(7) : host, port: socket.remotePort ?? 0 };
}
