// What the agent shows to programs: JSON by its schema, metrics by the conventions of Prometheus, syslog by RFC 5424.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { instant, milliseconds, wallTime } from "../../../src/base/time.ts";
import { AGENT_SCHEMAS } from "../../../src/build/report-schema.ts";
import { conditionsPage } from "../../../src/build/schema.ts";
import { CONDITION_CODES, conditionOf } from "../../../src/health/catalogue.ts";
import { Health } from "../../../src/health/health.ts";
import type { HealthReport } from "../../../src/health/report.ts";
import { syslogMessage } from "../../../src/io/agent/heralds.ts";
import { metricsText } from "../../../src/web/server/metrics.ts";
import { SAMPLE_BINDING, SAMPLE_PEERS, SAMPLE_STATUS } from "../../support/sample-reports.ts";

/** A box of which everything has been said that can be. */
function fullReport(): HealthReport {
  const health = new Health({ software: "Ringbox/test", run: "1", remedies: false });
  const at = (seconds: number) => instant(seconds * 1_000);
  const phone = { aor: "100@acme.example", bindings: [SAMPLE_BINDING] };
  const trial = { what: "call", transport: "UDP", tookMs: 12.5, detail: "registered, rang, answered, hung up" } as const;
  health.step(at(0), { type: "clock", wall: wallTime(1_800_000_000_000) });
  health.step(at(1), { type: "status", status: SAMPLE_STATUS, boxes: SAMPLE_PEERS });
  health.step(at(1), { type: "listens", listens: [{ transport: "UDP", host: "192.0.2.1", port: 5060 }] });
  health.step(at(1), { type: "phones", phones: [phone] });
  health.step(at(1), { type: "phone-asked", aor: phone.aor, contact: SAMPLE_BINDING.contact, roundTripMs: 3, by: SAMPLE_STATUS.nodeId, ago: milliseconds(0) });
  health.step(at(1), { type: "facts", facts: [{ name: "cpu", label: "Processor", value: 25, unit: "%", at: 0 }, { name: "temperature", label: "Temperature", value: null, unit: "°C", at: 0 }], machine: { diskFree: 0, diskReadOnly: false, linkDown: undefined, memoryFree: undefined, temperature: undefined, diskUsedUp: undefined, diskPredictsFailure: false, powerLow: false, battery: undefined } });
  health.step(at(5), { type: "heartbeat", phase: "serving", code: null });
  health.step(at(5), { type: "sip-answered", transport: "UDP" });
  health.step(at(5), { type: "trial", trial: { ...trial, by: SAMPLE_STATUS.nodeId, outside: false, succeeded: true, signature: null } });
  health.step(at(5), { type: "trial", trial: { ...trial, by: "2".repeat(32), outside: true, succeeded: false, tookMs: null, signature: "MEQ=" } });
  health.step(at(5), { type: "tick" });
  return health.report(at(6));
}

suite("documents of the agent", () => {
  test("the report is as its schema says, and has nothing beside it", () => {
    const report = fullReport();
    assert.deepEqual(AGENT_SCHEMAS["api/report"].parse(JSON.parse(JSON.stringify(report))), report);
    assert(report.conditions.length > 0 && report.proofs.length === 2 && report.phones.list.length === 1);
  });

  test("docs/json.md names the schema of every document", () => {
    const page = readFileSync(join(import.meta.dirname, "../../../docs/json.md"), "utf8");
    for (const path of Object.keys(AGENT_SCHEMAS)) assert.ok(page.includes(`schema/${path.replace("/", "-")}.json`), path);
  });

  test("docs/conditions.md is what the catalogue says (npm run schema writes it)", () => {
    assert.equal(readFileSync(join(import.meta.dirname, "../../../docs/conditions.md"), "utf8"), conditionsPage());
  });

  test("metrics have names, units and help by convention; what is not known is left out, and each condition is there", async () => {
    const text = await metricsText(fullReport());
    for (const line of text.split("\n").filter((one) => one !== "" && !one.startsWith("#"))) {
      assert.match(line, /^ringbox_[a-z_]+(\{([a-z_]+="[^"]*",?)*\})? -?[0-9.e+-]+$/, line);
    }
    assert.match(text, /^ringbox_verdict\{verdict="impaired"\} 1$/m);
    assert.match(text, /^ringbox_machine_cpu_ratio 0\.25$/m);
    assert.doesNotMatch(text, /temperature_celsius/);
    assert.match(text, /^ringbox_condition\{code="disk-full",severity="alarm"\} 1$/m);
    for (const code of CONDITION_CODES) assert.ok(text.includes(`ringbox_condition{code="${code}"`), code);
    assert.match(text, /^ringbox_proof_success\{transport="UDP",by="[a-z0-9-]+",outside="true"\} 0$/m);
    assert.match(text, /^ringbox_phones_proved 1$/m);
  });

  test("a syslog message is one of RFC 5424, with the condition's name and state as data", () => {
    const { box } = fullReport();
    const condition = conditionOf("disk-full");
    const began = syslogMessage({ at: 1_800_000_000_000, fleet: "Acme", box, appeared: true, condition });
    assert.equal(began, `<9>1 2027-01-15T08:00:00.000Z ${box.words} ringbox-agent - disk-full [ringbox@32473 code="disk-full" state="began" nodeId="${box.nodeId}"] \ufeff${condition.text}`);
    assert.match(syslogMessage({ at: 0, fleet: "Acme", box, appeared: false, condition }), /^<13>1 .* state="over" .*Over: /);
  });
});
