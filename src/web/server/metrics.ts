// The report as Prometheus reads it: names, units and labels by its conventions. Nothing is counted here: each
// reading renders the report of its moment, and what is not known is left out.

import { Gauge, Registry } from "prom-client";
import { CATALOGUE, CONDITION_CODES } from "../../health/catalogue.ts";
import type { Fact, HealthReport, Verdict } from "../../health/report.ts";

export const METRICS_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

/** Facts by their names in the report, and how each is exported. */
const FACTS: readonly { readonly fact: string; readonly name: string; readonly help: string; readonly scale: number }[] = [
  { fact: "cpu", name: "ringbox_machine_cpu_ratio", help: "Part of all processors in use.", scale: 0.01 },
  { fact: "memory-free", name: "ringbox_machine_memory_available_bytes", help: "Memory that programs can still have.", scale: 1 },
  { fact: "disk-free", name: "ringbox_machine_disk_free_bytes", help: "Free on the disk of the data directory.", scale: 1 },
  { fact: "temperature", name: "ringbox_machine_temperature_celsius", help: "The hottest sensor of the machine.", scale: 1 },
  { fact: "uptime", name: "ringbox_machine_uptime_seconds", help: "Since the machine was started.", scale: 1 },
];

const VERDICTS: readonly Verdict[] = ["works", "impaired", "broken", "not-known"];

export async function metricsText(report: HealthReport): Promise<string> {
  const registry = new Registry();
  const gauge = (name: string, help: string, labelNames: readonly string[] = []): Gauge => new Gauge({ name, help, labelNames: [...labelNames], registers: [registry] });
  const info = gauge("ringbox_box_info", "The box that answers; always 1.", ["node_id", "box", "fleet", "software"]);
  info.set({ node_id: report.box.nodeId ?? "", box: report.box.words, fleet: report.fleet, software: report.software }, 1);
  const verdict = gauge("ringbox_verdict", "Whether phones work through this box: 1 for what is so.", ["verdict"]);
  for (const name of VERDICTS) verdict.set({ verdict: name }, report.verdict === name ? 1 : 0);
  const peer = gauge("ringbox_peer_up", "Whether ringboxd answers.");
  peer.set(report.peer.state === "answering" ? 1 : 0);
  addConditions(gauge, report);
  addProofs(gauge, report);
  addRing(gauge, report);
  for (const { fact, name, help, scale } of FACTS) {
    const value = valueOf(report.facts, fact);
    if (value !== undefined) gauge(name, help).set(value * scale);
  }
  return await registry.metrics();
}

type MakeGauge = (name: string, help: string, labelNames?: readonly string[]) => Gauge;

function addConditions(gauge: MakeGauge, { conditions }: HealthReport): void {
  const shown = gauge("ringbox_condition", "Whether something is the matter: 1 while it is shown.", ["code", "severity"]);
  const codes = conditions.map(({ code }) => code);
  for (const code of CONDITION_CODES) shown.set({ code, severity: CATALOGUE[code].severity }, codes.includes(code) ? 1 : 0);
}

function addProofs(gauge: MakeGauge, { proofs, at }: HealthReport): void {
  const labels = ["transport", "by", "outside"];
  const success = gauge("ringbox_proof_success", "Whether the last trial call came about.", labels);
  const age = gauge("ringbox_proof_age_seconds", "Since the last trial call.", labels);
  const duration = gauge("ringbox_proof_duration_seconds", "How long it took.", labels);
  for (const proof of proofs) {
    const who = { transport: proof.transport ?? "", by: proof.by.words, outside: String(proof.outside) };
    if (proof.verdict !== "not-known") success.set(who, proof.verdict === "works" ? 1 : 0);
    if (proof.at !== null) age.set(who, (at - proof.at) / 1_000);
    if (proof.tookMs !== null) duration.set(who, proof.tookMs / 1_000);
  }
}

function addRing(gauge: MakeGauge, { boxes, phones, ring, callsUnderWay }: HealthReport): void {
  const known = gauge("ringbox_boxes", "Boxes of the ring, by how they stand.", ["state"]);
  for (const { state } of boxes) known.inc({ state });
  gauge("ringbox_boxes_losable", "Boxes that may still die, one after another, without loss.").set(ring.canLose);
  gauge("ringbox_copies", "Boxes that hold each entry of this one.").set(ring.copies);
  gauge("ringbox_phones_registered", "Phones registered in the fleet.").set(phones.registered);
  gauge("ringbox_calls_under_way", "Calls that ring or are talked on, of those that the box remembers.").set(callsUnderWay);
  gauge("ringbox_phones_proved", "Those that answered lately.").set(phones.proved);
}

function valueOf(facts: readonly Fact[], name: string): number | undefined {
  const value = facts.find((fact) => fact.name === name)?.value;
  return typeof value === "number" ? value : undefined;
}
