// Whether two URIs are equivalent by RFC 3261 19.1.4.
import type { Uri } from "./uri.ts";
export declare function sameUri(a: Uri, b: Uri): boolean;
/** Equal for equivalent URIs as far as a string can say it: a key for a map, to be followed by `sameUri`. */
export declare function uriKey(uri: Uri): string;
