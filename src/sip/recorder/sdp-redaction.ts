// A session description without keys and passwords (RFC 8866, 4568, 8839, 4567): what media was agreed on stays.

import { DIGIT, isAll, lowerCase, TOKEN } from "../message/scan.ts";
import { REMOVED } from "./uri-redaction.ts";

/** Line types that say what media goes where. `k` is a key; `i`, `u`, `e`, `p` are words about people. */
const KEPT_LINES = "vosctmbrz";

/** Attributes without secrets; of all others the name stays. */
const KEPT_ATTRIBUTES: ReadonlySet<string> = new Set([
  "candidate", "charset", "connection", "content", "cat", "end-of-candidates", "extmap", "extmap-allow-mixed", "fingerprint", "fmtp", "framerate",
  "group", "ice-lite", "ice-options", "ice-ufrag", "inactive", "label", "lang", "maxptime", "maxprate", "mid", "msid", "msid-semantic", "orient",
  "ptime", "quality", "recvonly", "remote-candidates", "rtcp", "rtcp-fb", "rtcp-mux", "rtcp-rsize", "rtpmap", "sendonly", "sendrecv", "setup",
  "silencesupp", "sqn", "ssrc", "ssrc-group", "t38faxfillbitremoval", "t38faxmaxbuffer", "t38faxmaxdatagram", "t38faxratemanagement",
  "t38faxtranscodingjbig", "t38faxtranscodingmmr", "t38faxudpec", "t38faxversion", "t38maxbitrate", "tls-id", "tool",
]);

/** Above it a description is cut: a telephone's has some thirty. */
const SDP_LINES_MAX = 300;

/** Octets to octets, line by line. */
export function redactSdp(body: string): string {
  const lines = body.split("\n", SDP_LINES_MAX + 1);
  const isCut = lines.length > SDP_LINES_MAX;
  const shown = lines.slice(0, SDP_LINES_MAX).map((line) => redactedLine(line.endsWith("\r") ? line.slice(0, -1) : line));
  return shown.join("\r\n") + (isCut ? "\r\n(cut)" : "");
}

function redactedLine(line: string): string {
  if (line === "") return "";
  const isTyped = line.charCodeAt(1) === 0x3d;
  if (!isTyped) return REMOVED;
  if (line.startsWith("a=")) return redactedAttribute(line);
  return KEPT_LINES.includes(line.charAt(0)) ? line : `${line.slice(0, 2)}${REMOVED}`;
}

function redactedAttribute(line: string): string {
  const colon = line.indexOf(":");
  const name = lowerCase(line.slice(2, colon < 0 ? line.length : colon));
  if (KEPT_ATTRIBUTES.has(name)) return line;
  if (name === "crypto") return redactedCrypto(line);
  return colon < 0 ? line : `${line.slice(0, colon + 1)}${REMOVED}`;
}

/** RFC 4568: tag and suite say what was agreed on; what follows is the key. */
function redactedCrypto(line: string): string {
  const [head = "", suite = ""] = line.split(" ", 2);
  const tag = head.slice("a=crypto:".length);
  const isSound = isAll(tag, 0, tag.length, DIGIT) && suite.length <= LONGEST_SUITE && isAll(suite, 0, suite.length, TOKEN);
  return isSound ? `${head} ${suite} ${REMOVED}` : `a=crypto:${REMOVED}`;
}

/** AES_256_CM_HMAC_SHA1_80 and its like. */
const LONGEST_SUITE = 32;
