// A ticket admits as many boxes as it is for, in the whole ring.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { hours } from "../../../src/base/time.ts";
import { PATIENCE, until } from "../../lab/until.ts";
import {
  assertNoTrace, assertOneLine, joinTicket, logOf, makeBox, ringbox, serving, servingPair, skipWithoutBox, succeed,
} from "../../support/built-ring.ts";

suite("tickets", { skip: skipWithoutBox, timeout: 900_000 }, () => {
  test("a ticket for one admits one box; the next is refused at another member too, in plain words on both sides", async (t) => {
    const { first, second, fleet, directory } = await servingPair(t);
    const ticket = join(directory, "one.ticket");
    writeFileSync(ticket, succeed(ringbox("ticket", "new", "--fleet", fleet.directory)).stdout);
    const third = makeBox(t, directory, { name: "third", ticket, hints: [first] });
    third.start();
    await serving(third, 3);
    const fourth = makeBox(t, directory, { name: "fourth", ticket, hints: [second] });
    fourth.start();
    await until("the fourth is refused", PATIENCE, () => assert.match(logOf(fourth), /^warning: .* refused this box: .*the ticket has admitted another box, and was for one/m));
    await until("the member says so", PATIENCE, () => assert.match(logOf(second), /^warning: refused to enroll the box at .*: the ticket has admitted another box/m));
    assert.equal((await first.status()).boxes.known, 3);
    for (const box of [first, second, third, fourth]) assertNoTrace(logOf(box));
  });

  test("the box that a ticket for one admitted may use it again after it lost what it knew of its fleet", async (t) => {
    const { first, fleet, directory } = await servingPair(t);
    const third = makeBox(t, directory, { name: "third", ticket: joinTicket(fleet, hours(1), 1), hints: [first] });
    third.start();
    await serving(third, 3);
    const { nodeId } = await third.status();
    await third.kill("SIGTERM");
    writeFileSync(join(third.dataDirectory, "fleet.json"), "");
    third.start();
    await serving(third, 3);
    assert.equal((await third.status()).nodeId, nodeId);
  });

  test("a number of uses that is none is one line", () => {
    for (const uses of ["0", "101", "-1", "many", ""]) {
      assertOneLine(ringbox("ticket", "new", "--fleet", "nowhere", `--uses=${uses}`), /is not a number from 1 to 100/, 2);
    }
  });
});
