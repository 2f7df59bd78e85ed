// A box of the fleet that has gone bad: a certificate like any other's, one TLS link to a real box, and no manners.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseMembership } from "../../src/io/identity-files.ts";
import { issueBoxCertificate, makePrivateKey, publicKeyOf } from "../../src/io/pki.ts";
import { systemClock } from "../../src/io/clock.ts";
import type { KindId, NodeId, ResourceId } from "../../src/overlay/ports.ts";
import { EXTENSION } from "../../src/overlay/wire/code-points.ts";
import { putDataFrame } from "../../src/overlay/wire/framing.ts";
import type { MessageBody } from "../../src/overlay/wire/message-body.ts";
import { encodeIntroduction } from "../../src/overlay/wire/peer-info.ts";
import { type BuiltBox, OVERLAY_PORT } from "./built-ring.ts";
import { type ClientIdentity, ReloadClient } from "./reload-client.ts";

/** What the fleet would give a box with this Node-ID. */
export async function identityOf(box: BuiltBox, nodeId: NodeId, privateKeyPem: string = makePrivateKey()): Promise<ClientIdentity> {
  const membership = parseMembership(readFileSync(join(box.dataDirectory, "fleet.json"), "utf8"));
  if (membership === undefined) throw new Error("the box belongs to no fleet");
  const { overlayName, enrolled } = membership;
  const certificate = await issueBoxCertificate(enrolled.issuing, { publicKey: await publicKeyOf(privateKeyPem), nodeId, overlayName });
  return { overlayName, privateKeyPem, nodeId, certificate };
}

export async function linkTo(box: BuiltBox, identity: ClientIdentity): Promise<ReloadClient> {
  const member = (await box.status()).nodeId as NodeId;
  return await ReloadClient.open({ host: box.address, port: OVERLAY_PORT }, member, identity);
}

/** It says where it can be reached, as a box does that means to join: from here on its copies are looked at. */
export async function introduce(peer: ReloadClient, member: NodeId, address: string): Promise<MessageBody> {
  const none = new Uint8Array(0);
  const info = {
    nodeId: peer.nodeId, overlay: { host: address, port: OVERLAY_PORT }, sip: { host: address, port: 5060 }, zone: "", incarnation: 1, software: "0.1.0",
  };
  const contents = encodeIntroduction({ info, inRing: false, time: systemClock.wall(), ringAge: 0, aside: false });
  const body = { type: "attach_req", ufrag: none, password: none, role: new TextEncoder().encode("passive"), candidates: [], sendUpdate: false } as const;
  return await peer.ask({ type: "node", nodeId: member }, body, { extensions: [{ type: EXTENSION.peer_info, critical: false, contents }] });
}

export interface Stored {
  readonly resource: ResourceId;
  readonly kind: KindId;
  readonly values: readonly Uint8Array[];
  readonly generation?: number;
}

/** A Store of StoredData structures as they are, to be a value of the responsible peer's (0) or a copy. */
export const storeOf = ({ resource, kind, values, generation = 0 }: Stored, replicaNumber = 0) =>
  ({ type: "store_req", resource, replicaNumber, kinds: [{ kind, generation, values }] }) as const;

/** In words: the error and its text, or that it was taken. */
export function verdictOf(answer: MessageBody): string {
  if (answer.type !== "error") return answer.type;
  return `${answer.code} ${new TextDecoder("latin1").decode(answer.info)}`;
}

export function framed(message: Uint8Array, sequence = 1): Uint8Array {
  const frame = new Uint8Array(message.length + 8);
  putDataFrame(frame, 0, sequence, message);
  return frame;
}

/** Resident memory of a process, MiB. */
export const residentMiB = (pid: number | undefined): number =>
  Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024);
