import type { Address } from "../base/address.ts";
import type { Announcement } from "../provision/admission.ts";

/** Announces this box and hears others on every IPv4 link. What it hears is a rumor. */
export declare class Mdns {
  constructor(settings: {
    readonly announcement: Announcement;
    /** The overlay port. */
    readonly port: number;
    readonly software: string;
    /** Only this local address; `undefined`: every link. */
    readonly listen: string | undefined;
    readonly onHeard: (address: Address, announcement: Announcement) => void;
    readonly onUnheard: (address: Address, announcement: Announcement) => void;
    readonly onReport: (level: "debug" | "info" | "warning", text: string) => void;
  });
  open(): void;
  /** Announces a new state. */
  announce(announcement: Announcement): void;
  /** Says goodbye. */
  close(): Promise<void>;
}
