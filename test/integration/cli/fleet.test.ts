// Founding a fleet and writing tickets, which needs no running box.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test, type TestContext } from "node:test";
import { wallTime } from "../../../src/base/time.ts";
import { runRingbox } from "../../../src/cli/program.ts";
import { NodeCrypto } from "../../../src/io/crypto.ts";
import { type AdmissionTicket, parseTicket } from "../../../src/provision/ticket.ts";
import { RecordedTerminal } from "../../support/recorded-terminal.ts";

async function ringbox(...args: readonly string[]) {
  const terminal = new RecordedTerminal();
  const status = await runRingbox(args, terminal);
  return { status, printed: terminal.printed.join("\n"), noted: terminal.noted.join("\n") };
}

/** A folder for a fleet, not yet made. */
function fleetFolder(t: TestContext): string {
  const top = mkdtempSync(join(tmpdir(), "ringbox-fleet-"));
  t.after(() => rmSync(top, { recursive: true, force: true }));
  return join(top, "fleet");
}

async function foundedFleet(t: TestContext): Promise<string> {
  const folder = fleetFolder(t);
  const { status, noted } = await ringbox("fleet", "init", folder, "--name", "Acme", "--domain", "ACME.example");
  assert.equal(status, 0, noted);
  return folder;
}

function ticketIn(text: string): AdmissionTicket {
  const ticket = parseTicket(text, { crypto: new NodeCrypto(undefined), wall: wallTime(Date.now()) });
  assert.ok(ticket.ok);
  return ticket.value;
}

suite("fleet and ticket", () => {
  test("fleet init makes two keys and a ticket that only their owner reads", async (t) => {
    const folder = await foundedFleet(t);
    assert.deepEqual(readdirSync(folder).sort(), ["fleet.key", "fleet.ticket", "update.key"]);
    for (const name of readdirSync(folder)) assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600, name);
    const ticket = ticketIn(readFileSync(join(folder, "fleet.ticket"), "utf8"));
    assert.deepEqual([ticket.kind, ticket.fleetName, ticket.domain], ["fleet", "Acme", "acme.example"]);
  });

  test("fleet init never writes over a fleet, nor over half of one", async (t) => {
    const folder = await foundedFleet(t);
    const key = readFileSync(join(folder, "fleet.key"), "utf8");
    for (const lost of [undefined, "fleet.ticket"]) {
      if (lost !== undefined) rmSync(join(folder, lost));
      const { status, noted } = await ringbox("fleet", "init", folder, "--name", "Acme", "--domain", "acme.example");
      assert.equal(status, 1);
      assert.match(noted, /fleet\.key is there already, and is not overwritten$/);
    }
    assert.equal(readFileSync(join(folder, "fleet.key"), "utf8"), key);
    assert.deepEqual(readdirSync(folder).sort(), ["fleet.key", "update.key"]);
  });

  test("fleet init where nothing can be made is one line", async (t) => {
    const folder = fleetFolder(t);
    writeFileSync(folder, "a file");
    const { status, noted } = await ringbox("fleet", "init", folder, "--name", "Acme", "--domain", "acme.example");
    assert.equal(status, 1);
    assert.match(noted, /^ringbox: [^\n]+ cannot be (made|written): [^\n]+$/);
  });

  test("ticket new writes a join ticket with its end, hints and zone, and nothing else", async (t) => {
    const folder = await foundedFleet(t);
    const before = Date.now();
    const { status, printed, noted } = await ringbox(
      ...["ticket", "new", "--fleet", folder, "--expires", "2d", "--zone", "rack 4", "--hint", "192.0.2.1:6084", "--hint", "[2001:db8::1]:6085"],
    );
    assert.equal(status, 0, noted);
    const ticket = ticketIn(`${printed}\n`);
    assert.ok(ticket.kind === "join");
    assert.equal(ticket.zone, "rack 4");
    assert.deepEqual(ticket.hints, [
      { host: "192.0.2.1", port: 6_084 },
      { host: "2001:db8::1", port: 6_085 },
    ]);
    const days = (ticket.expiresAt - before) / 86_400_000;
    assert.ok(days > 1.99 && days < 2.01, `${days} days`);
  });

  test("a ticket has the root key nowhere in it", async (t) => {
    const folder = await foundedFleet(t);
    const key = readFileSync(join(folder, "fleet.key"), "utf8").split("\n")[1] ?? "";
    const { printed } = await ringbox("ticket", "new", "--fleet", folder);
    assert.ok(key.length > 20);
    const decoded = Buffer.from(printed.replace(/-----.*-----/g, ""), "base64").toString("latin1");
    assert.ok(!decoded.includes(key) && !printed.includes(key));
  });

  test("ticket new without a fleet, or with a broken one, is one line", async (t) => {
    const absent = await ringbox("ticket", "new", "--fleet", fleetFolder(t));
    assert.equal(absent.status, 1);
    assert.match(absent.noted, /^ringbox: [^\n]+fleet\.key cannot be read: it is not there$/);
    const folder = await foundedFleet(t);
    const other = await foundedFleet(t);
    writeFileSync(join(folder, "fleet.key"), readFileSync(join(other, "fleet.key")));
    const mixed = await ringbox("ticket", "new", "--fleet", folder);
    assert.equal(mixed.status, 1);
    assert.match(mixed.noted, /^ringbox: the root key is not the key of this fleet$/);
    writeFileSync(join(folder, "fleet.ticket"), "junk");
    assert.match((await ringbox("ticket", "new", "--fleet", folder)).noted, /^ringbox: this is not a Ringbox ticket[^\n]*$/);
  });
});
