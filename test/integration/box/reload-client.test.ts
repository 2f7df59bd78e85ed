// A client that stores nothing, against two real boxes, over TLS.

import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { suite, test } from "node:test";
import { fromHex, toHex, toOctets } from "../../../src/base/bytes.ts";
import { wallTime } from "../../../src/base/time.ts";
import { systemClock } from "../../../src/io/clock.ts";
import { NodeCrypto } from "../../../src/io/crypto.ts";
import { certificatePem } from "../../../src/io/pki.ts";
import type { NodeId, ResourceId } from "../../../src/overlay/ports.ts";
import { resourceIdOf } from "../../../src/overlay/wire/identifiers.ts";
import { ERROR } from "../../../src/overlay/wire/code-points.ts";
import type { MessageBody } from "../../../src/overlay/wire/message-body.ts";
import { APPEND, decodeStoredData } from "../../../src/overlay/wire/stored-data.ts";
import { decodeBinding } from "../../../src/peer/binding-codec.ts";
import { ADMISSION, CERTIFICATE_BY_NODE, EDGE_BINDING, SUBSCRIBER } from "../../../src/peer/kinds.ts";
import { parseTicket } from "../../../src/provision/ticket.ts";
import { DOMAIN, joinTicket, OVERLAY_PORT, serving, servingPair, SIP_PORT, skipWithoutBox } from "../../support/built-ring.ts";
import { Phone } from "../../support/phone.ts";
import { enrollClient, postAs, ReloadClient } from "../../support/reload-client.ts";

suite("a RELOAD client", { skip: skipWithoutBox, timeout: 360_000 }, () => {
  test("attaches, asks and is answered, and is responsible for nothing", async (t) => {
    const { first, second, fleet } = await servingPair(t, ["--open-registration"]);
    const ticket = parseTicket(readFileSync(joinTicket(fleet), "utf8"), { crypto: new NodeCrypto(undefined), wall: systemClock.wall() });
    assert.ok(ticket.ok);
    const address = { host: first.address, port: OVERLAY_PORT };
    const identity = await enrollClient(address, ticket.value);
    const member = (await first.status()).nodeId as NodeId;
    const client = await ReloadClient.open(address, member, identity);
    t.after(() => client.close());

    const attached = await client.attach(member);
    assert.equal(attached.type, "attach_ans");
    const ping = await client.ask({ type: "node", nodeId: member }, { type: "ping_req", padding: new Uint8Array(0) });
    assert.equal(ping.type, "ping_ans");

    const crypto = new NodeCrypto(undefined);
    const alice = resourceIdOf(`alice@${DOMAIN}`, crypto);
    await t.test("fetches a binding wherever it lies", async () => {
      const phone = await Phone.at(t, second.address, SIP_PORT);
      assert.equal((await phone.register("alice")).status, 200);
      const fetched = await client.fetch(alice, EDGE_BINDING.id, "dictionary");
      assert.ok(fetched.type === "fetch_ans", JSON.stringify(fetched));
      const [value] = fetched.kinds[0]?.values ?? [];
      const stored = value === undefined ? undefined : decodeStoredData(value, "dictionary");
      assert.ok(stored?.ok === true);
      assert.ok(stored.value.place.model === "dictionary");
      assert.equal(decodeBinding(stored.value.place.key, stored.value.value)?.aor, `alice@${DOMAIN}`);
      const stat = await client.fetch(alice, EDGE_BINDING.id, "dictionary", "stat_req");
      assert.ok(stat.type === "stat_ans" && stat.kinds[0]?.values.length === 1);
      const found = await client.ask({ type: "resource", resource: alice }, { type: "find_req", resource: alice, kinds: [EDGE_BINDING.id] });
      assert.ok(found.type === "find_ans");
      assert.equal(found.results[0]?.closest, alice);
    });

    await t.test("publishes its certificate at its own place, and nowhere else", async () => {
      const place = toHex(crypto.sha1(fromHex(client.nodeId))).slice(0, 32) as ResourceId;
      const stored = { storageTime: wallTime(systemClock.wall()), lifetime: 600, place: { model: "array", index: APPEND }, exists: true, value: identity.certificate } as const;
      const kept = await client.store(place, CERTIFICATE_BY_NODE.id, stored);
      assert.ok(kept.type === "store_ans", JSON.stringify(kept));
      const fetched = await client.fetch(place, CERTIFICATE_BY_NODE.id, "array");
      assert.ok(fetched.type === "fetch_ans" && fetched.kinds[0]?.values.length === 1);
      const refused = await client.store(alice, CERTIFICATE_BY_NODE.id, stored);
      assert.ok(refused.type === "error");
      assert.deepEqual([refused.code, toOctets(refused.info)], [ERROR.Error_Forbidden, "access policy NODE-MATCH"]);
    });

    await t.test("hears the errors of the ring", async () => {
      const unknown = await client.fetch(alice, 77, "single");
      assert.ok(unknown.type === "error" && unknown.code === ERROR.Error_Unknown_Kind);
      const nobody = await client.ask({ type: "node", nodeId: "00112233445566778899aabbccddeeff" as NodeId }, { type: "ping_req", padding: new Uint8Array(0) });
      assert.ok(nobody.type === "error" && nobody.code === ERROR.Error_Not_Found);
    });

    await t.test("may not be a box, write what is the boxes', or read credentials", async () => {
      const forbidden = (answer: MessageBody): void => {
        assert.ok(answer.type === "error", answer.type);
        assert.deepEqual([answer.code, toOctets(answer.info)], [ERROR.Error_Forbidden, "not for clients"]);
      };
      const stored = { storageTime: wallTime(systemClock.wall()), lifetime: 600, place: { model: "dictionary", key: "aa" }, exists: true, value: new Uint8Array(4) } as const;
      forbidden(await client.store(alice, EDGE_BINDING.id, stored));
      for (const kind of [SUBSCRIBER, ADMISSION]) {
        forbidden(await client.fetch(alice, kind.id, kind.model));
        forbidden(await client.fetch(alice, kind.id, kind.model, "stat_req"));
      }
      const here = { type: "node", nodeId: member } as const;
      forbidden(await client.ask(here, { type: "join_req", nodeId: client.nodeId, overlayData: new Uint8Array(0) }));
      forbidden(await client.ask(here, { type: "update_req", uptime: 1, update: { type: "peer_ready" } }));
      forbidden(await client.ask(here, { type: "exp_a_req", body: new Uint8Array(0) }));
      forbidden(await client.ask(here, { type: "store_req", resource: alice, replicaNumber: 3, kinds: [] }));
    });

    await t.test("renews its certificate as a client's, without what issues them, whatever it says that it accepts", async () => {
      const identityOf = { cert: certificatePem(identity.certificate), key: identity.privateKeyPem };
      const answer = await postAs(address, "/renew", identityOf, Buffer.alloc(0), { accept: "multipart/mixed" });
      assert.deepEqual([answer.status, answer.type], [200, "application/pkix-cert"]);
      assert.ok(new X509Certificate(answer.body).checkPrivateKey(createPrivateKey(identity.privateKeyPem)));
      assert.deepEqual(new X509Certificate(answer.body).keyUsage, ["1.3.6.1.5.5.7.3.2"]);
    });

    for (const box of [first, second]) await serving(box, 2);
    assert.equal((await first.status()).counters["client-attached"], 1);
  });
});
