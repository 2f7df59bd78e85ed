// Prints, side by side in one run, the CPU time per request of Ringbox and of Kamailio on the same work, on
// loopback. CPU time per request is what compares: requests per second move with the machine's other tenants.
// Needs the load tools in ../shared/bench, and gcc, kamailio and sipp from Debian. A benchmark, not a test.

import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sharedPath } from "../support/shared.ts";

const ROOT = join(import.meta.dirname, "../..");
const DOMAIN = "example.com";
const REQUESTS = 20_000;
const SUBSCRIBERS = 500;
const CALLS = 2_000;
const RING_REQUESTS = 6_000;
/** AoRs of the row about memory: each registers once. */
const MANY_SUBSCRIBERS = 20_000;
const PHONE_PORT = 7_900;

const scratch = mkdtempSync(join(tmpdir(), "ringbox-bench-"));
const running = new Set<ChildProcess>();

/** Requests, or calls, without a success. */
let failed = 0;

interface Server {
  readonly pids: readonly number[];
  stop(): Promise<void>;
}

async function main(): Promise<void> {
  const tools = sharedPath("bench/sipblast.c");
  if (tools === undefined) return complain("The load tools (../shared/bench) are not here.");
  for (const command of ["gcc", "kamailio", "sipp"]) {
    if (!onPath(command)) return complain(`${command} is not installed.`);
  }
  buildSipblast(tools);
  console.log(`CPU microseconds per request, user and system, all processes of the server. ${new Date().toISOString().slice(0, 10)}`);
  await oneBox();
  await rings();
  await memory();
}

/** The tool asks a user of the domain for OPTIONS; what keeps a flow alive is OPTIONS to the box itself. */
function buildSipblast(tools: string): void {
  const toUser = 'snprintf(uri, sizeof uri, "sip:u%ld@%s", aor, realm)';
  const source = readFileSync(tools, "utf8");
  if (!source.includes(toUser)) throw new Error("sipblast.c is not the one that this benchmark knows");
  writeFileSync(join(scratch, "sipblast.c"), source.replace(toUser, 'snprintf(uri, sizeof uri, "sip:%s", realm)'));
  execFileSync("gcc", ["-O2", "-o", join(scratch, "sipblast"), join(scratch, "sipblast.c"), "-lcrypto"]);
}

async function oneBox(): Promise<void> {
  heading("One box against one Kamailio worker");
  await compare("REGISTER, no digest", REQUESTS, () => ringbox(["--open-registration"]), () => kamailio([]), (port) => blast(port, REQUESTS, ""));
  await compare("REGISTER with digest (challenge and answer)", REQUESTS, () => ringbox([]), () => kamailio(["-A", "WITH_AUTH"]), (port) => blast(port, REQUESTS, "secret"));
  await compare("OPTIONS", REQUESTS, () => ringbox([]), () => kamailio([]), (port) => sipblast("127.0.0.1", port, "OPTIONS", REQUESTS, ""));
  await compare("proxied call, INVITE to BYE", CALLS, () => ringbox(["--open-registration"]), () => kamailio([]), calls);
}

async function rings(): Promise<void> {
  heading("One REGISTER (no digest) over the whole ring, against Kamailio with dmq_usrloc");
  for (const boxes of [3, 5, 10]) {
    const ours = await measure(await ringboxRing(boxes), RING_REQUESTS, () => blastAll(boxes, 5_060));
    const theirs = await measure(await kamailioCluster(boxes), RING_REQUESTS, () => blastAll(boxes, 7_100));
    row(`${boxes} boxes`, ours, theirs);
  }
}

async function compare(
  name: string,
  requests: number,
  ours: () => Promise<Server>,
  theirs: () => Promise<Server>,
  work: (port: number) => Promise<void>,
): Promise<void> {
  const own = await measure(await ours(), requests, () => work(5_060));
  const other = await measure(await theirs(), requests, () => work(7_010));
  row(name, own, other);
}

/** Microseconds or bytes, and how many requests had no success meanwhile. */
interface Figure {
  readonly value: number;
  readonly failed: number;
}

/** Works twice, and counts the second time: a server that has been running for a while is what compares. */
async function measure(server: Server, requests: number, work: () => Promise<void>): Promise<Figure> {
  try {
    await work();
    failed = 0;
    const before = cpuMilliseconds(server.pids);
    await work();
    return { value: ((cpuMilliseconds(server.pids) - before) * 1_000) / requests, failed };
  } finally {
    await server.stop();
  }
}

/** Proportional set size, so that memory which processes share counts once. */
async function memory(): Promise<void> {
  heading(`Bytes of memory a binding, ${MANY_SUBSCRIBERS} of them`);
  const register = (port: number): Promise<void> => sipblast("127.0.0.1", port, "REGISTER", MANY_SUBSCRIBERS, "", 0, MANY_SUBSCRIBERS);
  const own = await ringbox(["--open-registration"]);
  const other = await kamailio([]);
  const [ours, theirs] = await Promise.all([grown(own, () => register(5_060)), grown(other, () => register(7_010))]);
  row("one server", ours, theirs);
}

async function grown(server: Server, work: () => Promise<void>): Promise<Figure> {
  try {
    failed = 0; // of both servers: they work at the same time
    const before = kilobytes(server.pids);
    await work();
    // Transactions are remembered for 32 seconds, and are no bindings.
    await new Promise((resolve) => setTimeout(resolve, 34_000));
    return { value: ((kilobytes(server.pids) - before) * 1_024) / MANY_SUBSCRIBERS, failed };
  } finally {
    await server.stop();
  }
}

const kilobytes = (pids: readonly number[]): number =>
  pids.reduce((sum, pid) => sum + Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1] ?? 0), 0);

const blast = (port: number, requests: number, password: string): Promise<void> =>
  sipblast("127.0.0.1", port, "REGISTER", requests, password);

async function blastAll(boxes: number, port: number): Promise<void> {
  for (let k = 1; k <= boxes; k++) await sipblast(`127.0.0.${k}`, port, "REGISTER", Math.round(RING_REQUESTS / boxes), "", k * 1_000);
}

async function sipblast(
  host: string,
  port: number,
  method: string,
  requests: number,
  password: string,
  first = 0,
  subscribers = SUBSCRIBERS,
): Promise<void> {
  const options = [host, `${port}`, method, `${requests}`, "64", `${subscribers}`, DOMAIN, password, `${first}`, "3600"];
  const { output } = await run(join(scratch, "sipblast"), options);
  failed += requests - Number(/ ok=(\d+) /.exec(output)?.[1] ?? 0);
}

/** Registers the callee's port, then places the calls through the server. */
async function calls(port: number): Promise<void> {
  const uas = sharedPath("bench/call-uas.xml") ?? "";
  const uac = sharedPath("bench/call-uac.xml") ?? "";
  await run(process.execPath, [join(import.meta.dirname, "register-once.ts"), "127.0.0.1", `${port}`, `callee@${DOMAIN}`, `${PHONE_PORT}`]);
  const callee = start("sipp", ["-sf", uas, "-i", "127.0.0.1", "-p", `${PHONE_PORT}`, "-nostdin"], "uas.log");
  const { output } = await run("timeout", [
    "60", "sipp", "-sf", uac, "-s", "callee", "-i", "127.0.0.1", "-p", `${PHONE_PORT + 1}`, "-m", `${CALLS}`, "-r", "400", "-l", "200", "-nostdin", `127.0.0.1:${port}`,
  ]);
  failed += CALLS - Number([...output.matchAll(/Successful call +\| +\d+ +\| +(\d+)/g)].at(-1)?.[1] ?? 0);
  await stop(callee);
}

async function ringbox(options: readonly string[]): Promise<Server> {
  const data = mkdtempSync(join(scratch, "box-"));
  const box = boxProcess(data, "127.0.0.1", ["--found", "--domain", DOMAIN, ...options]);
  await serving(box, data, 1);
  if (!options.includes("--open-registration")) subscribe(data);
  return { pids: [pidOf(box)], stop: () => stop(box) };
}

async function ringboxRing(boxes: number): Promise<Server> {
  const fleet = join(scratch, `fleet-${boxes}`);
  execFileSync(join(ROOT, "dist/ringbox"), ["fleet", "init", fleet, "--name", "bench", "--domain", DOMAIN], { stdio: "ignore" });
  const processes: ChildProcess[] = [];
  for (let k = 1; k <= boxes; k++) {
    const data = join(scratch, `ring-${boxes}-${k}`);
    const hints = k === 1 ? [] : ["--hint", "127.0.0.1:6084"];
    const box = boxProcess(data, `127.0.0.${k}`, ["--ticket", join(fleet, "fleet.ticket"), ...hints, "--open-registration"]);
    processes.push(box);
    await serving(box, data, k);
  }
  return {
    pids: processes.map(pidOf),
    stop: async () => {
      for (const box of processes) await stop(box);
    },
  };
}

const boxProcess = (data: string, host: string, options: readonly string[]): ChildProcess =>
  start(join(ROOT, "dist/ringboxd"), ["--data", data, "--listen", host, "--no-mdns", ...options], "ringboxd.log");

/** Waits until the box serves in a ring of that many. */
async function serving(box: ChildProcess, data: string, boxes: number): Promise<void> {
  for (let tries = 0; tries < 150 && box.exitCode === null && box.signalCode === null; tries++) {
    try {
      const status = JSON.parse(execFileSync(join(ROOT, "dist/ringbox"), ["--data", data, "status", "--json"], { stdio: ["ignore", "pipe", "ignore"] }).toString());
      if (status.phase === "serving" && status.boxes.serving >= boxes) return;
    } catch {
      // Not up yet; asked again below.
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`The box on ${data} does not serve (exit ${box.exitCode}, ${box.signalCode}); it said: ${readFileSync(join(scratch, "ringboxd.log"), "utf8").slice(-600)}`);
}

function subscribe(data: string): void {
  const csv = Array.from({ length: SUBSCRIBERS }, (_, n) => `u${n},secret`).join("\n");
  const file = join(data, "subscribers.csv");
  execFileSync("sh", ["-c", `cat > ${file}`], { input: `${csv}\n` });
  execFileSync(join(ROOT, "dist/ringbox"), ["--data", data, "subscriber", "import", file], { stdio: "ignore" });
}

async function kamailio(defines: readonly string[]): Promise<Server> {
  const config = sharedPath("bench/kamailio-registrar.cfg") ?? "";
  const options = ["-f", config, "-A", "PORT=7010", "-A", "WORKERS=1", ...defines, "-DD", "-E", "-m", "1024", "-M", "32", "-x", "fm", "-X", "fm"];
  const parent = start("kamailio", options, "kamailio.log");
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  return { pids: family(pidOf(parent)), stop: () => stop(parent) };
}

async function kamailioCluster(nodes: number): Promise<Server> {
  const parent = start("bash", [sharedPath("bench/kamailio-dmq-cluster.sh") ?? "", `${nodes}`, mkdtempSync(join(scratch, "dmq-"))], "dmq.log");
  await new Promise((resolve) => setTimeout(resolve, 10_000 + nodes * 500));
  return { pids: family(pidOf(parent)).slice(1), stop: () => stop(parent) };
}

/** A process and all that descend from it. */
function family(pid: number): number[] {
  const children = existsSync(`/proc/${pid}/task/${pid}/children`)
    ? readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number)
    : [];
  return [pid, ...children.flatMap(family)];
}

const TICKS_PER_SECOND = Number(execFileSync("getconf", ["CLK_TCK"]).toString());

/** User and system time that the processes, with all their threads, have used so far. */
function cpuMilliseconds(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return (ticks * 1_000) / TICKS_PER_SECOND;
}

function start(command: string, options: readonly string[], log: string): ChildProcess {
  const output = openSync(join(scratch, log), "a");
  const child = spawn(command, options, { stdio: ["ignore", output, output] });
  running.add(child);
  return child;
}

/** Ends with what the command printed: failures are counted from it. */
async function run(command: string, options: readonly string[]): Promise<{ readonly output: string }> {
  const log = `work-${++works}.log`;
  const child = start(command, options, log);
  await new Promise((resolve) => child.once("exit", resolve));
  running.delete(child);
  return { output: readFileSync(join(scratch, log), "latin1") };
}
let works = 0;

async function stop(child: ChildProcess): Promise<void> {
  const ended = child.exitCode !== null ? Promise.resolve() : new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  const late = setTimeout(() => child.kill("SIGKILL"), 5_000);
  await ended;
  clearTimeout(late);
  running.delete(child);
}

function pidOf(child: ChildProcess): number {
  if (child.pid === undefined) throw new Error("a server could not be started");
  return child.pid;
}

const onPath = (command: string): boolean =>
  (process.env["PATH"] ?? "").split(":").some((folder) => existsSync(join(folder, command)));

const heading = (text: string): void => console.log(`\n${text.padEnd(48)}${"Ringbox".padStart(10)}${"Kamailio".padStart(10)}`);

const row = (name: string, ours: Figure, theirs: Figure): void =>
  console.log(`${name.padEnd(48)}${ours.value.toFixed(1).padStart(10)}${theirs.value.toFixed(1).padStart(10)}${failures("Ringbox", ours)}${failures("Kamailio", theirs)}`);

const failures = (name: string, figure: Figure): string => (figure.failed === 0 ? "" : `  ${name}: ${figure.failed} failed`);

function complain(text: string): void {
  console.error(`No benchmark: ${text}`);
  process.exitCode = 1;
}

/** Nothing of a run that is broken off stays behind. */
function cleanUp(): void {
  for (const child of running) child.kill(child.spawnfile === "bash" ? "SIGTERM" : "SIGKILL");
  rmSync(scratch, { recursive: true, force: true });
}
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    cleanUp();
    process.exit(1);
  });
}

try {
  await main();
} finally {
  cleanUp();
}
