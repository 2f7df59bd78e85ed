// What an operator does without a running box: found a fleet, and write tickets for it.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Duration } from "../base/time.ts";
import { CliError } from "./cli-error.ts";
import { plainReason } from "./plain-reason.ts";
import type { Terminal } from "./terminal.ts";

export const FLEET_KEY = "fleet.key";
export const FLEET_TICKET = "fleet.ticket";
export const UPDATE_KEY = "update.key";

export async function initFleet(
  directory: string,
  { name, domain }: { readonly name: string; readonly domain: string },
  terminal: Terminal,
): Promise<void> {
  for (const file of [FLEET_KEY, FLEET_TICKET, UPDATE_KEY]) if (existsSync(join(directory, file))) throw isThere(join(directory, file));
  const { rootKeyPem, fleetTicket } = await withFleets(({ createFleet }) => createFleet({ name, domain }));
  const { createUpdateKey } = await import("../io/update-key.ts");
  onDisk(directory, "made", () => mkdirSync(directory, { recursive: true, mode: 0o700 }));
  writeNew(join(directory, FLEET_KEY), rootKeyPem);
  writeNew(join(directory, FLEET_TICKET), fleetTicket);
  writeNew(join(directory, UPDATE_KEY), createUpdateKey({ rootKeyPem, fleetTicket, made: Math.floor(Date.now() / 1_000) }));
  terminal.print(`Fleet ${name} founded, for the SIP domain ${domain}.`);
  terminal.note(`  ${join(directory, FLEET_KEY)}     the root key: keep it safe and off the boxes; without it no new ticket can be made
  ${join(directory, UPDATE_KEY)}    signs updates: keep it off the boxes too, and apart from the root key if you can
  ${join(directory, FLEET_TICKET)}  lets any box into the fleet: ringboxd --data DATA --ticket ${join(directory, FLEET_TICKET)}`);
}

export interface TicketOptions {
  readonly fleet: string;
  readonly expires: Duration;
  readonly uses: number;
  readonly hint?: readonly string[];
  readonly zone?: string;
}

export async function newTicket(options: TicketOptions, terminal: Terminal): Promise<void> {
  const read = (name: string): string => {
    const path = join(options.fleet, name);
    return onDisk(path, "read", () => readFileSync(path, "utf8"));
  };
  const request = {
    rootKeyPem: read(FLEET_KEY),
    fleetTicket: read(FLEET_TICKET),
    expires: options.expires,
    uses: options.uses,
    hints: options.hint ?? [],
    zone: options.zone ?? "",
  };
  const ticket = await withFleets(({ createJoinTicket }) => createJoinTicket(request));
  terminal.print(ticket.trimEnd());
}

/** 0600 from the first byte, and never over another file: a lost root key is lost for good. */
export function writeNew(path: string, content: string): void {
  try {
    writeFileSync(path, content, { flag: "wx", mode: 0o600 });
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") throw isThere(path);
    throw new CliError(`${path} cannot be written: ${plainReason(error)}`);
  }
}

const isThere = (path: string): CliError => new CliError(`${path} is there already, and is not overwritten`);

function onDisk<Value>(path: string, done: string, access: () => Value): Value {
  try {
    return access();
  } catch (error) {
    throw new CliError(`${path} cannot be ${done}: ${plainReason(error)}`);
  }
}

/** The X.509 library behind it is large; the other commands do without. */
export async function withFleets<Value>(action: (fleets: typeof import("../io/fleet.ts")) => Value | Promise<Value>): Promise<Value> {
  const fleets = await import("../io/fleet.ts");
  try {
    return await action(fleets);
  } catch (error) {
    if (error instanceof fleets.FleetError) throw new CliError(error.message);
    throw error;
  }
}
