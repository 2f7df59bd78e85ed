import type { NodeId } from "../overlay/ports.ts";
import type { Credential } from "./pki.ts";

/** What makes a box a member: its place on the ring, its certificate (DER), and the means to admit others. */
export interface Enrolled {
  /** The configuration document that the admitting member or the ticket brought. */
  readonly document?: Uint8Array | undefined;
  readonly nodeId: NodeId;
  readonly certificate: Uint8Array;
  readonly issuing: Credential;
}
