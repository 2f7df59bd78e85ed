// One run: a world, boxes, weather, work, and what must be so. Active spells, in which things go wrong,
// alternate with quiet ones, at whose end the whole ring is looked at.

import { type Box, InvariantBroken, type BoxMachine, type Boot, World } from "../support/world.ts";
import { requireWholeRing, StepInvariants } from "./invariants.ts";
import { type FaultMix, Weather } from "./weather.ts";

export interface SimulationSettings {
  readonly seed: number;
  readonly boxes: number;
  readonly hours: number;
  readonly loss: number;
  readonly mix: FaultMix;
  /** Mean time between faults, milliseconds. */
  readonly faultMean: number;
  /** How long the boxes are left alone before the whole ring is looked at. */
  readonly quiet: number;
  /** An active spell, on average. */
  readonly spell: number;
  /** How often the run begins with boxes that were a ring before. */
  readonly returning: number;
  readonly setting: Setting;
  /** True time at its start, ms since 1970; as the world has it if not given. */
  readonly startsAt?: number | undefined;
  readonly trace?: (line: string) => void;
}

/** What the machines are and who works with them. */
export interface Setting {
  readonly name: string;
  makeMachine(boot: Boot): BoxMachine;
  makeWork(world: World, weather: Weather): Work;
}

/** Those who use the boxes. */
export interface Work {
  begin(): void;
  /** No new work; what is under way ends. */
  pause(): void;
  /** Throws if anything is still under way that has had its time. */
  requireRest(): void;
  /** Looks at everything that was done, over some seconds of virtual time. */
  lookBack(): void;
  /** Throws if the looking back found anything, or found too little. */
  conclude(): void;
  readonly counts: Readonly<Record<string, number>>;
}

export interface Outcome {
  readonly seed: number;
  readonly failure: Failure | undefined;
  /** Fingerprint of everything that happened. */
  readonly hash: string;
  readonly steps: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly cpuSeconds: number;
}

export interface Failure {
  readonly what: string;
  /** Virtual, milliseconds. */
  readonly at: number;
  readonly last: readonly string[];
}

/** A newcomer a quarter of a second, so that a rack of a hundred boxes is up within half a minute. */
const BETWEEN_STARTS = 250;
const LOOKING_BACK = 10_000;
/** Work goes on for this long after the weather has cleared. */
const RECOVERY = 45_000;

export function simulate(settings: SimulationSettings): Outcome {
  const startedAt = process.cpuUsage();
  const { seed, loss, setting } = settings;
  const world = new World({
    seed,
    network: { delayLeast: 1, delayMost: 6, loss, duplicate: loss / 5 },
    disk: { syncLeast: 1, syncMost: 15, batch: 2_000 },
    makeMachine: (boot) => setting.makeMachine(boot),
    ...(settings.startsAt === undefined ? {} : { startsAt: settings.startsAt }),
    ...(settings.trace === undefined ? {} : { trace: settings.trace }),
  });
  const weather = new Weather(world, { mix: settings.mix, mean: settings.faultMean });
  const work = setting.makeWork(world, weather);
  world.observers.push(new StepInvariants(world));
  const failure = attempt(world, () => runAll(settings, world, weather, work));
  const used = process.cpuUsage(startedAt);
  return {
    seed,
    failure,
    hash: world.trace.digest(),
    steps: world.steps,
    counts: { ...work.counts, ...world.network.counts, ...weather.counts, starts: weather.joins },
    cpuSeconds: (used.user + used.system) / 1e6,
  };
}

function attempt(world: World, run: () => void): Failure | undefined {
  try {
    run();
    return undefined;
  } catch (thrown) {
    const what = thrown instanceof InvariantBroken ? thrown.message : `the simulation itself: ${thrown instanceof Error ? thrown.stack : String(thrown)}`;
    return { what, at: world.now, last: world.trace.last() };
  }
}

function runAll(settings: SimulationSettings, world: World, weather: Weather, work: Work): void {
  const end = settings.hours * 3_600_000;
  rackUp(settings, world, weather);
  world.run(settings.quiet);
  requireWholeRing(world);
  const random = world.random.fork("spells");
  while (world.now < end) {
    work.begin();
    weather.begin();
    world.run(Math.min(random.exponential(settings.spell), end - world.now));
    weather.clear();
    world.run(RECOVERY);
    work.pause();
    world.run(settings.quiet);
    requireWholeRing(world);
    work.requireRest();
    work.lookBack();
    world.run(LOOKING_BACK);
    work.conclude();
  }
}

/**
 * All boxes of the rack are started: new ones one after the other or all at once, or boxes that have been a ring before
 * and have power again, within a second.
 */
function rackUp(settings: SimulationSettings, world: World, weather: Weather): void {
  const random = world.random.fork("rack");
  const boxes: Box[] = [];
  for (let i = 0; i < settings.boxes; i++) boxes.push(world.addBox());
  if (random.chance(settings.returning)) {
    world.rememberAll();
    for (const box of boxes) world.queue.after(random.below(1_000), () => weather.start(box));
    return world.run(2_000);
  }
  const stormy = random.chance(0.2);
  for (const box of boxes) {
    if (box !== boxes[0] && !stormy) world.run(BETWEEN_STARTS);
    weather.start(box);
  }
}
