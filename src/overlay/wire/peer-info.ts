// PeerInfo as the contents of a message extension (`EXTENSION.peer_info`) of Attach.

import type { Result } from "../../base/result.ts";
import type { PeerInfo } from "../ports.ts";
import type { WireFault } from "./wire-fault.ts";

export declare function encodePeerInfo(info: PeerInfo): Uint8Array;
export declare function decodePeerInfo(bytes: Uint8Array): Result<PeerInfo, WireFault>;
