// The files in which a box remembers its fleet, as JSON. They are read like anything that a crash, a flash
// cell or a well-meaning hand may have changed.

import * as z from "zod/mini";
import type { NodeId, PeerInfo } from "../overlay/ports.ts";
import type { Enrolled } from "./enrolled.ts";

/** What a box knows of its fleet once it is enrolled. */
export interface FleetMembership {
  readonly fleetName: string;
  readonly overlayName: string;
  readonly domain: string;
  readonly zone: string;
  /** DER. */
  readonly rootCertificate: Uint8Array;
  readonly enrolled: Enrolled;
  /** The fleet's secret before the last renewal, and until when its flow tokens are taken, ms since 1970. */
  readonly formerSecret?: { readonly secret: Uint8Array; readonly until: number } | undefined;
}

const Base64 = z.string().check(z.regex(/^[A-Za-z0-9+/]+={0,2}$/));
const NodeIdText = z.string().check(z.regex(/^[0-9a-f]{32}$/));
const AddressShape = z.object({ host: z.string().check(z.maxLength(64)), port: z.int().check(z.gte(1), z.lte(65_535)) });

const MembershipFile = z.object({
  format: z.literal(1),
  fleet: z.string(),
  overlay: z.string(),
  domain: z.string(),
  zone: z.string(),
  root: Base64,
  nodeId: NodeIdText,
  certificate: Base64,
  issuing: Base64,
  issuingKey: z.string(),
  formerSecret: z.optional(z.object({ secret: Base64, until: z.number() })),
});

const MembersFile = z
  .array(
    z.object({
      nodeId: NodeIdText,
      overlay: AddressShape,
      sip: AddressShape,
      zone: z.string().check(z.maxLength(255)),
      incarnation: z.int().check(z.gte(0)),
      software: z.string().check(z.maxLength(255)),
    }),
  )
  .check(z.maxLength(4_096));

export function serializeMembership({ enrolled, formerSecret: former, ...fleet }: FleetMembership): string {
  const file: z.infer<typeof MembershipFile> = {
    format: 1,
    fleet: fleet.fleetName,
    overlay: fleet.overlayName,
    domain: fleet.domain,
    zone: fleet.zone,
    root: base64(fleet.rootCertificate),
    nodeId: enrolled.nodeId,
    certificate: base64(enrolled.certificate),
    issuing: base64(enrolled.issuing.certificate),
    issuingKey: enrolled.issuing.privateKeyPem,
    ...(former === undefined ? {} : { formerSecret: { secret: base64(former.secret), until: former.until } }),
  };
  return `${JSON.stringify(file, undefined, 2)}\n`;
}

/** `undefined` if the text is not what `serializeMembership` writes. */
export function parseMembership(text: string): FleetMembership | undefined {
  const parsed = MembershipFile.safeParse(parseJson(text));
  if (!parsed.success) return undefined;
  const { fleet, overlay, domain, zone, root, nodeId, certificate, issuing, issuingKey, formerSecret } = parsed.data;
  return {
    fleetName: fleet,
    overlayName: overlay,
    domain,
    zone,
    rootCertificate: bytes(root),
    enrolled: {
      nodeId: nodeId as NodeId,
      certificate: bytes(certificate),
      issuing: { certificate: bytes(issuing), privateKeyPem: issuingKey },
    },
    ...(formerSecret === undefined ? {} : { formerSecret: { secret: bytes(formerSecret.secret), until: formerSecret.until } }),
  };
}

export const serializeMembers = (members: readonly PeerInfo[]): string => `${JSON.stringify(members, undefined, 1)}\n`;

/** `undefined` if the text is not what `serializeMembers` writes. */
export function parseMembers(text: string): readonly PeerInfo[] | undefined {
  const parsed = MembersFile.safeParse(parseJson(text));
  return parsed.success ? parsed.data.map((member) => ({ ...member, nodeId: member.nodeId as NodeId })) : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // cut short or overwritten: told by the schema
  }
}

const base64 = (content: Uint8Array): string => Buffer.from(content).toString("base64");
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "base64"));
