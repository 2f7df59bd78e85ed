// A fleet's key, documents and revocations for cores in simulation: the "certificate" of a key is a text, and
// whoever knows the text can sign. The strength is node:crypto's business, tested where it is used.

import { seconds, type WallTime } from "../../src/base/time.ts";
import { type FleetConfiguration, type ProgramFacts, writeDocument } from "../../src/overlay/configuration/document.ts";
import type { FleetRulesSettings } from "../../src/overlay/configuration/fleet-rules.ts";
import { encodeRevocations, signRevocation } from "../../src/overlay/configuration/revocations.ts";
import type { NodeId } from "../../src/overlay/ports.ts";
import { certificateOf, cryptoFor, DURABLE, SOFT, type WorldBox } from "./overlay-world.ts";

const named = (name: string): NodeId => name as NodeId;
export const ROOT = certificateOf(named("the fleet"));
export const ISSUING = certificateOf(named("issuing 1"));
export const CRYPTO = cryptoFor(named("anybody"));
export const signAs = (name: string) => cryptoFor(named(name)).sign;

export const CONFIGURATION: FleetConfiguration = {
  overlayName: "test.ring",
  sequence: 1,
  expiration: "2046-01-01T00:00:00Z",
  rootCertificate: ROOT,
  bootstrapNodes: [],
  badNodes: [],
  registration: { minimum: seconds(60), standard: seconds(3_600), maximum: seconds(7_200), open: false },
  issuingCertificate: ISSUING,
  retired: [],
  kept: [],
  refusedTickets: [],
  limits: { maxMessageSize: 5_000, initialTtl: 100, kinds: [SOFT, DURABLE].map(({ id, maxEntries, maxValueBytes }) => ({ id, maxEntries, maxValueBytes })) },
};

export const FACTS: ProgramFacts = { kinds: [SOFT, DURABLE], reliabilityTimer: seconds(3), updateInterval: seconds(30) };

/** A document with some differences from the first, signed by the fleet's key, or by another's. */
export const documentWith = (change: Partial<FleetConfiguration> = {}, signer = "the fleet", facts = FACTS): Uint8Array =>
  writeDocument({ ...CONFIGURATION, ...change }, facts, CRYPTO, signAs(signer));

export const rulesWith = (document: Uint8Array | undefined = documentWith()): FleetRulesSettings => ({
  rootCertificate: ROOT,
  document,
  revocations: new Uint8Array(0),
});

/** That a box is believed no more, for the core: signed by the fleet's key, or by another's. */
export function revocationOf(nodeId: NodeId, at: WallTime, signer = "the fleet"): Uint8Array {
  const statement = { overlayName: CONFIGURATION.overlayName, nodeId, revokedAt: at };
  return encodeRevocations([signRevocation({ certificate: certificateOf(named(signer)), sign: signAs(signer) }, statement, CRYPTO)]);
}

/** The same, brought to a box of a world now. */
export const revoking = (asked: WorldBox, nodeId: NodeId, signer = "the fleet") =>
  ({ type: "revoke", statement: revocationOf(nodeId, asked.core.wall(), signer) }) as const;
