import assert from "node:assert/strict";
import { test } from "node:test";
import { fromOctets } from "../../../../src/base/bytes.ts";
import type { OverlayInput } from "../../../../src/overlay/ports.ts";
import { decodeBundle, decodeBundleAnswer, encodeBundle, encodeBundleAnswer, isBundle, MAX_BUNDLED } from "../../../../src/overlay/replicas/fetch-bundle.ts";
import { MESSAGE_CODE } from "../../../../src/overlay/wire/code-points.ts";
import { decodeHeader } from "../../../../src/overlay/wire/forwarding-header.ts";
import { overlayHash } from "../../../../src/overlay/wire/identifiers.ts";
import { peekMessageCode } from "../../../../src/overlay/wire/message.ts";
import { cryptoFor, DURABLE, OverlayWorld, resourceOf, SOFT, type WorldBox } from "../../../support/overlay-world.ts";

const ENTRIES = 120;
const CODE_AND_LENGTH = 6;

/** A ring of one box that holds much, and a second one that will join it. */
function donorAndJoiner(): { world: OverlayWorld; donor: WorldBox; join: () => WorldBox } {
  const world = new OverlayWorld(3);
  const donor = world.add({ mayStandAlone: true });
  assert.ok(world.until(() => donor.core.phase === "serving", 10_000));
  for (let i = 0; i < ENTRIES; i++) {
    assert.ok(world.storeNow(donor, resourceOf(`user${i}`), SOFT, "aa", `binding of ${i}`).ok);
    if (i % 4 === 0) assert.ok(world.storeNow(donor, resourceOf(`user${i}`), DURABLE, "", `subscriber ${i}`).ok);
  }
  return {
    world, donor,
    join: () => {
      const joiner = world.add();
      assert.ok(world.until(() => joiner.core.phase === "serving", 60_000));
      return joiner;
    },
  };
}

function holdsAll(joiner: WorldBox): void {
  for (let i = 0; i < ENTRIES; i++) assert.equal(joiner.core.held(resourceOf(`user${i}`)).length, i % 4 === 0 ? 2 : 1, `user${i}`);
}

/** What came to a box over links, before it takes it. */
function watch(box: WorldBox, seen: (code: number | undefined, body: Uint8Array) => void): void {
  const step = box.core.step.bind(box.core);
  const overlay = overlayHash("test.ring", cryptoFor(box.id));
  box.core.step = (now, input: OverlayInput) => {
    const header = input.type === "link-message" ? decodeHeader(input.message, overlay) : undefined;
    if (input.type === "link-message" && header?.ok === true) {
      const { headerLength } = header.value;
      seen(peekMessageCode(input.message, headerLength), input.message.subarray(headerLength + CODE_AND_LENGTH));
    }
    return step(now, input);
  };
}

test("a share comes in bundles: a joining box asks for sixteen values at a time", () => {
  const { donor, join } = donorAndJoiner();
  const asked = { singly: 0, other: 0 };
  watch(donor, (code) => {
    if (code === MESSAGE_CODE.fetch_req) asked.singly++;
    else if (code === MESSAGE_CODE.exp_a_req) asked.other++;
  });
  holdsAll(join());
  assert.ok(asked.singly <= ENTRIES / 10, `${asked.singly} Fetches`);
  assert.ok(asked.other > ENTRIES / MAX_BUNDLED && asked.other <= ENTRIES / 3, `${asked.other} exchanges`);
});

test("from a donor that knows no bundles the share comes value by value", () => {
  const { donor, join } = donorAndJoiner();
  let refused = 0;
  watch(donor, (code, body) => {
    if (code !== MESSAGE_CODE.exp_a_req || !isBundle(body)) return;
    body[0] = 9;
    refused++;
  });
  holdsAll(join());
  assert.ok(refused > 0);
});

test("a bundle reads back as it was written, and more than sixteen are refused", () => {
  const fetch = { type: "fetch_req", resource: resourceOf("alice"), specifiers: [{ kind: SOFT.id, generation: 0, selection: fromOctets("\u0000\u0000") }] } as const;
  const bundle = encodeBundle([fetch, fetch]);
  assert.equal(isBundle(bundle), true);
  const read = decodeBundle(bundle);
  assert.deepEqual(read.ok && read.value.map(({ resource }) => resource), [fetch.resource, fetch.resource]);
  assert.equal(decodeBundle(encodeBundle(Array.from({ length: MAX_BUNDLED + 1 }, () => fetch))).ok, false);
  assert.equal(decodeBundle(bundle.subarray(0, bundle.length - 1)).ok, false);
  const answer = decodeBundleAnswer(encodeBundleAnswer([{ type: "fetch_ans", kinds: [] }]));
  assert.deepEqual(answer.ok && answer.value, [{ type: "fetch_ans", kinds: [] }]);
});
