// Whole boxes where anybody may register, in the simulated world; what they say is kept.

import type { Instant } from "../../src/base/time.ts";
import { Peer } from "../../src/peer/peer.ts";
import type { PeerInput } from "../../src/peer/ports.ts";
import type { Flow } from "../../src/sip/ports.ts";
import { SimulatedCrypto, simulatedTrust } from "./simulated-crypto.ts";
import { type Boot, type Box, type BoxEffect, type BoxInput, type BoxMachine, World } from "./world.ts";

/** A whole box where anybody may register. */
class OpenBox implements BoxMachine {
  readonly peer: Peer;

  constructor({ self, certificate, rows, members, mayStandAlone, random }: Boot, publishesCertificate: boolean) {
    this.peer = new Peer(
      {
        fleetName: "test", domain: "fleet.example", overlayName: "fleet.example", self, certificate, fleetSecret: new Uint8Array(32),
        rows, members, mayStandAlone, localAddresses: [self.sip.host], openRegistration: true, publishesCertificate,
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
  snapshot() {
    return this.peer.snapshot();
  }
}

export function openWorld(seed = 5, publishesCertificate = false): { readonly world: World; readonly replies: object[]; readonly sent: string[] } {
  const replies: object[] = [];
  const sent: string[] = [];
  const world = new World({
    seed,
    network: { delayLeast: 1, delayMost: 5, loss: 0, duplicate: 0 },
    disk: { syncLeast: 2, syncMost: 10, batch: 1_000 },
    makeMachine: (boot) => new OpenBox(boot, publishesCertificate),
  });
  world.observers.push({
    effect(_, effect) {
      if (effect.type === "replied") replies.push(effect.reply);
      if (effect.type === "send") sent.push(effect.octets);
    },
  });
  return { world, replies, sent };
}

/** Boxes that are one ring, and quiet; the first founded it. */
export function startRing(world: World, count: number): readonly [Box, ...Box[]] {
  const first = world.addBox();
  first.mayStandAlone = true;
  world.start(first);
  world.run(5_000);
  const others = Array.from({ length: count - 1 }, () => world.addBox());
  for (const box of others) world.start(box, [first.overlay]);
  world.run(20_000);
  return [first, ...others];
}

/** A REGISTER of alice's phone for the domain, or for the host that it was set up with. */
export function register(world: World, box: Box, host = "fleet.example"): void {
  const remote = { host: "10.9.9.9", port: 5060 };
  const flow: Flow = { transport: "udp", local: box.sip, remote, connection: 0 };
  const octets = [
    `REGISTER sip:${host} SIP/2.0`, "Via: SIP/2.0/UDP 10.9.9.9:5060;branch=z9hG4bKone", "Max-Forwards: 70",
    `From: <sip:alice@${host}>;tag=a`, `To: <sip:alice@${host}>`, "Call-ID: one@phone", "CSeq: 1 REGISTER",
    "Contact: <sip:alice@10.9.9.9:5060>", "Expires: 600", "Content-Length: 0", "", "",
  ].join("\r\n");
  world.input(box, { type: "received", flow, octets });
}
