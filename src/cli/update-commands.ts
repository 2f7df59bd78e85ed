// Brings the whole ring to another version from any box, and shows how far each one is.

import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import * as z from "zod/mini";
import { minutes, seconds } from "../base/time.ts";
import { type BoxUpdateStage, type FleetUpdate, stageWords } from "../provision/fleet-update.ts";
import { isOut, STAGES } from "../provision/roll-out-stages.ts";
import { compareVersions } from "../provision/version.ts";
import { askAgent, bytesFromAgent } from "./agent-client.ts";
import { CliError } from "./cli-error.ts";
import { plainReason } from "./plain-reason.ts";
import type { Terminal } from "./terminal.ts";

export interface UpdateOptions {
  readonly stop?: boolean;
  readonly wait: boolean;
  readonly prove?: boolean;
  /** Of the proof, seconds. */
  readonly within: number;
  readonly json?: boolean;
}

/** Octets sent at once. */
const PIECE_BYTES = 1 << 20;
const LOOKED_EVERY = seconds(1);
/** A box that has just started a new version proves itself within this time, or it is not what it should be. */
export const PROVED_WITHIN = minutes(3);
/** A box that has just begun hears of the others' standing. */
const HEARD_WITHIN = seconds(30);
/** This box is away for its own start. */
const AWAY_MAX = minutes(25);
const PROOF_LOOKED_EVERY = seconds(2);

const stage = z.enum([...STAGES, "not-by-image"]);

export const updateSchema: z.ZodMiniType<readonly FleetUpdate[]> = z.array(
  z.object({
    version: z.string(),
    architecture: z.string(),
    stopped: z.nullable(z.string()),
    boxes: z.array(z.object({
      nodeId: z.nullable(z.string()), words: z.string(), self: z.boolean(), state: z.string(), stage, percent: z.number(), running: z.nullable(z.string()), detail: z.string(),
    })),
  }),
);

const uploadAnswer = z.object({ received: z.number(), version: z.nullable(z.string()), architecture: z.nullable(z.string()) });
const proofAnswer = z.object({ proved: z.boolean(), why: z.string() });

export async function updateFleet(file: string | undefined, options: UpdateOptions, directory: string, terminal: Terminal): Promise<void> {
  if (options.prove === true) return await proveBoot(options.within, directory, terminal);
  if (options.stop === true) return await stopUpdate(directory, terminal);
  if (file === undefined) return show(await readUpdates(directory), options, terminal);
  const { version, architecture } = await send(file, directory, terminal);
  terminal.note(`All boxes (${architecture}) are to have version ${version}. This box goes last.`);
  if (!options.wait) return;
  await watch(version, architecture, directory, terminal);
  if (options.json === true) show(await readUpdates(directory), options, terminal);
}

async function send(file: string, directory: string, terminal: Terminal): Promise<{ readonly version: string; readonly architecture: string }> {
  const descriptor = opened(file);
  try {
    const total = fstatSync(descriptor).size;
    const buffer = new Uint8Array(PIECE_BYTES);
    for (let at = 0; ; ) {
      const length = readSync(descriptor, buffer, 0, PIECE_BYTES, at);
      if (length === 0) throw new CliError(`${file} is empty, or became shorter while it was read`);
      const answer = uploadAnswer.safeParse(JSON.parse((await bytesFromAgent(directory, "POST", `/api/update?at=${at}&of=${total}`, buffer.subarray(0, length))).toString("utf8")));
      if (!answer.success) throw strangeAnswer();
      const { received, version, architecture } = answer.data;
      if (version !== null && architecture !== null) return { version, architecture };
      if (received !== at + length) throw new CliError("somebody else brings a bundle to this box just now; try again in a moment");
      at = received;
      terminal.progress(`bringing it to this box: ${Math.floor((at / total) * 100)} %`);
    }
  } finally {
    terminal.progress("");
    closeSync(descriptor);
  }
}

function opened(file: string): number {
  try {
    return openSync(file, "r");
  } catch (error) {
    throw new CliError(`${file} cannot be read: ${plainReason(error)}`);
  }
}

/** Until every box has it, or it was stopped: then it rejects with the reason. */
async function watch(version: string, architecture: string, directory: string, terminal: Terminal): Promise<void> {
  /** By its words, as it was seen last: a box that has just started anew does not know all others yet. BOUNDED: by the boxes of the fleet. */
  const seen = new Map<string, BoxUpdateStage>();
  const began = performance.now();
  for (let silentSince: number | undefined; ; await pause(LOOKED_EVERY)) {
    const updates = await readUpdates(directory).catch((error: unknown) => error);
    if (!Array.isArray(updates)) {
      if (silentSince === undefined) terminal.note("this box starts anew…");
      silentSince ??= performance.now();
      // Where this program outlives that, it goes on watching.
      if (!(updates instanceof CliError) || performance.now() - silentSince > AWAY_MAX) throw updates;
      continue;
    }
    silentSince = undefined;
    const update = (updates as readonly FleetUpdate[]).find((one) => one.architecture === architecture);
    if (update === undefined) continue; // it has just started anew
    if (update.version !== version) throw new CliError("another version is wished for by now; see ringbox update");
    for (const box of update.boxes) sayStage(box, seen.get(box.words), version, terminal);
    for (const box of update.boxes) if (box.stage !== "not-by-image") seen.set(box.words, box);
    // A box that died is not waited for, but for one that is away by the update itself: that stops it.
    const able = [...seen.values()].filter(({ state, stage: at }) => state === "serving" || (at !== "not-by-image" && isOut(at)));
    if (seen.size === 0 && performance.now() - began > HEARD_WITHIN) throw new CliError(`no box of this fleet was made from an image for ${architecture}; on a Debian of your own: apt install ./ringbox_*.deb`);
    if (able.length > 0 && able.every((box) => box.stage === "kept" || isAhead(box, version))) return void terminal.print(`Version ${version} runs on ${able.length} of ${update.boxes.length} boxes.`);
    if (update.stopped !== null) throw new CliError(`the update was stopped: ${update.stopped}`);
  }
}

function sayStage(box: BoxUpdateStage, before: BoxUpdateStage | undefined, version: string, terminal: Terminal): void {
  const line = `${box.words.padEnd(24)} ${stageWords(box, version)}`;
  // Why it still waits changes often; `ringbox update` says it.
  if (box.stage === "fetching") terminal.progress(line);
  else if (box.stage !== "not-by-image" && before?.stage !== box.stage) terminal.note(line);
}

const isAhead = ({ running, stage: at }: BoxUpdateStage, version: string): boolean => running !== null && at === "idle" && compareVersions(running, version) > 0;

async function stopUpdate(directory: string, terminal: Terminal): Promise<void> {
  const answer = z.object({ stopped: z.boolean() }).safeParse(await askAgent(directory, "POST", "/api/update/stop", {}));
  if (!answer.success) throw strangeAnswer();
  terminal.print(answer.data.stopped ? "No box begins any more. One that is out of service already goes on." : "There is no update to stop.");
}

/** For the boot: waits until this box works as far as it can be tried from here. Rejects with why it does not. */
async function proveBoot(within: number, directory: string, terminal: Terminal): Promise<void> {
  let why = "ringbox-agent does not answer";
  for (let waited = 0; waited < within * 1_000; waited += PROOF_LOOKED_EVERY) {
    const answer = proofAnswer.safeParse(await askAgent(directory, "GET", "/api/update/proof").catch(() => undefined));
    if (answer.success && answer.data.proved) return void terminal.print("This version works: phones, ring and page were tried.");
    if (answer.success) why = answer.data.why;
    await pause(PROOF_LOOKED_EVERY);
  }
  throw new CliError(`this version has not proved itself within ${within} seconds: ${why}`);
}

async function readUpdates(directory: string): Promise<readonly FleetUpdate[]> {
  const answer = updateSchema.safeParse(await askAgent(directory, "GET", "/api/update"));
  if (!answer.success) throw strangeAnswer();
  return answer.data;
}

function show(updates: readonly FleetUpdate[], { json }: UpdateOptions, terminal: Terminal): void {
  if (json === true) return terminal.print(JSON.stringify(updates, undefined, 2));
  if (updates.length === 0) return terminal.print("No update was ever wished for in this fleet.");
  for (const { version, architecture, stopped, boxes } of updates) {
    terminal.print(`version ${version} (${architecture})${stopped === null ? "" : `, stopped: ${stopped}`}`);
    for (const box of boxes) terminal.print(`  ${box.words.padEnd(24)} ${stageWords(box, version)}`);
  }
}

const strangeAnswer = (): CliError => new CliError("ringbox-agent answers in a way that this ringbox does not know; are they of the same version?");
