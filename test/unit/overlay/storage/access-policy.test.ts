import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, fromOctets, toHex } from "../../../../src/base/bytes.ts";
import type { NodeId, ResourceId } from "../../../../src/overlay/ports.ts";
import { mayWrite, type Writing } from "../../../../src/overlay/storage/access-policy.ts";
import { nodeCrypto } from "../../../support/node-crypto.ts";

const crypto = nodeCrypto();
const alice = "11111111111111111111111111111111" as NodeId;
const signer = { nodeId: alice, userName: "alice@example.org" };
const at = (bytes: Uint8Array): ResourceId => toHex(crypto.sha1(bytes)).slice(0, 32) as ResourceId;
const USER = at(fromOctets("alice@example.org"));
const NODE = at(fromHex(alice));
const multiple = (i: number): ResourceId => at(fromHex(`${alice}${i.toString(16).padStart(2, "0")}`));
const writing = (resource: ResourceId, key = ""): Writing => ({ resource, key, signer, maxNodeMultiple: 3 });

test("the places are those of the reference: the hash of a name and of a Node-ID", () => {
  assert.equal(USER, "45a6b241a242c97f0492d382c390dfa3");
  assert.equal(NODE, "54f8a180f4b72382c52000a5197e56be");
});

test("USER-MATCH: at the hash of the user name, and nowhere else", () => {
  assert.ok(mayWrite("USER-MATCH", writing(USER), crypto));
  assert.ok(!mayWrite("USER-MATCH", writing(NODE), crypto));
  assert.ok(!mayWrite("USER-MATCH", { ...writing(USER), signer: { ...signer, userName: "bob@example.org" } }, crypto));
});

test("NODE-MATCH: at the hash of the Node-ID, and nowhere else", () => {
  assert.ok(mayWrite("NODE-MATCH", writing(NODE), crypto));
  assert.ok(!mayWrite("NODE-MATCH", writing(USER), crypto));
  assert.ok(!mayWrite("NODE-MATCH", { ...writing(NODE), signer: { ...signer, nodeId: "22".repeat(16) as NodeId } }, crypto));
});

test("USER-NODE-MATCH: at the hash of the user name, under the Node-ID as key", () => {
  assert.ok(mayWrite("USER-NODE-MATCH", writing(USER, alice), crypto));
  assert.ok(!mayWrite("USER-NODE-MATCH", writing(USER, "22".repeat(16)), crypto));
  assert.ok(!mayWrite("USER-NODE-MATCH", writing(USER), crypto));
  assert.ok(!mayWrite("USER-NODE-MATCH", writing(NODE, alice), crypto));
});

test("NODE-MULTIPLE: at the hash of the Node-ID and a number from 1 up to the limit", () => {
  for (const i of [1, 2, 3]) assert.ok(mayWrite("NODE-MULTIPLE", writing(multiple(i)), crypto), String(i));
  for (const i of [0, 4]) assert.ok(!mayWrite("NODE-MULTIPLE", writing(multiple(i)), crypto), String(i));
});
