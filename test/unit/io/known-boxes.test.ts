import assert from "node:assert/strict";
import { test } from "node:test";
import { KnownBoxes } from "../../../src/io/known-boxes.ts";
import type { NodeId } from "../../../src/overlay/ports.ts";
import { makeBox, makeFleet } from "../../support/test-fleet.ts";

test("boxes that only published their certificates are known beside those that were met, and nobody twice", async () => {
  const fleet = await makeFleet("Ours");
  const [met, published, doubtful] = [await makeBox(fleet), await makeBox(fleet), await makeBox(fleet)];
  const saved: string[] = [];
  const known = new KnownBoxes(undefined, (text) => saved.push(text));
  known.met(met.enrolled.nodeId, met.enrolled.certificate);
  const nodeIdOf = (certificate: Uint8Array): NodeId | undefined =>
    [met, published].find(({ enrolled }) => Buffer.from(certificate).equals(enrolled.certificate))?.enrolled.nodeId;
  const certificates = [published, met, doubtful, published].map(({ enrolled }) => enrolled.certificate);
  const boxes = known.with([...certificates, new Uint8Array(3)], nodeIdOf);
  assert.deepEqual(boxes.map(({ nodeId }) => nodeId), [met.enrolled.nodeId, published.enrolled.nodeId]);
  assert.equal(new Set(boxes.map(({ key }) => key)).size, 2);
  assert.deepEqual(new KnownBoxes(saved.at(-1), () => {}).boxes.map(({ nodeId }) => nodeId), [met.enrolled.nodeId], "only those met are on disk");
});
