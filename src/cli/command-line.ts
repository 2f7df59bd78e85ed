// Runs a commander program as the house wants it: one line for what is wrong, exit status 1 when it did not
// work, 2 when it was asked for wrongly, and no stack trace unless the fault is our own.

import { type Command, CommanderError } from "commander";
import { CliError, Finding } from "./cli-error.ts";
import type { Terminal } from "./terminal.ts";

export type Voice = Pick<Terminal, "print" | "note">;

/** Settings of a program and of every command made from it afterwards. Help that was asked for is printed. */
export function asHouseCommand(program: Command, voice: Voice): Command {
  return program
    .exitOverride()
    .showSuggestionAfterError(false)
    .configureOutput({ outputError: () => undefined, writeOut: (text) => voice.print(text.trimEnd()), writeErr: (text) => voice.note(text.trimEnd()) });
}

/** The exit status: 0, 1, 2, or what the command found. `name` opens the line that says what is wrong. */
export async function runProgram(
  program: Command,
  args: readonly string[],
  name: string,
  voice: Voice,
): Promise<number> {
  try {
    await program.parseAsync(args, { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof Finding) return error.exitStatus;
    if (error instanceof CliError) {
      voice.note(`${name}: ${error.message}`);
      return error.exitStatus;
    }
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return 0;
      if (error.code !== "commander.help") voice.note(`${name}: ${oneLine(error.message)} (see ${name} --help)`);
      return 2;
    }
    throw error;
  }
}

const oneLine = (message: string): string => message.replace(/^error: /, "").replace(/\s+/g, " ").trim();
