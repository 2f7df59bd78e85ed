// 10,000 boxes that are none, announced by one host of the link, while a blank box looks for its fleet by multicast
// alone. Four network namespaces on one switch; nothing leaves them.

import assert from "node:assert/strict";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { suite, test, type TestContext } from "node:test";
import type { Duration } from "../../../src/base/time.ts";
import { Box, DIST, type Home } from "../../lab/box.ts";
import { assertNoTrace, atEnd, joinTicket, makeFleet, scratch, serving, skipWithoutBox } from "../../support/built-ring.ts";
import { Lan, whyNoLan } from "../io/mdns-lan.ts";

const FORGED = 10_000;
/** Ports of the forger that take a connection and say nothing: it counts how many one box keeps open at once. */
const PORTS = 200;

const FORGER = `
  const { createSocket } = require("node:dgram");
  const { createServer } = require("node:net");
  const [own, fleetHash, honest] = process.argv.slice(1);
  const open = new Map(), most = new Map();
  let dials = 0;
  for (let port = 7000; port < 7000 + ${PORTS}; port++) createServer((socket) => {
    const box = socket.remoteAddress;
    dials++;
    open.set(box, (open.get(box) ?? 0) + 1);
    // Counted a moment later: the end of the one before may be read after the beginning of the next.
    setTimeout(() => most.set(box, Math.max(most.get(box) ?? 0, open.get(box))), 300);
    socket.on("error", () => {});
    socket.on("close", () => open.set(box, open.get(box) - 1));
  }).listen(port, own);
  const label = (name) => Buffer.concat([...name.split(".").map((part) => Buffer.concat([Buffer.of(part.length), Buffer.from(part)])), Buffer.of(0)]);
  const u16 = (...numbers) => Buffer.concat(numbers.map((number) => Buffer.of(number >> 8, number & 255)));
  const record = (name, type, content, ttl = 120) => Buffer.concat([name, u16(type, 1, 0, ttl, content.length), content]);
  const service = label("_ringbox._tcp.local");
  const texts = (items) => Buffer.concat(items.map((item) => Buffer.concat([Buffer.of(item.length), Buffer.from(item)])));
  const says = (instance, items, address, port, ttl) => {
    const box = label(instance + "-1._ringbox._tcp.local"), host = label(instance + ".local");
    return Buffer.concat([u16(0, 0x8400, 0, 4, 0, 0), record(service, 12, box, ttl), record(box, 33, Buffer.concat([u16(0, 0, port), host])),
      record(box, 16, texts(items)), record(host, 1, Buffer.from(address.split(".").map(Number)))]);
  };
  const loop = Buffer.concat([u16(0, 0x8400, 0, 1, 0, 0), Buffer.of(0xc0, 12), u16(12, 1, 0, 120, 2), Buffer.of(0xc0, 12)]);
  const name = (n) => n.toString(16).padStart(12, "0");
  const forged = (n) => {
    const good = ["f=" + fleetHash, "s=serving", "i=" + name(n), "v=0.1.0"];
    switch (n % 8) {
      case 0: return says(name(n), ["f=" + fleetHash, "s=asleep", "i=" + name(n)], own, 7000);
      case 1: return loop;
      case 2: return says(name(n), good, "203.0.113." + (n % 250), 6084);
      case 3: return says(honest.split(" ")[0], ["f=" + fleetHash, "s=serving", "i=" + honest.split(" ")[0]], own, 7000 + (n % ${PORTS}));
      case 4: return says(name(n), good, "10.77.0." + (10 + n % 200), 6084);
      case 5: return says(honest.split(" ")[0], good, honest.split(" ")[1], 6084, 0);
      case 6: return n % 80 === 6 ? Buffer.concat([says(name(n), good, own, 7000), Buffer.alloc(8700, 1)]) : says(name(n), [...good, "x".repeat(200)], own, 7000 + (n % ${PORTS}));
      default: return says(name(n), good, own, 7000 + (n % ${PORTS}));
    }
  };
  const socket = createSocket({ type: "udp4", reuseAddr: true });
  socket.bind(5353, () => {
    socket.setMulticastInterface(own);
    let n = 0;
    setInterval(() => {
      for (let k = 0; k < 40; k++) socket.send(forged(n++), 5353, "224.0.0.251");
      if (n === ${FORGED}) console.log("all");
    }, 20);
    console.log("forging");
  });
  process.stdin.once("data", () => { console.log(JSON.stringify({ dials, most: [...most] })); process.exit(); });
`;

class Namespace implements Home {
  readonly name: string;
  readonly address: string;
  readonly directory: string;
  readonly #lan: Lan;

  constructor(lan: Lan, name: string, address: string, directory: string) {
    this.#lan = lan;
    this.name = name;
    this.address = address;
    this.directory = directory;
    lan.host(name, `${address}/24`);
  }
  start([, ...parameters]: readonly string[], output: { readonly file: string }) {
    return this.#lan.run(this.name, [join(DIST, "ringboxd.mjs"), ...parameters], output.file);
  }
}

const told = async (box: Box<Namespace>, boxes: number, since: number): Promise<Duration> => {
  await serving(box as never, boxes);
  return (performance.now() - since) as Duration;
};

function boxOf(t: TestContext, lan: Lan, name: string, address: string, directory: string, ticket: string): Box<Namespace> {
  const box = new Box(new Namespace(lan, name, address, directory), ticket, ["--listen", address]);
  atEnd(t, () => box.kill());
  return box;
}

suite("forged multicast", { skip: skipWithoutBox || whyNoLan(), timeout: 900_000 }, () => {
  test("10,000 inventions of one host neither keep a blank box from its fleet nor have it dial more than four at once", async (t) => {
    const directory = scratch(t);
    const fleet = makeFleet(directory);
    const lan = new Lan(t);
    const honest = boxOf(t, lan, "a", "10.77.0.1", directory, fleet.ticket);
    honest.start();
    await told(honest, 1, performance.now());
    const calm = boxOf(t, lan, "b", "10.77.0.2", directory, joinTicket(fleet));
    const calmly = performance.now();
    calm.start();
    const baseline = await told(calm, 2, calmly);

    lan.host("m", "10.77.0.66/24");
    const said: string[] = [];
    const { fleetHash } = await heardOf(lan);
    const forger = lan.run("m", ["-e", FORGER, "10.77.0.66", fleetHash, "aa 10.77.0.1"]);
    assert.ok(forger.stdout !== null && forger.stdin !== null);
    const lines = createInterface({ input: forger.stdout });
    lines.on("line", (line) => said.push(line));
    await once(lines, "line");
    const flooded = boxOf(t, lan, "c", "10.77.0.3", directory, joinTicket(fleet));
    const inTheFlood = performance.now();
    flooded.start();
    const took = await told(flooded, 3, inTheFlood);
    while (!said.includes("all")) await once(lines, "line");
    const ended = once(lines, "close");
    forger.stdin.write("enough\n");
    await ended;
    const { dials, most } = JSON.parse(said.at(-1) ?? "{}") as { dials: number; most: [string, number][] };
    t.diagnostic(`in the ring after ${Math.round(baseline)} ms in a quiet network, after ${Math.round(took)} ms in the flood; the forger was dialed ${dials} times, at once at most ${JSON.stringify(most)}`);
    assert.ok(dials > 0, "nobody believed even one: the flood was none");
    for (const [address, count] of most) assert.ok(count <= 4, `${address} dialed ${count} at once`);
    for (const box of [honest, calm, flooded]) {
      assert.equal((await box.status()).boxes.serving, 3);
      assertNoTrace(box.lastWords(1_000));
    }
  });
});

/** What the boxes of the link announce. */
async function heardOf(lan: Lan): Promise<{ readonly fleetHash: string }> {
  lan.host("ear", "10.77.0.5/24");
  const ear = lan.box("ear", "ee");
  const { value } = await ear.prints({ type: "heard", state: "serving" });
  ear.kill();
  return { fleetHash: (value as unknown as { fleetHash: string }).fleetHash };
}
