import assert from "node:assert/strict";
import { test } from "node:test";
import { captureText } from "../../../src/io/agent/evidence/capture-text.ts";

const INVITE = "INVITE sip:205@acme.example SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1\r\nProxy-Authorization: Digest username=\"204\", response=\"SECRET\"\r\nContent-Length: 0\r\n\r\n";

function ipv4(payload: string, protocol = 17, fragment = 0): Buffer {
  const head = Buffer.from([0x45, 0, 0, 0, 0, 0, fragment, 0, 64, protocol, 0, 0, 192, 0, 2, 7, 192, 0, 2, 1]);
  head.writeUInt16BE(28 + payload.length, 2);
  return Buffer.concat([head, Buffer.from([0x13, 0xc4, 0x13, 0xc4, 0, 0, 0, 0]), Buffer.from(payload, "latin1")]);
}

function ipv6(payload: string): Buffer {
  const head = Buffer.alloc(40);
  head.writeUInt8(0x60, 0);
  head.writeUInt16BE(8 + payload.length, 4);
  head.writeUInt8(17, 6);
  head.writeUInt16BE(0x2001, 8);
  head.writeUInt16BE(0x2001, 24);
  return Buffer.concat([head, Buffer.from([0x13, 0xc4, 0x13, 0xc5, 0, 0, 0, 0]), Buffer.from(payload, "latin1")]);
}

function link(type: number, network: Buffer): Buffer {
  const protocol = Buffer.from(network.readUInt8(0) >> 4 === 4 ? [8, 0] : [0x86, 0xdd]);
  if (type === 276) return Buffer.concat([protocol, Buffer.alloc(18), network]);
  return Buffer.concat([Buffer.alloc(type === 1 ? 12 : 14), protocol, network]);
}

function capture(type: number, packets: readonly Buffer[], order: "LE" | "BE" = "LE"): Buffer {
  const words = (...values: number[]): Buffer => {
    const bytes = Buffer.alloc(4 * values.length);
    values.forEach((value, index) => (order === "LE" ? bytes.writeUInt32LE(value, 4 * index) : bytes.writeUInt32BE(value, 4 * index)));
    return bytes;
  };
  return Buffer.concat([words(0xa1b2c3d4, 0x00040002, 0, 0, 65_535, type), ...packets.flatMap((packet) => [words(1_767_225_600, 250_000, packet.length, packet.length), packet])]);
}

for (const [name, type, order] of [["Ethernet", 1, "LE"], ["Linux cooked", 113, "BE"], ["Linux cooked 2", 276, "LE"]] as const) {
  test(`SIP in a capture of ${name} is text with its time and addresses, without its secrets`, () => {
    const text = captureText(capture(type, [link(type, ipv4(INVITE)), link(type, ipv6(INVITE))], order)) ?? "";
    assert.match(text, /^2026-01-01T00:00:00\.250Z 192\.0\.2\.7:5060 to 192\.0\.2\.1:5060\nINVITE sip:205@acme\.example SIP\/2\.0\n/);
    assert.match(text, /\[2001:0:0:0:0:0:0:0\]:5060 to \[2001:0:0:0:0:0:0:0\]:5061/);
    assert.match(text, /username="204", response=\(removed\)/);
    assert.ok(!text.includes("SECRET"));
  });
}

/** A segment of a connection from one end. */
function segment(sequence: number, payload: string, flags = 0x18): Buffer {
  const head = Buffer.from([0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6, 0, 0, 192, 0, 2, 7, 192, 0, 2, 1]);
  head.writeUInt16BE(40 + payload.length, 2);
  const tcp = Buffer.alloc(20);
  tcp.writeUInt16BE(40_000, 0);
  tcp.writeUInt16BE(5_060, 2);
  tcp.writeUInt32BE(sequence >>> 0, 4);
  tcp.writeUInt8(0x50, 12);
  tcp.writeUInt8(flags, 13);
  return link(1, Buffer.concat([head, tcp, Buffer.from(payload, "latin1")]));
}
const startLines = (text: string | undefined): string[] => text?.match(/^(?:INVITE|BYE|ACK) \S+/gm) ?? [];
const BYE = INVITE.replace("INVITE", "BYE");

test("SIP over TCP is put together from its segments, in whatever order and however often they came, over the end of the sequence numbers", () => {
  const text = INVITE + BYE;
  const first = 0xffff_fff0;
  const cut = [0, 40, 41, 200, text.length];
  const pieces = cut.slice(0, -1).map((from, index) => segment(first + 1 + from, text.slice(from, cut[index + 1])));
  const [a, b, c, d] = pieces;
  assert.ok(a && b && c && d);
  for (const order of [[a, b, c, d], [a, c, b, d], [d, c, b, a, a], [a, a, b, c, b, d]]) {
    const shown = captureText(capture(1, [segment(first, "", SYN), ...order]));
    assert.deepEqual(startLines(shown), ["INVITE sip:205@acme.example", "BYE sip:205@acme.example"]);
    assert.match(shown ?? "", /192\.0\.2\.7:40000 to 192\.0\.2\.1:5060/);
    assert.ok(shown?.endsWith("0 other packets.\n\n") === true && !shown.includes("SECRET"));
  }
});

test("a connection that was there before is taken up at the next message, and one that is no SIP is counted", () => {
  const rest = captureText(capture(1, [segment(500, "…end of a body\u0001\u0002\u0003\r\n\r\n"), segment(5_000, BYE)]));
  assert.deepEqual(startLines(rest), ["BYE sip:205@acme.example"]);
  const hello = "\u0016\u0003\u0001\u0002\u0000\u0001\u0000".repeat(40);
  assert.match(captureText(capture(1, [segment(1, hello), segment(1 + hello.length, hello)])) ?? "", /^2 other packets\.$/m);
});

test("a segment that the capture lacks is passed over", () => {
  const ahead = Array.from({ length: 80 }, (_, index) => segment(1_000 + index * BYE.length, BYE));
  const shown = captureText(capture(1, [segment(1, "", SYN), segment(2, INVITE), ...ahead]));
  assert.equal(startLines(shown).length, 81);
});
const SYN = 0x02;

test("what is not a message in one packet is counted, and what is no capture is not read", () => {
  const packets = [ipv4("SECRET words that are not SIP at all"), ipv4(INVITE, 6), ipv4(INVITE, 17, 0x20)].map((packet) => link(1, packet));
  assert.equal(captureText(capture(1, packets)), "3 other packets.\n\n");
  for (const file of [Buffer.alloc(0), Buffer.from("x".repeat(100)), capture(127, packets)]) assert.equal(captureText(file), undefined);
});

test("a capture that is cut, or lies about lengths, is read as far as it goes", () => {
  const whole = capture(1, [link(1, ipv4(INVITE)), link(1, ipv6(INVITE))]);
  for (let length = 0; length < whole.length; length++) assert.doesNotThrow(() => captureText(whole.subarray(0, length)));
  for (let at = 24; at < whole.length; at++) {
    const damaged = Buffer.from(whole);
    damaged.writeUInt8(0xff, at);
    assert.doesNotThrow(() => captureText(damaged));
  }
});
