// Boxes as they are shipped, on addresses of the loopback, for tests of a bad day: each test has its own
// fleet and its own addresses, so that tests may run side by side.

import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync, type SpawnSyncReturns } from "node:child_process";
import { randomInt } from "node:crypto";
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type Duration, hours } from "../../src/base/time.ts";
import { createJoinTicket } from "../../src/io/fleet.ts";
import { Box, DIST, type Home, whyNoBox } from "../lab/box.ts";
import { PATIENCE, until } from "../lab/until.ts";

export const DOMAIN = "acme.example";
export const SIP_PORT = 5060;
export const OVERLAY_PORT = 6084;
/** For the `skip` of a suite. */
export const skipWithoutBox: string | false = whyNoBox() ?? false;

const endings = new WeakMap<TestContext, (() => unknown)[]>(); // BOUNDED: by the tests of a file

/** Undone at the end of the test, the last first: `TestContext.after` begins with the first. */
export function atEnd(t: TestContext, act: () => unknown): void {
  const known = endings.get(t);
  if (known !== undefined) return void known.unshift(act);
  const acts = [act];
  endings.set(t, acts);
  t.after(async () => {
    for (const ending of acts) await ending();
  });
}

/** A directory that is gone after the test, when nothing uses it any more. */
export function scratch(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "ringbox-test-"));
  atEnd(t, () => rmSync(path, { recursive: true, force: true }));
  return path;
}

export interface Fleet {
  readonly directory: string;
  /** The fleet's own ticket. */
  readonly ticket: string;
}

export function makeFleet(directory: string, name = "acme"): Fleet {
  const fleet = join(directory, `${name}.fleet`);
  succeed(ringbox("fleet", "init", fleet, "--name", name, "--domain", DOMAIN));
  return { directory: fleet, ticket: join(fleet, "fleet.ticket") };
}

/** A join ticket's file; `expires` may be in the past. */
export function joinTicket({ directory, ticket }: Fleet, expires: Duration = hours(1), uses = 10): string {
  const file = join(directory, `${randomInt(1e12)}.ticket`);
  const rootKeyPem = readFileSync(join(directory, "fleet.key"), "utf8");
  writeFileSync(file, createJoinTicket({ rootKeyPem, fleetTicket: readFileSync(ticket, "utf8"), expires, uses, hints: [], zone: "" }));
  return file;
}

/** An address that no other test is likely to have. */
export const ownAddress = (): string => `127.${randomInt(16, 250)}.${randomInt(1, 250)}.${randomInt(2, 250)}`;

/** A place on the loopback with a name, and perhaps an environment, of its own. */
class Place implements Home {
  readonly name: string;
  readonly address: string;
  readonly directory: string;
  readonly #environment: NodeJS.ProcessEnv;

  constructor(name: string, address: string, directory: string, environment: NodeJS.ProcessEnv) {
    this.name = name;
    this.address = address;
    this.directory = directory;
    this.#environment = environment;
  }

  start([program = "", ...parameters]: readonly string[], output: { readonly file: string }): ChildProcess {
    const file = openSync(output.file, "a");
    try {
      return spawn(program, parameters, { stdio: ["ignore", file, file], env: { ...process.env, ...this.#environment } });
    } finally {
      closeSync(file);
    }
  }
}

export type BuiltBox = Box<Place>;

export interface BoxWishes {
  readonly name?: string;
  readonly ticket: string | undefined;
  /** Boxes at which the fleet may be found. */
  readonly hints?: readonly BuiltBox[];
  readonly parameters?: readonly string[];
  readonly environment?: NodeJS.ProcessEnv;
  /** Where its data directory lies. */
  readonly directory?: string;
  readonly address?: string;
}

/** A box that is not started yet; it is killed when the test is over. */
export function makeBox(t: TestContext, directory: string, wishes: BoxWishes): BuiltBox {
  const address = wishes.address ?? ownAddress();
  const place = new Place(wishes.name ?? "box", address, wishes.directory ?? directory, wishes.environment ?? {});
  mkdirSync(place.directory, { recursive: true });
  const hints = (wishes.hints ?? []).flatMap((box) => ["--hint", `${box.address}:${OVERLAY_PORT}`]);
  const box = new Box(place, wishes.ticket, ["--listen", address, "--no-mdns", ...hints, ...(wishes.parameters ?? [])]);
  atEnd(t, () => box.kill());
  return box;
}

export async function serving(box: BuiltBox, boxes = 1): Promise<void> {
  await until(`${box.name} serves in a ring of ${boxes}`, PATIENCE, async () => {
    const { phase, boxes: count } = await box.status();
    assert.equal(phase, "serving", box.lastWords());
    assert.equal(count.serving, boxes, box.lastWords());
  });
}

/** A ring of one that serves. */
export async function servingBox(t: TestContext, parameters: readonly string[] = [], environment: NodeJS.ProcessEnv = {}) {
  const directory = scratch(t);
  const fleet = makeFleet(directory);
  const box = makeBox(t, directory, { ticket: fleet.ticket, parameters, environment });
  box.start();
  await serving(box);
  return { box, fleet, directory };
}

/** A ring of two that serves. */
export async function servingPair(t: TestContext, parameters: readonly string[] = []) {
  const { box: first, fleet, directory } = await servingBox(t, parameters);
  const second = makeBox(t, directory, { name: "second", ticket: fleet.ticket, hints: [first], parameters });
  second.start();
  await serving(second, 2);
  await serving(first, 2);
  return { first, second, fleet, directory };
}

/** Everything a box printed, over all its starts. */
export const logOf = (box: BuiltBox): string => readFileSync(box.logFile, "utf8");

/** A stack trace, or what Node says when it ends a program. */
export function assertNoTrace(said: string): void {
  assert.doesNotMatch(said, /^\s+at |internal fault|Uncaught|UnhandledPromise|node:internal/m);
}

export const ringbox = (...parameters: readonly string[]): SpawnSyncReturns<string> =>
  spawnSync(join(DIST, "ringbox"), parameters, { encoding: "utf8", timeout: PATIENCE * 1000 });

/** `ringboxd` that must not start. */
export const refusedStart = (...parameters: readonly string[]): SpawnSyncReturns<string> =>
  spawnSync(join(DIST, "ringboxd"), parameters, { encoding: "utf8", timeout: PATIENCE * 1000 });

export function succeed(run: SpawnSyncReturns<string>): SpawnSyncReturns<string> {
  assert.equal(run.status, 0, run.stderr);
  return run;
}

/** One line for the operator, and nothing that is for programmers. */
export function assertOneLine({ status, stdout, stderr }: SpawnSyncReturns<string>, expected: RegExp, exitStatus = 1): void {
  assert.match(stderr, /^ringboxd?: [^\n]+\n$/, stdout + stderr);
  assert.match(stderr, expected);
  assert.equal(status, exitStatus, stderr);
  assertNoTrace(stdout);
}

/** Adds a subscriber with a password. */
export const addSubscriber = (box: BuiltBox, name: string): SpawnSyncReturns<string> =>
  spawnSync(join(DIST, "ringbox"), ["--data", box.dataDirectory, "subscriber", "add", name, "--password-stdin"], {
    encoding: "utf8", input: "secret\n", timeout: PATIENCE * 1000,
  });
