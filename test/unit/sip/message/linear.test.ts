// Twice as long costs at most two and a half times as much, for every scanner that sees what comes from outside, and whatever comes: 32
// and 64 kB, counted in characters looked at, not in time.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parseDigestCredentials } from "../../../../src/sip/message/digest.ts";
import { parseNameAddress } from "../../../../src/sip/message/name-address.ts";
import { parseMessage } from "../../../../src/sip/message/parse.ts";
import { StreamFramer } from "../../../../src/sip/message/stream-framer.ts";
import { parseUri } from "../../../../src/sip/message/uri.ts";
import { parseVia } from "../../../../src/sip/message/via.ts";
import { countCharacters } from "../../../support/count-characters.ts";
import { inviteMessage } from "../../../support/sip-messages.ts";

/** Octets; with its other fields a message of the second length is still within the bound of a header section. */
const [SHORT, LONG] = [31_500, 63_000];
const GROWS_BY = 2.5;
/** Beside what a fixed start costs. */
const FEW = 200;

const frame = (octets: string, piece: number): void => {
  const framer = new StreamFramer();
  for (let at = 0; at < octets.length; at += piece) framer.push(octets.slice(at, at + piece));
};
const inField = (name: string) => (value: string): void => {
  const parsed = parseMessage(inviteMessage([`${name}: ${value}`]));
  if (parsed.ok) void [parsed.value.contacts, parsed.value.vias, parsed.value.routes, parsed.value.header(name), parsed.value.list(name)];
};
const SCANNERS: Readonly<Record<string, (text: string) => void>> = {
  message: (text) => void parseMessage(text),
  "framer, whole": (text) => frame(text, text.length),
  "framer, in pieces of 7": (text) => frame(text, 7),
  "a field": inField("Subject"),
  Contact: inField("Contact"),
  "Contact, alone": (text) => void parseNameAddress(text),
  Via: inField("Via"),
  "Via, alone": (text) => void parseVia(text),
  URI: (text) => void parseUri(text),
  digest: (text) => void parseDigestCredentials(text),
};
const repeated = (start: string, piece: string) => (length: number): string => start + piece.repeat(Math.ceil(length / piece.length));
const TEXTS: Readonly<Record<string, (length: number) => string>> = {
  letters: repeated("", "x"), blanks: repeated("", " "), tabs: repeated("x", "\t"), quotes: repeated("", '"'), "open quotes": repeated('"', "a"), backslashes: repeated('"', "\\"), brackets: repeated("", "<"), "open bracket": repeated("<", "a"),
  commas: repeated("", ","), semicolons: repeated("sip:a", ";a=b"), equals: repeated("sip:a;b", "="), escapes: repeated("sip:", "%41"), "bad escapes": repeated("sip:", "%"), "at signs": repeated("sip:", "@"), colons: repeated("sip:[", ":"),
  dots: repeated("sip:a@", "a."), headers: repeated("sip:a?", "a=b&"), "a URI and blanks": repeated("<sip:a@b>", " \t"), vias: repeated("SIP/2.0/UDP ", "a;branch=z9hG4bK,SIP/2.0/UDP "), "via parameters": repeated("SIP/2.0/UDP a", ";a"), "via blanks": repeated("SIP", " / "),
  credentials: repeated("Digest ", 'a="b",'), "open credentials": repeated('Digest a="', "b\\\\"), "credentials of blanks": repeated("Digest ", " , "), "line ends": repeated("", "\r\n"), folds: repeated("x", "\r\n "), "bare CR": repeated("", "\r"), "bare LF": repeated("", "\n"), zeros: repeated("", "\0"), "high octets": repeated("", "\xff"),
  "start lines": repeated("", "INVITE sip:a SIP/2.0\r\n"), fields: repeated("INVITE sip:a SIP/2.0\r\n", "a:b\r\n"), "lengths": repeated("INVITE sip:a SIP/2.0\r\n", "l:0\r\n"),
};

for (const [scanner, scan] of Object.entries(SCANNERS)) {
  suite(`twice as long costs at most two and a half times as much: ${scanner}`, () => {
    for (const [name, text] of Object.entries(TEXTS)) {
      test(name, () => {
        const [short, long] = [SHORT, LONG].map((length) => {
          const made = text(length);
          return countCharacters(() => scan(made));
        });
        assert.ok(short !== undefined && long !== undefined && long <= GROWS_BY * short + FEW, `${short} for ${SHORT} octets, ${long} for ${LONG}`);
      });
    }
  });
}

test("the measure sees a scanner that begins anew at each character", () => {
  const careless = (text: string): void => {
    for (let at = 0; at < text.length; at += 50) text.slice(at).indexOf("never");
  };
  const [short, long] = [SHORT, LONG].map((length) => countCharacters(() => careless("x".repeat(length))));
  assert.ok((long ?? 0) > GROWS_BY * (short ?? 0));
});
