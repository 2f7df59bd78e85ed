// The command line of operators and technicians.

import { runRingbox } from "./cli/program.ts";
import { processTerminal } from "./cli/terminal.ts";

process.exitCode = await runRingbox(process.argv.slice(2), processTerminal);
