import { parseNameAddress } from "../message/name-address.ts";
import { addressOfRecord, isSipUri } from "../message/uri.ts";
import type { Subscription } from "../ports.ts";

/** The AoR of whoever subscribed, as his From has it; "" if it has none. */
export function watcherOf({ remote }: Pick<Subscription, "remote">): string {
  const uri = parseNameAddress(remote)?.uri;
  return uri !== undefined && isSipUri(uri) ? (addressOfRecord(uri) ?? "") : "";
}
