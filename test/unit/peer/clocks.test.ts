import assert from "node:assert/strict";
import { test } from "node:test";
import type { Instant } from "../../../src/base/time.ts";
import { Peer } from "../../../src/peer/peer.ts";
import type { PeerInput } from "../../../src/peer/ports.ts";
import type { Flow } from "../../../src/sip/ports.ts";
import { SimulatedCrypto, simulatedTrust } from "../../support/simulated-crypto.ts";
import { type Boot, type Box, type BoxEffect, type BoxInput, type BoxMachine, World, WORLD_START } from "../../support/world.ts";

/** A whole box where anybody may register. */
class OpenBox implements BoxMachine {
  readonly peer: Peer;

  constructor({ self, certificate, rows, members, mayStandAlone, random }: Boot) {
    this.peer = new Peer(
      {
        fleetName: "test", domain: "fleet.example", overlayName: "fleet.example", self, certificate, fleetSecret: new Uint8Array(32),
        rows, members, mayStandAlone, localAddresses: [self.sip.host], openRegistration: true,
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
}

function makeWorld(): { readonly world: World; readonly replies: object[]; readonly sent: string[] } {
  const replies: object[] = [];
  const sent: string[] = [];
  const world = new World({
    seed: 5,
    network: { delayLeast: 1, delayMost: 5, loss: 0, duplicate: 0 },
    disk: { syncLeast: 2, syncMost: 10, batch: 1_000 },
    makeMachine: (boot) => new OpenBox(boot),
  });
  world.observers.push({
    effect(_, effect) {
      if (effect.type === "replied") replies.push(effect.reply);
      if (effect.type === "send") sent.push(effect.octets);
    },
  });
  return { world, replies, sent };
}

function register(world: World, box: Box): void {
  const remote = { host: "10.9.9.9", port: 5060 };
  const flow: Flow = { transport: "udp", local: box.sip, remote, connection: 0 };
  const octets = [
    "REGISTER sip:fleet.example SIP/2.0", "Via: SIP/2.0/UDP 10.9.9.9:5060;branch=z9hG4bKone", "Max-Forwards: 70",
    "From: <sip:alice@fleet.example>;tag=a", "To: <sip:alice@fleet.example>", "Call-ID: one@phone", "CSeq: 1 REGISTER",
    "Contact: <sip:alice@10.9.9.9:5060>", "Expires: 600", "Content-Length: 0", "", "",
  ].join("\r\n");
  world.input(box, { type: "received", flow, octets });
}

test("a phone that registers at a box whose clock is in 1970 is seen by the others", () => {
  const { world, replies, sent } = makeWorld();
  const [good, old] = [world.addBox(), world.addBox()];
  good.mayStandAlone = true;
  old.wallOffset = -WORLD_START;
  world.start(good);
  world.run(5_000);
  world.start(old, [good.overlay]);
  world.run(10_000);
  register(world, old);
  world.run(2_000);
  assert.match(sent.at(-1) ?? "", /^SIP\/2\.0 200 /);
  world.input(good, { type: "control", ticket: 1, request: { op: "registration-list", aor: "alice@fleet.example" } });
  world.run(2_000);
  const [reply] = replies as { readonly registrations?: readonly { readonly bindings: readonly { readonly expiresAt: number }[] }[] }[];
  const expiresAt = reply?.registrations?.[0]?.bindings[0]?.expiresAt ?? 0;
  const left = expiresAt - world.trueTime();
  assert.ok(left > 500_000 && left <= 600_000, `${left} ms are left, as the other box sees it`);
});
