// The commands of `ringbox`. Their names and options are stable: add, do not rename.

import { Command, Option } from "commander";
import { fieldMenu } from "./console/field-menu.ts";
import { boxConsole, type LiveOptions, top } from "./console/live-commands.ts";
import { ControlClient } from "./control-client.ts";
import { Finding } from "./cli-error.ts";
import { asHouseCommand, runProgram } from "./command-line.ts";
import { resolveConflict, withConflicts } from "./conflict-commands.ts";
import { type BundleOptions, buildBundle, checkBundleFile, type CheckOptions, installBundle, type InstallOptions, newUpdateKey, unpackBundle } from "./bundle-commands.ts";
import { initFleet, newTicket, type TicketOptions } from "./fleet-commands.ts";
import { admit } from "./admit-command.ts";
import { factoryReset } from "./factory-reset.ts";
import { type CallOptions, type CallsOptions, listCalls, showCall } from "./call-commands.ts";
import { type StampOptions, stampImage } from "./image-commands.ts";
import { choiceOption, collected, domainOption, durationOption, hintOption, imageWordOption, nameOption, timeOption, usesOption, versionOption } from "./option-values.ts";
import { conflictsText, peersText, registrationsText, statusText, subscribersText, whereText } from "./plain-words.ts";
import { type AddOptions, addSubscriber, aorOf, importSubscribers, removeSubscriber } from "./subscriber-commands.ts";
import { rotateFleet } from "./rotate-command.ts";
import { configurationText, revokeBox, setConfiguration } from "./rules-commands.ts";
import { PROVED_WITHIN, updateFleet, type UpdateOptions } from "./update-commands.ts";
import { ARCHITECTURES } from "../provision/update-bundle.ts";
import type { Terminal } from "./terminal.ts";
import { VERSION } from "./version.ts";
import { type EvidenceOptions, printWebCode, type WebCodeOptions, writeEvidence } from "./web-commands.ts";

const NAME = "ringbox";
/** Where `npm start` keeps a box. */
const USUAL_DATA = "ringbox-data";

interface JsonOption {
  readonly json?: boolean;
}

/** The exit status of `ringbox ARGS…`. */
export function runRingbox(args: readonly string[], terminal: Terminal): Promise<number> {
  return runProgram(ringboxProgram(terminal), args, NAME, terminal);
}

/** Every command with its options; nothing runs before `parseAsync`. */
export function ringboxProgram(terminal: Terminal): Command {
  const program = asHouseCommand(new Command(NAME), terminal)
    .description("Looks after a Ringbox: its fleet, its subscribers, its phones.")
    .version(VERSION)
    .addOption(new Option("--data <dir>", "data directory of the running box").default(USUAL_DATA).env("RINGBOX_DATA"));
  /** Runs `action` with a connection to the box on the data directory. */
  const withBox = async (action: (box: ControlClient) => Promise<void>): Promise<void> => {
    const box = await ControlClient.connect(program.opts<{ data: string }>().data);
    try {
      await action(box);
    } finally {
      box.close();
    }
  };
  addBoxCommands(program, terminal, withBox);
  addSubscriberCommands(program, terminal, withBox);
  addConflictCommands(program, terminal, withBox);
  addRegistrationCommands(program, terminal, withBox);
  addCallCommands(program, terminal, withBox);
  addRulesCommands(program, terminal, withBox);
  addFleetCommands(program, terminal, withBox);
  addAdmitCommand(program, terminal, withBox);
  addImageCommands(program, terminal);
  addBundleCommands(program, terminal);
  addUpdateCommand(program, terminal);
  addWebCommands(program, terminal);
  return program;
}

function addImageCommands(program: Command, terminal: Terminal): void {
  program
    .command("factory-reset")
    .description("leave the ring, forget everything and begin anew (on a box made from the image)")
    .action(() => factoryReset(terminal));
  program
    .command("image")
    .description("prepare an image before it is flashed")
    .command("stamp")
    .description("write a ticket and settings into an image, or into a flashed disk")
    .argument("<file>", "the image")
    .option("--ticket <file>", "fleet or join ticket: the box joins by itself")
    .option("--zone <zone>", "rack, room or site of the box", imageWordOption)
    .option("--hostname-prefix <prefix>", "how its host name begins", imageWordOption)
    .action((file: string, options: StampOptions) => stampImage(file, options, terminal));
}

function addBundleCommands(program: Command, terminal: Terminal): void {
  const bundle = program.command("bundle").description("the signed file that brings boxes to another version");
  const architecture = (): Option => new Option("--arch <architecture>", "which boxes it is for").choices(ARCHITECTURES);
  bundle
    .command("build <out>")
    .description("make one from the parts of an image (npm run image -- --bundle-key KEY does it at once)")
    .requiredOption("--key <file>", "the update key that fleet init made")
    .requiredOption("--bundle-version <version>", "three numbers, as 1.4.0", versionOption)
    .addOption(architecture().makeOptionMandatory())
    .option("--floor <version>", "a box that keeps it takes no older one than this any more", versionOption)
    .requiredOption("--root-hash <hash>", "what veritysetup said")
    .requiredOption("--verity <file>", "hashes of the root")
    .requiredOption("--root <file>", "the root")
    .requiredOption("--kernel <file>", "the unified kernel image")
    .action((out: string, options: BundleOptions) => buildBundle(out, options, terminal));
  const judging = (command: Command): Command =>
    command
      .option("--ticket <file>", "a ticket of the fleet that it is to be for")
      .option("--box <dir>", "the data directory of a box of that fleet, in the place of a ticket")
      .addOption(architecture().default(process.arch === "arm64" ? "arm64" : "x86-64"))
      .option("--floor <version>", "refuse versions below it", versionOption, "0.0.0")
      .option("--keys-from <time>", "refuse update keys made before, seconds since 1970", timeOption, 0);
  judging(bundle.command("check <file>").description("say whether a box would take it"))
    .action((file: string, options: CheckOptions) => checkBundleFile(file, options, terminal));
  judging(bundle.command("unpack <file> <dir>").description("check it, then write its parts into a new directory"))
    .action((file: string, directory: string, options: CheckOptions) => unpackBundle(file, directory, options, terminal));
  judging(bundle.command("install <file>").description("check it, then write it into the slot of a disk that does not run"))
    .requiredOption("--disk <disk>", "the whole disk, or a file that holds one")
    .requiredOption("--boot <dir>", "the folder EFI/Linux of its boot partition")
    .option("--running <hash>", "root hash of the version that stays; otherwise that of this machine")
    .action((file: string, options: InstallOptions) => installBundle(file, options, terminal));
}

function addUpdateCommand(program: Command, terminal: Terminal): void {
  program
    .command("update [bundle]")
    .description("bring every box of the ring to the version of a bundle; without one, show how far each is")
    .option("--stop", "no further box begins")
    .option("--no-wait", "do not stay to watch")
    .option("--json", "as JSON (docs/json.md)")
    .addOption(new Option("--prove", "wait until this box works: for the boot of a new version").hideHelp())
    .addOption(new Option("--within <seconds>", "how long that may take").argParser(Number).default(PROVED_WITHIN / 1_000).hideHelp())
    .action((file: string | undefined, options: UpdateOptions) => updateFleet(file, options, program.opts<{ data: string }>().data, terminal));
}

type WithBox = (action: (box: ControlClient) => Promise<void>) => Promise<void>;

const printReport = (terminal: Terminal, json: boolean | undefined, report: unknown, text: () => string): void =>
  terminal.print(json === true ? JSON.stringify(report, undefined, 2) : text());

function addBoxCommands(program: Command, terminal: Terminal, withBox: WithBox): void {
  program
    .command("status")
    .description("say whether the box serves, and what the ring can lose")
    .option("--json", "as JSON (docs/json.md)")
    .action(({ json }: JsonOption) =>
      withBox(async (box) => {
        const status = await withConflicts((await box.ask<"status">({ op: "status" })).status, box);
        printReport(terminal, json, status, () => statusText(status));
        const severities = status.conditions.map(({ severity }) => severity);
        if (severities.includes("alarm")) throw new Finding(4);
        if (severities.includes("warning")) throw new Finding(3);
      }),
    );
  program
    .command("peers")
    .description("list the boxes of the ring, as this box sees them")
    .option("--json", "as JSON (docs/json.md)")
    .action(({ json }: JsonOption) =>
      withBox(async (box) => {
        const { peers } = await box.ask<"peers">({ op: "peers" });
        printReport(terminal, json, peers, () => peersText(peers));
      }),
    );
  program
    .command("leave")
    .description("hand everything over to the other boxes, and stop")
    .action(() =>
      withBox(async (box) => {
        const { boxes } = (await box.ask<"status">({ op: "status" })).status;
        const alone = boxes.serving <= 1;
        if (!alone) terminal.note("Handing everything over…");
        await box.ask<"leave">({ op: "leave" });
        terminal.print(
          alone
            ? "The box has stopped. It was alone: what it knew is in its data directory and nowhere else."
            : "The box has left the ring and stopped; the others have what it had.",
        );
      }),
    );
}

function addSubscriberCommands(program: Command, terminal: Terminal, withBox: WithBox): void {
  const subscriber = program.command("subscriber").description("who may register");
  subscriber
    .command("add <name>")
    .description("add one; the password is asked for, or made and shown once")
    .option("--password-stdin", "read the password from standard input")
    .option("--display-name <text>", "shown to people", nameOption)
    .option("--replace", "set a new password if there is one of that name")
    .action((name: string, options: AddOptions) => withBox((box) => addSubscriber(name, options, box, terminal)));
  subscriber
    .command("import <file>")
    .description("add all of a CSV file, name,password[,display name] a line; nothing if a line is wrong")
    .option("--replace", "replace those that are there")
    .action((file: string, options: { readonly replace?: boolean }) =>
      withBox((box) => importSubscribers(file, options, box, terminal)),
    );
  subscriber
    .command("list")
    .description("list all")
    .option("--json", "as JSON (docs/json.md)")
    .action(({ json }: JsonOption) =>
      withBox(async (box) => {
        const { subscribers } = await box.ask<"subscriber-list">({ op: "subscriber-list" });
        printReport(terminal, json, subscribers, () => subscribersText(subscribers));
      }),
    );
  subscriber
    .command("remove <name>")
    .description("remove one; its phones can register no more")
    .action((name: string) => withBox((box) => removeSubscriber(name, box, terminal)));
}

function addConflictCommands(program: Command, terminal: Terminal, withBox: WithBox): void {
  program
    .command("conflicts")
    .description("list subscribers that boxes changed without knowing of each other's change")
    .option("--json", "as JSON (docs/json.md)")
    .action(({ json }: JsonOption) =>
      withBox(async (box) => {
        const { conflicts } = await box.ask<"conflict-list">({ op: "conflict-list" });
        printReport(terminal, json, conflicts, () => conflictsText(conflicts, Date.now()));
      }),
    )
    .command("resolve <name>")
    .description("keep one version of a subscriber; the others are gone for good")
    .requiredOption("--keep <number>", "which, as the list counts them", choiceOption)
    .action((name: string, { keep }: { readonly keep: number }) => withBox((box) => resolveConflict(name, keep, box, terminal)));
}

function addRegistrationCommands(program: Command, terminal: Terminal, withBox: WithBox): void {
  program
    .command("registration")
    .description("which phones are registered")
    .command("list [aor]")
    .description("list the bindings of one AoR, or of all")
    .option("--json", "as JSON (docs/json.md)")
    .action((name: string | undefined, { json }: JsonOption) =>
      withBox(async (box) => {
        const aor = name === undefined ? null : await knownAor(name, box);
        const { registrations } = await box.ask<"registration-list">({ op: "registration-list", aor });
        printReport(terminal, json, registrations, () => registrationsText(registrations, Date.now()));
      }),
    );
  program
    .command("where <aor>")
    .description("say which box stores an AoR, which hold copies, and which hold its phones' flows")
    .option("--json", "as JSON (docs/json.md)")
    .action((name: string, { json }: JsonOption) =>
      withBox(async (box) => {
        const { where } = await box.ask<"where">({ op: "where", aor: await knownAor(name, box) });
        printReport(terminal, json, where, () => whereText(where, Date.now()));
      }),
    );
}

function addCallCommands(program: Command, terminal: Terminal, withBox: WithBox): void {
  program
    .command("calls")
    .description("list the calls that went through the box lately, and how they ended")
    .option("--registrations", "how phones registered last instead")
    .option("--json", "as JSON (docs/json.md)")
    .action((options: CallsOptions) => withBox((box) => listCalls(options, box, terminal)));
  program
    .command("call <id>")
    .description("show one call, message by message, as all boxes saw it; secrets are removed")
    .option("--messages", "with the messages in full")
    .option("--json", "as JSON (docs/json.md)")
    .action((name: string, options: CallOptions) => withBox((box) => showCall(name, options, program.opts<{ data: string }>().data, box, terminal)));
}

function addAdmitCommand(program: Command, terminal: Terminal, withBox: WithBox): void {
  program
    .command("admit <code>")
    .description("let the box that shows this code into the fleet")
    .action((code: string) => withBox((box) => admit(code, box, terminal)));
}

function addWebCommands(program: Command, terminal: Terminal): void {
  const directory = (): string => program.opts<{ data: string }>().data;
  program
    .command("web-code")
    .description("make a code to sign in on the page with, good once and for ten minutes")
    .option("--shell", "who signs in with it may open a shell in the page's terminal")
    .option("--for <name>", "who will use it; named with all that is done", nameOption)
    .action((options: WebCodeOptions) => printWebCode(directory(), options, terminal));
  program
    .command("evidence")
    .description("write an evidence pack: how the box is and was, with recent calls, without secrets")
    .option("--out <file>", "where; otherwise a new file here")
    .action((options: EvidenceOptions) => writeEvidence(directory(), options, terminal));
  const live = (name: string, description: string, act: (directory: string, options: LiveOptions) => Promise<void>): Command =>
    program.command(name).description(description).option("--page <url>", "where the page is, for who may not open the agent's socket").action((options: LiveOptions) => act(directory(), options));
  live("top", "show how the box is, live", top);
  live("console", "what the box shows on its own screen, with keys for what one may do before it", boxConsole);
  live("field-menu", "the tools of the page's terminal", fieldMenu).option("--shell", "with a shell");
}

function addRulesCommands(program: Command, terminal: Terminal, withBox: WithBox): void {
  const config = program.command("config").description("what is decided for the whole fleet");
  config
    .command("show")
    .description("show what is in force on the box")
    .option("--json", "as JSON (docs/json.md)")
    .action(({ json }: JsonOption) =>
      withBox(async (box) => {
        const { configuration } = await box.ask<"configuration">({ op: "configuration" });
        printReport(terminal, json, configuration, () => configurationText(configuration));
      }),
    );
  config
    .command("set <key=value...>")
    .description("change it on every box, signed by the fleet's key")
    .requiredOption("--fleet <dir>", "where fleet init put the key")
    .action((assignments: readonly string[], { fleet }: { readonly fleet: string }) =>
      withBox((box) => setConfiguration(assignments, fleet, box, terminal)),
    );
  program
    .command("revoke <box>")
    .description("have every box refuse one: a Node-ID or how it begins, or an address, as peers shows them")
    .option("--fleet <dir>", "where fleet init put the key: no box can put out another without it")
    .action((name: string, { fleet }: { readonly fleet?: string }) => withBox((box) => revokeBox(name, fleet, box, terminal)));
}

const knownAor = async (name: string, box: ControlClient): Promise<string> =>
  aorOf(name, (await box.ask<"status">({ op: "status" })).status.domain);

function addFleetCommands(program: Command, terminal: Terminal, withBox: WithBox): void {
  const fleet = program.command("fleet").description("the fleet that boxes belong to");
  fleet
    .command("rotate")
    .description("renew what issues certificates, for every box that is not revoked")
    .requiredOption("--fleet <dir>", "where fleet init put the key")
    .action((options: { readonly fleet: string }) => withBox((box) => rotateFleet(options.fleet, box, terminal)));
  fleet
    .command("update-key <dir>")
    .description("make DIR/update.key, which signs updates, for a fleet that has none")
    .option("--replace", "in the place of one that was lost or stolen; the old one stays as update.key.old")
    .action((directory: string, options: { readonly replace?: boolean }) => newUpdateKey(directory, options, terminal));
  fleet
    .command("init <dir>")
    .description("found a fleet: DIR/fleet.key and DIR/update.key for its operator to keep, DIR/fleet.ticket for its boxes")
    .requiredOption("--name <name>", "what people call it", nameOption)
    .requiredOption("--domain <domain>", "SIP domain that it serves", domainOption)
    .action((directory: string, options: { readonly name: string; readonly domain: string }) =>
      initFleet(directory, options, terminal),
    );
  program
    .command("ticket")
    .description("what lets a box join the fleet")
    .command("new")
    .description("write a join ticket to standard output")
    .requiredOption("--fleet <dir>", "where fleet init put the key")
    .option("--expires <time>", "for how long it lets boxes join: 12h, 7d, 2w", durationOption, durationOption("7d"))
    .option("--uses <number>", "how many boxes it lets join", usesOption, 1)
    .option("--hint <host:port>", "where a member may be found; may be repeated", collected(hintOption))
    .option("--zone <zone>", "rack, room or site of the box", nameOption)
    .action((options: TicketOptions) => newTicket(options, terminal));
}
