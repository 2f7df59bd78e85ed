// baresip 1.0: commands and events as JSON in netstrings over ctrl_tcp. Its control port is on the loopback of
// its own namespace; two `cat` carry it out through pipes.

import type { ChildProcess } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Host } from "../network.ts";
import { Transcript } from "../transcript.ts";
import { PATIENCE, until } from "../until.ts";
import type { Account, CallOutcome, Phone } from "./phone.ts";

const MODULES = "/usr/lib/baresip/modules";

/** Without a sound device it hangs up: here a bridge carries its own player to its own source. */
function configuration(host: Host, { address = host.address, port = 5060, authority, modules = [], tone }: Account, control: readonly string[]): string {
  return [
    "poll_method epoll",
    `sip_listen ${inUri(address)}:${port}`,
    ...(address.includes(":") ? ["net_prefer_ipv6 yes", "prefer_ipv6 yes", "net_af ipv6"] : []),
    ...(authority === undefined ? [] : [`sip_cafile ${authority}`]),
    "call_max_calls 4",
    "audio_player aubridge,ear",
    `audio_source ${tone === true ? `aufile,${toneFile(host)}` : "aubridge,ear"}`,
    "audio_alert aubridge,bell",
    "ausrc_srate 8000",
    "auplay_srate 8000",
    "audio_level no",
    "rtp_ports 20000-20200",
    `module_path ${MODULES}`,
    ...["g711.so", "aubridge.so", "aufile.so"].map((module) => `module ${module}`),
    ...["uuid.so", "account.so"].map((module) => `module_tmp ${module}`),
    "module_app menu.so",
    ...modules.map((module) => `module_app ${module}`),
    ...control,
    "",
  ].join("\n");
}

/** A minute of 400 Hz: 8000 samples a second of 16 bits. */
function toneFile(host: Host): string {
  const samples = Int16Array.from({ length: 60 * 8_000 }, (_, index) => 8_000 * Math.sin((2 * Math.PI * index) / 20));
  const header = Buffer.alloc(44);
  header.write("RIFF\0\0\0\0WAVEfmt ", "latin1");
  header.writeUInt32LE(36 + samples.byteLength, 4);
  for (const [at, value] of [[16, 16], [24, 8_000], [28, 16_000], [40, samples.byteLength]] as const) header.writeUInt32LE(value, at);
  for (const [at, value] of [[20, 1], [22, 1], [32, 2], [34, 16]] as const) header.writeUInt16LE(value, at);
  header.write("data", 36, "latin1");
  const path = join(host.directory, `${host.name}-tone.wav`);
  writeFileSync(path, Buffer.concat([header, Buffer.from(samples.buffer)]));
  return path;
}

const inUri = (host: string): string => (host.includes(":") ? `[${host}]` : host);

/** A line of baresip's accounts file: registers, calls through the box, answers by itself. */
function accountLine({ username, password, domain, box, transport = "udp", boxPort = transport === "tls" ? 5061 : 5060, expires = 3600, secondBox, byHand = false }: Account): string {
  const second = secondBox === undefined ? "" : `;sipnat=outbound;outbound2="sip:${inUri(secondBox)}:${boxPort};transport=${transport}"`;
  return (
    `<sip:${username}@${domain}>;auth_user=${username};auth_pass=${password};answermode=${byHand ? "manual" : "auto"}` +
    `;outbound="sip:${inUri(box)}:${boxPort};transport=${transport}";regint=${expires};audio_codecs=PCMU/8000/1${second}`
  );
}

/** Makes its directory of settings; returns its path. */
function writeSettings(host: Host, account: Account, control: readonly string[], accounts: string): string {
  const directory = join(host.directory, `${host.name}-baresip-${account.username}`);
  mkdirSync(directory);
  writeFileSync(join(directory, "config"), configuration(host, account, control));
  writeFileSync(join(directory, "accounts"), accounts);
  writeFileSync(join(directory, "contacts"), (account.watches ?? []).map((aor) => `"${aor}" <sip:${aor}>;presence=p2p\n`).join(""));
  return directory;
}

/** Settings for a person who runs `baresip -f` with them on the host, and types. Returns their directory. */
export function baresipToPlayWith(host: Host, account: Account): string {
  return writeSettings(host, account, ["module stdio.so"], `${accountLine(account)}\n`);
}

const RELAY = 'exec 3<>/dev/tcp/127.0.0.1/$0 || exit 1; cat <&3 & exec cat >&3';

/** The fields of its messages that are read here. */
interface Message {
  readonly type?: string;
  readonly peeruri?: string;
  readonly param?: string;
  readonly token?: string;
  readonly ok?: boolean;
  readonly data?: string;
}

export class Baresip implements Phone {
  readonly aor: string;
  readonly host: Host;
  private readonly account: Account;
  private readonly said: Transcript;
  private readonly program: ChildProcess;
  private readonly relay: ChildProcess;
  private readonly events: Message[] = [];
  private unread = Buffer.alloc(0);
  private commands = 0;
  private added: boolean;

  /** Starts the phone; it knows no account before `register`, unless it watches people: that it does as it starts. */
  static async start(host: Host, account: Account): Promise<Baresip> {
    const controlPort = 10_000 + (account.port ?? 5060);
    const control = ["module_app ctrl_tcp.so", `ctrl_tcp_listen 127.0.0.1:${controlPort}`];
    const directory = writeSettings(host, account, control, account.watches === undefined ? "" : `${accountLine(account)}\n`);
    const program = host.start(["baresip", "-f", directory], "pipe");
    const said = new Transcript(program, join(directory, "output.txt"));
    await said.said(/baresip is ready/, 0, PATIENCE);
    const relay = host.start(["bash", "-c", RELAY, String(controlPort)], "pipe");
    return new Baresip(host, account, program, said, relay);
  }

  private constructor(host: Host, account: Account, program: ChildProcess, said: Transcript, relay: ChildProcess) {
    this.host = host;
    this.account = account;
    this.added = account.watches !== undefined;
    this.aor = `${account.username}@${account.domain}`;
    this.program = program;
    this.said = said;
    this.relay = relay;
    relay.stdout?.on("data", (octets: Buffer) => this.read(octets));
    relay.stdin?.on("error", () => undefined);
  }

  async register(): Promise<void> {
    if (this.added) await this.command("uadel", `sip:${this.aor}`);
    this.added = true;
    const start = this.events.length;
    await this.command("uanew", accountLine(this.account));
    const told = await this.event(start, ["REGISTER_OK", "REGISTER_FAIL"], PATIENCE);
    if (told.type !== "REGISTER_OK") throw new Error(`baresip ${this.aor}: ${told.param ?? "not registered"}`);
  }

  async call(aor: string, seconds: number = PATIENCE): Promise<CallOutcome> {
    const begun = performance.now();
    const start = this.events.length;
    await this.command("dial", `sip:${aor}`);
    const told = await this.event(start, ["CALL_ESTABLISHED", "CALL_CLOSED"], seconds);
    if (told.type === "CALL_CLOSED") return { answered: false, reason: told.param ?? "closed" };
    return { answered: true, seconds: (performance.now() - begun) / 1000 };
  }

  async talkingWith(peer: string, seconds: number = PATIENCE): Promise<void> {
    await until(`baresip ${this.aor} talks with ${peer}`, seconds, () => {
      const last = this.lastOfCall();
      if (last?.type === "CALL_ESTABLISHED" && last.peeruri?.includes(peer) === true) return;
      throw new Error(last === undefined ? "no call" : `${last.type} ${last.peeruri} ${last.param}`);
    });
  }

  async idle(seconds: number = PATIENCE): Promise<void> {
    await until(`baresip ${this.aor} has no call`, seconds, () => {
      const last = this.lastOfCall();
      if (last !== undefined && last.type !== "CALL_CLOSED") throw new Error(`${last.type} ${last.peeruri}`);
    });
  }

  async hangUp(): Promise<void> {
    await this.command("hangup", "");
    await this.idle();
  }

  /** Waits until it rings, or has rung so many times. */
  async rings(seconds: number = PATIENCE, times = 1): Promise<void> {
    await until(`baresip ${this.aor} rings`, seconds, () => {
      const count = this.events.filter(({ type }) => type === "CALL_INCOMING").length;
      if (count < times) throw new Error(`${count} of ${times} times; ${this.said.from(0).slice(-400)}`);
    });
  }
  /** Waits until a call has ended. */
  async closed(seconds: number): Promise<void> {
    await this.event(0, ["CALL_CLOSED"], seconds);
  }
  async accept(): Promise<void> {
    await this.command("accept", "");
  }

  /** How often an offer or answer has set its sound anew. */
  get soundUpdates(): number {
    return this.said.from(0).split("stream: update 'audio'").length - 1;
  }

  /** Sends the other side a re-INVITE that takes the sound away. */
  async hold(): Promise<void> {
    await this.command("hold", "");
  }

  /** Unregisters and ends. */
  async close(): Promise<void> {
    this.program.kill("SIGTERM");
    await until("baresip ends", PATIENCE, () => {
      if (this.program.exitCode === null && this.program.signalCode === null) throw new Error("still there");
    });
    this.relay.kill();
  }

  /** Waits until it has printed this. */
  async says(words: RegExp, seconds: number = PATIENCE): Promise<void> {
    await this.said.said(words, 0, seconds);
  }

  /** Waits until the list of the people it watches shows this. */
  async seesContact(words: RegExp, seconds: number = PATIENCE): Promise<void> {
    await until(`baresip ${this.aor} sees ${words}`, seconds, async () => {
      const start = this.events.length;
      await this.command("contacts", "");
      const listed = this.events.slice(start).find(({ data }) => data !== undefined)?.data ?? "";
      if (!words.test(listed)) throw new Error(listed);
    });
  }

  private lastOfCall(): Message | undefined {
    return this.events.findLast((event) => event.type === "CALL_ESTABLISHED" || event.type === "CALL_CLOSED" || event.type === "CALL_RINGING");
  }

  private async event(start: number, types: readonly string[], seconds: number): Promise<Message> {
    const found = await until(`baresip ${this.aor}: ${types.join(" or ")}`, seconds, () => {
      const event = this.events.slice(start).find((one) => one.type !== undefined && types.includes(one.type));
      if (event === undefined) throw new Error(`${JSON.stringify(this.events.slice(start))} ${this.said.from(0).slice(-400)}`);
      return event;
    });
    return found.value;
  }

  private async command(command: string, params: string): Promise<void> {
    this.commands += 1;
    const token = `command ${this.commands}`;
    const text = JSON.stringify({ command, params, token });
    this.relay.stdin?.write(`${Buffer.byteLength(text)}:${text},`);
    await until(`baresip answers to ${command}`, PATIENCE, () => {
      const answer = this.events.find((event) => event.token === token);
      if (answer === undefined) throw new Error(this.said.from(0).slice(-400));
      if (answer.ok === false) throw new Error(`refused: ${answer.data}`);
    });
  }

  /** Takes whole netstrings off what was read. */
  private read(octets: Buffer): void {
    this.unread = Buffer.concat([this.unread, octets]);
    for (;;) {
      const colon = this.unread.indexOf(":");
      if (colon < 0) return;
      const end = colon + 1 + Number(this.unread.toString("latin1", 0, colon));
      if (this.unread.length <= end) return;
      const message: Message = JSON.parse(this.unread.toString("utf8", colon + 1, end));
      this.events.push(message);
      this.unread = this.unread.subarray(end + 1);
    }
  }
}
