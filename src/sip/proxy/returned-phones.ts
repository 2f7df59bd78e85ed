// A phone on a connection whose box died while it rang answers over another one (RFC 3261 18.2.2), to whoever has the
// address then. What follows in that dialog carries the token of the connection that is dead, and finds it here.

import { BoundedMap } from "../../base/bounded-map.ts";
import { CORE_LIMITS } from "../limits.ts";
import type { ValidRequest, ValidResponse } from "../message/message.ts";
import type { Flow } from "../ports.ts";
import type { Transport } from "../transport/transport.ts";

export class ReturnedPhones {
  /** By Call-ID and the phone's tag. */
  readonly #flows = new BoundedMap<string, Flow>(CORE_LIMITS.returnedPhones, "evict");

  /** A response to an INVITE of a dead box, which a mark of the fleet has shown to be one. */
  answered({ callId, toTag, status }: ValidResponse, flow: Flow): void {
    if (flow.transport !== "udp" && status >= 200 && status < 300) this.#flows.set(`${callId} ${toTag}`, flow);
  }

  /** The phone's connection now, for a request to it in that dialog. */
  find({ callId, toTag }: ValidRequest, transport: Transport): Flow | undefined {
    const flow = this.#flows.get(`${callId} ${toTag}`);
    return flow === undefined ? undefined : transport.alive(flow);
  }
}
