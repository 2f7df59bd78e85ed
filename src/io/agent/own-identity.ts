// Who this box is, as its data directory has it: read beside the peer, which writes it, and never changed.

import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../clock.ts";
import { NodeCrypto } from "../crypto.ts";
import { parseMembership, type FleetMembership } from "../identity-files.ts";
import { fleetSecret } from "../pki.ts";
import { CertificateTrust } from "../trust.ts";

export interface OwnIdentity {
  readonly membership: FleetMembership;
  readonly nodeId: string;
  readonly fleetSecret: Uint8Array;
  readonly privateKeyPem: string;
  /** Signs as this box. */
  readonly crypto: NodeCrypto;
  readonly trust: CertificateTrust;
}

export class IdentityReader {
  readonly #directory: string;
  #known: { readonly stamp: string; readonly identity: OwnIdentity } | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** `undefined`: the box is not enrolled, or this user may not read who it is. Read anew when the fleet's credential was renewed. */
  read(): OwnIdentity | undefined {
    try {
      const file = join(this.#directory, "fleet.json");
      const { mtimeMs, ino } = statSync(file);
      const stamp = `${mtimeMs} ${ino}`;
      if (this.#known?.stamp === stamp) return this.#known.identity;
      const membership = parseMembership(readFileSync(file, "utf8"));
      if (membership === undefined) return undefined;
      const identity = identityOf(membership, readFileSync(join(this.#directory, "identity.key"), "utf8"));
      this.#known = { stamp, identity };
      return identity;
    } catch {
      return undefined; // not there yet, or half written: the next look tells
    }
  }
}

function identityOf(membership: FleetMembership, privateKeyPem: string): OwnIdentity {
  const { rootCertificate, overlayName, enrolled } = membership;
  return {
    membership,
    nodeId: enrolled.nodeId,
    privateKeyPem,
    fleetSecret: fleetSecret(enrolled.issuing.privateKeyPem),
    crypto: new NodeCrypto(privateKeyPem),
    trust: new CertificateTrust({ root: rootCertificate, issuing: [enrolled.issuing.certificate], overlayName, wall: () => systemClock.wall() }),
  };
}
