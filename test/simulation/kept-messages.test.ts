// Messages to a user who is away, in a ring whose boxes die: what was answered with 202 is delivered, in order, and
// once, whichever box took it and whichever box the user comes back to.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Address } from "../../src/base/address.ts";
import { openWorld, startRing } from "../support/open-boxes.ts";
import { headerOf, headersOf, methodOf, readSip, statusOf, writeSip } from "../support/sip-text.ts";
import type { Box, World } from "../support/world.ts";

const DOMAIN = "fleet.example";
const ROUNDS = 12;
const SEEDS = Array.from({ length: Number(process.env["RINGBOX_LAMP_SEEDS"] ?? 4) }, (_, index) => index + 1);
const AGAIN_MS = 500;
const PATIENCE_MS = 20_000;

/** One end of SIP over UDP that repeats what it asks until it is answered. */
class Endpoint {
  /** Bodies of the MESSAGEs that came, without what came again. */
  readonly heard: string[] = [];
  readonly #world: World;
  readonly #user: string;
  readonly #place: number;
  readonly #address: Address;
  readonly #seen = new Set<string>();
  readonly #statuses = new Map<string, number>();
  #serial = 0;

  constructor(world: World, user: string, number: number) {
    this.#world = world;
    this.#user = user;
    this.#place = 900 + number;
    this.#address = { host: `10.9.0.${number}`, port: 5060 };
    world.network.bindDatagrams(this.#address, this.#place, (from, octets) => this.#receive(from, octets));
  }

  /** The final status, or 0 if none came in time. */
  ask(box: Address, method: string, uri: string, to: string, extra: readonly (readonly [string, string])[], body = ""): number {
    const { host, port } = this.#address;
    const branch = `z9hG4bK${this.#user}${++this.#serial}`;
    const head = writeSip(`${method} ${uri} SIP/2.0`, [
      ["Via", `SIP/2.0/UDP ${host}:${port};branch=${branch};rport`], ["Max-Forwards", "70"], ["From", `<sip:${this.#user}@${DOMAIN}>;tag=${this.#user}`],
      ["To", `<sip:${to}@${DOMAIN}>`], ["Call-ID", `${method === "REGISTER" ? "register" : this.#serial}@${host}`], ["CSeq", `${this.#serial} ${method}`],
      ["Contact", `<sip:${this.#user}@${host}:${port}>`], ...extra,
    ]);
    const octets = head.replace("Content-Length: 0", `Content-Length: ${body.length}`) + body;
    for (let waited = 0; waited < PATIENCE_MS && !this.#statuses.has(branch); waited += AGAIN_MS) {
      this.#world.network.sendDatagram(this.#address, this.#place, box, octets);
      this.#world.run(AGAIN_MS);
    }
    return this.#statuses.get(branch) ?? 0;
  }

  #receive(from: Address, octets: string): void {
    const text = readSip(octets);
    const via = headerOf(text, "via");
    if (statusOf(text) >= 200) this.#statuses.set(via.slice(via.indexOf("branch=") + 7).split(";", 1)[0] ?? "", statusOf(text));
    if (statusOf(text) > 0) return;
    const isNew = !this.#seen.has(via);
    this.#seen.add(via);
    if (isNew && methodOf(text) === "MESSAGE") this.heard.push(octets.slice(octets.indexOf("\r\n\r\n") + 4));
    const copied = ["from", "to", "call-id", "cseq"].map((name) => [name, headerOf(text, name)] as const);
    const answer = writeSip("SIP/2.0 200 OK", [...headersOf(text, "via").map((value) => ["Via", value] as const), ...copied]);
    this.#world.network.sendDatagram(this.#address, this.#place, from, answer);
  }
}

const living = (boxes: readonly Box[]): readonly Box[] => boxes.filter(({ life }) => life?.phase === "serving");

function oneOf(world: World, boxes: readonly Box[]): Box {
  const box = boxes[world.random.below(boxes.length)];
  assert.ok(box !== undefined);
  return box;
}

for (const seed of SEEDS) {
  test(`seed ${seed}: what was answered with 202 comes once and in order, though the box that took it is dead`, (t) => {
    const { world } = openWorld(seed);
    const boxes = startRing(world, 5);
    world.network.settings.loss = 0.02;
    const [alice, carol] = [new Endpoint(world, "alice", 1), new Endpoint(world, "carol", 2)];
    const promised: string[] = [];
    const register = (expires: number): number =>
      carol.ask(oneOf(world, living(boxes)).sip, "REGISTER", `sip:${DOMAIN}`, "carol", [["Expires", String(expires)]]);
    for (let number = 0; number < ROUNDS; number++) {
      const guide = oneOf(world, living(boxes));
      for (const box of boxes) if (box.life === undefined) world.start(box, [guide.overlay]);
      world.run(15_000);
      const taker = oneOf(world, living(boxes));
      for (const word of ["one", "two"]) {
        const body = `${number} ${word}`;
        if (alice.ask(taker.sip, "MESSAGE", `sip:carol@${DOMAIN}`, "carol", [["Content-Type", "text/plain"]], body) === 202) promised.push(body);
      }
      world.kill(taker);
      assert.equal(register(600), 200);
      world.run(10_000);
      assert.deepEqual(carol.heard, promised);
      assert.equal(register(0), 200);
      world.run(2_000);
    }
    t.diagnostic(`${promised.length} messages`);
    assert.ok(promised.length > ROUNDS);
  });
}
