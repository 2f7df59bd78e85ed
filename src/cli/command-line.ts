// Runs a commander program as the house wants it: one line for what is wrong, exit status 1 when it did not
// work, 2 when it was asked for wrongly, and no stack trace unless the fault is our own.

import { type Command, CommanderError } from "commander";
import { CliError } from "./cli-error.ts";

/** Settings of a program and of every command made from it afterwards. Help that was asked for goes to `print`. */
export function asHouseCommand(program: Command, print: (text: string) => void, note: (text: string) => void): Command {
  return program
    .exitOverride()
    .showSuggestionAfterError(false)
    .configureOutput({ outputError: () => undefined, writeOut: (text) => print(text.trimEnd()), writeErr: (text) => note(text.trimEnd()) });
}

/** The exit status. `name` opens the line that says what is wrong. */
export async function runProgram(
  program: Command,
  args: readonly string[],
  name: string,
  note: (text: string) => void,
): Promise<number> {
  try {
    await program.parseAsync(args, { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof CliError) {
      note(`${name}: ${error.message}`);
      return error.exitStatus;
    }
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return 0;
      if (error.code !== "commander.help") note(`${name}: ${oneLine(error.message)} (see ${name} --help)`);
      return 2;
    }
    throw error;
  }
}

const oneLine = (message: string): string => message.replace(/^error: /, "").replace(/\s+/g, " ").trim();
