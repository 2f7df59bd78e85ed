// What is decided for the whole fleet: `config show`, `config set`, `revoke`.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { formatAddress } from "../base/address.ts";
import { fromOctets, toOctets } from "../base/bytes.ts";
import { seconds } from "../base/time.ts";
import { type FleetConfiguration, type RegistrationRules, registrationProblem } from "../overlay/configuration/document.ts";
import { type FleetLimits, limitsProblem } from "../overlay/configuration/limits.ts";
import { KINDS } from "../peer/kinds.ts";
import type { ConfigurationReport, PeerReport } from "../peer/reports.ts";
import { CliError } from "./cli-error.ts";
import type { ControlClient } from "./control-client.ts";
import { FLEET_KEY, FLEET_TICKET } from "./fleet-commands.ts";
import { counted, short, table } from "./plain-words.ts";
import { plainReason } from "./plain-reason.ts";
import type { Terminal } from "./terminal.ts";

type Change = (configuration: FleetConfiguration) => FleetConfiguration;

interface Key {
  readonly read: (value: string) => Change | undefined;
  /** What a value of it is, as the end of a sentence. */
  readonly form: (key: string) => string;
}

/** What can be set, and how a value of it reads. */
const KEYS: Readonly<Record<string, Key>> = {
  "registration-minimum": time((rules, minimum) => ({ ...rules, minimum })),
  "registration-standard": time((rules, standard) => ({ ...rules, standard })),
  "registration-maximum": time((rules, maximum) => ({ ...rules, maximum })),
  "open-registration": {
    read: (value) => (value === "yes" || value === "no" ? registration((rules) => ({ ...rules, open: value === "yes" })) : undefined),
    form: (key) => `yes or no, as in ${key}=no`,
  },
  "initial-ttl": limit((limits, initialTtl) => ({ ...limits, initialTtl })),
  "max-message-size": limit((limits, maxMessageSize) => ({ ...limits, maxMessageSize })),
  expiration: { read: expiration, form: (key) => `a day that is not over, as in ${key}=2040-12-31` },
};

/** `max-count.KIND`, `max-size.KIND`. */
const KIND_KEYS = { "max-count": "maxEntries", "max-size": "maxValueBytes" } as const;

const registration = (change: (rules: RegistrationRules) => RegistrationRules): Change => (configuration) => ({ ...configuration, registration: change(configuration.registration) });

function limit(set: (limits: FleetLimits, value: number) => FleetLimits): Key {
  return {
    read: (value) => (/^\d{1,8}$/.test(value) ? (configuration) => ({ ...configuration, limits: set(configuration.limits, Number(value)) }) : undefined),
    form: (key) => `a number, as in ${key}=${key === "initial-ttl" ? "100" : "262144"}`,
  };
}

/** A limit of one kind, by its name as `config show` has it. */
function kindKey(key: string): Key | undefined {
  const [what = "", ...rest] = key.split(".");
  const kind = KINDS.find(({ name }) => name === rest.join("."));
  const field = Object.hasOwn(KIND_KEYS, what) ? KIND_KEYS[what as keyof typeof KIND_KEYS] : undefined;
  if (kind === undefined || field === undefined) return undefined;
  return limit((limits, value) => {
    const { id, maxEntries, maxValueBytes } = limits.kinds.find((one) => one.id === kind.id) ?? kind;
    const own = { id, maxEntries, maxValueBytes, [field]: value };
    return { ...limits, kinds: [...limits.kinds.filter((one) => one.id !== kind.id), own].sort((a, b) => a.id - b.id) };
  });
}

/** The last second of a day, not later than the root's. */
function expiration(value: string): Change | undefined {
  const end = /^\d{4}-\d\d-\d\d$/.test(value) ? Date.parse(`${value}T23:59:59Z`) : Number.NaN;
  if (Number.isNaN(end) || end < Date.now()) return undefined;
  return (configuration) => ({ ...configuration, expiration: `${value}T23:59:59Z` });
}

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600 };

/** `90`, `90s`, `15m`, `2h`. */
function time(set: (rules: RegistrationRules, value: RegistrationRules["minimum"]) => RegistrationRules): Key {
  return {
    read: (value) => {
      const [, digits = "", unit = "s"] = /^(\d{1,6})([smh]?)$/.exec(value) ?? [];
      const length = Number(digits) * (UNITS[unit === "" ? "s" : unit] ?? 0);
      return digits === "" || length === 0 ? undefined : registration((rules) => set(rules, seconds(length)));
    },
    form: (key) => `a time, as in ${key}=90s, 15m or 2h`,
  };
}

export function configurationText(report: ConfigurationReport): string {
  const { registration, limits, revoked } = report;
  const rows = [
    ["registration-minimum", `${registration.minimumSeconds}s`],
    ["registration-standard", `${registration.standardSeconds}s`],
    ["registration-maximum", `${registration.maximumSeconds}s`],
    ["open-registration", registration.open ? "yes" : "no"],
    ...(limits === null ? [] : limitRows(limits)),
    ...(report.expiration === null ? [] : [["expiration", report.expiration.slice(0, 10)]]),
  ];
  const heading = report.signed
    ? `Configuration ${report.sequence}, signed by the fleet's key.`
    : "This box has no configuration signed by the fleet's key; it goes by its usual settings.";
  const gone = revoked.map(({ nodeId, revokedAt }) => [nodeId, revokedAt === null ? "" : `since ${new Date(revokedAt).toISOString()}`]);
  const revocations = gone.length === 0 ? "No box is revoked." : `${counted(gone.length, "box", "boxes")} revoked:`;
  return [heading, "", ...table(rows), "", revocations, ...table(gone)].join("\n").trimEnd();
}

const limitRows = ({ initialTtl, maxMessageSize, kinds }: NonNullable<ConfigurationReport["limits"]>): string[][] => [
  ["initial-ttl", `${initialTtl}`],
  ["max-message-size", `${maxMessageSize}`],
  ...kinds.flatMap(({ name, maxCount, maxSize }) => [[`max-count.${name}`, `${maxCount}`], [`max-size.${name}`, `${maxSize}`]]),
];

export async function setConfiguration(
  assignments: readonly string[],
  fleetDirectory: string,
  box: ControlClient,
  terminal: Terminal,
): Promise<void> {
  const changes = assignments.map(parseAssignment);
  const rootKeyPem = readFleetFile(fleetDirectory, FLEET_KEY);
  const { configuration: report } = await box.ask<"configuration">({ op: "configuration" });
  const known = await currentConfiguration(report, fleetDirectory);
  const changed = changes.reduce((configuration, change) => change(configuration), known);
  const problem = registrationProblem(changed.registration) ?? limitsProblem(changed.limits, KINDS) ?? (await endProblem(changed));
  if (problem !== undefined) throw new CliError(`${problem}; nothing was changed`);
  const { signConfiguration, successor } = await import("../io/fleet-configuration.ts");
  const badNodes = badNodesOf(report);
  const document = signConfiguration(successor(known, { ...changed, badNodes }), rootKeyPem);
  const { sequence, told, linked } = await box.ask<"configure">({ op: "configure", document: toOctets(document) });
  terminal.print(`Configuration ${sequence} is in force on ${counted(told + 1, "box", "boxes")}${told < linked ? `; ${linked - told} have not answered yet` : ""}.`);
}

function parseAssignment(text: string): Change {
  const at = text.indexOf("=");
  const key = at < 0 ? text : text.slice(0, at);
  const known = Object.hasOwn(KEYS, key) ? KEYS[key] : kindKey(key);
  if (known === undefined) throw new CliError(`"${key}" cannot be set; what can is ${[...Object.keys(KEYS), "max-count.KIND", "max-size.KIND"].join(", ")}`);
  const change = at < 0 ? undefined : known.read(text.slice(at + 1));
  if (change === undefined) throw new CliError(`${key} is ${known.form(key)}`);
  return change;
}

/** A document does not outlive the key that signs it. */
async function endProblem({ expiration: end, rootCertificate }: FleetConfiguration): Promise<string | undefined> {
  const { rootEnd } = await import("../io/fleet-configuration.ts");
  const last = rootEnd(rootCertificate);
  return end > last ? `the fleet's root certificate ends on ${last.slice(0, 10)}, and nothing outlives it` : undefined;
}

/** Whoever is revoked by a box is named by the fleet's key too, at its next signature. */
export const badNodesOf = ({ revoked }: ConfigurationReport): FleetConfiguration["badNodes"] =>
  revoked.map(({ nodeId }) => nodeId as FleetConfiguration["badNodes"][number]);

/** What is in force at the box; it must be of the fleet whose directory this is. */
export async function currentConfiguration({ document }: ConfigurationReport, fleetDirectory: string): Promise<FleetConfiguration> {
  const [{ readFleetTicket, FleetError }, { firstConfiguration, readConfiguration }] = await Promise.all([
    import("../io/fleet.ts"), import("../io/fleet-configuration.ts"),
  ]);
  try {
    const fleet = readFleetTicket(readFleetFile(fleetDirectory, FLEET_TICKET), readFleetFile(fleetDirectory, FLEET_KEY));
    if (document === null) return firstConfiguration(fleet);
    const read = readConfiguration(fromOctets(document), fleet);
    if (!read.ok) throw new CliError(`the box is not of this fleet: its configuration is refused, because ${read.fault}`);
    return read.value;
  } catch (error) {
    if (error instanceof FleetError) throw new CliError(error.message);
    throw error;
  }
}

export function readFleetFile(directory: string, name: string): string {
  const path = join(directory, name);
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new CliError(`${path} cannot be read: ${plainReason(error)}`);
  }
}

/** Fewer digits than this name nobody. */
const PREFIX_LEAST = 4;
const NODE_ID_DIGITS = 32;

/** The box that is meant: a whole Node-ID, also of a box that is not there; how one of the ring's begins; or an address as `peers` shows it. */
function boxMeant(text: string, peers: readonly PeerReport[]): string {
  const wanted = text.trim().toLowerCase();
  const whole = peers.filter(({ nodeId, sip, overlay }) => nodeId === wanted || formatAddress(sip) === wanted || formatAddress(overlay) === wanted);
  const near = peers.filter(({ nodeId, sip }) => (wanted.length >= PREFIX_LEAST && nodeId.startsWith(wanted)) || sip.host === wanted);
  const [meant, ...others] = whole.length > 0 ? whole : near;
  if (others.length > 0) throw new CliError(`${text} may be any of ${others.length + 1} boxes; give more of its Node-ID.`);
  if (meant?.self === true) throw new CliError("This is the box itself; ask another box to revoke it, or let it leave.");
  if (meant !== undefined) return meant.nodeId;
  if (wanted.length === NODE_ID_DIGITS && /^[0-9a-f]+$/.test(wanted)) return wanted;
  throw new CliError(`No box that this one knows is called ${text}; look at \`ringbox peers\`, or give its whole Node-ID.`);
}

export async function revokeBox(name: string, fleetDirectory: string | undefined, box: ControlClient, terminal: Terminal): Promise<void> {
  const nodeId = boxMeant(name, (await box.ask<"peers">({ op: "peers" })).peers);
  if (fleetDirectory === undefined) {
    throw new CliError("only the fleet's key puts a box out: add --fleet DIR, where fleet init put it. Until then unplug the box, or run ringbox leave on it");
  }
  const [rootKeyPem, fleetTicket] = [readFleetFile(fleetDirectory, FLEET_KEY), readFleetFile(fleetDirectory, FLEET_TICKET)];
  const { signRevocationOf, FleetError } = await import("../io/fleet.ts");
  let statement: Uint8Array;
  try {
    statement = signRevocationOf({ rootKeyPem, fleetTicket, nodeId: nodeId as FleetConfiguration["badNodes"][number] });
  } catch (error) {
    throw error instanceof FleetError ? new CliError(error.message) : error;
  }
  const { told, linked } = await box.ask<"revoke">({ op: "revoke", nodeId, statement: toOctets(statement) });
  const late = linked - told;
  terminal.print(`Revoked ${nodeId}: ${counted(told + 1, "box", "boxes")} refuse it now${late > 0 ? `, ${late} have not answered yet` : ""}.`);
  terminal.note(`${short(nodeId)} may know how to make certificates. If somebody else has it, go on with: ringbox fleet rotate`);
}
