// Many phones at many boxes, by SIPp.

import assert from "node:assert/strict";
import type { Box } from "./box.ts";
import { DOMAIN } from "./lab.ts";
import type { Host } from "./network.ts";
import { registerUsers, type SippRun, type SippUser } from "./phones/sipp.ts";

/** The first box's phones have this SIP port on their host, the next box's the next. */
export const FIRST_PORT = 6000;

/** Users in equal parts, one for each box. */
export function shareOut<T>(users: readonly T[], parts: number): readonly (readonly T[])[] {
  const size = Math.ceil(users.length / parts);
  return Array.from({ length: parts }, (_, index) => users.slice(index * size, (index + 1) * size));
}

/**
 * Registers users, in equal parts, at the boxes; `rate` is of all boxes together. All have to succeed.
 * Returns the users of each box.
 */
export async function registerEverywhere(
  host: Host,
  boxes: readonly Box[],
  users: readonly SippUser[],
  { rate = 250, seconds = 90 }: { readonly rate?: number; readonly seconds?: number } = {},
): Promise<readonly (readonly SippUser[])[]> {
  const parts = shareOut(users, boxes.length);
  const runs = boxes.map((box, index) => registrationRun(host, box, parts[index] ?? [], FIRST_PORT + index, Math.ceil(rate / boxes.length)));
  for (const [index, run] of runs.entries()) {
    const total = parts[index]?.length ?? 0;
    assert.deepEqual(await run.finished(seconds), { begun: total, succeeded: total, failed: 0 }, run.complaints());
  }
  return parts;
}

function registrationRun(host: Host, box: Box, users: readonly SippUser[], port: number, rate: number): SippRun {
  return registerUsers(host, { domain: DOMAIN, box: box.address, users, port, rate, total: users.length });
}

/** AoRs with at least one binding, as a box tells them. */
export async function registeredAors(box: Box): Promise<ReadonlySet<string>> {
  const registrations = await box.registrations();
  return new Set(registrations.filter(({ bindings }) => bindings.length > 0).map(({ aor }) => aor));
}

/** Fails with how many of the users are not registered, as a box tells it, and some of their names. */
export async function assertRegistered(box: Box, users: readonly SippUser[]): Promise<void> {
  const registered = await registeredAors(box);
  const lost = users.filter(({ username }) => !registered.has(`${username}@${DOMAIN}`)).map(({ username }) => username);
  assert.equal(lost.length, 0, `${lost.length} of ${users.length} registrations are not at ${box.name}: ${lost.slice(0, 8).join(", ")}`);
}

/** Fails with how many of the users are no subscribers, as a box tells it. */
export async function assertSubscribed(box: Box, users: readonly SippUser[]): Promise<void> {
  const known = new Set(await box.usernames());
  const lost = users.filter(({ username }) => !known.has(username)).map(({ username }) => username);
  assert.equal(lost.length, 0, `${lost.length} of ${users.length} subscribers are not at ${box.name}: ${lost.slice(0, 8).join(", ")}`);
}
