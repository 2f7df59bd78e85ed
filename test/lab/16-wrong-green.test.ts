// How long the page says that a box works when it does not: on the box's own page, and on another box's.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { HealthReport } from "../../src/health/report.ts";
import { Agent, OpenPage } from "./agent.ts";
import type { Box } from "./box.ts";
import { type Lab, labTest } from "./lab.ts";
import { PATIENCE, until } from "./until.ts";

/** The measure: a green that is not true any more lasts so long at most, seconds. */
const WRONG_GREEN = 5;

const PLAN = { boxes: 3, programs: ["curl", "nft", "mount", "dd"] };

const isGreen = ({ verdict }: HealthReport): boolean => verdict === "works";
const boxIn = ({ boxes }: HealthReport, nodeId: string) => boxes.find((box) => box.nodeId === nodeId);
const hasCondition = ({ conditions }: HealthReport, code: string): boolean => conditions.some((condition) => condition.code === code);

class Fault {
  readonly lab: Lab;
  readonly victim: Box;
  readonly own: OpenPage;
  readonly other: OpenPage;
  readonly nodeId: string;
  /** What was too late, all together at the end. */
  readonly late: string[] = [];

  constructor(lab: Lab, victim: Box, own: OpenPage, other: OpenPage, nodeId: string) {
    this.lab = lab;
    this.victim = victim;
    this.own = own;
    this.other = other;
    this.nodeId = nodeId;
  }

  /** Everything is as it should be on both pages. */
  async allGreen(since = performance.now()): Promise<number> {
    const { seconds } = await until("both pages are green, by calls from outside too", PATIENCE, () => {
      assert(isGreen(this.own.report), this.own.report.firstLine);
      assert.equal(boxIn(this.other.report, this.nodeId)?.verdict, "works");
      assert.equal(this.own.report.proofs.some(({ outside, verdict }) => outside && verdict === "broken"), false, "a failed call from outside");
    }, since);
    return seconds;
  }

  async strike(name: string, act: () => unknown, code: string, mend: () => unknown): Promise<void> {
    await act();
    const since = performance.now();
    const own = await this.own.shows(`${name}: the box's own page is green no more`, 20, (report) => !isGreen(report), since);
    const reason = await this.own.shows(`${name}: and says why`, 20, (report) => hasCondition(report, code), since);
    const line = this.own.report.firstLine;
    await mend();
    const back = await this.allGreen();
    this.lab.tell(`${name}: green for ${own.toFixed(1)} s more, the reason shown after ${reason.toFixed(1)} s; green again ${back.toFixed(1)} s after it was mended. "${line}"`);
    if (own > WRONG_GREEN) this.late.push(`${name}: ${own.toFixed(1)} s`);
  }

  async strikeFromOutside(name: string, act: () => unknown, mend: () => unknown): Promise<void> {
    await act();
    const since = performance.now();
    const other = await this.other.shows(`${name}: another box's page`, 30, (report) => boxIn(report, this.nodeId)?.verdict !== "works", since);
    const verdict = boxIn(this.other.report, this.nodeId)?.verdict;
    await mend();
    const back = await this.allGreen();
    this.lab.tell(`${name}: on another box's page green for ${other.toFixed(1)} s more, then ${verdict}; green again ${back.toFixed(1)} s after it was mended`);
    if (other > WRONG_GREEN) this.late.push(`${name}, on another's page: ${other.toFixed(1)} s`);
  }
}

/** The data directory of a box on a small disk of its own. */
function smallDisk(box: Box): void {
  mkdirSync(box.dataDirectory, { recursive: true });
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=260m", "disk", box.dataDirectory], { encoding: "utf8" });
  assert.equal(mounted.status, 0, mounted.stderr);
}

labTest("a page is green for five seconds at most after the box stopped working", PLAN, async (lab) => {
  const victim = lab.box(1);
  smallDisk(victim);
  try {
    await lab.start();
    const agents = lab.boxes.map((box) => new Agent(box));
    const [first, second] = agents;
    assert(first !== undefined && second !== undefined);
    await until("the agents serve their pages", PATIENCE, () => {
      for (const { box, page } of agents) assert.equal(box.host.run(["curl", "-sf", "-o", "/dev/null", `${page}healthz`]).status, 0, `${box.name} has no page`);
    });
    const own = new OpenPage(victim.host, first);
    const other = new OpenPage(lab.box(2).host, second);
    const { nodeId } = await victim.status();
    const fault = new Fault(lab, victim, own, other, nodeId);
    lab.tell(`all green ${(await fault.allGreen()).toFixed(1)} s after the pages were there`);

    const restart = async (): Promise<void> => {
      victim.start();
      await lab.oneRing(PATIENCE);
    };
    const rules = (...lines: readonly string[]) => () => {
      for (const line of lines) assert.equal(victim.host.run(["nft", ...line.split(" ")]).status, 0, line);
    };
    const block = rules("add table inet fault", "add chain inet fault input { type filter hook input priority 0 ; }", "add rule inet fault input udp dport 5060 drop");
    const blockOutside = rules("add table inet fault", "add chain inet fault input { type filter hook input priority 0 ; }", "add rule inet fault input iifname eth0 udp dport 5060 drop");
    const unblock = rules("delete table inet fault");
    const filler = join(victim.dataDirectory, "filler");

    await fault.strike("killed", () => victim.kill("SIGKILL"), "peer-not-running", restart);
    await fault.strike("stopped (SIGSTOP)", () => victim.pause(), "peer-silent", () => victim.resume());
    await fault.strike("its SIP port blocked by nft", block, "sip-silent", unblock);
    await fault.strike("its disk full", () => victim.host.run(["dd", "if=/dev/zero", `of=${filler}`, "bs=1M"]), "disk-full", () => victim.host.run(["rm", filler]));
    await fault.strike("its cable pulled", () => victim.host.unplug(), "link-down", async () => {
      victim.host.plug();
      await lab.oneRing(PATIENCE);
    });
    await fault.strikeFromOutside("killed", () => victim.kill("SIGKILL"), restart);
    await fault.strikeFromOutside("stopped (SIGSTOP)", () => victim.pause(), async () => {
      victim.resume();
      await lab.oneRing(PATIENCE);
    });
    await fault.strikeFromOutside("its SIP port blocked from outside alone", blockOutside, unblock);
    await fault.strikeFromOutside("the switch dead", () => victim.host.cut(), async () => {
      victim.host.mend();
      await lab.oneRing(PATIENCE);
    });
    assert.deepEqual(fault.late, [], `green for more than ${WRONG_GREEN} s`);
  } finally {
    spawnSync("umount", ["-l", victim.dataDirectory]);
  }
});
