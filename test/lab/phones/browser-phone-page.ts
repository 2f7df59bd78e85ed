// The side of `BrowserPhone` that lives in the browser: JsSIP, told what to do by expressions that the test evaluates.

/** As much of JsSIP is used here as this says; its own types lack a package. */
interface Connection {
  getStats(): Promise<Map<string, Statistic>>;
  addEventListener(event: "track", listener: (told: { readonly streams: readonly object[] }) => void): void;
}
interface Session {
  readonly connection: Connection | null;
  readonly remote_identity: { readonly uri: { readonly user: string; readonly host: string } };
  on(event: string, listener: (told: { readonly cause?: string; readonly originator?: string; readonly peerconnection?: Connection }) => void): void;
  answer(options: object): void;
  terminate(): void;
}
interface Agent {
  on(event: string, listener: (told: { readonly originator?: string; readonly session: Session; readonly cause?: string; readonly response?: { getHeader(name: string): string | undefined } }) => void): void;
  start(): void;
  stop(): void;
  isRegistered(): boolean;
  call(target: string, options: object): void;
}
export interface JsSip {
  readonly UA: new (configuration: object) => Agent;
  readonly WebSocketInterface: new (url: string) => unknown;
}
/** The browser's. */
declare class Audio {
  srcObject: object;
  play(): Promise<void>;
}
interface Statistic {
  readonly type: string;
  readonly kind?: string;
  readonly packetsReceived?: number;
  readonly packetsSent?: number;
  readonly totalAudioEnergy?: number;
  readonly nominated?: boolean;
  readonly state?: string;
  readonly localCandidateId?: string;
  readonly remoteCandidateId?: string;
  readonly candidateType?: string;
  readonly address?: string;
  readonly port?: number;
}

/** What the test is told of the phone. */
export interface BrowserPhoneState {
  readonly isRegistered: boolean;
  readonly call: "none" | "calling" | "ringing" | "talking" | "ended";
  readonly peer: string;
  readonly cause: string;
}

/** What came and went of the call's sound. */
export interface Sound {
  readonly received: number;
  readonly sent: number;
  /** Of what was received; silence has none. */
  readonly energy: number;
  /** The two ends of the path that ICE chose: kind, address and port. */
  readonly path: readonly string[];
}

export interface BrowserPhoneOptions {
  readonly url: string;
  readonly aor: string;
  readonly password: string;
  /** Uses nothing but TURN. */
  readonly relayOnly: boolean;
}

export interface PagePhone {
  readonly state: () => BrowserPhoneState;
  readonly sound: () => Promise<Sound | undefined>;
  readonly call: (target: string) => void;
  readonly hangUp: () => void;
  readonly stop: () => void;
}

/** Starts the phone of this page. It answers every call. */
export function startPhone(jsSip: JsSip, { url, aor, password, relayOnly }: BrowserPhoneOptions): PagePhone {
  let iceServers: readonly object[] = [];
  const media = () => ({
    mediaConstraints: { audio: true, video: false },
    pcConfig: { iceServers, iceTransportPolicy: relayOnly ? "relay" : "all" },
  });
  const agent = new jsSip.UA({ sockets: [new jsSip.WebSocketInterface(url)], uri: `sip:${aor}`, password, register_expires: 600 });
  let session: Session | undefined;
  let call: BrowserPhoneState["call"] = "none";
  let cause = "";
  agent.on("registered", ({ response }) => (iceServers = iceServersOf(response?.getHeader("Ringbox-Turn"))));
  agent.on("registrationFailed", (told) => (cause = told.cause ?? ""));
  agent.on("newRTCSession", (told) => {
    session = told.session;
    call = "calling";
    // A caller's is there already.
    if (session.connection !== null) play(session.connection);
    session.on("peerconnection", ({ peerconnection }) => peerconnection !== undefined && play(peerconnection));
    session.on("progress", () => (call = "ringing"));
    session.on("confirmed", () => (call = "talking"));
    for (const event of ["ended", "failed"]) {
      session.on(event, (end) => {
        call = "ended";
        cause = `${end.originator}: ${end.cause}`;
      });
    }
    if (told.originator === "remote") session.answer(media());
  });
  agent.start();
  return {
    state: () => {
      const uri = session?.remote_identity.uri;
      return { isRegistered: agent.isRegistered(), call, cause, peer: uri === undefined ? "" : `${uri.user}@${uri.host}` };
    },
    sound: async () => {
      const statistics = await session?.connection?.getStats();
      return statistics === undefined ? undefined : soundOf(statistics);
    },
    call: (target) => agent.call(`sip:${target}`, media()),
    hangUp: () => session?.terminate(),
    stop: () => agent.stop(),
  };
}

/** `<turn:HOST:PORT>;username="…";credential="…";ttl=…` */
function iceServersOf(field: string | undefined): readonly object[] {
  const [, urls, username, credential] = /^<([^>]+)>;username="([^"]+)";credential="([^"]+)"/.exec(field ?? "") ?? [];
  return urls === undefined ? [] : [{ urls, username, credential }];
}

/** What is not played is not decoded either. */
function play(connection: Connection): void {
  connection.addEventListener("track", ({ streams: [stream] }) => {
    if (stream === undefined) return;
    const loudspeaker = new Audio();
    loudspeaker.srcObject = stream;
    void loudspeaker.play();
  });
}

function soundOf(statistics: Map<string, Statistic>): Sound {
  const all = [...statistics.values()];
  const inbound = all.find(({ type, kind }) => type === "inbound-rtp" && kind === "audio");
  const outbound = all.find(({ type, kind }) => type === "outbound-rtp" && kind === "audio");
  const pair = all.find(({ type, nominated, state }) => type === "candidate-pair" && nominated === true && state === "succeeded");
  const path = [pair?.localCandidateId, pair?.remoteCandidateId].flatMap((id) => {
    const end = id === undefined ? undefined : statistics.get(id);
    return end === undefined ? [] : [`${end.candidateType} ${end.address}:${end.port}`];
  });
  return { received: inbound?.packetsReceived ?? 0, sent: outbound?.packetsSent ?? 0, energy: inbound?.totalAudioEnergy ?? 0, path };
}
