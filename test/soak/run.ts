// npm run soak [-- WORD ...] [--part K]: the long forms, one after another, or those whose name has one of the words in it.
// The histories of `decisions` take about a second of a processor each, seven minutes in all.

import { spawn } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";

interface LongForm {
  readonly name: string;
  /** What Node runs. */
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

const LONG_FORMS: readonly LongForm[] = [
  {
    name: "properties: fresh seeds, fifty times as many examples",
    command: ["--import", "./test/support/many-properties.ts", "--test", "test/unit/**/*.test.ts", "test/conformance/**/*.test.ts"],
  },
  {
    name: "decisions: 400 random histories of documents and revocations",
    command: ["--test", "test/unit/overlay/configuration/random-decisions.test.ts"],
    environment: { RINGBOX_DECISIONS: "400" },
  },
  {
    name: "writes: an hour of a thousand phones that refresh every minute",
    command: ["--test", "test/lab/20-write-budget.test.ts"],
    environment: { RINGBOX_WRITE_MINUTES: "60" },
  },
  {
    name: "SIP: ten thousand idle connections",
    command: ["--test", "test/integration/box/idle-connections.test.ts"],
    environment: { RINGBOX_CONNECTIONS: "10000" },
  },
  {
    name: "SIP: two thousand slow connections, an octet every five seconds",
    command: ["--test", "test/integration/box/slow-connections.test.ts"],
    environment: { RINGBOX_SLOW_CONNECTIONS: "2000", RINGBOX_SLOW_OCTET_MS: "5000", RINGBOX_SLOW_ROUNDS: "3" },
  },
  {
    name: "durability storms: some 600 kills of real boxes under load",
    command: ["--test", "test/integration/durability/storm.test.ts"],
    environment: { RINGBOX_STORMS: "30" },
  },
  {
    name: "durability power cuts: 10,000 states of each recording",
    command: ["--test", "test/integration/io/power-cut.test.ts"],
    environment: { RINGBOX_POWER_CUTS: "10000", RINGBOX_POWER_CUT_WRITES: "1200" },
  },
  {
    name: "durability power cuts of a whole data partition: 2,000 states of a first start",
    command: ["--test", "test/integration/io/power-cut-disk.test.ts"],
    environment: { RINGBOX_DISK_CUTS: "2000" },
  },
  {
    name: "chord: ten million random schedules of Zave's rules",
    command: ["--test", "test/simulation/chord-schedules.test.ts"],
    environment: { RINGBOX_CHORD_SCHEDULES: "10000000" },
  },
  {
    name: "mesh limit: forty rings beyond it, with deaths, leaves and joins",
    command: ["--test", "test/unit/overlay/beyond-the-mesh.test.ts"],
    environment: { RINGBOX_MESH_RINGS: "40" },
  },
  {
    name: "a hundred boxes for a day: 200 seeds, each twice",
    command: ["--test", "test/simulation/hundred-boxes.test.ts"],
    environment: { RINGBOX_HUNDRED_SEEDS: "200" },
  },
  {
    name: "smaller worlds: 100 seeds of churn, cuts, power cuts, clocks and storms, each twice",
    command: ["--test", ...["churn", "partition", "power-cut", "clocks", "registration-storm"].map((mix) => `test/simulation/${mix}.test.ts`)],
    environment: { RINGBOX_WORLD_SEEDS: "100" },
  },
  {
    name: "detection: fifty rough hours of 2, 3, 5 and 10 boxes",
    command: ["--test", "test/simulation/failure-detection.test.ts"],
    environment: { RINGBOX_ROUGH_HOURS: "50" },
  },
  {
    name: "merge storm: sixty times twenty-one cuts, with writes on all sides and clocks that jump",
    command: ["--test", "test/simulation/merge.test.ts"],
    environment: { RINGBOX_MERGES: "60" },
  },
  {
    name: "lamps and kept messages: 100 seeds of boxes that die before and during calls",
    command: ["--test", "test/simulation/watchers.test.ts", "test/simulation/kept-messages.test.ts"],
    environment: { RINGBOX_LAMP_SEEDS: "100" },
  },
  {
    name: "detection: partial cuts, 1,000 seeds",
    command: ["--test", "test/unit/overlay/members/partial-cuts.test.ts"],
    environment: { RINGBOX_PARTIAL_CUTS: "1000" },
  },
];

const { values, positionals: words } = parseArgs({ options: { part: { type: "string" } }, allowPositionals: true });
const part = Number(values.part ?? 1);

/** `--part K`: a K-th of all counts, to see whether a long form works before it is let run. */
function shortened(environment: LongForm["environment"] = {}): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(environment).map(([name, count]) => [name, String(Math.max(1, Math.round(Number(count) / part)))]));
}

/** Most long forms say nothing until their end: once a minute it is said that they are at work. */
function run({ name, command, environment }: LongForm): Promise<boolean> {
  process.stdout.write(`== ${name}\n`);
  const started = performance.now();
  const elapsed = (): number => Math.round((performance.now() - started) / 1_000);
  return new Promise((resolve) => {
    const child = spawn(process.execPath, command, {
      cwd: join(import.meta.dirname, "../.."),
      stdio: "inherit",
      env: { ...process.env, ...shortened(environment) },
    });
    const minutely = setInterval(() => process.stdout.write(`   at work for ${elapsed()} s: ${name}\n`), 60_000);
    child.on("close", (code) => {
      clearInterval(minutely);
      process.stdout.write(`== ${code === 0 ? "held" : "FAILED"} after ${elapsed()} s: ${name}\n`);
      resolve(code === 0);
    });
  });
}

let failed = 0;
for (const form of LONG_FORMS.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)))) {
  if (!(await run(form))) failed++;
}
process.exitCode = failed === 0 ? 0 : 1;
