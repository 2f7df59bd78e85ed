// HTTP over mutual TLS at the overlay port, from one box of the fleet to another.

import type { IncomingMessage, OutgoingHttpHeaders } from "node:http";
import { request as httpsRequest } from "node:https";
import type { TLSSocket } from "node:tls";
import type { Address } from "../base/address.ts";
import type { FleetMembership } from "./identity-files.ts";
import { ENROLLMENT_ALPN, identifyPeer, tlsIdentity } from "./tls-identity.ts";
import type { CertificateTrust } from "./trust.ts";

export interface MemberRequest {
  readonly address: Address;
  /** Who asks. */
  readonly membership: FleetMembership;
  readonly privateKeyPem: string;
  readonly trust: CertificateTrust;
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly headers: OutgoingHttpHeaders;
  readonly signal: AbortSignal;
  /** The connection is given up when it says nothing for so long, milliseconds; not if it is not given. */
  readonly silence?: number;
}

/** Asks without a body; nothing is said before the member is believed. Resolves with the head of its answer, rejects with why there is none. */
export function askMember({ address, membership, privateKeyPem, trust, method, path, headers, signal, silence }: MemberRequest): Promise<IncomingMessage> {
  const { certificate, issuing } = membership.enrolled;
  return new Promise((resolve, reject) => {
    const message = httpsRequest({
      ...tlsIdentity({ certificate, issuingCertificate: issuing.certificate, privateKeyPem }),
      host: address.host, port: address.port, path, method, agent: false, signal,
      ...(silence === undefined ? {} : { timeout: silence }),
      ...{ ALPNProtocols: [ENROLLMENT_ALPN] }, // goes through to tls.connect, though the types do not say so
      rejectUnauthorized: false, // identifyPeer decides
      checkServerIdentity: () => undefined,
      headers: { host: membership.overlayName, connection: "close", ...headers },
    });
    message.on("error", reject);
    message.on("timeout", () => message.destroy(new Error("it says nothing any more")));
    message.on("socket", (socket) => {
      socket.once("secureConnect", () => {
        const peer = identifyPeer(socket as TLSSocket, trust);
        if ("nodeId" in peer) return void message.end();
        message.destroy(new Error(`it is not believed: ${peer.refused}`));
      });
    });
    message.on("response", resolve);
  });
}
