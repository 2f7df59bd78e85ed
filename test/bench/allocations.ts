// What one request allocates in a whole box without its sockets: bytes, and where, counted and not guessed.
// node test/bench/allocations.ts [HOW MANY PLACES]
//
// V8 samples every allocation, collected or not; the figures are for code that has been optimised.

import type { HeapProfiler } from "node:inspector";
import { Session } from "node:inspector/promises";
import { instant, wallTime } from "../../src/base/time.ts";
import type { NodeId } from "../../src/overlay/ports.ts";
import { Peer } from "../../src/peer/peer.ts";
import type { PeerEffect, PeerInput } from "../../src/peer/ports.ts";
import type { Flow } from "../../src/sip/ports.ts";
import { hashCrypto } from "../support/hash-crypto.ts";
import { SeededRandom } from "../support/seeded-random.ts";
import { simulatedCertificate, simulatedTrust } from "../support/simulated-crypto.ts";

const WARM_UP = 20_000;
const COUNTED = 2_000;
/** Functions named, those that allocate most. */
const LISTED = Number(process.argv[2] ?? 8);
const DOMAIN = "example.test";
const WALL = wallTime(1_700_000_000_000);
const NODE = "1".repeat(32) as NodeId;
const ADDRESS = { host: "10.0.0.1", port: 5060 };

const peer = new Peer(
  {
    fleetName: "bench",
    domain: DOMAIN,
    overlayName: "bench.example",
    self: { nodeId: NODE, overlay: { host: "10.0.0.1", port: 6084 }, sip: ADDRESS, zone: "", incarnation: 1, software: "bench" },
    certificate: simulatedCertificate(NODE),
    fleetSecret: new Uint8Array(32).fill(7),
    rows: [],
    members: [],
    mayStandAlone: true,
    localAddresses: ["10.0.0.1"],
    openRegistration: true,
  },
  hashCrypto,
  new SeededRandom(1),
  simulatedTrust,
);

let now = 0;

function step(...inputs: PeerInput[]): readonly PeerEffect[] {
  const effects = peer.step(instant(now), inputs);
  const due = peer.nextDeadline();
  return due !== undefined && due <= now ? [...effects, ...peer.step(instant(now), [{ type: "tick" }])] : effects;
}

const from = (port: number): Flow => ({ transport: "udp", local: ADDRESS, remote: { host: "10.0.1.1", port }, connection: 0 });

function request(method: string, i: number, more: string): string {
  const user = method === "REGISTER" ? `u${i % 500}` : "u1";
  const uri = method === "REGISTER" ? `sip:${DOMAIN}` : method === "OPTIONS" ? `sip:${ADDRESS.host}` : `sip:u1@${DOMAIN}`;
  const lines = [
    `${method} ${uri} SIP/2.0`, `Via: SIP/2.0/UDP 10.0.1.1:5060;branch=z9hG4bK${method}${i};rport`, "Max-Forwards: 70",
    `From: <sip:${user}@${DOMAIN}>;tag=f${i}`, `To: <sip:${user}@${DOMAIN}>`, `Call-ID: ${method}-${i % 500}@10.0.1.1`,
    `CSeq: ${i + 1} ${method}`, "User-Agent: Telephone 1", `${more}Content-Length: 0`,
  ];
  return `${lines.join("\r\n")}\r\n\r\n`;
}

const register = (i: number): void => {
  const text = request("REGISTER", i, `Contact: <sip:u${i % 500}@10.0.1.1:5060>\r\nExpires: 3600\r\n`);
  expect(step({ type: "received", flow: from(5060), octets: text }), "SIP/2.0 200");
};

const options = (i: number): void => {
  expect(step({ type: "received", flow: from(5060), octets: request("OPTIONS", i, "") }), "SIP/2.0 200");
};

/** To a registered phone, which answers. */
const message = (i: number): void => {
  const forwarded = expect(step({ type: "received", flow: from(5062), octets: request("MESSAGE", i, "") }), "MESSAGE");
  const kept = forwarded.split("\r\n").filter((line) => /^(Via|From|To|Call-ID|CSeq)/.test(line));
  const answer = `SIP/2.0 200 OK\r\n${kept.join("\r\n")}\r\nContent-Length: 0\r\n\r\n`;
  expect(step({ type: "received", flow: from(5060), octets: answer }), "SIP/2.0 200");
};

/** The octets of the message that was sent; a benchmark of refusals would be none. */
function expect(effects: readonly PeerEffect[], begin: string): string {
  for (const effect of effects) if (effect.type === "send" && effect.octets.startsWith(begin)) return effect.octets;
  throw new Error(`no ${begin} was sent, but: ${JSON.stringify(effects).slice(0, 400)}`);
}

async function count(name: string, one: (i: number) => void): Promise<void> {
  let i = 0;
  const run = (times: number): void => {
    for (const end = i + times; i < end; i++) {
      now += 1;
      one(i);
    }
  };
  run(WARM_UP);
  const session = new Session();
  session.connect();
  await session.post("HeapProfiler.startSampling", {
    samplingInterval: 1,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  });
  run(COUNTED);
  const { profile } = await session.post("HeapProfiler.stopSampling");
  session.disconnect();
  const places = new Map<string, number>();
  const bytes = addUp(profile.head, places);
  console.log(`${name.padEnd(40)}${(bytes / COUNTED).toFixed(0).padStart(8)} bytes`);
  const largest = [...places].sort(([, a], [, b]) => b - a).slice(0, LISTED);
  for (const [place, size] of largest) console.log(`  ${place.padEnd(56)}${(size / COUNTED).toFixed(0).padStart(8)}`);
}

/** Bytes allocated below a node of the profile, and by each function of the project. */
function addUp(node: HeapProfiler.SamplingHeapProfileNode, places: Map<string, number>): number {
  const { functionName, url } = node.callFrame;
  // What this file makes is the phone's.
  if (url === import.meta.url && functionName === "request") return 0;
  const place = `${functionName || "(anonymous)"} ${url.split("/").at(-1)}`;
  if (node.selfSize > 0) places.set(place, (places.get(place) ?? 0) + node.selfSize);
  return node.children.reduce((sum, child) => sum + addUp(child, places), node.selfSize);
}

step({ type: "clock", wall: WALL }, { type: "local-addresses", addresses: ["10.0.0.1"] });
for (; now < 5_000; now += 100) step();
await count("REGISTER, no digest", register);
await count("MESSAGE, to a phone and its answer", message);
await count("OPTIONS", options);
