// The 374 messages of the JAIN-SIP torture collection. Its verdicts are about syntax; where ours differ, the reason is here.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { readMessage } from "../../../src/sip/message/parse.ts";
import { readOctets } from "../../support/octets.ts";
import { sharedPath } from "../../support/shared.ts";

interface Entry {
  readonly file: string;
  readonly description: string;
  readonly jain_expects_parse_error: boolean;
}

const DIFFERENT: ReadonlyMap<string, string> = new Map([
  ["007.sip", "an unknown scheme in the Request-URI is well formed: 416, RFC 4475 3.3.2"],
  ["014.sip", "spaces inside <>, and a blank in the empty line: RFC 4475 3.1.2.14 prefers 400"],
  ["015.sip", "spaces inside <>: RFC 4475 3.1.2.14 prefers 400"],
  ["018.sip", "a fold between a header name and its colon, which RFC 3261's HCOLON does not have"],
  ["024.sip", "an unknown method is forwarded like any other (RFC 3261 16.3)"],
  ["025.sip", "a response without From, To and Call-ID matches no transaction"],
  ["130.sip", "a fold inside a URI"],
  ["204.sip", "a fold inside a URI"],
  ["333.sip", "the empty line before the second message is missing, so Content-Length occurs twice"],
  ["338.sip", "the file writes the space behind the status as an XML element"],
  ["350.sip", "a Date is nobody's business on its way"],
  ["358.sip", "RFC 4475 3.2.1: 400 preferred"],
  ["366.sip", "RFC 4475 3.3.8: 400"],
]);

const indexPath = sharedPath("corpora/jsip-torture/index.json");
const index: readonly Entry[] = indexPath === undefined ? [] : JSON.parse(readFileSync(indexPath, "utf8"));

/** Syntax alone: an unknown scheme is well formed. */
function isWellFormed(octets: string): boolean {
  const read = readMessage(octets);
  return read.ok || (read.fault.type === "rejected" && read.fault.status === 416);
}

test("all 374 messages are there", { skip: indexPath === undefined ? "needs ../shared/corpora" : false }, () => {
  assert.equal(index.length, 374);
});

for (const { file, description, jain_expects_parse_error } of index) {
  const wanted = DIFFERENT.has(file) ? jain_expects_parse_error : !jain_expects_parse_error;
  test(`${file} ${description.slice(0, 60)}: ${wanted ? "well formed" : "malformed"}`, () => {
    const octets = readOctets(sharedPath(`corpora/jsip-torture/${file}`) ?? "");
    assert.equal(isWellFormed(octets), wanted);
  });
}
