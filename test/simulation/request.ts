// What a run is asked for, as text and back: a failing run prints the line that has it again.

import { parseArgs } from "node:util";
import { overlaySetting, peerSetting } from "./settings.ts";
import { type Outcome, simulate } from "./simulation.ts";
import { FAULT_MIXES, type FaultMix } from "./weather.ts";

export interface RunRequest {
  readonly machine: "peer" | "overlay";
  readonly mix: keyof typeof FAULT_MIXES;
  readonly seed: number;
  readonly boxes: number;
  readonly hours: number;
  /** Percent of all packets. */
  readonly loss: number;
  readonly phones: number;
  /** True time at the start, ms since 1970; the world's own if not given. */
  readonly start?: number;
}

const STANDARD: RunRequest = { machine: "peer", mix: "churn", seed: 1, boxes: 10, hours: 1, loss: 5, phones: 20 };

export const OPTIONS = {
  machine: { type: "string" }, mix: { type: "string" }, seed: { type: "string" }, boxes: { type: "string" },
  hours: { type: "string" }, loss: { type: "string" }, phones: { type: "string" }, start: { type: "string" },
} as const;

/** Throws a `TypeError` that says what is wrong. */
export function readRequest(options: Readonly<Record<string, unknown>>): RunRequest {
  const number = (name: "seed" | "boxes" | "hours" | "loss" | "phones" | "start"): number => {
    const given = options[name];
    if (given === undefined) return STANDARD[name] ?? 0;
    const value = Number(given);
    if (!Number.isFinite(value) || value < 0) throw new TypeError(`--${name} wants a number, not ${String(given)}`);
    return value;
  };
  const { machine = STANDARD.machine, mix = STANDARD.mix } = options;
  if (machine !== "peer" && machine !== "overlay") throw new TypeError("--machine is peer or overlay");
  if (!isMix(mix)) throw new TypeError(`--mix is one of ${Object.keys(FAULT_MIXES).join(", ")}`);
  return { machine, mix, seed: number("seed"), boxes: number("boxes"), hours: number("hours"), loss: number("loss"), phones: number("phones"), ...(options["start"] === undefined ? {} : { start: number("start") }) };
}

const isMix = (name: unknown): name is keyof typeof FAULT_MIXES => typeof name === "string" && Object.hasOwn(FAULT_MIXES, name);

export function parseRequest(line: string): RunRequest {
  return readRequest(parseArgs({ args: line.split(/\s+/).filter((word) => word !== ""), options: OPTIONS }).values);
}

export const formatRequest = (request: RunRequest): string =>
  Object.entries(request).map(([name, value]) => `--${name} ${value}`).join(" ");

export function runRequest(request: RunRequest, trace?: (line: string) => void): Outcome {
  const { machine, mix, seed, boxes, hours, loss, phones, start } = request;
  const large = boxes > 20;
  const storm = mix === "registration-storm";
  const faults: FaultMix = FAULT_MIXES[mix];
  return simulate({
    seed, boxes, hours,
    startsAt: start,
    loss: loss / 100,
    mix: faults,
    faultMean: large ? 7_200_000 : 90_000,
    quiet: large ? 2_400_000 : 240_000,
    spell: large ? 21_600_000 : 900_000,
    returning: large ? 0.8 : 0.2,
    setting: machine === "overlay" ? overlaySetting(boxes) : peerSetting(boxes, phones, storm),
    ...(trace === undefined ? {} : { trace }),
  });
}
