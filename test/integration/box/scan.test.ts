// Who looks for users from outside learns nothing: neither from what a box answers nor, as far as that can be measured, from when.

import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { type BuiltBox, DOMAIN, servingPair, SIP_PORT, skipWithoutBox } from "../../support/built-ring.ts";

const USERS = 50;
const ROUNDS = 10;
/** Known and unknown take turns, and half of each are stored at another box. */
const NAMES = Array.from({ length: USERS }, (_, index) => [`known${index}`, `nobody${index}`] as const).flat();

interface Answer {
  /** The status line and the names of the fields, in order. */
  readonly shape: string;
  readonly challenge: string;
  readonly milliseconds: number;
}

class Scanner {
  readonly #socket: Socket;
  readonly #box: BuiltBox;
  #number = 0;

  private constructor(socket: Socket, box: BuiltBox) {
    this.#socket = socket;
    this.#box = box;
  }

  static async at(box: BuiltBox): Promise<Scanner> {
    const socket = createSocket("udp4").bind(0, box.address);
    await once(socket, "listening");
    return new Scanner(socket, box);
  }

  async ask(method: string, user: string, credentials = ""): Promise<Answer> {
    const id = `scan${++this.#number}`;
    const uri = method === "REGISTER" ? `sip:${DOMAIN}` : `sip:${user}@${DOMAIN}`;
    const lines = [
      `${method} ${uri} SIP/2.0`, `Via: SIP/2.0/UDP ${this.#box.address}:${this.#socket.address().port};rport;branch=z9hG4bK${id}`, "Max-Forwards: 70",
      `From: <sip:${method === "REGISTER" ? user : "me"}@${DOMAIN}>;tag=${id}`, `To: <sip:${user}@${DOMAIN}>`, `Call-ID: ${id}`, `CSeq: 1 ${method}`, credentials, "Content-Length: 0",
    ];
    const begun = performance.now();
    const answered = once(this.#socket, "message");
    this.#socket.send(`${lines.filter((line) => line !== "").join("\r\n")}\r\n\r\n`, SIP_PORT, this.#box.address);
    const said = String((await answered)[0]);
    const milliseconds = performance.now() - begun;
    const [status = "", ...fields] = said.slice(0, said.indexOf("\r\n\r\n")).split("\r\n");
    return { shape: [status, ...fields.map((field) => field.slice(0, field.indexOf(":")))].join("|"), challenge: /^WWW-Authenticate: Digest (.*)$/m.exec(said)?.[1] ?? "", milliseconds };
  }

  /** With a challenge that was asked for, and a password that is nobody's. */
  async guess(user: string): Promise<Answer> {
    const { challenge } = await this.ask("REGISTER", user);
    const value = (name: string): string => new RegExp(`${name}="([^"]*)"`).exec(challenge)?.[1] ?? "";
    const response = "0123456789abcdef".repeat(2);
    return await this.ask("REGISTER", user, `Authorization: Digest username="${user}",realm="${value("realm")}",nonce="${value("nonce")}",opaque="${value("opaque")}",uri="sip:${DOMAIN}",qop=auth,nc=00000001,cnonce="c",response="${response}",algorithm=MD5`);
  }

  close(): void {
    this.#socket.close();
  }
}

suite("who scans for users", { skip: skipWithoutBox, timeout: 900_000 }, () => {
  test("gets the same answer for one who is there and one who is not, without and with credentials", async (t) => {
    const { first, directory } = await servingPair(t);
    const file = join(directory, "users.csv");
    writeFileSync(file, NAMES.filter((name) => name.startsWith("known")).map((name) => `${name},secret\n`).join(""));
    await first.command("subscriber", "import", file);
    const scanner = await Scanner.at(first);
    t.after(() => scanner.close());
    const ways: Readonly<Record<string, (user: string) => Promise<Answer>>> = {
      "REGISTER without credentials": (user) => scanner.ask("REGISTER", user),
      "REGISTER with a wrong password": (user) => scanner.guess(user),
      "OPTIONS from a stranger": (user) => scanner.ask("OPTIONS", user),
      "INVITE without credentials": (user) => scanner.ask("INVITE", user),
    };
    for (const [what, ask] of Object.entries(ways)) {
      const shapes = new Set<string>();
      const took = { known: [] as number[], nobody: [] as number[] };
      for (let round = 0; round < ROUNDS; round++) {
        for (const name of NAMES) {
          const { shape, milliseconds } = await ask(name);
          shapes.add(shape);
          took[name.startsWith("known") ? "known" : "nobody"].push(milliseconds);
        }
      }
      assert.equal(shapes.size, 1, [...shapes].join("\n"));
      t.diagnostic(`${what}: ${[...shapes].join().split("|")[0]}; median of ${took.known.length} known ${median(took.known)} ms, of as many unknown ${median(took.nobody)} ms`);
    }
  });
});

const median = (values: readonly number[]): string => (values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN).toFixed(3);
