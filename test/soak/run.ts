// npm run soak [-- WORD ...]: the long forms, one after another, or those whose name has one of the words in it.

import { spawnSync } from "node:child_process";
import { join } from "node:path";

interface LongForm {
  readonly name: string;
  /** What Node runs. */
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

const LONG_FORMS: readonly LongForm[] = [
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
];

const words = process.argv.slice(2);
let failed = 0;
for (const { name, command, environment } of LONG_FORMS.filter((form) => words.length === 0 || words.some((word) => form.name.includes(word)))) {
  process.stdout.write(`== ${name}\n`);
  const started = performance.now();
  const { status } = spawnSync(process.execPath, command, {
    cwd: join(import.meta.dirname, "../.."),
    stdio: "inherit",
    env: { ...process.env, ...environment },
  });
  process.stdout.write(`== ${status === 0 ? "held" : "FAILED"} after ${Math.round((performance.now() - started) / 1_000)} s: ${name}\n`);
  if (status !== 0) failed++;
}
process.exitCode = failed === 0 ? 0 : 1;
