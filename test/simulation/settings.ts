// The two settings: overlay cores with operations, whole boxes with phones.

import { SimulatedCrypto, simulatedTrust } from "../support/simulated-crypto.ts";
import type { Boot, Box, BoxEffect, BoxInput, BoxMachine } from "../support/world.ts";
import { minutes, type Instant, type WallTime, wallTime } from "../../src/base/time.ts";
import { OverlayCore } from "../../src/overlay/overlay-core.ts";
import type { OverlayInput, OverlaySnapshot, OverlayTiming } from "../../src/overlay/ports.ts";
import { EDGE_BINDING, KINDS, SUBSCRIBER } from "../../src/peer/kinds.ts";
import { OVERLAY_TIMING, Peer } from "../../src/peer/peer.ts";
import type { PeerInput } from "../../src/peer/ports.ts";
import { Operations } from "./operations.ts";
import type { Setting } from "./simulation.ts";
import { Telephony } from "./telephony.ts";

const OVERLAY_NAME = "fleet.example";
const DOMAIN = "fleet.example";
const FLEET_SECRET = new Uint8Array(32).fill(7);

/** An idle chore that would make a day of many boxes dear; everything else is as in production. */
function timingFor(boxes: number): OverlayTiming {
  return boxes > 20 ? { ...OVERLAY_TIMING, antiEntropy: minutes(30) } : OVERLAY_TIMING;
}

/** One overlay core alone, which is told of the wall clock as a whole box is. */
class OverlayMachine implements BoxMachine {
  readonly #core: OverlayCore;
  #now = 0;
  #wallOffset = 0;

  constructor({ self, certificate, rows, members, mayStandAlone, random }: Boot, timing: OverlayTiming) {
    this.#core = new OverlayCore(
      { overlayName: OVERLAY_NAME, self, certificate, kinds: KINDS, rows, members, mayStandAlone, timing },
      new SimulatedCrypto(certificate), random, simulatedTrust, (): WallTime => wallTime(this.#now + this.#wallOffset),
    );
  }

  step(now: Instant, inputs: readonly BoxInput[]): readonly BoxEffect[] {
    this.#now = now;
    const effects: BoxEffect[] = [];
    for (const input of inputs) {
      if (input.type === "clock") this.#wallOffset = input.wall - now;
      else if (input.type === "shut-down") effects.push(...this.#core.step(now, { type: "leave" }));
      else effects.push(...this.#core.step(now, input as OverlayInput));
    }
    return effects;
  }
  nextDeadline(): Instant | undefined {
    return this.#core.nextDeadline();
  }
  snapshot(): OverlaySnapshot {
    return this.#core.snapshot();
  }
}

export const overlaySetting = (boxes: number): Setting => ({
  name: "overlay",
  makeMachine: (boot) => new OverlayMachine(boot, timingFor(boxes)),
  makeWork(world, weather) {
    const work = new Operations(world, weather, { resources: 40, mean: boxes > 20 ? 20_000 : 3_000, soft: EDGE_BINDING, durable: SUBSCRIBER });
    world.observers.push(work);
    return work;
  },
});

/** A whole box. */
class PeerMachine implements BoxMachine {
  readonly peer: Peer;

  constructor({ self, certificate, rows, members, mayStandAlone, random }: Boot, timing: OverlayTiming) {
    this.peer = new Peer(
      {
        fleetName: "simulated", domain: DOMAIN, overlayName: OVERLAY_NAME, self, certificate, fleetSecret: FLEET_SECRET,
        rows, members, mayStandAlone, localAddresses: [self.sip.host], openRegistration: false, timing,
      },
      new SimulatedCrypto(certificate), random, simulatedTrust,
    );
  }

  step(now: Instant, inputs: readonly BoxInput[]): readonly BoxEffect[] {
    return this.peer.step(now, inputs as readonly PeerInput[]);
  }
  nextDeadline(): Instant | undefined {
    return this.peer.nextDeadline();
  }
  snapshot(): OverlaySnapshot {
    return this.peer.snapshot();
  }
}

function openTransactions({ life }: Box): number {
  if (!(life?.machine instanceof PeerMachine)) return 0;
  const { serverTransactions, clientTransactions, responseContexts, questions, registering } = life.machine.peer.sipSnapshot();
  return serverTransactions + clientTransactions + responseContexts + questions + registering;
}

export const peerSetting = (boxes: number, phones: number, storm: boolean): Setting => ({
  name: "peer",
  makeMachine: (boot) => new PeerMachine(boot, timingFor(boxes)),
  makeWork(world, weather) {
    const work = new Telephony(world, weather, {
      domain: DOMAIN, phones, callMean: storm ? 5_000 : 120_000, operatorMean: 300_000, expires: storm ? 120 : 3_600, openTransactions,
    });
    world.observers.push(work);
    return work;
  },
});
