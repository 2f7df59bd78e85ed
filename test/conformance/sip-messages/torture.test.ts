// The messages of RFC 4475 and RFC 5118, each by name, as far as the message layer decides.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { responseTo } from "../../../src/sip/message/build.ts";
import { RequestEdit } from "../../../src/sip/message/edit.ts";
import type { ValidRequest } from "../../../src/sip/message/message.ts";
import { parseMessage, readMessage } from "../../../src/sip/message/parse.ts";
import { addressOfRecord, isSipUri, serializeUri } from "../../../src/sip/message/uri.ts";
import { StreamFramer } from "../../../src/sip/message/stream-framer.ts";
import { readOctets } from "../../support/octets.ts";
import { sharedPath } from "../../support/shared.ts";
import { judge } from "../../support/sip-verdict.ts";

interface Case {
  readonly name: string;
  readonly file: string;
  readonly parse: "accept" | "reject" | "may";
  readonly udp: readonly (string | number)[];
  readonly udp_preferred: string | number;
  readonly kind: "request" | "response";
}

/** What the wanted outcome of these is, only the element behind the message layer knows; here they pass. */
const DECIDED_BY_THE_CORE: ReadonlyMap<string, string> = new Map([
  ["unreason", "a response without a transaction is dropped"],
  ["noreason", "a response without a transaction is dropped"],
  ["bcast", "a response without a transaction is dropped"],
  ["bext01", "420: which option tags a proxy and a UAS know"],
  ["zeromf", "483: Max-Forwards 0 matters to who forwards"],
  ["regaut01", "401: authentication"],
  ["cparam01", "200: the registrar"],
  ["cparam02", "200: the registrar"],
  ["regescrt", "200: the registrar"],
]);

const expectedPath = sharedPath("corpora/expected.json");
const corpora: { readonly rfc4475: readonly Case[]; readonly rfc5118: readonly Case[] } =
  expectedPath === undefined ? { rfc4475: [], rfc5118: [] } : JSON.parse(readFileSync(expectedPath, "utf8"));
const cases = [...corpora.rfc4475, ...corpora.rfc5118];
const skip = expectedPath === undefined ? "needs ../shared/corpora" : false;

const octetsOf = (file: string): string => readOctets(sharedPath(`corpora/${file}`) ?? "");

const torture = (name: string): string => octetsOf(cases.find((one) => one.name === name)?.file ?? "");

function validRequest(name: string): ValidRequest {
  const read = readMessage(torture(name));
  assert(read.ok && read.value.type === "request", `${name} is a valid request`);
  return read.value;
}

test("all 61 torture messages are there", { skip }, () => {
  assert.equal(corpora.rfc4475.length, 49);
  assert.equal(corpora.rfc5118.length, 12);
});

for (const one of cases) {
  const later = DECIDED_BY_THE_CORE.get(one.name);
  const wanted = one.udp_preferred === "process" || later !== undefined ? "pass" : one.udp_preferred;
  test(`${one.name}: ${wanted}${later === undefined ? "" : ` (then the core: ${later})`}`, () => {
    assert.equal(judge(octetsOf(one.file)), wanted);
    if (one.parse === "accept") assert(parseMessage(octetsOf(one.file)).ok, "it is well formed");
  });

  test(`${one.name}: what is passed on or answered parses again`, () => {
    const read = readMessage(octetsOf(one.file));
    if (read.ok) {
      const again = readMessage(read.value.octets);
      assert(again.ok);
      assert.equal(again.value.octets, read.value.octets);
    } else if (read.fault.type === "rejected") {
      const answer = parseMessage(responseTo(read.fault.request, read.fault.status, read.fault.reason).octets);
      assert(answer.ok && answer.value.type === "response" && answer.value.status === read.fault.status);
    }
  });
}

test("wsinv: an unknown header with an unusual value goes on byte for byte, and the To tag is read", { skip }, () => {
  const request = validRequest("wsinv");
  const forwarded = new RequestEdit(request).setMaxForwards(68).pushVia("SIP/2.0/UDP p;branch=z9hG4bK1").request();
  assert(forwarded.octets.includes("NewFangledHeader:   newfangled value\r\n continued newfangled value\r\n"));
  assert(forwarded.octets.includes("UnknownHeaderWithUnusualValue: ;;,,;;,;\r\n"));
  assert.equal(request.toTag, "1918181833n");
  assert.equal(request.vias?.length, 3);
});

test("intmeth: neither the method nor the tag is unescaped", { skip }, () => {
  const request = validRequest("intmeth");
  assert.equal(request.method, "!interesting-Method0123456789_*+`.%indeed'~");
  assert.equal(request.fromTag, "_token~1'+`*%!-.");
  assert(isSipUri(request.uri));
  assert.equal(serializeUri(request.uri), request.uriText);
});

test("escnull: an escaped NUL is part of the user", { skip }, () => {
  const request = validRequest("escnull");
  assert(isSipUri(request.to.uri));
  assert.equal(addressOfRecord(request.to.uri), "null-\0-null@example.com");
  assert.equal(request.contacts.length, 2);
});

test("esc02: an escape in a header name makes it another name", { skip }, () => {
  const request = validRequest("esc02");
  assert.equal(request.method, "RE%47IST%45R");
  assert.equal(request.contacts.length, 2);
  assert.equal(request.header("C%6Fntact"), "<sip:alias2@host2.example.com>");
});

test("longreq: its Via values stay in order", { skip }, () => {
  const request = validRequest("longreq");
  assert.equal(request.vias?.length, 34);
  assert.equal(request.topVia.host, "sip33.example.com");
});

test("dblreq: over UDP what lies behind the message is left out", { skip }, () => {
  const request = validRequest("dblreq");
  assert.equal(request.body, "");
  assert(!request.octets.includes("INVITE"));
});

test("dblreq: on a stream there are two messages, and then what the second one's Content-Length leaves over", { skip }, () => {
  const framed = new StreamFramer().push(torture("dblreq"));
  assert.deepEqual(
    framed.map((one) => (one.type === "message" ? one.octets.slice(0, 6) : one.type)),
    ["REGIST", "INVITE", "broken"],
  );
});

test("semiuri: the semicolon is in the user", { skip }, () => {
  const { uri } = validRequest("semiuri");
  assert(isSipUri(uri));
  assert.equal(uri.user, "user;par=u%40example.net");
  assert.equal(addressOfRecord(uri), "user;par=u@example.net@example.com");
});

test("mpart01: a body with NUL octets passes byte for byte", { skip }, () => {
  assert.equal(validRequest("mpart01").body.length, 553);
  assert(torture("mpart01").endsWith(validRequest("mpart01").body));
});

test("insuf: the answer invents no header", { skip }, () => {
  const read = readMessage(torture("insuf"));
  assert(!read.ok && read.fault.type === "rejected");
  const answer = responseTo(read.fault.request, read.fault.status, read.fault.reason, { toTag: "x" });
  assert.deepEqual(answer.fields.map((field) => field.name), ["cseq", "via", "content-length"]);
});

test("badbranch: two such requests do not meet in one transaction", { skip }, () => {
  assert.equal(judge(torture("badbranch")), 400);
});

test("cparam01 and cparam02: whose parameter it is", { skip }, () => {
  const ofHeader = validRequest("cparam01").contacts;
  const ofUri = validRequest("cparam02").contacts;
  assert(ofHeader !== "*" && ofUri !== "*");
  assert.equal(ofHeader[0]?.uriText, "sip:+19725552222@gw1.example.net");
  assert.equal(ofUri[0]?.uriText, "sip:+19725552222@gw1.example.net;unknownparam");
});

test("regescrt: the URI's headers are kept", { skip }, () => {
  const { contacts } = validRequest("regescrt");
  assert(contacts !== "*");
  assert.equal(contacts[0]?.uriText, "sip:user@example.com?Route=%3Csip:sip.example.com%3E");
});

test("via-received-param: IPv6 with and without brackets reads alike", { skip }, () => {
  assert.equal(validRequest("via-received-param-with-delim").topVia.received, "2001:db8::9:255");
  assert.equal(validRequest("via-received-param-no-delim").topVia.received, "2001:db8::9:255");
});

test("port-ambiguous: without brackets' help the whole is the address", { skip }, () => {
  const { uri } = validRequest("port-ambiguous");
  assert(isSipUri(uri));
  assert.deepEqual([uri.host, uri.port], ["2001:db8::10:5070", undefined]);
  const other = validRequest("port-unambiguous").uri;
  assert(isSipUri(other));
  assert.deepEqual([other.host, other.port], ["2001:db8::10", 5070]);
});

test("inv2543: no From tag, no branch, no Max-Forwards, no Content-Length", { skip }, () => {
  const request = validRequest("inv2543");
  assert.deepEqual([request.fromTag, request.topVia.branch, request.maxForwards, request.contentLength], ["", "", undefined, undefined]);
  assert.equal(request.body.length, 105);
});

test("every torture message arriving one octet at a time on a stream ends in an answerable verdict", { skip }, () => {
  for (const one of cases) {
    const framer = new StreamFramer();
    for (const octet of octetsOf(one.file)) for (const framed of framer.push(octet)) assert(framed.type !== "message" || judge(framed.octets) !== undefined);
    assert(framer.pending <= octetsOf(one.file).length);
  }
});

