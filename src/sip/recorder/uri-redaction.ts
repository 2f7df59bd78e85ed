// What is secret in a SIP URI: the password of its user part, a flow token (whoever has it may send along that flow), a
// temporary GRUU, the token by which a telephone is woken (RFC 8599), header fields that it carries.

import { looksLikeFlowToken } from "../flow-token.ts";
import { unescapeUser } from "../message/uri.ts";
import { lowerCase } from "../message/scan.ts";

export const REMOVED = "(removed)";

const SECRET_PARAMETERS = ["pn-prid=", "pn-purr="];

/** A text in which URIs stand, with its secrets replaced. Linear. `ofRoutes`: their users are no people, but tokens of whoever wrote them. */
export function redactUris(text: string, ofRoutes = false): string {
  const withUsers = text.includes("@") ? redactUsers(text, ofRoutes) : text;
  const withParameters = withUsers.includes("pn-") || withUsers.includes("PN-") ? SECRET_PARAMETERS.reduce(redactParameter, withUsers) : withUsers;
  return withParameters.includes("?") ? redactHeaders(withParameters) : withParameters;
}

function redactUsers(text: string, ofRoutes: boolean): string {
  let redacted = "";
  let from = 0;
  for (let at = text.indexOf("@"); at >= 0; at = text.indexOf("@", at + 1)) {
    const start = userStart(text, from, at);
    if (start < 0) continue;
    redacted += text.slice(from, start) + (ofRoutes ? REMOVED : redactedUser(text.slice(start, at)));
    from = at;
  }
  return redacted + text.slice(from);
}

/** After the scheme of the URI whose user part ends at `end`; -1: there is none. */
function userStart(text: string, from: number, end: number): number {
  let at = end;
  while (at > from && !endsUser(text.charCodeAt(at - 1))) at--;
  const before = lowerCase(text.slice(at, end));
  const [plain, secure] = [before.indexOf("sip:"), before.indexOf("sips:")];
  if (secure >= 0 && (plain < 0 || secure < plain)) return at + secure + 5;
  return plain < 0 ? -1 : at + plain + 4;
}

/** Blank, `"`, `<`, `>`: in no user part, but before one. */
const endsUser = (code: number): boolean => code <= 0x20 || code === 0x22 || code === 0x3c || code === 0x3e;

function redactedUser(user: string): string {
  const colon = user.indexOf(":");
  const name = colon < 0 ? user : user.slice(0, colon);
  return (isCapability(name) ? REMOVED : name) + (colon < 0 ? "" : `:${REMOVED}`);
}

const isCapability = (name: string): boolean => unescapeUser(name).startsWith("tgruu.") || looksLikeFlowToken(name);

function redactParameter(text: string, name: string): string {
  const lower = lowerCase(text);
  let redacted = "";
  let from = 0;
  for (let at = lower.indexOf(name); at >= 0; at = lower.indexOf(name, at + name.length)) {
    const start = at + name.length;
    redacted += text.slice(from, start) + REMOVED;
    from = start;
    while (from < text.length && !endsParameter(text.charCodeAt(from))) from++;
  }
  return redacted + text.slice(from);
}

/** `;`, `>`, `,`, `"`, `?`, blanks. */
const endsParameter = (code: number): boolean => code <= 0x20 || code === 0x3b || code === 0x3e || code === 0x2c || code === 0x22 || code === 0x3f;

function redactHeaders(text: string): string {
  let redacted = "";
  let from = 0;
  for (let at = text.indexOf("?"); at >= 0; at = text.indexOf("?", Math.max(from, at + 1))) {
    redacted += `${text.slice(from, at + 1)}${REMOVED}`;
    from = at + 1;
    while (from < text.length && !endsUser(text.charCodeAt(from))) from++;
  }
  return redacted + text.slice(from);
}
