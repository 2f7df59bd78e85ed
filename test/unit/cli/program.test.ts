import assert from "node:assert/strict";
import { suite, test } from "node:test";
import type { Command } from "commander";
import { ringboxProgram } from "../../../src/cli/program.ts";
import { RecordedTerminal } from "../../support/recorded-terminal.ts";
import { contentOf, filesMatching } from "../../support/source-tree.ts";

const program = ringboxProgram(new RecordedTerminal());

/** Names with arguments, and long options, of a command and all below it. */
function described(command: Command, above = ""): string[] {
  const path = `${above} ${command.name()}`.trim();
  const args = command.registeredArguments.map((argument) => (argument.required ? `<${argument.name()}>` : `[${argument.name()}]`));
  const line = [path, ...args, ...command.options.map(({ long }) => long ?? "")].join(" ");
  return [line, ...command.commands.flatMap((below) => described(below, path))];
}

/** The commands as published. Lines may be added and lengthened; none may change otherwise. */
const STABLE = [
  "ringbox --version --data",
  "ringbox status --json",
  "ringbox peers --json",
  "ringbox leave",
  "ringbox subscriber",
  "ringbox subscriber add <name> --password-stdin --display-name --replace",
  "ringbox subscriber import <file> --replace",
  "ringbox subscriber list --json",
  "ringbox subscriber remove <name>",
  "ringbox conflicts --json",
  "ringbox conflicts resolve <name> --keep",
  "ringbox registration",
  "ringbox registration list [aor] --json",
  "ringbox where <aor> --json",
  "ringbox calls --registrations --json",
  "ringbox call <id> --messages --json",
  "ringbox config",
  "ringbox config show --json",
  "ringbox config set <key=value> --fleet",
  "ringbox revoke <box> --fleet",
  "ringbox fleet",
  "ringbox fleet rotate --fleet",
  "ringbox fleet update-key <dir> --replace",
  "ringbox fleet init <dir> --name --domain",
  "ringbox ticket",
  "ringbox ticket new --fleet --expires --uses --hint --zone",
  "ringbox admit <code>",
  "ringbox factory-reset",
  "ringbox image",
  "ringbox image stamp <file> --ticket --zone --hostname-prefix",
  "ringbox bundle",
  "ringbox bundle build <out> --key --bundle-version --arch --floor --root-hash --verity --root --kernel",
  "ringbox bundle check <file> --ticket --box --arch --floor --keys-from",
  "ringbox bundle unpack <file> <dir> --ticket --box --arch --floor --keys-from",
  "ringbox bundle install <file> --ticket --box --arch --floor --keys-from --disk --boot --running",
  "ringbox update [bundle] --stop --no-wait --json --prove --within",
  "ringbox web-code --shell --for",
  "ringbox evidence --out",
  "ringbox top --page",
  "ringbox console --page",
  "ringbox field-menu --page --shell",
];

suite("commands of ringbox", () => {
  test("are those that were published", () => {
    assert.deepEqual(described(program), STABLE);
  });

  test("that the pages show exist", () => {
    const wrong: string[] = [];
    for (const page of filesMatching("README.md", "docs/*.md")) {
      for (const [, line = ""] of contentOf(page).matchAll(/^[ `]*(?:\$ )?(?:dist\/|\.\/)*ringbox ((?:--data \S+ )?[a-z][^\n`]*)/gm)) {
        const words = line.replace(/^--data \S+ /, "").split(/\s+/);
        if (unknownCommand(program, words) !== undefined) wrong.push(`${page}: ringbox ${line}`);
      }
    }
    assert.deepEqual(wrong, []);
  });
});

/** The first word that names no command where one must stand. */
function unknownCommand(command: Command, words: readonly string[]): string | undefined {
  const [word = "", ...rest] = words;
  if (command.commands.length === 0) return undefined;
  const next = command.commands.find((below) => below.name() === word);
  return next === undefined ? word : unknownCommand(next, rest);
}
