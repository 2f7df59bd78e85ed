// twinkle-console 1.10: commands through its standard input, what happens read from what it prints. ALSA's null device is its sound card.

import type { ChildProcess } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Host } from "../network.ts";
import { Transcript } from "../transcript.ts";
import { PATIENCE, until } from "../until.ts";
import type { Account, CallOutcome, Phone } from "./phone.ts";

const PROFILE = "phone.cfg";
const SILENT_CARD = "pcm.!default { type null }\nctl.!default { type null }\n";

const configuration = ({ username, password, domain, box, expires = 3600 }: Account): string => `user_name=${username}
user_domain=${domain}
auth_realm=${domain}
auth_name=${username}
auth_pass=${password}
registrar=${box}
outbound_proxy=${box}
all_requests_to_proxy=yes
registration_time=${expires}
register_at_startup=no
`;

export class Twinkle implements Phone {
  readonly aor: string;
  readonly host: Host;
  readonly #program: ChildProcess;
  readonly #said: Transcript;
  /** Where the last call's words begin. */
  #callStart = 0;

  /** Starts the phone; it knows no box before `register`. */
  static async start(host: Host, account: Account): Promise<Twinkle> {
    const home = join(host.directory, `${host.name}-twinkle-${account.username}`);
    mkdirSync(join(home, ".twinkle"), { recursive: true });
    writeFileSync(join(home, ".asoundrc"), SILENT_CARD);
    writeFileSync(join(home, ".twinkle", PROFILE), configuration(account));
    const program = host.start(["twinkle-console", PROFILE], "pipe", { HOME: home });
    const said = new Transcript(program, join(home, "output.txt"));
    await said.said(/Twinkle> /, 0, PATIENCE);
    program.stdin?.write("auto_answer -a on\n");
    return new Twinkle(host, account, program, said);
  }

  private constructor(host: Host, account: Account, program: ChildProcess, said: Transcript) {
    this.host = host;
    this.aor = `${account.username}@${account.domain}`;
    this.#program = program;
    this.#said = said;
  }

  async register(): Promise<void> {
    const place = this.#said.end;
    this.#type("register");
    const told = await this.#said.said(/registration (succeeded|failed)[^\n]*/, place, PATIENCE);
    if (told[1] !== "succeeded") throw new Error(`twinkle ${this.aor}: ${told[0]}`);
  }

  async call(aor: string, seconds: number = PATIENCE): Promise<CallOutcome> {
    const begun = performance.now();
    this.#callStart = this.#said.end;
    this.#type(`call sip:${aor}`);
    const told = await this.#said.said(/far end answered call|call failed[\s\S]*?\d{3} [^\n]*/, this.#callStart, seconds);
    if (!told[0].startsWith("far end")) return { answered: false, reason: told[0] };
    return { answered: true, seconds: (performance.now() - begun) / 1000 };
  }

  /** It names nobody once it talks, but who called before, or whom it was told to call. */
  async talkingWith(peer: string, seconds: number = PATIENCE): Promise<void> {
    await until(`twinkle ${this.aor} talks with ${peer}`, seconds, () => {
      const said = this.#said.from(this.#callStart);
      const last = said.slice(Math.max(said.lastIndexOf("incoming call"), said.lastIndexOf("call sip:")));
      if (!isTalking(said) || !last.includes(peer)) throw new Error(said.slice(-400));
    });
  }

  async idle(seconds: number = PATIENCE): Promise<void> {
    await until(`twinkle ${this.aor} has no call`, seconds, () => {
      const said = this.#said.from(this.#callStart);
      if (isTalking(said)) throw new Error(said.slice(-400));
    });
  }

  async hangUp(): Promise<void> {
    this.#type("bye");
    await this.idle();
  }

  /** Unregisters and ends. */
  async close(): Promise<void> {
    this.#type("quit");
    await until("twinkle ends", PATIENCE, () => {
      if (this.#program.exitCode === null && this.#program.signalCode === null) throw new Error("still there");
    });
  }

  #type(line: string): void {
    this.#program.stdin?.write(`${line}\n`);
  }
}

/** Of the words on the last call: whether it began, and has not ended since. */
const isTalking = (said: string): boolean => Math.max(said.lastIndexOf("far end answered call"), said.lastIndexOf("call established")) > Math.max(said.lastIndexOf("call ended"), said.lastIndexOf("far end ended call"));
