// A ring in which some boxes are of the version before: they know no messages and no watchers.

import assert from "node:assert/strict";
import { test } from "node:test";
import { wallTime } from "../../../src/base/time.ts";
import type { NodeId } from "../../../src/overlay/ports.ts";
import { ERROR } from "../../../src/overlay/wire/code-points.ts";
import { EDGE_BINDING, SUBSCRIBER } from "../../../src/peer/kinds.ts";
import { LocationService } from "../../../src/peer/location-service.ts";
import { ProofUsers } from "../../../src/peer/proof-users.ts";
import { hashCrypto } from "../../support/hash-crypto.ts";

const SELF = "00".repeat(16) as NodeId;
const NOW = wallTime(1_767_225_600_000);

test("a REGISTER whose storage owner knows fewer kinds is looked up by those that it knows", () => {
  let ticket = 0;
  const service = new LocationService(hashCrypto, {
    self: SELF, reachable: () => undefined, holders: () => [SELF], nextTicket: () => ++ticket,
    proofUsers: new ProofUsers(hashCrypto, "example.test", () => new Uint8Array(32)),
  });
  const first = service.ask({ type: "find-user", ticket: 1, aor: "alice@example.test", forRegister: true }, NOW);
  assert.ok(first.type === "fetch" && first.kinds.length > 2);
  const refusal = { ok: false, fault: { reason: "refused", code: ERROR.Error_Unknown_Kind, text: "" } } as const;
  const again = service.fetched(first.ticket, refusal, NOW)?.again;
  assert.ok(again?.type === "fetch");
  assert.deepEqual(again.kinds, [EDGE_BINDING.id, SUBSCRIBER.id]);
  const kinds = again.kinds.map((kind) => ({ kind, generation: 0, entries: [] }));
  const answer = service.fetched(again.ticket, { ok: true, kinds }, NOW)?.answer;
  assert.ok(answer?.type === "user-found" && answer.lookup.outcome === "found");
});
