// linphonec 5.1: commands through its standard input, what happens read from what it prints.

import type { ChildProcess } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Host } from "../network.ts";
import { Transcript } from "../transcript.ts";
import { PATIENCE, until } from "../until.ts";
import type { Account, CallOutcome, Phone } from "./phone.ts";

/**
 * Without a route to the world it would wait for a network; without a sound card it plays a file it does not find. Its
 * watch over the network ends a TLS connection after five seconds; without that watch it does not say that it goes.
 */
function configuration(account: Account): string {
  const { username, password, domain, box, port = 5060, transport = "udp", boxPort = transport === "tls" ? 5061 : 5060, expires = 3600, keepAlive = 30 } = account;
  const route = `<sip:${box.includes(":") ? `[${box}]` : box}:${boxPort};transport=${transport};lr>`;
  return `[sip]
sip_port=${port}
sip_tcp_port=${port}
sip_tls_port=${transport === "tls" ? port + 1 : 0}
guess_hostname=1
${transport === "tls" ? `auto_net_state_mon=0\nkeepalive_period=${keepAlive * 1_000}\n` : ""}register_only_when_network_is_up=0
default_proxy=0
media_encryption=none
${account.authority === undefined ? "" : `root_ca=${account.authority}\nverify_server_certs=1\nverify_server_cn=1\n`}[video]
automatically_initiate=0
automatically_accept=0
capture=0
display=0
[proxy_0]
reg_proxy=${route}
reg_route=${route}
reg_identity=sip:${username}@${domain}
reg_expires=${expires}
reg_sendregister=1
publish=${account.publishes === true ? 1 : 0}
[auth_info_0]
username=${username}
passwd=${password}
realm=${domain}
`;
}

export class Linphone implements Phone {
  readonly aor: string;
  readonly host: Host;
  private readonly account: Account;
  private readonly directory: string;
  private starts = 0;
  private running: { readonly program: ChildProcess; readonly said: Transcript } | undefined;
  /** Where the last call's words begin. */
  private callStart = 0;

  constructor(host: Host, account: Account) {
    this.host = host;
    this.account = account;
    this.aor = `${account.username}@${account.domain}`;
    this.directory = join(host.network.directory, `${host.name}-linphone-${account.username}`);
    mkdirSync(join(this.directory, ".local/share/linphone"), { recursive: true });
    mkdirSync(join(this.directory, ".config/linphone"), { recursive: true });
  }

  /** It registers as it starts: a further registration is a further start. */
  async register(): Promise<void> {
    if (this.running !== undefined) await this.close();
    this.starts += 1;
    const file = join(this.directory, "linphonerc");
    writeFileSync(file, configuration(this.account));
    const program = this.host.start(["linphonec", "-a", "-c", file], "pipe", { HOME: this.directory, XDG_RUNTIME_DIR: this.directory });
    const said = new Transcript(program, join(this.directory, `output-${this.starts}.txt`));
    this.running = { program, said };
    this.callStart = 0;
    await said.said(/linphonec> /, 0, PATIENCE);
    await until(`linphone ${this.aor} is registered`, PATIENCE, () => this.isRegistered());
  }

  async call(aor: string, seconds: number = PATIENCE): Promise<CallOutcome> {
    const begun = performance.now();
    this.callStart = this.transcript.end;
    this.type(`call sip:${aor}`);
    const told = await this.transcript.said(/Call \d+ (?:to|with) \S+ (connected|error|ended[^\n]*)/, this.callStart, seconds);
    if (told[1] !== "connected") return { answered: false, reason: told[0] };
    return { answered: true, seconds: (performance.now() - begun) / 1000 };
  }

  async talkingWith(peer: string, seconds: number = PATIENCE): Promise<void> {
    await until(`linphone ${this.aor} talks with ${peer}`, seconds, () => {
      const last = this.lastOfCall();
      if (last?.[2] === "connected" && last[1]?.includes(peer) === true) return;
      throw new Error(last?.[0] ?? "no call");
    });
  }

  async idle(seconds: number = PATIENCE): Promise<void> {
    await until(`linphone ${this.aor} has no call`, seconds, () => {
      const last = this.lastOfCall();
      if (last?.[2] === "connected") throw new Error(last[0]);
    });
  }

  async hangUp(): Promise<void> {
    this.type("terminate");
    await this.idle();
  }

  /** Unregisters and ends. */
  async close(): Promise<void> {
    const running = this.running;
    if (running === undefined) return;
    this.running = undefined;
    running.program.stdin?.write("quit\n");
    await until("linphonec ends", PATIENCE, () => {
      if (running.program.exitCode === null && running.program.signalCode === null) throw new Error("still there");
    });
  }

  /** Sends a MESSAGE. */
  say(aor: string, text: string): void {
    this.type(`chat sip:${aor} ${text}`);
  }

  /** Waits until it has printed this. */
  async says(words: RegExp, seconds: number = PATIENCE): Promise<void> {
    await this.transcript.said(words, 0, seconds);
  }

  private async isRegistered(): Promise<void> {
    const place = this.transcript.end;
    this.type("status register");
    const told = await this.transcript.said(/registered(,|=)[^\n]*/, place, 5);
    if (told[1] === ",") return;
    await pause(200);
    throw new Error(this.transcript.from(0).slice(-600));
  }

  private lastOfCall(): RegExpExecArray | undefined {
    return [...this.transcript.from(0).matchAll(/Call \d+ (?:to|with) (\S+) (connected|error|ended)/g)].at(-1);
  }

  private get transcript(): Transcript {
    if (this.running === undefined) throw new Error(`linphone ${this.aor} is not running`);
    return this.running.said;
  }

  private type(line: string): void {
    this.running?.program.stdin?.write(`${line}\n`);
  }
}
