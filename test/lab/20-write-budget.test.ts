// What phones that do nothing but refresh cost a box: what is written to its disk, which wears it out, and processor time.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Agent } from "./agent.ts";
import { DOMAIN, labTest } from "./lab.ts";
import { registerUsers } from "./phones/sipp.ts";
import { PATIENCE, until } from "./until.ts";

const PHONES = Number(process.env["RINGBOX_WRITE_PHONES"] ?? 1_000);
/** Each phone refreshes once a minute. */
const REFRESHES_PER_SECOND = Math.ceil(PHONES / 60);
/** Minutes that are measured: an hour in the long form. */
const MINUTES = Number(process.env["RINGBOX_WRITE_MINUTES"] ?? 1);
const BUDGET_BYTES_PER_DAY = 50_000_000;
/** What a box writes once, in the first minutes of its life: its certificates, the users of its trial calls. */
const ONCE_BYTES = 400_000;

labTest("a thousand phones that refresh every minute cost a box at most 50 MB of writes a day", { boxes: 3, phones: 1, programs: ["sipp"] }, async (lab) => {
  await lab.start();
  const users = await lab.subscribe(lab.box(1), "user", PHONES);
  const agents = lab.boxes.map((box) => new Agent(box));
  const phones = { domain: DOMAIN, box: lab.box(1).address, users, port: 6_000, expires: 120 };
  const first = registerUsers(lab.phoneHost(1), { ...phones, rate: 200, total: PHONES });
  assert.deepEqual(await first.finished(60), { begun: PHONES, succeeded: PHONES, failed: 0 }, first.complaints());
  await lab.allCopies(60);

  const refreshes = registerUsers(lab.phoneHost(1), { ...phones, rate: REFRESHES_PER_SECOND, longest: (MINUTES + 5) * 60 });
  await until("the phones refresh", PATIENCE, () => assert(refreshes.count().succeeded > 0));
  const programs = lab.boxes.flatMap((box, index) => [
    { box: box.name, name: "ringboxd", pid: box.pid },
    { box: box.name, name: "ringbox-agent", pid: agents[index]?.pid },
  ]);
  const before = programs.map(written);
  const worked = programs.map(processorSeconds);
  const [begun, since] = [refreshes.count().succeeded, performance.now()];
  await until("each phone has refreshed", MINUTES * 90, () => assert(refreshes.count().succeeded - begun >= MINUTES * PHONES));
  const seconds = (performance.now() - since) / 1_000;
  const { failed } = await refreshes.stop();
  assert.equal(failed, 0, refreshes.complaints());
  const writtenBy = programs.map((program, index) => ({ ...program, bytes: written(program) - (before[index] ?? 0) }));
  lab.tell(`in ${seconds.toFixed(0)} s, kB: ${writtenBy.map(({ box, name, bytes }) => `${name} of ${box} ${(bytes / 1e3).toFixed(0)}`).join(", ")}`);
  const shares = programs.map((program, index) => `${program.name} of ${program.box} ${((100 * (processorSeconds(program) - (worked[index] ?? 0))) / seconds).toFixed(1)}`);
  lab.tell(`percent of a processor: ${shares.join(", ")}`);
  const allowed = ONCE_BYTES + (BUDGET_BYTES_PER_DAY * seconds) / 86_400;
  for (const { name } of lab.boxes) {
    const bytes = writtenBy.filter(({ box }) => box === name).reduce((sum, program) => sum + program.bytes, 0);
    assert.ok(bytes <= allowed, `box ${name} wrote ${bytes} octets in ${seconds} s`);
  }
});

/** What a process has had of a processor so far, seconds. */
function processorSeconds({ pid }: { readonly pid: number | undefined }): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").replace(/^.*\) /, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}
/** USER_HZ, which Linux shows the same everywhere. */
const TICKS_PER_SECOND = 100;

/** What a process has had written to a disk so far, octets. */
const written = ({ pid }: { readonly pid: number | undefined }): number =>
  Number(/^write_bytes: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, "latin1"))?.[1]);
