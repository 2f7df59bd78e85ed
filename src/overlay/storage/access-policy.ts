// Who may write what (RFC 6940 section 7.3). The signer is whoever signed the value; of a Store that is not a
// copy, whoever made the request must be allowed as well (section 7.4.1.1).

import { concatBytes, fromHex, fromOctets, toHex } from "../../base/bytes.ts";
import type { Crypto } from "../../base/crypto.ts";
import type { AccessPolicy, NodeId, ResourceId } from "../ports.ts";

export interface Writing {
  readonly resource: ResourceId;
  /** Dictionary key, hex. */
  readonly key: string;
  readonly signer: {
    readonly nodeId: NodeId;
    /** The rfc822Name of its certificate, as octets. */
    readonly userName: string;
  };
  /** For NODE-MULTIPLE. */
  readonly maxNodeMultiple: number;
}

export function mayWrite(policy: AccessPolicy, writing: Writing, crypto: Crypto): boolean {
  const { resource, key, signer, maxNodeMultiple } = writing;
  const isAt = (name: Uint8Array): boolean => toHex(crypto.sha1(name)).startsWith(resource);
  switch (policy) {
    case "USER-MATCH":
      return isAt(fromOctets(signer.userName));
    case "NODE-MATCH":
      return isAt(fromHex(signer.nodeId));
    case "USER-NODE-MATCH":
      return key === signer.nodeId && isAt(fromOctets(signer.userName));
    case "NODE-MULTIPLE":
      for (let i = 1; i <= maxNodeMultiple; i++) if (isAt(concatBytes(fromHex(signer.nodeId), Uint8Array.of(i)))) return true;
      return false;
  }
}
