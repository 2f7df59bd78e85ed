// The keys of the boxes this one has met, by Node-ID: when the issuing credential is renewed, these are the
// boxes that may go on with their old certificates until they have new ones. On disk as `boxes.json`.

import * as z from "zod/mini";
import { BoundedMap } from "../base/bounded-map.ts";
import type { KeptBox } from "../overlay/configuration/document.ts";
import type { NodeId } from "../overlay/ports.ts";
import { keyHashOf, readCertificate } from "./trust.ts";

/** The oldest makes room: it would have to enroll anew after a renewal. */
const MAX_KNOWN = 512;

const BoxesFile = z
  .array(z.object({ nodeId: z.string().check(z.regex(/^[0-9a-f]{32}$/)), key: z.string().check(z.regex(/^[0-9a-f]{64}$/)) }))
  .check(z.maxLength(MAX_KNOWN));

export class KnownBoxes {
  readonly #keys = new BoundedMap<NodeId, string>(MAX_KNOWN, "evict");
  readonly #save: (text: string) => void;

  constructor(text: string | undefined, save: (text: string) => void) {
    this.#save = save;
    for (const { nodeId, key } of parseBoxes(text)) this.#keys.set(nodeId as NodeId, key);
  }

  get boxes(): readonly KeptBox[] {
    return [...this.#keys].map(([nodeId, key]) => ({ nodeId, key }));
  }

  /** These, and the boxes of such certificates (DER): what others have met, and this box has not. Those met come first. */
  with(certificates: readonly Uint8Array[], nodeIdOf: (certificate: Uint8Array) => NodeId | undefined): readonly KeptBox[] {
    const boxes = new Map(this.#keys);
    for (const der of certificates) {
      const [nodeId, certificate] = [nodeIdOf(der), readCertificate(der)];
      if (nodeId !== undefined && certificate !== undefined && !boxes.has(nodeId)) boxes.set(nodeId, keyHashOf(certificate));
    }
    return [...boxes].slice(0, MAX_KNOWN).map(([nodeId, key]) => ({ nodeId, key }));
  }

  /** A box whose certificate (DER) was believed. */
  met(nodeId: NodeId, certificate: Uint8Array): void {
    const read = readCertificate(certificate);
    const key = read === undefined ? undefined : keyHashOf(read);
    if (key === undefined || this.#keys.get(nodeId) === key) return;
    this.#keys.set(nodeId, key);
    this.#save(`${JSON.stringify(this.boxes, undefined, 1)}\n`);
  }
}

function parseBoxes(text: string | undefined): z.infer<typeof BoxesFile> {
  try {
    const parsed = BoxesFile.safeParse(JSON.parse(text ?? "[]"));
    return parsed.success ? parsed.data : [];
  } catch {
    return []; // damaged: the boxes are met again
  }
}
