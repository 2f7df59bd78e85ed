// rtpengine's ng protocol: a cookie and a bencoded question in a datagram, the same cookie and the answer in another.
// One that does not answer is asked again twice, then it counts as silent until it answers a ping.

import { createSocket, type Socket } from "node:dgram";
import type { Address } from "../base/address.ts";
import { BoundedMap } from "../base/bounded-map.ts";
import type { PeerEffect, PeerInput } from "../peer/ports.ts";
import { type Bencoded, bdecode, bencode, isDictionary } from "./bencode.ts";

type RelayCommand = Extract<PeerEffect, { type: "relay-media" }>;
type Question = RelayCommand["question"];

/** Questions without an answer; above it the new one counts as unanswered. */
const QUESTIONS_MAX = 2_000;
/** Asked again after so long, milliseconds: on the same machine an answer takes two. */
const ASK_AGAIN_MS = [250, 250] as const;
/** Then the call goes on without it. */
const GIVE_UP_MS = 500;
const PING_EVERY_MS = 5_000;

interface Waiting {
  readonly datagram: Buffer;
  readonly answered: (answer: Readonly<Record<string, Bencoded>> | undefined) => void;
  tries: number;
  timer: NodeJS.Timeout;
}

export interface MediaRelaySettings {
  readonly address: Address;
  /** Begins the cookies, so that no answer to an earlier life of this process is taken for one to this. */
  readonly life: string;
  readonly onInput: (input: PeerInput) => void;
  readonly onReport: (level: "info" | "warning", text: string) => void;
}

export class MediaRelayClient {
  readonly #settings: MediaRelaySettings;
  readonly #socket: Socket;
  readonly #waiting = new BoundedMap<string, Waiting>(QUESTIONS_MAX, "refuse");
  readonly #pinging: NodeJS.Timeout;
  #cookies = 0;
  /** `undefined`: not known yet. */
  #answers: boolean | undefined;

  constructor(settings: MediaRelaySettings) {
    this.#settings = settings;
    this.#socket = createSocket(settings.address.host.includes(":") ? "udp6" : "udp4");
    this.#socket.on("message", (octets) => this.#receive(octets));
    // A port where nobody listens: the question goes unanswered.
    this.#socket.on("error", () => undefined);
    this.#pinging = setInterval(() => this.#ping(), PING_EVERY_MS);
    this.#ping();
  }

  close(): void {
    clearInterval(this.#pinging);
    for (const { timer } of this.#waiting.values()) clearTimeout(timer);
    this.#waiting.clear();
    this.#socket.close();
  }

  perform({ ticket, question }: RelayCommand): void {
    this.#ask(commandOf(question), (answer) => {
      if (question.verb === "delete") return;
      const sdp = answer?.["result"] === "ok" ? answer["sdp"] : undefined;
      if (answer !== undefined && sdp === undefined) this.#settings.onReport("warning", `the media relay refuses an ${question.verb}: ${String(answer["error-reason"])}`);
      this.#settings.onInput({ type: "media-relayed", ticket, sdp: typeof sdp === "string" ? sdp : undefined });
    });
  }

  #ping(): void {
    this.#ask({ command: "ping" }, (answer) => this.#tell(answer?.["result"] === "pong"));
  }

  #tell(answers: boolean): void {
    if (answers === this.#answers) return;
    this.#answers = answers;
    const { host, port } = this.#settings.address;
    if (answers) this.#settings.onReport("info", `The media relay at ${host}:${port} answers.`);
    else this.#settings.onReport("warning", `The media relay at ${host}:${port} does not answer: calls go on without it.`);
    this.#settings.onInput({ type: "media-relay", answers });
  }

  #ask(command: Readonly<Record<string, Bencoded>>, answered: Waiting["answered"]): void {
    this.#cookies += 1;
    const cookie = `${this.#settings.life}${this.#cookies.toString(36)}`;
    const waiting: Waiting = {
      datagram: Buffer.from(`${cookie} ${bencode(command)}`, "latin1"),
      answered,
      tries: 0,
      timer: setTimeout(() => this.#again(cookie, waiting), ASK_AGAIN_MS[0]),
    };
    if (!this.#waiting.set(cookie, waiting)) {
      clearTimeout(waiting.timer);
      return answered(undefined);
    }
    this.#send(waiting);
  }

  #send({ datagram }: Waiting): void {
    const { host, port } = this.#settings.address;
    this.#socket.send(datagram, port, host, () => undefined); // what cannot be sent is not answered
  }

  #again(cookie: string, waiting: Waiting): void {
    waiting.tries += 1;
    if (waiting.tries > ASK_AGAIN_MS.length) {
      this.#waiting.delete(cookie);
      this.#tell(false);
      return waiting.answered(undefined);
    }
    this.#send(waiting);
    waiting.timer = setTimeout(() => this.#again(cookie, waiting), ASK_AGAIN_MS[waiting.tries] ?? GIVE_UP_MS);
  }

  #receive(octets: Buffer): void {
    const text = octets.toString("latin1");
    const space = text.indexOf(" ");
    const cookie = text.slice(0, Math.max(space, 0));
    const waiting = this.#waiting.get(cookie);
    const answer = waiting === undefined ? undefined : bdecode(text.slice(space + 1));
    if (waiting === undefined || answer === undefined || !isDictionary(answer)) return;
    this.#waiting.delete(cookie);
    clearTimeout(waiting.timer);
    waiting.answered(answer);
  }
}

/**
 * For a browser: keys by DTLS, ICE, both streams on one port. For a telephone: none of these. Between two of one kind
 * all stays as it is, but for the addresses. The relay sends where the sound comes from, whatever the description says.
 */
function commandOf(question: Question): Readonly<Record<string, Bencoded>> {
  const { verb, callId, fromTag } = question;
  if (question.verb === "delete") return { command: verb, "call-id": callId, "from-tag": fromTag };
  const { toTag, branch, sdp, towards, changes } = question;
  return {
    command: verb,
    "call-id": callId,
    "from-tag": fromTag,
    ...(toTag === "" ? {} : { "to-tag": toTag }),
    ...(branch === "" ? {} : { "via-branch": branch }),
    sdp,
    replace: ["origin", "session-connection"],
    ...(changes ? TOWARDS[towards] : {}),
  };
}

const TOWARDS = {
  webrtc: { "transport-protocol": "UDP/TLS/RTP/SAVPF", ICE: "force", "rtcp-mux": ["require"], SDES: ["off"], flags: ["generate-mid"] },
  plain: { "transport-protocol": "RTP/AVP", ICE: "remove", "rtcp-mux": ["demux"], SDES: ["off"], flags: [] },
} as const;
