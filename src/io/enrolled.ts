import type { NodeId } from "../overlay/ports.ts";
import type { Credential } from "./pki.ts";

/** What makes a box a member: its place on the ring, its certificate (DER), and the means to admit others. */
export interface Enrolled {
  readonly nodeId: NodeId;
  readonly certificate: Uint8Array;
  readonly issuing: Credential;
}
