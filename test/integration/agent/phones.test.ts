// A real box, its agent, and a phone: whether the phone is there is what it answers, not what it registered.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { suite, test } from "node:test";
import type { HealthReport } from "../../../src/health/report.ts";
import { SipClient } from "../../../src/io/agent/sip-client.ts";
import { responseTo } from "../../../src/sip/message/build.ts";
import { seconds } from "../../../src/base/time.ts";
import { DIST } from "../../lab/box.ts";
import { PATIENCE, until } from "../../lab/until.ts";
import { atEnd, DOMAIN, makeBox, makeFleet, scratch, serving, SIP_PORT, skipWithoutBox } from "../../support/built-ring.ts";

suite("phones as an agent sees them", { skip: skipWithoutBox, timeout: 360_000 }, () => {
  test("a phone is proved by its answer, with its round trip; when it answers no more it is registered but broken; what a SIP ALG changes is named", async (t) => {
    const directory = scratch(t);
    const box = makeBox(t, directory, { name: "a", ticket: makeFleet(directory).ticket, parameters: ["--open-registration"] });
    box.start();
    await serving(box, 1);
    const agent = spawn(join(DIST, "ringbox-agent"), ["--data", box.dataDirectory, "--listen", box.address, "--http-port", "8080"], { stdio: "ignore" });
    atEnd(t, () => agent.kill("SIGKILL"));
    const read = async (): Promise<HealthReport> => (await (await fetch(`http://${box.address}:8080/api/report`)).json()) as HealthReport;

    let answers = true;
    const phone = await SipClient.open("UDP", { host: box.address, port: SIP_PORT }, (request, by) => {
      if (answers && request.method === "OPTIONS") by.send(responseTo(request, 200, "", { toTag: "phone" }));
    });
    atEnd(t, () => phone.close());
    const to = `<sip:204@${DOMAIN}>`;
    const { response } = await phone.ask(phone.make("REGISTER", `sip:${DOMAIN}`, [
      ["From", `${to};tag=1`], ["To", to], ["Call-ID", "phone"], ["CSeq", "1 REGISTER"], ["Contact", `<${phone.contact("204")}>`], ["User-Agent", "Desk/1"], ["Expires", "600"],
    ]), seconds(5));
    assert.equal(response.status, 200);

    const { seconds: took } = await until("the page shows that it answers", PATIENCE, async () => {
      const { phones, firstLine } = await read();
      assert.deepEqual(phones.list.map(({ aor, verdict }) => [aor, verdict]), [[`204@${DOMAIN}`, "works"]], firstLine);
      assert.match(firstLine, /1 of 1 phone proved in the last minute/);
    });
    const [flow] = (await read()).phones.list[0]?.flows ?? [];
    assert.equal(flow?.model, "Desk/1");
    assert(flow !== undefined && flow.answeredAt !== null && flow.roundTripMs !== null && flow.answeredTo?.nodeId === (await box.status()).nodeId);

    // What a SIP ALG makes of two phones behind it: a Via of its own, and the Contact as it was.
    for (const user of ["205", "206"]) {
      const inside = `<sip:${user}@${DOMAIN}>`;
      const fields = [["From", `${inside};tag=1`], ["To", inside], ["Call-ID", user], ["CSeq", "1 REGISTER"], ["Contact", `<sip:${user}@192.168.1.5>`], ["Expires", "600"]] as const;
      assert.equal((await phone.ask(phone.make("REGISTER", `sip:${DOMAIN}`, fields), seconds(5))).response.status, 200);
    }
    await until("the page says that something between changes their SIP", PATIENCE, async () => {
      const { phones, conditions } = await read();
      assert.deepEqual(phones.list.map(({ flows }) => flows[0]?.nat), ["none", "rewritten", "rewritten"]);
      assert(conditions.some(({ code }) => code === "sip-rewritten"));
    });
    await until("`ringbox status` says so too", PATIENCE, async () => {
      assert((await box.status()).conditions.some(({ code }) => code === "sip-rewritten"));
    });
    const page = await (await fetch(`http://${box.address}:8080/`)).text();
    assert.equal(page.split("something between changes its SIP").length, 3);
    assert.match(page, /Switch SIP ALG, SIP helper or SIP fix-up off/);

    answers = false;
    const { seconds: silent } = await until("the page shows that it is registered and does not answer", PATIENCE, async () => {
      const { phones, conditions } = await read();
      assert.equal(phones.list[0]?.verdict, "broken");
      assert(conditions.some(({ code }) => code === "phones-silent"));
    });
    t.diagnostic(`shown as answering ${took.toFixed(1)} s after it registered; as silent ${silent.toFixed(1)} s after its last answer`);
  });
});
