// The configuration document as the fleet's key holder makes and changes it.

import { createPrivateKey, sign, X509Certificate } from "node:crypto";
import {
  FIRST_SEQUENCE, type FleetConfiguration, nextSequence, type ProgramFacts, readDocument, writeDocument,
} from "../overlay/configuration/document.ts";
import { INITIAL_TTL } from "../overlay/wire/forwarding-header.ts";
import { MAX_MESSAGE_BYTES } from "../overlay/wire/framing.ts";
import { KINDS } from "../peer/kinds.ts";
import { OVERLAY_TIMING } from "../peer/peer.ts";
import { USUAL_REGISTRATION } from "../peer/rules-report.ts";
import type { Result } from "../base/result.ts";
import { NodeCrypto } from "./crypto.ts";

const FACTS: ProgramFacts = {
  kinds: KINDS,
  reliabilityTimer: OVERLAY_TIMING.attempt,
  updateInterval: OVERLAY_TIMING.antiEntropy,
};

/** What a fleet begins with. */
export const firstConfiguration = (fleet: {
  readonly overlayName: string;
  /** DER. */
  readonly rootCertificate: Uint8Array;
  readonly issuingCertificate: Uint8Array;
}): FleetConfiguration => ({
  ...fleet,
  sequence: FIRST_SEQUENCE,
  expiration: rootEnd(fleet.rootCertificate),
  bootstrapNodes: [],
  badNodes: [],
  registration: USUAL_REGISTRATION,
  retired: [],
  kept: [],
  refusedTickets: [],
  limits: {
    maxMessageSize: MAX_MESSAGE_BYTES,
    initialTtl: INITIAL_TTL,
    kinds: KINDS.map(({ id, maxEntries, maxValueBytes }) => ({ id, maxEntries, maxValueBytes })),
  },
});

/** The next document after `configuration`. */
export const successor = (configuration: FleetConfiguration, change: Partial<FleetConfiguration>): FleetConfiguration => ({
  ...configuration,
  ...change,
  sequence: nextSequence(configuration.sequence),
});

export function signConfiguration(configuration: FleetConfiguration, rootKeyPem: string): Uint8Array {
  const key = createPrivateKey(rootKeyPem);
  return writeDocument(configuration, FACTS, new NodeCrypto(undefined), (bytes) => sign("sha256", bytes, key));
}

/** What a document says, if the fleet's key has signed it. */
export const readConfiguration = (
  document: Uint8Array,
  fleet: { readonly rootCertificate: Uint8Array; readonly overlayName: string },
): Result<FleetConfiguration, string> => readDocument(document, { ...fleet, crypto: new NodeCrypto(undefined) });

/** A fleet's configuration ends with its key at the latest; as a document says it. */
export const rootEnd = (rootCertificate: Uint8Array): string => `${new X509Certificate(rootCertificate).validToDate.toISOString().slice(0, 19)}Z`;
