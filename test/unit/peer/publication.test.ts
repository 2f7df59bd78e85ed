import assert from "node:assert/strict";
import { test } from "node:test";
import { fromOctets } from "../../../src/base/bytes.ts";
import { instant, wallTime } from "../../../src/base/time.ts";
import type { Entry, NodeId, OverlayInput } from "../../../src/overlay/ports.ts";
import { CERTIFICATE_BY_NODE } from "../../../src/peer/kinds.ts";
import { Publication } from "../../../src/peer/publication.ts";
import { openWorld, startRing } from "../../support/open-boxes.ts";
import { nodeCrypto } from "../../support/node-crypto.ts";
import { SeededRandom } from "../../support/overlay-world.ts";

const DAY = 86_400_000;

/** A ring that answers at once, and the box's view of it. */
function publisher() {
  const held = new Map<string, Map<string, Entry>>();
  const stores: string[] = [];
  const state = { works: true, now: 0 };
  const box = { nodeId: "11".repeat(16) as NodeId, overlayName: "test.ring", certificate: fromOctets("first") };
  let ticket = 0;
  const publication = new Publication(box, nodeCrypto(), new SeededRandom(1), () => ++ticket);
  const answer = (inputs: readonly OverlayInput[]): void => {
    for (const input of inputs) {
      const now = instant(state.now);
      const fault = { ok: false, fault: { reason: "timeout" } } as const;
      if (input.type === "fetch") {
        const entries = [...(held.get(input.resource)?.values() ?? [])];
        const kinds = [{ kind: input.kinds[0] ?? 0, generation: 1, entries }];
        answer(publication.fetched(now, input.ticket, state.works ? { ok: true, kinds } : fault) ?? []);
      }
      if (input.type !== "store") continue;
      const [change] = input.changes;
      assert.ok(change?.value !== undefined);
      stores.push(input.resource);
      const entry = { key: change.key, value: change.value, storedAt: wallTime(state.now) };
      held.set(input.resource, new Map([...(held.get(input.resource) ?? []), [change.key, entry]]));
      answer(publication.stored(now, input.ticket, { ok: true, copies: 3, generation: 1 }) ?? []);
    }
  };
  const run = (duration: number): void => {
    const end = state.now + duration;
    for (let due = publication.nextDeadline(); due !== undefined && due <= end; due = publication.nextDeadline()) {
      state.now = due;
      answer(publication.tick(due));
    }
    state.now = end;
  };
  return { publication, held, stores, state, run };
}

test("a box publishes its certificate at two places a minute after it came into service, once", () => {
  const { publication, held, stores, run, state } = publisher();
  run(DAY);
  assert.equal(stores.length, 0, "not before it serves");
  publication.serving(instant(state.now));
  run(10 * DAY);
  assert.equal(stores.length, 2);
  assert.equal(new Set(stores).size, 2);
  for (const entries of held.values()) assert.deepEqual([...entries.keys()], ["00000000"]);
});

test("new certificates lie beside the old ones; of more than the places the oldest goes", () => {
  const { publication, held, run, state } = publisher();
  publication.serving(instant(0));
  for (let i = 0; i < CERTIFICATE_BY_NODE.maxEntries + 6; i++) {
    publication.renewed(instant(state.now), fromOctets(`certificate ${i}`));
    run(20 * DAY);
  }
  for (const entries of held.values()) {
    assert.equal(entries.size, CERTIFICATE_BY_NODE.maxEntries);
    const texts = [...entries.values()].map(({ value }) => String.fromCharCode(...value));
    assert.ok(texts.includes(`certificate ${CERTIFICATE_BY_NODE.maxEntries + 5}`) && !texts.includes("certificate 5") && texts.includes("certificate 6"));
  }
});

test("what the ring did not take, or lost, is published again", () => {
  const { publication, held, stores, run, state } = publisher();
  state.works = false;
  publication.serving(instant(0));
  run(DAY / 24);
  assert.equal(stores.length, 0);
  state.works = true;
  run(DAY / 24);
  assert.equal(stores.length, 2);
  held.clear();
  run(2 * DAY);
  assert.equal(held.size, 2);
});

test("in a ring of three whole boxes everybody's certificates are on all three", () => {
  const { world, replies } = openWorld(7, true);
  const boxes = startRing(world, 3);
  world.run(200_000);
  for (const [i, box] of boxes.entries()) world.input(box, { type: "control", ticket: i + 1, request: { op: "status" } });
  world.run(1_000);
  const held = replies.map((reply) => (reply as { status: { entries: { held: number } } }).status.entries.held);
  assert.deepEqual(held, [6, 6, 6]);
});
