// RFC 7851 section 4.3: an initiator asks one peer after the other who is next, until one says that it is the end.

import assert from "node:assert/strict";
import { test } from "node:test";
import { wallTime } from "../../../../src/base/time.ts";
import type { NodeId, ResourceId } from "../../../../src/overlay/ports.ts";
import { RingView } from "../../../../src/overlay/ring/ring.ts";
import { overlayHash, type TransactionId } from "../../../../src/overlay/wire/identifiers.ts";
import { type DecodedMessage, decodeMessage, encodeSignedMessage } from "../../../../src/overlay/wire/message.ts";
import type { PathTrackAns } from "../../../../src/overlay/wire/message-body.ts";
import { makeSigner } from "../../../../src/overlay/wire/security-block.ts";
import { certificateOf, cryptoFor, OverlayWorld, resourceOf, type WorldBox } from "../../../support/overlay-world.ts";

const overlay = overlayHash("test.ring", cryptoFor("" as NodeId));
const STATUS_INFO = 1n << 1n;
let transactions = 0;

/** What the last box of a way says of the next. */
function track(world: OverlayWorld, from: WorldBox, way: readonly NodeId[], resource: ResourceId): PathTrackAns {
  const link = world.links.find(({ ends }) => ends.includes(from) && ends.some(({ id }) => id === way[0]));
  const hop = link?.ends.find((end) => end !== from);
  assert.ok(link !== undefined && hop !== undefined, "a link to the first");
  const transactionId = (++transactions).toString(16).padStart(16, "0") as TransactionId;
  const destinations = way.map((nodeId) => ({ type: "node", nodeId }) as const);
  const header = { overlay, configurationSequence: 1, ttl: 100, transactionId, maxResponseLength: 0, via: [], options: [], destinations };
  const now = from.core.wall();
  const request = { expiration: wallTime(now + 10_000), initiated: now, flags: STATUS_INFO, extensions: [] };
  const body = { type: "path_track_req", destination: { type: "resource", resource }, request } as const;
  let answer: DecodedMessage | undefined;
  world.overhear = (receiver, bytes) => {
    const decoded = decodeMessage(bytes, overlay);
    if (receiver === from && decoded.ok && decoded.value.header.transactionId === transactionId && !decoded.value.body.type.endsWith("_req")) answer = decoded.value;
  };
  const message = encodeSignedMessage({ header, body, extensions: [] }, makeSigner(certificateOf(from.id), cryptoFor(from.id)));
  world.give(hop, { type: "link-message", link: link.id, message });
  world.until(() => answer !== undefined, 5_000);
  assert.ok(answer?.body.type === "path_track_ans", JSON.stringify(answer?.body.type));
  return answer.body;
}

/** From a box up to a place, as a part of the ring. */
const distance = (from: string, to: string): number => Number(((BigInt(`0x${to}`) - BigInt(`0x${from}`) + (1n << 128n)) % (1n << 128n)) >> 96n);

test("the way that Path_Track tells leads from any box to the responsible one, in several hops, and each of them serves", (t) => {
  const world = OverlayWorld.ring(20, 90, { meshLimit: 6 });
  world.run(400_000);
  const ring = new RingView(world.serving().map(({ id }) => id), () => "");
  let [longest, ways] = [0, 0];
  for (const [i, from] of world.boxes.entries()) {
    const resource = resourceOf(`traced ${i}`);
    const neighbors = world.links.filter(({ ends }) => ends.includes(from)).map(({ ends }) => (ends[0] === from ? ends[1].id : ends[0].id));
    // Its own next hop would not send it back: the one that lies last before the place, or first behind it.
    const way: NodeId[] = [neighbors.sort((a, b) => distance(a, resource) - distance(b, resource))[0] as NodeId];
    for (;;) {
      const { nextHop, response } = track(world, from, way, resource);
      assert.deepEqual(response.diagnostics.map(({ kind, contents }) => [kind, contents[0]]), [[1, 0]]);
      assert.equal(response.hopCounter, 100 - (way.length - 1), "the TTL with which the request came");
      assert.ok(nextHop.type === "node");
      if (nextHop.nodeId === from.id) break; // it is responsible itself
      if (nextHop.nodeId === way.at(-1)) break;
      way.push(nextHop.nodeId);
      assert.ok(way.length < 10, "a way that does not end");
    }
    assert.ok(way.at(-1) === ring.owner(resource) || from.id === ring.owner(resource));
    assert.equal(new Set(way).size, way.length, "nobody twice");
    longest = Math.max(longest, way.length);
    ways++;
  }
  assert.ok(longest >= 3, "some take several hops");
  t.diagnostic(`${ways} ways, the longest over ${longest} boxes`);
});
