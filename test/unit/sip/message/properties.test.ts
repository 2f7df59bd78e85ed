// What holds for every input: nothing is thrown, nothing is lost, and work grows with length alone.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { ackTo, cancelOf, responseTo } from "../../../../src/sip/message/build.ts";
import { RequestEdit, ResponseEdit } from "../../../../src/sip/message/edit.ts";
import type { SipMessage, SipRequest, SipResponse } from "../../../../src/sip/message/message.ts";
import { parseMessage, readMessage } from "../../../../src/sip/message/parse.ts";
import { StreamFramer } from "../../../../src/sip/message/stream-framer.ts";
import { addressOfRecord, isSipUri } from "../../../../src/sip/message/uri.ts";
import { sameUri } from "../../../../src/sip/message/uri-compare.ts";
import { validateRegister } from "../../../../src/sip/message/validate.ts";
import { countCharacters } from "../../../support/count-characters.ts";
import { readOctets } from "../../../support/octets.ts";
import { sharedPath } from "../../../support/shared.ts";
import { inviteMessage, message as messageOf, registerMessage } from "../../../support/sip-messages.ts";

/** Asks a message for everything it can be asked for, and makes everything of it that can be made. */
function exercise(octets: string): void {
  const parsed = parseMessage(octets);
  const whole = parsed.ok ? parsed.value : parsed.fault.type === "rejected" ? parsed.fault.request : undefined;
  if (whole === undefined) return;
  askEverything(whole);
  if (whole.type === "response") new ResponseEdit(whole).popVia().set("x", "y").setContentLength().response().octets;
  else makeEverything(whole);
  const read = readMessage(octets);
  if (read.ok && read.value.type === "request") validateRegister(read.value);
}

function askEverything(message: SipMessage): void {
  const uris = [message.from, message.to, ...(message.routes ?? []), ...(message.paths ?? [])].flatMap((address) => address?.uri ?? []);
  if (Array.isArray(message.contacts)) uris.push(...message.contacts.map((contact) => contact.uri));
  for (const uri of uris) {
    assert(sameUri(uri, uri));
    if (isSipUri(uri)) addressOfRecord(uri);
  }
  void [message.vias, message.topVia, message.recordRoutes, message.cseq, message.callId, message.expires, message.supported, message.require];
  void [message.contentLength, message.maxForwards, message.proxyRequire, message.header("subject"), message.octets];
}

function makeEverything(request: SipRequest): void {
  void [request.uri, request.authorization, request.proxyAuthorization];
  const answer = responseTo(request, 400, "", { toTag: "t" });
  assert(parseMessage(answer.octets).ok, "an answer is well formed");
  void [ackTo(request, answer).octets, cancelOf(request).octets];
  request.stampReceived({ host: "192.0.2.1", port: 5060 });
  const edit = new RequestEdit(request).setUri("sip:x").pushVia("SIP/2.0/UDP b").setMaxForwards(3).removeFirstRoute().removeLastRoute();
  void edit.pushRoute("<sip:r>").appendRoute("<sip:s>").pushRecordRoute("<sip:rr>").pushPath("<sip:p>").remove("contact").request().octets;
}

const corpus: readonly string[] = [
  registerMessage(),
  inviteMessage(["Contact: <sip:a@b>;q=0.5", "Route: <sip:p;lr>, <sip:q;lr>", "Content-Length: 3"], "abc"),
  messageOf(["SIP/2.0 200 OK", "Via: SIP/2.0/UDP a;branch=z9hG4bKx, SIP/2.0/TCP [::1]:9", "f: <sip:a>;tag=1", "t: <sip:b>;tag=2", "i: c", "CSeq: 1 BYE"]),
  ...["corpora/rfc4475", "corpora/rfc5118-wire"].flatMap((folder) => {
    const path = sharedPath(folder);
    return path === undefined ? [] : readdirSync(path).sort().map((file) => readOctets(`${path}/${file}`));
  }),
];

test("any octets are read without an exception", () => {
  const octet = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code));
  fc.assert(fc.property(fc.string({ unit: octet, maxLength: 300 }), exercise), { numRuns: 1_000 });
});

test("messages with a piece changed, cut out, doubled or moved are read without an exception", () => {
  const odd = fc.constantFrom("\0", "\r", "\n", "\r\n", "\r\n ", " ", "\t", ",", ";", ";;", ":", "<", ">", '"', "\\", "%", "%4", "@", "?", "*", "[", "]", "=", "\xff", "999999999999", "-1", "SIP/2.0");
  fc.assert(
    fc.property(fc.constantFrom(...corpus), fc.array(fc.tuple(fc.nat(), fc.nat({ max: 12 }), odd), { minLength: 1, maxLength: 6 }), (octets, changes) => {
      let changed = octets;
      for (const [where, length, text] of changes) {
        const at = where % (changed.length + 1);
        changed = changed.slice(0, at) + text + changed.slice(at + length);
      }
      exercise(changed);
      new StreamFramer().push(changed);
    }),
    { numRuns: 3_000 },
  );
});

const token = fc.string({ unit: fc.constantFrom(..."abcXYZ019-.!%*_+`'~"), minLength: 1, maxLength: 12 });
const value = fc.string({ unit: fc.constantFrom(..."ab 09,;:<>\"@\xe9\x7f()=%"), maxLength: 30 }).map((text) => text.trim());
const fields = fc.array(fc.tuple(token.map((name) => `X-${name}`), value), { maxLength: 20 });

test("a message written and read again is the same", () => {
  fc.assert(
    fc.property(fields, fc.string({ unit: fc.constantFrom(..."ab\0\r\n\xff"), maxLength: 50 }), (some, body) => {
      const octets = inviteMessage([...some.map(([name, text]) => `${name}: ${text}`), `Content-Length: ${body.length}`], body);
      const first = readMessage(octets);
      assert(first.ok);
      assert.equal(first.value.octets, octets);
      const edited = new RequestEdit(first.value as SipRequest).setMaxForwards(69).request();
      const again = readMessage(edited.octets);
      assert(again.ok);
      assert.equal(again.value.octets, edited.octets);
      assert.deepEqual(facts(again.value), facts(edited));
      assert.deepEqual(some.map(([name]) => again.value.header(name)), some.map(([name]) => first.value.header(name)));
    }),
  );
});

const facts = (message: SipRequest | SipResponse): unknown => ({
  start: message.type === "request" ? [message.method, message.uriText] : [message.status, message.reason],
  fields: message.fields.map((field) => [field.name, field.value]),
  body: message.body,
  views: [message.vias, message.from, message.to, message.callId, message.cseq, message.contacts, message.routes, message.maxForwards],
});

/** Inputs of about `length` octets that would make a careless scanner look again and again. */
const SHAPES: Readonly<Record<string, (length: number) => string>> = {
  "one long value": (length) => inviteMessage([`Subject: ${"x".repeat(length)}`]),
  "LF without CR": (length) => inviteMessage(new Array<string>(250).fill(`X: ${"y".repeat(length / 250)}`).map((line, i) => `X${i}-${line}`)).replaceAll("\r\n", "\n"),
  "many short fields": (length) => "\n".repeat(2) + inviteMessage([]).replace("\r\n\r\n", `\r\n${"a: b\r\n".repeat(length / 6)}\r\n`),
  "bare CRs": (length) => inviteMessage([`X: ${"\r".repeat(length)}`]),
  "folds": (length) => inviteMessage([`Contact: ${"\r\n ".repeat(length / 3)}<sip:a>`]),
  "open angle brackets": (length) => inviteMessage([`Contact: ${"<".repeat(length)}`]),
  "open quotes": (length) => inviteMessage([`Contact: ${'"a'.repeat(length / 2)}`]),
  "backslashes": (length) => inviteMessage([`Contact: "${"\\".repeat(length)}`]),
  "commas": (length) => inviteMessage([`Contact: ${",".repeat(length)}`]),
  "semicolons": (length) => inviteMessage([`Contact: <sip:a>${";a".repeat(length / 2)}`]),
  "URI parameters": (length) => inviteMessage([`Contact: <sip:a${";a".repeat(length / 2)}>`]),
  "escapes in a user": (length) => inviteMessage([`Contact: <sip:${"%41".repeat(length / 3)}@b>`]),
  "at signs": (length) => inviteMessage([`Contact: <sip:${"@".repeat(length)}>`]),
  "brackets of IPv6": (length) => inviteMessage([`Contact: <sip:[${":".repeat(length)}>`]),
  "blanks": (length) => inviteMessage([`Contact: ${" ".repeat(length)}<sip:a>${" ".repeat(length)}`]),
  "routes": (length) => inviteMessage([`Route: ${new Array(Math.floor(length / 10)).fill("<sip:a;lr>").join(",")}`]),
  "credentials": (length) => inviteMessage([`Authorization: Digest ${'a="b",'.repeat(length / 6)}`]),
  "line ends before": (length) => "\r\n".repeat(length / 2) + inviteMessage(),
  "spaces in the start line": (length) => `INVITE ${" ".repeat(length)} SIP/2.0\r\n\r\n`,
};

for (const [name, shape] of Object.entries(SHAPES)) {
  test(`each character is looked at a few times, however many there are: ${name}`, () => {
    for (const length of [3_000, 24_000]) {
      const octets = shape(length);
      const located = countCharacters(() => void parseMessage(octets));
      assert(located > 0 && located < 4 * octets.length, `locating ${octets.length} octets looked at ${located}`);
      const all = countCharacters(() => exercise(octets));
      assert(all < 40 * octets.length, `everything together looked at ${all}`);
    }
  });

  test(`a stream in small pieces costs no more than its length: ${name}`, () => {
    const octets = shape(24_000);
    const framer = new StreamFramer();
    const looked = countCharacters(() => {
      for (let at = 0; at < octets.length; at += 7) framer.push(octets.slice(at, at + 7));
    });
    assert(looked < 10 * octets.length, `${looked} for ${octets.length}`);
  });
}
