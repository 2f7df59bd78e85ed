// Writes docs/state-machines.md from the transition tables. A test holds the file to them.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { TRANSITIONS as LINK_TRANSITIONS } from "../overlay/link/link-machine.ts";
import { MEMBER_TRANSITIONS } from "../overlay/members/member-states.ts";
import { PHASE_TRANSITIONS } from "../overlay/members/phases.ts";
import { CHORD_TRANSITIONS } from "../overlay/ring/chord.ts";
import { SERVICE_ADDRESS_TRANSITIONS } from "../peer/service-addresses.ts";
import { ADMISSION_TABLE } from "../provision/admission.ts";
import { ROLL_OUT_TRANSITIONS } from "../provision/roll-out-stages.ts";
import { SUBSCRIPTION_TRANSITIONS } from "../sip/events/subscription-machine.ts";
import { INVITE_CLIENT_TRANSITIONS } from "../sip/transaction/invite-client.ts";
import { INVITE_SERVER_TRANSITIONS } from "../sip/transaction/invite-server.ts";
import { NON_INVITE_CLIENT_TRANSITIONS } from "../sip/transaction/non-invite-client.ts";
import { NON_INVITE_SERVER_TRANSITIONS } from "../sip/transaction/non-invite-server.ts";

const FILE = join(import.meta.dirname, "../../docs/state-machines.md");

/** A cell of any of the tables: the next state alone, or with what is done on the way. */
type AnyCell =
  | string
  | { readonly next: string; readonly actions?: readonly string[]; readonly tell?: string | undefined };
type AnyTable = Readonly<Record<string, Readonly<Record<string, AnyCell>>>>;

interface Section {
  readonly title: string;
  readonly source: string;
  readonly text: string;
  readonly start: string;
  readonly table: AnyTable;
}

const SECTIONS: readonly Section[] = [
  {
    title: "INVITE client transaction",
    source: "src/sip/transaction/invite-client.ts",
    text: "RFC 3261 section 17.1.1 with the Accepted state of RFC 6026. `timer cancel` is ours: 64*T1 after a CANCEL.",
    start: "calling",
    table: INVITE_CLIENT_TRANSITIONS,
  },
  {
    title: "INVITE server transaction",
    source: "src/sip/transaction/invite-server.ts",
    text: "RFC 3261 section 17.2.1 with the Accepted state of RFC 6026.",
    start: "proceeding",
    table: INVITE_SERVER_TRANSITIONS,
  },
  {
    title: "Non-INVITE client transaction",
    source: "src/sip/transaction/non-invite-client.ts",
    text: "RFC 3261 section 17.1.2.",
    start: "trying",
    table: NON_INVITE_CLIENT_TRANSITIONS,
  },
  {
    title: "Non-INVITE server transaction",
    source: "src/sip/transaction/non-invite-server.ts",
    text: "RFC 3261 section 17.2.2 with RFC 4320: a 100 after 3.5 seconds and not before, no answer once it came too late.",
    start: "trying",
    table: NON_INVITE_SERVER_TRANSITIONS,
  },
  {
    title: "A subscription at its notifier",
    source: "src/sip/events/subscription-machine.ts",
    text: "RFC 6665 section 4.2, for a state agent that grants or refuses at once: one NOTIFY at a time.",
    start: "quiet",
    table: SUBSCRIPTION_TRANSITIONS,
  },
  {
    title: "Another box, as a box sees it",
    source: "src/overlay/members/member-states.ts",
    text: "Those that are `serving` or `silent` are in the ring view.",
    start: "gone",
    table: MEMBER_TRANSITIONS,
  },
  {
    title: "A box on its way into the ring and out",
    source: "src/overlay/members/phases.ts",
    text: "`ringbox status` shows it.",
    start: "seeking",
    table: PHASE_TRANSITIONS,
  },
  {
    title: "Successor list and predecessor",
    source: "src/overlay/ring/chord.ts",
    text: "Zave's join, stabilize and rectify. `lives` and `dead` are what came of the question that is waited for.",
    start: "outside",
    table: CHORD_TRANSITIONS,
  },
  {
    title: "A link",
    source: "src/overlay/link/link-machine.ts",
    text: "What is told to the overlay core stands behind the slash.",
    start: "live",
    table: LINK_TRANSITIONS,
  },
  {
    title: "A service address at one box",
    source: "src/peer/service-addresses.ts",
    text: "An address that moves from box to box: asked for by its owner always, by another when it is its turn. `wait`: a while before it is asked for again.",
    start: "idle",
    table: SERVICE_ADDRESS_TRANSITIONS,
  },
  {
    title: "A box on its way to another version",
    source: "src/provision/roll-out-stages.ts",
    text: "It has the leave of those that share its replicas from `writing` to `proving`. `began anew`, `not restarted` and `runs …` are what a program finds that has just begun.",
    start: "idle",
    table: ROLL_OUT_TRANSITIONS,
  },
];

/** The whole document. */
export function stateMachines(): string {
  const sections = SECTIONS.map(
    ({ title, source, text, start, table }) => `## ${title}\n\n${text} Table: \`${source}\`.\n\n${diagram(start, table)}\n`,
  );
  return [HEAD, ...sections, admission()].join("\n");
}

const HEAD = `# State machines

Made from the transition tables in the source by \`npm run state-machines\`; a test fails when this file is not what
they say. A trigger that is not drawn changes nothing in that state. Behind a slash stands what is done on the way.
`;

function diagram(start: string, table: AnyTable): string {
  const names = new Map(Object.keys(table).map((state, index) => [state, `s${index}`]));
  const name = (state: string): string => names.get(state) ?? state;
  const lines = [...names].map(([state, short]) => `  state "${state}" as ${short}`);
  lines.push(`  [*] --> ${name(start)}`);
  for (const [state, row] of Object.entries(table)) lines.push(...arrows(state, row, name));
  return ["```mermaid", "stateDiagram-v2", ...lines, "```"].join("\n");
}

/** One arrow for each next state and what is done, with all its triggers. */
function arrows(state: string, row: Readonly<Record<string, AnyCell>>, name: (state: string) => string): readonly string[] {
  const triggers = new Map<string, { readonly next: string; readonly done: string; readonly by: string[] }>();
  for (const [trigger, cell] of Object.entries(row)) {
    if (cell === "ignore") continue;
    const next = typeof cell === "string" ? cell : cell.next;
    const done = typeof cell === "string" ? "" : (cell.actions?.join(", ") ?? cell.tell ?? "");
    if (next === state && done === "") continue;
    const known = triggers.get(`${next}|${done}`);
    if (known === undefined) triggers.set(`${next}|${done}`, { next, done, by: [trigger] });
    else known.by.push(trigger);
  }
  const end = triggers.size === 0 ? [`  ${name(state)} --> [*]`] : [];
  const drawn = [...triggers.values()].map(
    ({ next, done, by }) => `  ${name(state)} --> ${name(next)}: ${by.join(" or ")}${done === "" ? "" : ` / ${done}`}`,
  );
  return [...drawn, ...end];
}

/** The admission machine names actions, not next states: a table shows it better. */
function admission(): string {
  const phases = Object.keys(ADMISSION_TABLE) as (keyof typeof ADMISSION_TABLE)[];
  const inputs = Object.keys(ADMISSION_TABLE.blank) as (keyof typeof ADMISSION_TABLE.blank)[];
  const head = ["phase", ...inputs];
  const rows = phases.map((phase) => [phase, ...inputs.map((input) => doneBy(ADMISSION_TABLE[phase][input]))]);
  return `## A blank box on its way into a fleet

What is done on each input; a dash: nothing. \`advance\` decides what follows from all that is known by then (dial, wait,
found), and moves between \`seeking\` and \`enrolling\` and to \`founding\`. Table: \`src/provision/admission.ts\`.

${[head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n")}
`;
}

const doneBy = (cell: "ignore" | { readonly act: readonly string[] }): string => (cell === "ignore" ? "–" : cell.act.join(", "));

if (import.meta.main) writeFileSync(FILE, stateMachines());
