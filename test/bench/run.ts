// Prints, side by side in one run, the CPU time per request of Ringbox and of Kamailio on the same work, on
// loopback. CPU time per request is what compares: requests per second move with the machine's other tenants.
// Needs the load tools in ../shared/bench, and gcc, kamailio and sipp from Debian. A benchmark, not a test.
// `run.ts one`, `run.ts rings`, `run.ts memory`: that part alone.

import { join } from "node:path";
import { sharedPath } from "../support/shared.ts";
import { DOMAIN, ringbox, ringboxRing, subscribe } from "./boxes.ts";
import { kamailio, kamailioCluster } from "./kamailio.ts";
import { buildSipblast, type Load, sipblast } from "./load.ts";
import { bench, cpuMilliseconds, kilobytes, onPath, pause, run, type Server, start, stop } from "./machine.ts";

const REQUESTS = 20_000;
const SUBSCRIBERS = 500;
const CALLS = 2_000;
/** For each box: one that has answered few compiles more than it answers. */
const RING_REQUESTS = 4_000;
/** AoRs of the row about memory: each registers once. */
const MANY_SUBSCRIBERS = 20_000;
const PHONE_PORT = 7_900;

/** Microseconds or bytes, and how many requests had no success meanwhile. */
interface Figure {
  readonly value: number;
  readonly failed: number;
}

/** What a server is given to do; ends with the number of requests without a success. */
type Work = (port: number) => Promise<number>;

async function main(): Promise<void> {
  const missing = buildSipblast() ?? ["kamailio", "sipp"].filter((command) => !onPath(command)).map((command) => `${command} is not installed.`)[0];
  if (missing !== undefined) {
    console.error(`No benchmark: ${missing}`);
    process.exitCode = 1;
    return;
  }
  const [part] = process.argv.slice(2);
  console.log(`CPU microseconds per request, user and system, all processes of the server. ${new Date().toISOString().slice(0, 10)}`);
  if (part === undefined || part === "one") await oneBox();
  if (part === undefined || part === "rings") await rings();
  if (part === undefined || part === "memory") await memory();
}

async function oneBox(): Promise<void> {
  heading("One box against one Kamailio worker");
  const open = (): Promise<Server> => ringbox(["--open-registration"]);
  await compare("REGISTER, no digest", REQUESTS, open, () => kamailio([]), load({ method: "REGISTER" }));
  await compare("REGISTER with digest (challenge and answer)", REQUESTS, closed, () => kamailio(["-A", "WITH_AUTH"]), load({ method: "REGISTER", password: "secret" }));
  await compare("OPTIONS", REQUESTS, closed, () => kamailio([]), load({ method: "OPTIONS" }));
  await compare("proxied call, INVITE to BYE", CALLS, open, () => kamailio([]), calls);
}

/** A box that asks its subscribers for credentials. */
async function closed(): Promise<Server> {
  const box = await ringbox([]);
  subscribe(box.data, SUBSCRIBERS, "secret");
  return box;
}

const load = (what: Pick<Load, "method" | "password">): Work => async (port) =>
  (await sipblast({ ...what, host: "127.0.0.1", port, requests: REQUESTS, subscribers: SUBSCRIBERS })).failed;

async function rings(): Promise<void> {
  heading("One REGISTER (no digest) over the whole ring, against Kamailio with dmq_usrloc");
  for (const boxes of [3, 5, 10]) {
    const requests = boxes * RING_REQUESTS;
    const ours = await measure(await ringboxRing(boxes), requests, () => blastAll(boxes, 5_060));
    const theirs = await measure(await kamailioCluster(boxes), requests, () => blastAll(boxes, 7_100));
    row(`${boxes} boxes`, ours, theirs);
  }
}

/** All boxes at once. */
async function blastAll(boxes: number, port: number): Promise<number> {
  const each = { port, method: "REGISTER", requests: RING_REQUESTS, subscribers: SUBSCRIBERS } as const;
  const answered = await Promise.all(Array.from({ length: boxes }, (_, k) => sipblast({ ...each, host: `127.0.0.${k + 1}`, first: k * 1_000 })));
  return answered.reduce((sum, { failed }) => sum + failed, 0);
}

async function compare(name: string, requests: number, ours: () => Promise<Server>, theirs: () => Promise<Server>, work: Work): Promise<void> {
  const own = await measure(await ours(), requests, () => work(5_060));
  const other = await measure(await theirs(), requests, () => work(7_010));
  row(name, own, other);
}

/** Works twice, and counts the second time: a server that has been running for a while is what compares. */
async function measure(server: Server, requests: number, work: () => Promise<number>): Promise<Figure> {
  try {
    await work();
    const before = cpuMilliseconds(server.pids);
    const failed = await work();
    return { value: ((cpuMilliseconds(server.pids) - before) * 1_000) / requests, failed };
  } finally {
    await server.stop();
  }
}

async function memory(): Promise<void> {
  heading(`Bytes of memory a binding, ${MANY_SUBSCRIBERS} of them`);
  row("one server", await grown(await ringbox(["--open-registration"]), 5_060), await grown(await kamailio([]), 7_010));
}

async function grown(server: Server, port: number): Promise<Figure> {
  try {
    const before = kilobytes(server.pids);
    const { failed } = await sipblast({ host: "127.0.0.1", port, method: "REGISTER", requests: MANY_SUBSCRIBERS, subscribers: MANY_SUBSCRIBERS });
    // Transactions are remembered for 32 seconds, and are no bindings.
    await pause(34_000);
    return { value: ((kilobytes(server.pids) - before) * 1_024) / MANY_SUBSCRIBERS, failed };
  } finally {
    await server.stop();
  }
}

/** Registers the callee's port, then places the calls through the server. */
async function calls(port: number): Promise<number> {
  const uas = sharedPath("bench/call-uas.xml") ?? "";
  const uac = sharedPath("bench/call-uac.xml") ?? "";
  await run(process.execPath, [join(import.meta.dirname, "register-once.ts"), "127.0.0.1", `${port}`, `callee@${DOMAIN}`, `${PHONE_PORT}`]);
  const callee = start("sipp", ["-sf", uas, "-i", "127.0.0.1", "-p", `${PHONE_PORT}`, "-nostdin"], "uas.log");
  const output = await run("timeout", [
    "60", "sipp", "-sf", uac, "-s", "callee", "-i", "127.0.0.1", "-p", `${PHONE_PORT + 1}`, "-m", `${CALLS}`, "-r", "400", "-l", "200", "-nostdin", `127.0.0.1:${port}`,
  ]);
  await stop(callee);
  return CALLS - Number([...output.matchAll(/Successful call +\| +\d+ +\| +(\d+)/g)].at(-1)?.[1] ?? 0);
}

const heading = (text: string): void => console.log(`\n${text.padEnd(48)}${"Ringbox".padStart(10)}${"Kamailio".padStart(10)}`);

const row = (name: string, ours: Figure, theirs: Figure): void =>
  console.log(`${name.padEnd(48)}${ours.value.toFixed(1).padStart(10)}${theirs.value.toFixed(1).padStart(10)}${failures("Ringbox", ours)}${failures("Kamailio", theirs)}`);

const failures = (name: string, figure: Figure): string => (figure.failed === 0 ? "" : `  ${name}: ${figure.failed} failed`);

await bench(main);
