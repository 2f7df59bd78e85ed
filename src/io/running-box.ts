// One box at work: the peer, and around it everything that touches the outside, wired by hand.

import type { Address } from "../base/address.ts";
import { toHex } from "../base/bytes.ts";
import { minutes } from "../base/time.ts";
import { compareSequences } from "../overlay/configuration/document.ts";
import { servesPhones } from "../overlay/members/phases.ts";
import type { NodeId, PeerInfo, Phase, StoredRow } from "../overlay/ports.ts";
import { MAX_MESSAGE_BYTES } from "../overlay/wire/framing.ts";
import type { AdmissionAnswer, AdmissionRequest } from "../peer/admission-office.ts";
import type { ControlReply, ControlRequest, PeerRequest } from "../peer/control.ts";
import { Peer, SOFTWARE } from "../peer/peer.ts";
import type { DoorEvent, PeerInput } from "../peer/ports.ts";
import type { ServiceAddressEffect } from "../peer/service-addresses.ts";
import type { Announcement } from "../provision/admission.ts";
import type { Hint } from "../provision/hint.ts";
import type { StreamPorts, TurnServer } from "../sip/ports.ts";
import { systemClock } from "./clock.ts";
import { ControlServer } from "./control-server.ts";
import { CertificateTime } from "./certificate-time.ts";
import { CredentialKeeper, type CertificateState } from "./credential.ts";
import { NodeCrypto } from "./crypto.ts";
import { type DataDirectory, DataDirectoryError } from "./data-directory.ts";
import { Driver } from "./driver.ts";
import { EffectPerformer } from "./effects.ts";
import { EnrollmentServer } from "./enrollment-server.ts";
import { readConfiguration } from "./fleet-configuration.ts";
import type { FleetMembership } from "./identity-files.ts";
import type { Report } from "./journal.ts";
import { KnownBoxes } from "./known-boxes.ts";
import { type LinkEvent, Links } from "./links.ts";
import { Mdns } from "./mdns.ts";
import { MediaRelayClient } from "./media-relay.ts";
import { ownAddress } from "./own-address.ts";
import { certificatePem, fleetHashOf, fleetSecret, isKeyOf } from "./pki.ts";
import { RulesInForce } from "./rules-in-force.ts";
import { SystemRandom } from "./random.ts";
import { SipResolver } from "./resolver.ts";
import { ServiceAddressKeeper } from "./service-addresses.ts";
import { SipCertificate, type SipCertificateSettings } from "./sip-certificate.ts";
import { SipSockets, type SipSocketsSettings } from "./sip-sockets.ts";
import { Store } from "./store.ts";
import { CertificateTrust } from "./trust.ts";
import { BundleDoor } from "./updates/bundle-door.ts";

/**
 * Between two looks at the links by the time that the ring agrees on, longer than a box takes to renew its own
 * certificate when it learns what time it is; the time itself is written to disk as often.
 */
const JUDGE_EVERY = minutes(10);

export interface RunningBoxSettings {
  readonly membership: FleetMembership;
  readonly data: DataDirectory;
  readonly listen: string | undefined;
  readonly sipPort: number;
  /** Ports of TLS and WebSocket for phones. */
  readonly extraPorts: NonNullable<SipSocketsSettings["extra"]>;
  /** The operator's own certificate for phones over TLS. */
  readonly certificateFiles: SipCertificateSettings["files"];
  readonly overlayPort: number;
  /** Where members may be found, the one that admitted this box first. */
  readonly hints: readonly Hint[];
  /** Where rtpengine listens for its ng protocol. */
  readonly mediaRelay: Address | undefined;
  readonly turn: TurnServer | undefined;
  readonly mdns: boolean;
  readonly openRegistration: boolean;
  /** By which phones know this box and which another one takes when it is dead, numeric. */
  readonly serviceAddresses: readonly string[];
  readonly report: Report;
  /** Somebody asked over the control socket that this process start afresh. */
  readonly onRestart: () => void;
}

export class RunningBox {
  readonly self: PeerInfo;
  readonly #settings: RunningBoxSettings;
  readonly #random = new SystemRandom();
  readonly #crypto: NodeCrypto;
  readonly #store: Store;
  readonly #sip: SipSockets;
  readonly #sipCertificate: SipCertificate;
  readonly #keeper: ServiceAddressKeeper;
  /** What the SIP certificate is to cover beside what is here. BOUNDED: by the peer. */
  #serviceAddresses: readonly string[];
  readonly #resolver: SipResolver;
  readonly #links: Links;
  readonly #mdns: Mdns;
  readonly #enrollment: EnrollmentServer;
  readonly #fleetHash: string;
  readonly #rules: RulesInForce;
  readonly #trust: CertificateTrust;
  readonly #time: CertificateTime;
  readonly #credential: CredentialKeeper;
  #certificate: CertificateState | undefined;
  #watch: NodeJS.Timeout | undefined;
  readonly #known: KnownBoxes;
  /** Questions of the control socket without an answer. BOUNDED: by the control server's connections and their questions. */
  readonly #questions = new Map<number, (reply: ControlReply) => void>();
  /** Questions of the enrollment desk without an answer. BOUNDED: by its connections. */
  readonly #admissions = new Map<number, (answer: AdmissionAnswer) => void>();
  #lastQuestion = 0;
  #peer: Peer | undefined;
  #driver: Driver | undefined;
  #mediaRelay: MediaRelayClient | undefined;
  #control: ControlServer | undefined;
  #stopped: Promise<void> | undefined;

  constructor(settings: RunningBoxSettings) {
    const { membership, data, listen, overlayPort, report } = settings;
    const privateKeyPem = data.identityKey();
    this.#settings = settings;
    this.#serviceAddresses = settings.serviceAddresses;
    this.#crypto = new NodeCrypto(privateKeyPem);
    this.#fleetHash = fleetHashOf(membership.rootCertificate);
    for (const name of data.missingDatabases()) report("warning", `${name} is gone or empty; what it held comes from the neighbors`);
    this.#rules = new RulesInForce(membership, data.rules((document) => readConfiguration(document, membership).ok), membership.enrolled.nodeId);
    this.#time = new CertificateTime({ remembered: data.agreedTime(), wall: systemClock.wall, agreed: () => this.#peer?.agreedTime });
    this.#trust = new CertificateTrust({
      root: membership.rootCertificate,
      issuing: [membership.enrolled.issuing.certificate],
      overlayName: membership.overlayName,
      wall: () => this.#time.judging(),
      latest: () => this.#time.making(),
      rules: this.#rules,
    });
    this.#known = new KnownBoxes(data.boxes(), (text) => this.#tryToKeep(() => data.saveBoxes(text)));
    this.#credential = this.#makeKeeper(privateKeyPem);
    this.self = this.#describe();
    this.#store = new Store({ directory: data.path, onInput: this.#take, onReport: report });
    this.#sipCertificate = this.#makeSipCertificate();
    this.#sip = this.#makeSipSockets();
    this.#keeper = new ServiceAddressKeeper({
      follow: () => this.#sip.follow(),
      closeConnectionsAt: (host) => this.#sip.closeConnectionsAt(host),
      onEvent: this.#take,
      onReport: report,
    });
    this.#resolver = new SipResolver({
      random: this.#random,
      onResolved: (ticket, targets) => this.#take({ type: "resolved", ticket, targets }),
    });
    this.#enrollment = new EnrollmentServer({
      fleetName: membership.fleetName,
      overlayName: membership.overlayName,
      domain: membership.domain,
      root: membership.rootCertificate,
      issuing: membership.enrolled.issuing,
      crypto: this.#crypto,
      random: this.#random,
      clock: { now: systemClock.now, wall: () => this.#time.making() },
      members: () => this.#placed(),
      rules: () => this.#rules,
      isRevokedKey: (key) => this.#known.boxes.some((box) => box.key === key && this.#rules.isRevoked(box.nodeId)),
      trust: this.#trust,
      askOffice: (request) => this.#askOffice(request),
      onReport: report,
      onCount: this.#countAtDoor,
      bundles: new BundleDoor(data.path),
    });
    this.#links = new Links({
      overlayName: membership.overlayName,
      certificate: membership.enrolled.certificate,
      issuingCertificate: membership.enrolled.issuing.certificate,
      privateKeyPem,
      trust: this.#trust,
      random: this.#random,
      clock: systemClock,
      maxMessageBytes: MAX_MESSAGE_BYTES,
      onInput: this.#takeFromLink,
      onEnrollment: (socket) => this.#enrollment.accept(socket),
      onReport: report,
      onRefused: (address) => this.#credential.refusedAt(address),
      onCount: this.#countAtDoor,
    });
    this.#mdns = new Mdns({
      announcement: this.#announcement("blank"),
      port: overlayPort,
      software: SOFTWARE,
      listen,
      onHeard: (address, announcement) => {
        const isCandidate = announcement.fleetHash === this.#fleetHash && announcement.state === "serving";
        if (isCandidate) this.#take({ type: "candidate", address, source: "mdns" });
      },
      onUnheard: () => undefined,
      onReport: report,
    });
  }

  #makeSipCertificate(): SipCertificate {
    const { membership, data, report } = this.#settings;
    return new SipCertificate({
      domain: membership.domain,
      root: membership.rootCertificate,
      issuing: () => this.#credential.membership.enrolled.issuing,
      addresses: () => [...new Set([...this.#sip.addresses, ...this.#serviceAddresses])],
      clock: systemClock,
      files: this.#settings.certificateFiles,
      load: () => data.sipIdentity(),
      save: (pem) => this.#tryToKeep(() => data.saveSipIdentity(pem, certificatePem(membership.rootCertificate))),
      onReport: report,
    });
  }

  #makeSipSockets(): SipSockets {
    const { membership, listen, report } = this.#settings;
    return new SipSockets({
      port: this.#settings.sipPort,
      listen,
      extra: this.#settings.extraPorts,
      secure: { ...this.#sipCertificate.access, fleetAuthority: certificatePem(membership.rootCertificate) },
      onInput: this.#take,
      onAddresses: () => this.#tellAddresses(),
      onReport: report,
    });
  }

  #makeMediaRelay(): MediaRelayClient | undefined {
    const { mediaRelay: address, report: onReport } = this.#settings;
    if (address === undefined) return undefined;
    return new MediaRelayClient({ address, life: toHex(this.#random.bytes(6)), onInput: this.#take, onReport });
  }

  /** Rejects with an error whose message is a sentence for the operator if a port or the store cannot be had. */
  async start(): Promise<void> {
    const { data, listen, overlayPort, hints } = this.#settings;
    const rows = await this.#store.open();
    await this.#credential.start();
    this.#peer = this.#makePeer(rows);
    this.#mediaRelay = this.#makeMediaRelay();
    this.#driver = new Driver(this.#peer, systemClock, this.#performer());
    this.#tellOfCertificate(this.#certificate);
    this.#watch = setInterval(() => this.#judgeInTime(), JUDGE_EVERY);
    await this.#links.open({ host: listen, port: overlayPort });
    await this.#sip.open();
    await this.#sipCertificate.start(); // before it is said that phones are served over TLS
    this.#control = await ControlServer.open({ directory: data.path, ask: this.ask });
    this.#tellAddresses();
    for (const row of this.#store.damagedAtStart) this.#take({ type: "row-damaged", row });
    for (const address of hints) this.#take({ type: "candidate", address, source: "hint" });
    if (this.#settings.mdns) this.#mdns.open();
    this.#known.met(this.self.nodeId, this.#credential.membership.enrolled.certificate);
    this.#obey();
  }

  /** Whether an address may move to another box. */
  isMovable(address: string): boolean {
    return this.#serviceAddresses.includes(address) || this.#keeper.has(address);
  }

  #serve(effect: ServiceAddressEffect): void {
    if (this.isStopping) return;
    if (effect.type === "service-address") return this.#keeper.want(effect.address, effect.wanted);
    this.#serviceAddresses = effect.addresses;
    void this.#sipCertificate.look();
  }

  /** Where phones are served over TLS and WebSocket. */
  get streamPorts(): StreamPorts {
    return this.#sip.streamPorts;
  }

  #tellAddresses(): void {
    this.#take({ type: "local-addresses", addresses: this.#sip.addresses, streams: this.#sip.streamPorts });
    if (this.#driver !== undefined) void this.#sipCertificate.look();
  }

  get isStopping(): boolean {
    return this.#stopped !== undefined;
  }

  /** Stops without leaving the ring: the box will be back. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  readonly #countAtDoor = (event: DoorEvent): void => this.#take({ type: "count", event });

  readonly #takeFromLink = (input: LinkEvent): void => {
    if (input.type === "link-opened") this.#known.met(input.nodeId, input.certificate);
    this.#take(input);
  };

  readonly #take = (input: PeerInput): void => this.#driver?.take(input);

  #describe(): PeerInfo {
    const { membership, data, listen, overlayPort, sipPort, serviceAddresses } = this.#settings;
    const host = ownAddress(listen, serviceAddresses);
    return {
      nodeId: membership.enrolled.nodeId,
      overlay: { host, port: overlayPort },
      sip: { host, port: sipPort },
      zone: membership.zone,
      incarnation: data.nextIncarnation(),
      software: SOFTWARE,
    };
  }

  #makeKeeper(privateKeyPem: string): CredentialKeeper {
    const { membership, report } = this.#settings;
    return new CredentialKeeper({
      membership, privateKeyPem, trust: this.#trust, time: this.#time, random: this.#random, onReport: report,
      configuration: () => this.#rules.configuration,
      isOut: () => this.#rules.isOut,
      onState: (state) => this.#tellOfCertificate(state),
      members: () => this.#peer?.snapshot().members.filter(({ state }) => state !== "gone").map(({ info }) => info.overlay) ?? [],
      onRenewed: (renewed) => this.#renewed(renewed, privateKeyPem),
    });
  }

  #makePeer(rows: readonly StoredRow[]): Peer {
    const { data, openRegistration, serviceAddresses } = this.#settings;
    const { membership } = this.#credential;
    const { fleetName, domain, overlayName, enrolled, formerSecret } = membership;
    return new Peer(
      {
        fleetName,
        domain,
        overlayName,
        self: this.self,
        certificate: enrolled.certificate,
        fleetSecret: fleetSecret(enrolled.issuing.privateKeyPem),
        formerFleetSecret: formerSecret !== undefined && formerSecret.until > systemClock.wall() ? formerSecret.secret : undefined,
        rows,
        members: data.members(),
        mayStandAlone: data.hasServed,
        ringAge: data.ringAge(),
        localAddresses: [],
        openRegistration,
        turn: this.#settings.turn,
        serviceAddresses,
        publishesCertificate: true,
        rules: { rootCertificate: membership.rootCertificate, ...this.#rules.stored },
      },
      this.#crypto,
      this.#random,
      this.#trust,
    );
  }

  #performer(): EffectPerformer {
    const { data, report } = this.#settings;
    return new EffectPerformer({
      store: this.#store,
      links: this.#links,
      sip: this.#sip,
      resolver: this.#resolver,
      mediaRelay: this.#mediaRelay,
      onReply: (question, reply) => {
        this.#questions.get(question)?.(reply);
        this.#questions.delete(question);
      },
      onAdmission: (question, answer) => {
        this.#admissions.get(question)?.(answer);
        this.#admissions.delete(question);
      },
      onMembers: (members) => this.#tryToKeep(() => data.saveMembers(members)),
      onRules: (rules) => {
        this.#tryToKeep(() => data.saveRules(rules));
        this.#rules.changed(rules, rules.configuration);
        this.#obey();
      },
      onPhase: (phase) => this.#enter(phase),
      onServiceAddress: (effect) => this.#serve(effect),
      onRingAge: (age) => this.#tryToKeep(() => data.saveRingAge(age)),
      onReport: report,
    });
  }

  /** What the fleet's rules mean for the credential and the links of this box; after this step, since links may close. */
  #obey(): void {
    setImmediate(() => {
      if (this.isStopping) return;
      const { configuration } = this.#rules;
      for (const issuing of configuration === undefined ? [] : [configuration.issuingCertificate, ...configuration.retired]) this.#trust.learnIssuing(issuing);
      this.#links.takeUpTo(configuration?.limits.maxMessageSize ?? MAX_MESSAGE_BYTES);
      this.#links.judgeAnew();
      if (!this.#rules.isOut) this.#credential.configured(configuration);
    });
  }

  /** Whether it is on disk. */
  #renewed(membership: FleetMembership, privateKeyPem: string): boolean {
    const { certificate, issuing } = membership.enrolled;
    const isKept = this.#tryToKeep(() => this.#settings.data.saveMembership(membership));
    this.#links.showIdentity({ certificate, issuingCertificate: issuing.certificate, privateKeyPem });
    this.#enrollment.issueWith(issuing);
    void this.#sipCertificate.look();
    this.#take({ type: "credential", certificate, fleetSecret: fleetSecret(issuing.privateKeyPem) });
    return isKept;
  }

  #tellOfCertificate(state: CertificateState | undefined): void {
    this.#certificate = state;
    if (state !== undefined) this.#take({ type: "certificate-state", ...state });
  }

  /** Now and then the time is remembered, and the links whose certificates have ended meanwhile are closed. */
  #judgeInTime(): void {
    const { agreed } = this.#time;
    if (agreed === undefined || this.isStopping) return;
    this.#settings.data.saveAgreedTime(agreed);
    this.#links.judgeAnew();
  }

  /** First this box has the credential, then the others hear of it and fetch it here. */
  #rotate({ document, issuingKeyPem }: Extract<ControlRequest, { op: "rotate" }>, answer: (reply: ControlReply) => void): void {
    const refuse = (text: string): void => answer({ ok: false, fault: "invalid", text });
    const bytes = Buffer.from(document, "latin1");
    const read = readConfiguration(bytes, this.#settings.membership);
    if (!read.ok) return refuse(`The configuration is refused: ${read.fault}.`);
    const known = this.#rules.configuration;
    if (this.#rules.isOut) return refuse("This box was revoked.");
    if (known !== undefined && compareSequences(read.value.sequence, known.sequence) <= 0) return refuse("This fleet has a newer configuration already; try again.");
    const { issuingCertificate } = read.value;
    if (!isKeyOf(issuingKeyPem, issuingCertificate)) return refuse("The issuing key is not that of the configuration.");
    this.#credential
      .install({ certificate: issuingCertificate, privateKeyPem: issuingKeyPem })
      .then(() => this.#askPeer({ op: "configure", document }, (reply) => answer("op" in reply && reply.op === "configure" ? { ...reply, op: "rotate" } : reply)))
      .catch((error: unknown) => refuse(`The new credential cannot be used: ${error instanceof Error ? error.message : String(error)}.`));
  }

  /** What the control socket asks, and the watchdog. `answer` is called once, or never if the box stops first. */
  readonly ask = (request: ControlRequest, answer: (reply: ControlReply) => void): void => {
    if (request.op === "rotate") return this.#rotate(request, answer);
    if (request.op === "restart") {
      answer({ ok: true, op: "restart" });
      return this.#settings.onRestart();
    }
    if (request.op === "known-boxes") return this.#askPeer({ op: "published" }, (reply) => answer(this.#withPublished(reply)));
    if (request.op !== "heartbeat") return this.#askPeer(request, answer);
    this.#askPeer(request, (reply) => answer("op" in reply && reply.op === "heartbeat" ? { ...reply, processId: process.pid } : reply));
  };

  /** The boxes that this one has met, and those that have published a certificate; if the ring does not answer, the first alone. */
  #withPublished(reply: ControlReply): ControlReply {
    const certificates = "op" in reply && reply.op === "published" ? reply.certificates.map((octets) => Buffer.from(octets, "latin1")) : [];
    const boxes = this.#known.with(certificates, (certificate) => {
      const inspected = this.#trust.inspect(certificate, "returning");
      return "nodeId" in inspected && inspected.isClient !== true ? inspected.nodeId : undefined;
    });
    return { ok: true, op: "known-boxes", boxes };
  }

  #askPeer(request: PeerRequest, answer: (reply: ControlReply) => void): void {
    this.#questions.set(++this.#lastQuestion, answer);
    this.#take({ type: "control", ticket: this.#lastQuestion, request });
  }

  #askOffice(request: AdmissionRequest): Promise<AdmissionAnswer> {
    return new Promise((answered) => {
      this.#admissions.set(++this.#lastQuestion, answered);
      this.#take({ type: "admission", ticket: this.#lastQuestion, request });
    });
  }

  /** Files that shorten the next start: on a disk that takes nothing any more a running box goes on without them. Whether it was written. */
  #tryToKeep(write: () => void): boolean {
    try {
      write();
      return true;
    } catch (error) {
      if (!(error instanceof DataDirectoryError)) throw error;
      this.#settings.report("warning", error.message);
      return false;
    }
  }

  #enter(phase: Phase): void {
    const { data, report } = this.#settings;
    report("debug", `phase: ${phase}`);
    this.#mdns.announce(this.#announcement(servesPhones(phase) ? "serving" : "blank"));
    if (phase === "serving") {
      this.#tryToKeep(() => data.rememberServing());
      report("info", "In service.");
    }
    if (phase === "left") {
      report("info", "Left the ring; everything this box held is with the others.");
      void this.stop();
    }
  }

  #announcement(state: Announcement["state"]): Announcement {
    return { fleetHash: this.#fleetHash, state, instance: instanceOf(this.self.nodeId, state) };
  }

  /** Members and this box itself, whose Node-IDs are taken. */
  #placed(): { readonly nodeId: NodeId; readonly zone: string }[] {
    const members = this.#peer?.snapshot().members.map(({ info }) => info) ?? [];
    return [this.self, ...members].map(({ nodeId, zone }) => ({ nodeId, zone }));
  }

  async #stop(): Promise<void> {
    if (this.#settings.mdns) await this.#mdns.close();
    await this.#control?.close();
    this.#sipCertificate.close();
    await this.#keeper.close();
    await this.#sip.close();
    await this.#links.close();
    this.#credential.close();
    clearInterval(this.#watch);
    this.#enrollment.close();
    this.#resolver.close();
    this.#mediaRelay?.close();
    this.#driver?.close();
    await this.#store.close();
    this.#settings.data.close();
  }
}

/** An enrolled box that does not serve yet soon will: its tag comes before that of any blank one, so that those wait for it. */
const instanceOf = (nodeId: NodeId, state: Announcement["state"]): string =>
  state === "serving" ? nodeId.slice(0, 16) : `00000000${nodeId.slice(0, 8)}`;
