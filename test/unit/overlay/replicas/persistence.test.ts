import assert from "node:assert/strict";
import { test } from "node:test";
import { instant, wallTime } from "../../../../src/base/time.ts";
import { CoreContext } from "../../../../src/overlay/core-context.ts";
import type { NodeId, PeerInfo, ResourceId } from "../../../../src/overlay/ports.ts";
import { Persistence } from "../../../../src/overlay/replicas/persistence.ts";
import { entryFrom, type StoredEntry } from "../../../../src/overlay/storage/entry.ts";
import { NO_SIGNATURE } from "../../../../src/overlay/wire/security-block.ts";
import { encodeStoredData } from "../../../../src/overlay/wire/stored-data.ts";
import { certificateOf, cryptoFor, DURABLE, SeededRandom, TIMING } from "../../../support/overlay-world.ts";

const ID = "00".repeat(16) as NodeId;
const address = { host: "10.0.0.1", port: 1 };
const self: PeerInfo = { nodeId: ID, overlay: address, sip: address, zone: "", incarnation: 1, software: "" };

function entry(number: number): StoredEntry {
  const stored = { storageTime: wallTime(number), lifetime: 60, place: { model: "single" }, exists: true, value: Uint8Array.of(1), signature: NO_SIGNATURE } as const;
  const made = entryFrom(number.toString(16).padStart(32, "0") as ResourceId, DURABLE, encodeStoredData(stored), stored);
  assert.ok(made.ok);
  return made.value;
}

test("with 65,536 writes under way the next is told no, and everything is written again when the disk answers", () => {
  const settings = { overlayName: "x", self, certificate: certificateOf(ID), kinds: [DURABLE], rows: [], members: [], mayStandAlone: true, timing: TIMING };
  const trust = { inspect: () => ({ refused: "nobody" }) };
  const context = new CoreContext(settings, cryptoFor(ID), new SeededRandom(1), trust, () => wallTime(0));
  const persistence = new Persistence(context, () => undefined);
  context.begin(instant(0));
  const answers: boolean[] = [];
  const write = (number: number): void => {
    persistence.put(entry(number), "durable");
    persistence.whenOnDisk((onDisk) => answers.push(onDisk));
    persistence.flush();
  };
  for (let number = 0; number < 65_536; number++) write(number);
  assert.equal(context.takeEffects().length, 65_536);
  for (let number = 0; number < 65_537; number++) write(70_000 + number);
  context.settle();
  assert.deepEqual([answers.length, answers.includes(true)], [65_537, false]);
  assert.ok(context.takeEffects().every(({ type }) => type !== "persist"), "the disk is given nothing more");
  assert.equal(persistence.isComplete, false);
  for (let ticket = 1; ticket <= 65_536; ticket++) persistence.written(ticket);
  assert.equal(answers.filter(Boolean).length, 65_536);
  assert.equal(persistence.retry(() => true), false, "more than could be remembered: all of it has to be put again");
});
