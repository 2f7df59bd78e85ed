// A fleet of boxes on a LAN with hosts for phones, made for one test and gone after it.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { StatusReport } from "../../src/peer/reports.ts";
import { Box, ringbox, whyNoBox } from "./box.ts";
import { type Family, type Host, Network, whyNoLab, whyNotInstalled } from "./network.ts";
import type { SippUser } from "./phones/sipp.ts";
import { PATIENCE, until } from "./until.ts";

export const DOMAIN = "lab.test";

export interface LabPlan {
  readonly boxes: number;
  readonly phones?: number;
  /** Programs that the test needs beside the boxes. */
  readonly programs?: readonly string[];
  /** IPv4 if not given. */
  readonly families?: readonly Family[];
  /** Further options of box 1, 2, … */
  readonly options?: (box: number) => readonly string[];
  /** A reason of the test's own to be skipped. */
  readonly without?: string;
}

/** A test in a lab of its own; skipped with the reason where no lab can be made. */
export function labTest(name: string, plan: LabPlan, story: (lab: Lab) => Promise<void>): void {
  test(name, async (context) => {
    const reason = plan.without ?? whyNoLab() ?? whyNotInstalled(...(plan.programs ?? [])) ?? whyNoBox();
    if (reason !== undefined) return context.skip(reason);
    const lab = await Lab.make(plan, (line) => context.diagnostic(line));
    try {
      await story(lab);
    } catch (error) {
      lab.tellWhatBoxesSaid();
      throw error;
    } finally {
      lab.network.close();
    }
  });
}

export class Lab {
  readonly network: Network;
  readonly boxes: Box[] = [];
  readonly phoneHosts: readonly Host[];
  /** The fleet ticket. */
  readonly ticket: string;
  readonly #tell: TestContext["diagnostic"];
  readonly #options: (box: number) => readonly string[];

  static async make(plan: LabPlan, tell: (line: string) => void): Promise<Lab> {
    const network = new Network(plan.families);
    const fleet = join(network.directory, "fleet");
    await ringbox("fleet", "init", fleet, "--name", "lab", "--domain", DOMAIN);
    return new Lab(network, join(fleet, "fleet.ticket"), plan, tell);
  }

  private constructor(network: Network, ticket: string, plan: LabPlan, tell: (line: string) => void) {
    this.network = network;
    this.ticket = ticket;
    this.#tell = tell;
    this.#options = plan.options ?? (() => []);
    for (let number = 1; number <= plan.boxes; number += 1) this.addBox();
    this.phoneHosts = Array.from({ length: plan.phones ?? 0 }, (_, index) => network.addHost(`p${index + 1}`, 101 + index));
  }

  /** One more box, not started. */
  addBox(): Box {
    const number = this.boxes.length + 1;
    const box = new Box(this.network.addHost(`b${number}`, number), this.ticket, this.#options(number));
    this.boxes.push(box);
    return box;
  }

  /** Box number 1, 2, … */
  box(number: number): Box {
    const box = this.boxes[number - 1];
    assert(box !== undefined, `no box ${number}`);
    return box;
  }

  /** Phone host number 1, 2, … */
  phoneHost(number: number): Host {
    const host = this.phoneHosts[number - 1];
    assert(host !== undefined, `no phone host ${number}`);
    return host;
  }

  get running(): readonly Box[] {
    return this.boxes.filter((box) => box.isRunning);
  }

  /** Starts all boxes and waits until they are one ring. Returns how long that took, seconds. */
  async start(options: { readonly keepTlsKeys?: boolean } = {}): Promise<number> {
    const since = performance.now();
    for (const box of this.boxes) box.start(options);
    const seconds = await this.oneRing(PATIENCE, { since });
    this.tell(`ring of ${this.boxes.length} after ${seconds.toFixed(1)} s`);
    return seconds;
  }

  /** Waits until the running boxes (or those named) all serve and count one another and nobody else as serving. */
  async oneRing(
    seconds: number,
    { since = performance.now(), boxes = this.running, count = boxes.length }: { readonly since?: number; readonly boxes?: readonly Box[]; readonly count?: number } = {},
  ): Promise<number> {
    const found = await until(`${boxes.length} boxes are one ring`, seconds, async () => {
      const reports = await Promise.all(boxes.map((box) => box.status()));
      for (const [index, report] of reports.entries()) assertServing(report, count, boxes[index]?.name);
    }, since);
    return found.seconds;
  }

  /** Waits until each running box has as many copies as there should be, all found equal. */
  async allCopies(seconds: number, since: number = performance.now()): Promise<number> {
    const boxes = this.running;
    const found = await until("every copy is there and equal", seconds, async () => {
      for (const box of boxes) {
        const { copies, copiesWanted, inSync } = await box.status();
        assert.equal(copies, Math.min(copiesWanted, boxes.length), `copies at ${box.name}`);
        assert(inSync, `${box.name} is not in sync`);
      }
    }, since);
    return found.seconds;
  }

  /** Subscribers `prefix`0 … with one password, imported at a box by the command line. */
  async subscribe(box: Box, prefix: string, count: number): Promise<readonly SippUser[]> {
    const users = Array.from({ length: count }, (_, index) => ({ username: `${prefix}${index}`, password: "secret" }));
    const file = join(this.network.directory, `${prefix}.csv`);
    writeFileSync(file, users.map(({ username, password }) => `${username},${password}\n`).join(""));
    await box.command("subscriber", "import", file);
    return users;
  }

  /** Prints a figure that the test saw. */
  tell(line: string): void {
    this.#tell(line);
  }

  tellWhatBoxesSaid(): void {
    for (const box of this.boxes) this.tell(`${box.name}${box.isRunning ? "" : " (not running)"} said last:\n${box.lastWords()}`);
  }
}

function assertServing(report: StatusReport, count: number, name = ""): void {
  assert.equal(report.phase, "serving", name);
  assert.equal(report.boxes.serving, count, `boxes that ${name} counts as serving`);
}

/** What a phone is told of itself and of the box it knows. */
export function account(user: SippUser, box: Box): { username: string; password: string; domain: string; box: string } {
  return { ...user, domain: DOMAIN, box: box.address };
}
