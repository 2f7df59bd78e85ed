// What is in force in the fleet, as a box tells it; and which box an operator means.

import { toHex, toOctets } from "../base/bytes.ts";
import type { Crypto } from "../base/crypto.ts";
import { hours, minutes } from "../base/time.ts";
import type { RegistrationRules } from "../overlay/configuration/document.ts";
import { type FleetLimits, limited } from "../overlay/configuration/limits.ts";
import type { OverlaySnapshot } from "../overlay/ports.ts";
import { KINDS } from "./kinds.ts";
import type { ConfigurationReport } from "./reports.ts";

/** How long phones may register for where no document says anything else (RFC 3261 section 10.3; RFC 3665 phones ask for an hour). */
export const USUAL_REGISTRATION: RegistrationRules = { minimum: minutes(1), standard: hours(1), maximum: hours(2), open: false };

function limitsReport(limits: FleetLimits): NonNullable<ConfigurationReport["limits"]> {
  const { initialTtl, maxMessageSize } = limits;
  const kinds = KINDS.map((kind) => limited(kind, limits));
  return { initialTtl, maxMessageSize, kinds: kinds.map(({ name, maxEntries, maxValueBytes }) => ({ name, maxCount: maxEntries, maxSize: maxValueBytes })) };
}

export function configurationReport({ rules }: OverlaySnapshot, crypto: Crypto): ConfigurationReport {
  const { configuration, document } = rules;
  const { minimum, standard, maximum, open } = configuration?.registration ?? USUAL_REGISTRATION;
  return {
    sequence: rules.sequence,
    signed: configuration !== undefined,
    registration: { minimumSeconds: minimum / 1_000, standardSeconds: standard / 1_000, maximumSeconds: maximum / 1_000, open },
    expiration: configuration?.expiration ?? null,
    limits: configuration === undefined ? null : limitsReport(configuration.limits),
    revocationEpoch: rules.epoch,
    revoked: rules.revoked.map(({ nodeId, revokedAt }) => ({ nodeId, revokedAt: revokedAt ?? null })),
    issuing: configuration === undefined ? null : toHex(crypto.sha256(configuration.issuingCertificate)),
    retired: (configuration?.retired ?? []).map((certificate) => toHex(crypto.sha256(certificate))),
    refusedTickets: configuration?.refusedTickets ?? [],
    document: document === undefined ? null : toOctets(document),
  };
}
