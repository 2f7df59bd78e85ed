import type { PeerInfo } from "../overlay/ports.ts";
import type { Enrolled } from "./enrollment.ts";

/** A data directory that cannot be used; the message is a sentence for the operator. */
export declare class DataDirectoryError extends Error {}

/** What a box knows of its fleet after enrollment: `fleet.json`. */
export interface FleetMembership {
  readonly fleetName: string;
  readonly overlayName: string;
  readonly domain: string;
  readonly zone: string;
  /** DER. */
  readonly rootCertificate: Uint8Array;
  readonly enrolled: Enrolled;
}

export declare class DataDirectory {
  constructor(path: string);
  readonly path: string;
  /** Makes the directory and takes its lock. Throws `DataDirectoryError`. */
  open(): void;
  /** This box's private key (PKCS #8 PEM), made at the first call. */
  identityKey(): string;
  /** `undefined`: not enrolled yet. Throws `DataDirectoryError` if the files are damaged. */
  membership(): FleetMembership | undefined;
  saveMembership(membership: FleetMembership): void;
  /** Rises by one with each call; at most one call a start. */
  nextIncarnation(): number;
  members(): readonly PeerInfo[];
  saveMembers(members: readonly PeerInfo[]): void;
  /** Atomic: the old content or the new one, never a part. */
  replaceFile(name: string, content: string | Uint8Array, mode?: number): void;
  close(): void;
}
