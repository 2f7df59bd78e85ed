// The command line of operators and technicians.

import { runRingbox } from "./cli/program.ts";
import { processTerminal } from "./cli/terminal.ts";

// Whoever reads the output may stop reading it: `ringbox subscriber list | head`.
process.stdout.on("error", () => process.exit());
process.exitCode = await runRingbox(process.argv.slice(2), processTerminal);
