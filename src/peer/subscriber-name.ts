import { isProofUser } from "../sip/auth/proof-user.ts";

/** RFC 3261 section 25.1: unreserved and user-unreserved that need no escape and no thought. */
const CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()&=+$,/";

export const SUBSCRIBER_NAME_MAX = 64;

/** Why a name cannot be a subscriber's, in one sentence; `undefined` if it can. */
export function nameProblem(name: string): string | undefined {
  if (name.length === 0 || name.length > SUBSCRIBER_NAME_MAX) {
    return `A subscriber's name has 1 to ${SUBSCRIBER_NAME_MAX} characters.`;
  }
  if (isProofUser(name)) return "Names that begin like this are kept for trial calls.";
  for (const character of name) {
    if (!CHARACTERS.includes(character)) return `${JSON.stringify(character)} cannot be in a subscriber's name.`;
  }
  return undefined;
}
