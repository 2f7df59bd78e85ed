// A bundle from a neighbor: HTTP GET over mutual TLS at its overlay port, from where it broke off last (RFC 9110 section 14).

import type { Address } from "../../base/address.ts";
import { describeSocketError } from "../link-connection.ts";
import type { OwnIdentity } from "../agent/own-identity.ts";
import { askMember } from "../member-request.ts";
import type { BundleShelf } from "./bundle-shelf.ts";

export const UPDATE_PATH = "/update/";
/** Nothing comes for so long: another neighbor is asked. */
const SILENT_MS = 10_000;

export interface FetchRequest {
  readonly identity: OwnIdentity;
  readonly from: Address;
  readonly id: string;
  /** Of the whole bundle; more is not taken. */
  readonly bytes: number;
  readonly shelf: BundleShelf;
  readonly signal: AbortSignal;
  readonly onProgress: (received: number) => void;
}

/** Until all is there. Resolves with why it broke off; `undefined`: it is all there, unchecked. */
export async function fetchBundle(request: FetchRequest): Promise<string | undefined> {
  const { shelf, id, bytes } = request;
  const offset = Math.min(shelf.received(id), bytes);
  if (offset === bytes) return undefined;
  try {
    const { membership, privateKeyPem, trust } = request.identity;
    const headers = { range: `bytes=${offset}-` };
    const response = await askMember({ address: request.from, membership, privateKeyPem, trust, method: "GET", path: `${UPDATE_PATH}${id}`, headers, signal: request.signal, silence: SILENT_MS });
    if (response.statusCode !== 206) {
      response.destroy();
      return response.statusCode === 503 ? "it gives it to others just now" : `it answered ${response.statusCode}`;
    }
    const file = shelf.open(id, offset);
    let received = offset;
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        if (received + chunk.length > bytes) return "it sent more than there is";
        file.write(chunk);
        received += chunk.length;
        request.onProgress(received);
      }
    } finally {
      file.close();
    }
    return received === bytes ? undefined : "it broke off";
  } catch (error) {
    return error instanceof Error ? describeSocketError(error) : String(error);
  }
}
