// `fleet rotate`: a new issuing credential for every box that is not revoked.

import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { toOctets } from "../base/bytes.ts";
import { CliError } from "./cli-error.ts";
import type { ControlClient } from "./control-client.ts";
import { FLEET_KEY, FLEET_TICKET } from "./fleet-commands.ts";
import { counted } from "./plain-words.ts";
import { plainReason } from "./plain-reason.ts";
import { badNodesOf, currentConfiguration, readFleetFile } from "./rules-commands.ts";
import type { Terminal } from "./terminal.ts";

export async function rotateFleet(directory: string, box: ControlClient, terminal: Terminal): Promise<void> {
  const rootKeyPem = readFleetFile(directory, FLEET_KEY);
  const oldTicket = readFleetFile(directory, FLEET_TICKET);
  const { configuration: report } = await box.ask<"configuration">({ op: "configuration" });
  const configuration = await currentConfiguration(report, directory);
  const { boxes } = await box.ask<"known-boxes">({ op: "known-boxes" });
  const badNodes = badNodesOf(report);
  const kept = boxes.flatMap(({ nodeId, key }) => {
    const known = nodeId as (typeof badNodes)[number];
    return badNodes.includes(known) ? [] : [{ nodeId: known, key }];
  });
  const { renewIssuing } = await import("../io/fleet.ts");
  const renewed = await renewIssuing({ rootKeyPem, fleetTicket: oldTicket, configuration, kept, badNodes });
  // Before anything changes: a ticket that cannot be written would be missing afterwards.
  const next = join(directory, `${FLEET_TICKET}.new`);
  write(next, renewed.fleetTicket);
  const { sequence, told, linked } = await box.ask<"rotate">({
    op: "rotate", document: toOctets(renewed.document), issuingKeyPem: renewed.issuingKeyPem,
  });
  const { replaceFile } = await import("../io/replace-file.ts");
  replaceFile(join(directory, FLEET_TICKET), renewed.fleetTicket, 0o600);
  rmSync(next, { force: true });
  terminal.print(`The issuing credential is renewed: configuration ${sequence}, known to ${counted(told + 1, "box", "boxes")}${told < linked ? `; ${linked - told} have not answered yet` : ""}.`);
  terminal.note(`${counted(kept.length, "box", "boxes")} may fetch new certificates, also those that are off now; any other box needs a ticket.
${join(directory, FLEET_TICKET)} is new; the old fleet ticket admits nobody any more. Join tickets are good until they expire.`);
}

function write(path: string, content: string): void {
  try {
    writeFileSync(path, content, { mode: 0o600 });
  } catch (error) {
    throw new CliError(`${path} cannot be written: ${plainReason(error)}; nothing was changed`);
  }
}
