// Credentials for a TURN server that this fleet and it reckon by themselves, from a secret that both have: what coturn
// calls its REST scheme. Nobody is stored anywhere, and what a phone has ends by itself.

import type { Crypto } from "../../base/crypto.ts";
import { fromOctets } from "../../base/bytes.ts";
import { toBase64 } from "../../base/base64.ts";
import { hours, seconds, type WallTime, wallAfter } from "../../base/time.ts";
import type { NameAndValue } from "../message/build.ts";
import type { Flow, TurnServer } from "../ports.ts";

/** Longer than a registration: with each REGISTER come new ones. */
const CREDENTIALS_LIVE = hours(4);

/**
 * Told to a phone that has just proved itself, and over TLS alone: `Ringbox-Turn: <turn:HOST:PORT>;username="…";
 * credential="…";ttl=SECONDS`.
 */
export function turnField(crypto: Crypto, { server, secret }: TurnServer, wall: WallTime, aor: string, { transport }: Flow): NameAndValue | undefined {
  if (transport !== "tls" && transport !== "wss") return undefined;
  const username = `${Math.floor(wallAfter(wall, CREDENTIALS_LIVE) / 1_000)}:${aor.replaceAll('"', "").replaceAll("\\", "")}`;
  const credential = toBase64(crypto.hmacSha1(fromOctets(secret), fromOctets(username)));
  return ["Ringbox-Turn", `<turn:${server}>;username="${username}";credential="${credential}";ttl=${Math.floor(CREDENTIALS_LIVE / seconds(1))}`];
}
