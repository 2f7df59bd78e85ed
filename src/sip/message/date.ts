// SIP-date (RFC 3261 20.17): `Sat, 13 Nov 2010 23:29:00 GMT`.
import type { WallTime } from "../../base/time.ts";
export declare function formatDate(wall: WallTime): string;
