// A box whose issuing credential was retired, or whom nobody believes any more, asks a member for a new
// certificate: a POST over mutual TLS, with the one it has, and be it two years over. Who may not have one is
// decided by what the fleet has decided: the revoked, and whoever is not among the boxes that it keeps.

import type { Address } from "../base/address.ts";
import { type Answer, type EnrollmentAnswer, grantedOf, printable, readAnswer } from "./enrollment.ts";
import type { FleetMembership } from "./identity-files.ts";
import { describeSocketError } from "./link-connection.ts";
import { askMember } from "./member-request.ts";
import type { CertificateTrust } from "./trust.ts";

export const RENEWAL_PATH = "/renew";
const TIMEOUT_MS = 8_000;

export interface RenewalRequest {
  readonly address: Address;
  readonly membership: FleetMembership;
  readonly privateKeyPem: string;
  readonly trust: CertificateTrust;
}

export async function requestRenewal(request: RenewalRequest): Promise<EnrollmentAnswer> {
  const { membership, privateKeyPem } = request;
  try {
    const answer = await post(request);
    if (answer.status === 200) return grantedOf({ ...membership, privateKeyPem }, answer);
    const sentence = printable(answer.body.toString("latin1"));
    const reason = answer.status === 403 ? sentence : `it answered ${answer.status}: ${sentence}`;
    return answer.status === 403 ? { outcome: "declined", reason } : { outcome: "unreachable", reason };
  } catch (error) {
    return { outcome: "unreachable", reason: error instanceof Error ? describeSocketError(error) : String(error) };
  }
}

async function post({ address, membership, privateKeyPem, trust }: RenewalRequest): Promise<Answer> {
  const headers = { accept: "multipart/mixed", "content-length": 0 };
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  return await readAnswer(await askMember({ address, membership, privateKeyPem, trust, method: "POST", path: RENEWAL_PATH, headers, signal }));
}
