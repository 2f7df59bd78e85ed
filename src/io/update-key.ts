// The update key of a fleet: what signs bundles. The fleet's root key signs it once, so that both can be kept in
// different places, and the update key's file is all that is needed to make a bundle.

import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { fault, ok, type Result } from "../base/result.ts";
import {
  keySignatureInput, manifestSignatureInput, parseKeyStatement, serializeKeyStatement, serializeManifest, type Signed, type UpdateManifest,
} from "../provision/update-bundle.ts";
import { NodeCrypto } from "./crypto.ts";
import { FleetError, readFleetTicket } from "./fleet.ts";
import { makePrivateKey } from "./pki.ts";

const BEGIN = "-----BEGIN RINGBOX UPDATE KEY-----";
const END = "-----END RINGBOX UPDATE KEY-----";

export interface UpdateKeyRequest {
  readonly rootKeyPem: string;
  readonly fleetTicket: string;
  /** Whole seconds since 1970. */
  readonly made: number;
}

/** A new update key for a fleet: PKCS #8 PEM with the root key's statement behind it. Throws `FleetError`. */
export function createUpdateKey(request: UpdateKeyRequest): string {
  const { overlayName } = readFleetTicket(request.fleetTicket, request.rootKeyPem);
  const privateKeyPem = makePrivateKey();
  const publicKey = createPublicKey(privateKeyPem).export({ type: "spki", format: "der" });
  const content = serializeKeyStatement({ fleet: overlayName, made: request.made, publicKey });
  const signature = sign("sha256", keySignatureInput(content), createPrivateKey(request.rootKeyPem));
  const words = [content, signature].map((bytes) => Buffer.from(bytes).toString("base64"));
  return `${privateKeyPem}${BEGIN}\n${words.join("\n")}\n${END}\n`;
}

export interface UpdateKey {
  /** Overlay name of its fleet. */
  readonly fleet: string;
  /** When it was made, whole seconds since 1970; 0: it does not say. */
  readonly made: number;
  readonly statement: Signed;
  readonly privateKey: KeyObject;
}

/** The key in the text of its file. Throws `FleetError` if it is none. */
export function readUpdateKey(text: string): UpdateKey {
  if (!text.includes(BEGIN)) throw new FleetError("this is not an update key");
  const lines = text.split("\n").map((line) => line.trim());
  const [content, signature] = lines.slice(lines.indexOf(BEGIN) + 1, lines.indexOf(END)).map((line) => Buffer.from(line, "base64"));
  if (content === undefined || signature === undefined) throw new FleetError("this is not an update key");
  const statement = parseKeyStatement(content);
  if (!statement.ok) throw new FleetError(statement.fault);
  try {
    const privateKey = createPrivateKey(text.slice(0, text.indexOf(BEGIN)));
    if (publicKeyOf(statement.value.publicKey)?.equals(createPublicKey(privateKey)) !== true) throw new FleetError("the update key and what is said of it do not belong together");
    return { fleet: statement.value.fleet, made: statement.value.made, statement: { content, signature }, privateKey };
  } catch (error) {
    if (error instanceof FleetError) throw error;
    throw new FleetError("the update key's file does not hold a private key");
  }
}

export function signManifest(manifest: UpdateManifest, { privateKey }: UpdateKey): Signed {
  const content = serializeManifest(manifest);
  return { content, signature: sign("sha256", manifestSignatureInput(content), privateKey) };
}

/** Whether the fleet's root signed the key and the key the manifest; if so, when the key was made, whole seconds since 1970. */
export function checkSignatures(
  { key, manifest }: { readonly key: Signed; readonly manifest: Signed },
  fleet: { readonly overlayName: string; readonly rootCertificate: Uint8Array },
): Result<number, string> {
  const crypto = new NodeCrypto(undefined);
  if (!crypto.verify(fleet.rootCertificate, keySignatureInput(key.content), key.signature)) return fault("the bundle is not signed by an update key of this fleet");
  const statement = parseKeyStatement(key.content);
  if (!statement.ok) return statement;
  if (statement.value.fleet !== fleet.overlayName) return fault("the bundle's update key is for another fleet");
  const publicKey = publicKeyOf(statement.value.publicKey);
  const holds = publicKey !== undefined && verify("sha256", manifestSignatureInput(manifest.content), publicKey, manifest.signature);
  return holds ? ok(statement.value.made) : fault("the bundle's manifest is not what the update key signed");
}

function publicKeyOf(der: Uint8Array): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: Buffer.from(der), type: "spki", format: "der" });
    return key.asymmetricKeyDetails?.namedCurve === "prime256v1" ? key : undefined;
  } catch {
    return undefined; // no key: the other side's fault, its signature does not hold
  }
}
