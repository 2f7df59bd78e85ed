// The claims of a ticket as they stand in its JSON.

import { fault, ok, type Result } from "../base/result.ts";

interface CommonClaims {
  readonly format: number;
  readonly fleet: string;
  readonly overlay: string;
  readonly domain: string;
  /** Base64 of DER. */
  readonly root: string;
  readonly token: string;
  readonly hints: readonly string[];
  readonly zone: string;
}
interface FleetClaims extends CommonClaims {
  readonly kind: "fleet";
  /** Base64 of DER. */
  readonly issuing: string;
  /** PEM. */
  readonly issuingKey: string;
  /** ASCII: the configuration document. */
  readonly configuration?: string;
}
interface JoinClaims extends CommonClaims {
  readonly kind: "join";
  /** Milliseconds since 1970. */
  readonly expires: number;
}
export type TicketClaims = FleetClaims | JoinClaims;

const MAX_HINTS = 32;
const TEXTS = ["fleet", "overlay", "domain", "root", "token", "zone"] as const;

export function parseClaims(json: Readonly<Record<string, unknown>> | undefined, format: number): Result<TicketClaims, string> {
  if (json === undefined) return fault("the ticket is damaged: it does not hold what a ticket holds");
  if (typeof json["format"] === "number" && json["format"] > format) {
    return fault("the ticket was made by a newer Ringbox than this one");
  }
  for (const name of TEXTS) if (typeof json[name] !== "string") return missing(name);
  const hints = json["hints"];
  if (!Array.isArray(hints) || hints.length > MAX_HINTS || !hints.every((hint) => typeof hint === "string")) return missing("hints");
  if (json["kind"] === "fleet") return fleetClaims(json);
  if (json["kind"] !== "join") return missing("kind");
  return Number.isSafeInteger(json["expires"]) ? ok(json as unknown as JoinClaims) : missing("expires");
}

function fleetClaims(json: Readonly<Record<string, unknown>>): Result<TicketClaims, string> {
  if (typeof json["issuing"] !== "string") return missing("issuing");
  if (typeof json["issuingKey"] !== "string") return missing("issuingKey");
  if (json["configuration"] !== undefined && typeof json["configuration"] !== "string") return missing("configuration");
  return ok(json as unknown as FleetClaims);
}

const missing = (name: string): Result<never, string> => fault(`the ticket is damaged: "${name}" is missing or not of its kind`);
