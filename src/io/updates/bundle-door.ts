// Gives bundles to the other boxes of the fleet: the peer's side, at its overlay port.

import { createReadStream, statSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { UPDATE_PATH } from "./bundle-fetch.ts";
import { isBundleId, shelfPath } from "./bundle-shelf.ts";

/** Boxes that fetch here at once; the others find those that have it by then. */
const AT_ONCE = 2;
/** Octets read at once: what is between is SIP's. */
const CHUNK_BYTES = 64 * 1_024;

export class BundleDoor {
  readonly #directory: string;
  #underWay = 0;

  /** `directory`: the data directory of the box. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  isFor({ method, url }: IncomingMessage): boolean {
    return method === "GET" && url?.startsWith(UPDATE_PATH) === true;
  }

  /** To a box that is believed. */
  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const id = request.url?.slice(UPDATE_PATH.length) ?? "";
    const bytes = isBundleId(id) ? sizeOf(shelfPath(this.#directory, id)) : undefined;
    if (bytes === undefined) return void response.writeHead(404).end();
    const start = /^bytes=(\d{1,15})-$/.exec(request.headers.range ?? "bytes=0-")?.[1];
    if (start === undefined || Number(start) >= bytes) return void response.writeHead(416, { "content-range": `bytes */${bytes}` }).end();
    if (this.#underWay >= AT_ONCE) return void response.writeHead(503, { "retry-after": "2" }).end();
    this.#underWay += 1;
    try {
      response.writeHead(206, { "content-type": "application/octet-stream", "content-length": bytes - Number(start), "content-range": `bytes ${start}-${bytes - 1}/${bytes}` });
      await pipeline(createReadStream(shelfPath(this.#directory, id), { start: Number(start), highWaterMark: CHUNK_BYTES }), response);
    } finally {
      this.#underWay -= 1;
    }
  }
}

function sizeOf(path: string): number | undefined {
  try {
    return statSync(path).size;
  } catch {
    return undefined; // it is not here
  }
}
