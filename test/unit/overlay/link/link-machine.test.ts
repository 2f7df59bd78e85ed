import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concatBytes, toHex } from "../../../../src/base/bytes.ts";
import type { Random } from "../../../../src/base/random.ts";
import { instant, wallTime } from "../../../../src/base/time.ts";
import { parseNodeId } from "../../../../src/overlay/wire/identifiers.ts";
import { ACK_LENGTH, type Frame, FrameDecoder, putAck, putDataFrame } from "../../../../src/overlay/wire/framing.ts";
import { decodeMessage } from "../../../../src/overlay/wire/message.ts";
import { isKeepAlive, makePing } from "../../../../src/overlay/link/keep-alive.ts";
import { type LinkEffect, LinkMachine } from "../../../../src/overlay/link/link-machine.ts";
import { LINK_TIMING } from "../../../../src/overlay/link/link-timing.ts";

const OVERLAY = 0x9aa32b8d;
const WALL = wallTime(1_795_371_665_010);
const MAX = 65_536;

/** Luck that counts: never the same bytes twice. */
function countingRandom(): Random {
  let next = 0;
  return {
    bytes: (length) => {
      const bytes = new Uint8Array(length);
      new DataView(bytes.buffer).setUint32(length - 4, ++next);
      return bytes;
    },
    below: () => 0,
    fraction: () => 0.5,
  };
}

function makeLink(now = 0): LinkMachine {
  const remote = parseNodeId("8f000000000000000000000000000001");
  assert.ok(remote !== undefined);
  return new LinkMachine({ overlay: OVERLAY, remote, maxMessageBytes: MAX, random: countingRandom() }, instant(now));
}

/** Bytes that look like a message to a link: it does not look further. */
function someMessage(length: number, fill = 7): Uint8Array {
  return new Uint8Array(length).fill(fill);
}

function frame(sequence: number, message: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(message.length + 8);
  putDataFrame(bytes, 0, sequence, message);
  return bytes;
}

function ack(sequence: number): Uint8Array {
  const bytes = new Uint8Array(ACK_LENGTH);
  putAck(bytes, 0, sequence, 0);
  return bytes;
}

const bytesIn = (link: LinkMachine, now: number, bytes: Uint8Array): readonly LinkEffect[] =>
  link.step(instant(now), { type: "bytes", bytes, wall: WALL });
const send = (link: LinkMachine, now: number, message: Uint8Array): readonly LinkEffect[] =>
  link.step(instant(now), { type: "send", message });
const tick = (link: LinkMachine, now: number): readonly LinkEffect[] => link.step(instant(now), { type: "tick" });

function framesWritten(effects: readonly LinkEffect[]): readonly Frame[] {
  const bytes = concatBytes(...effects.flatMap((effect) => (effect.type === "write" ? [effect.bytes] : [])));
  const frames = new FrameDecoder(MAX).decode(bytes);
  assert.ok(frames.ok);
  return frames.value;
}

const types = (effects: readonly LinkEffect[]): string[] => effects.map(({ type }) => type);

/** Ticks at each deadline up to `until`; what happened, with its time. */
function idle(link: LinkMachine, until: number): { at: number; effect: LinkEffect }[] {
  const happened: { at: number; effect: LinkEffect }[] = [];
  for (;;) {
    const at = link.nextDeadline();
    if (at === undefined || at > until) return happened;
    for (const effect of tick(link, at)) happened.push({ at, effect });
  }
}

test("messages sent in one batch leave in one write, numbered from 0", () => {
  const link = makeLink();
  assert.deepEqual(send(link, 10, someMessage(100, 1)), []);
  assert.deepEqual(send(link, 10, someMessage(200, 2)), []);
  assert.equal(link.nextDeadline(), 10);
  const effects = tick(link, 10);
  assert.deepEqual(types(effects), ["write"]);
  const frames = framesWritten(effects);
  assert.deepEqual(
    frames.map((f) => (f.type === "data" ? [f.sequence, f.message.length] : [])),
    [
      [0, 100],
      [1, 200],
    ],
  );
});

test("messages received in one batch are handed up in order and acknowledged once, before what is answered", () => {
  const link = makeLink();
  const chunk = concatBytes(frame(0, someMessage(50, 1)), frame(1, someMessage(60, 2)), frame(2, someMessage(70, 3)));
  const effects = bytesIn(link, 5, chunk);
  assert.deepEqual(effects.map((e) => (e.type === "message" ? e.message.length : e.type)), [50, 60, 70]);
  send(link, 5, someMessage(80));
  const [acknowledgement, answer, ...more] = framesWritten(tick(link, 5));
  assert.deepEqual(acknowledgement, { type: "ack", sequence: 2, received: 0b11 });
  assert.ok(answer?.type === "data" && answer.message.length === 80);
  assert.deepEqual(more, []);
});

test("the received field shows the 32 numbers before the newest, and gaps in them", () => {
  const link = makeLink();
  const received: number[] = [];
  for (const sequence of [5, 6, 8, 40, 41, 200]) {
    bytesIn(link, 1, frame(sequence, someMessage(40)));
    send(link, 1, someMessage(40));
    const [acknowledgement] = framesWritten(tick(link, 1));
    assert.ok(acknowledgement?.type === "ack");
    received.push(acknowledgement.received);
  }
  assert.deepEqual(received, [0, 0b1, 0b110, 0x80000000, 0b1, 0]);
});

test("sequence numbers may wrap", () => {
  const link = makeLink();
  bytesIn(link, 1, concatBytes(frame(0xffffffff, someMessage(40)), frame(0, someMessage(40))));
  assert.deepEqual(framesWritten(tick(link, 41)), [{ type: "ack", sequence: 0, received: 1 }]);
});

test("what came is acknowledged with the next message, or by itself after 40 ms, or when it is 16 frames", () => {
  const link = makeLink();
  bytesIn(link, 1, frame(0, someMessage(40)));
  assert.deepEqual(tick(link, 1), []);
  assert.equal(link.nextDeadline(), 41);
  assert.deepEqual(tick(link, 40), []);
  assert.deepEqual(framesWritten(tick(link, 41)), [{ type: "ack", sequence: 0, received: 0 }]);
  bytesIn(link, 50, concatBytes(...Array.from({ length: 16 }, (_, n) => frame(1 + n, someMessage(40)))));
  assert.equal(link.nextDeadline(), 50);
  assert.deepEqual(framesWritten(tick(link, 50)), [{ type: "ack", sequence: 16, received: 0xffff }]);
});

test("a stream cut anywhere gives the same messages", () => {
  const messages = [someMessage(38, 1), someMessage(300, 2), someMessage(5000, 3), someMessage(40, 4)];
  const stream = concatBytes(ack(0), ...messages.map((message, i) => concatBytes(frame(i, message), ack(i))));
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 60 }), (sizes) => {
      const link = makeLink();
      const seen: Uint8Array[] = [];
      for (let at = 0, i = 0; at < stream.length; i++) {
        const end = at + (sizes[i % sizes.length] ?? 1);
        for (const effect of bytesIn(link, 1, stream.slice(at, end))) if (effect.type === "message") seen.push(effect.message);
        at = end;
      }
      assert.deepEqual(seen.map(toHex), messages.map(toHex));
    }),
    { numRuns: 50 },
  );
});

test("a frame that announces more than the limit breaks the link before any of it is kept", () => {
  const link = makeLink();
  const effects = bytesIn(link, 1, new Uint8Array([0x80, 0, 0, 0, 0, 0x01, 0x00, 0x01]));
  assert.deepEqual(types(effects), ["broken"]);
});

test("a broken link says nothing more and wants no waking", () => {
  const link = makeLink();
  assert.deepEqual(types(bytesIn(link, 1, new Uint8Array([0x16, 3, 1]))), ["broken"]);
  assert.deepEqual(bytesIn(link, 2, frame(0, someMessage(40))), []);
  assert.deepEqual(tick(link, 5000), []);
  assert.equal(link.nextDeadline(), undefined);
});

test("a frame too short for a message breaks the link", () => {
  assert.deepEqual(types(bytesIn(makeLink(), 1, frame(0, someMessage(20)))), ["broken"]);
});

test("an idle link pings within half a second, and again until it is silent and after", () => {
  const link = makeLink();
  const happened = idle(link, 3000);
  const pings = happened.filter(({ effect }) => effect.type === "write").map(({ at }) => at);
  assert.deepEqual(pings, [475, 950, 1425, 1900, 2375, 2850]);
  const silent = happened.filter(({ effect }) => effect.type === "silent");
  assert.deepEqual(silent.map(({ at }) => at), [LINK_TIMING.silence]);
});

test("the ping is an unsigned RELOAD Ping to the wildcard Node-ID", () => {
  const [write] = idle(makeLink(), 480);
  const [ping] = framesWritten(write === undefined ? [] : [write.effect]);
  assert.ok(ping?.type === "data" && isKeepAlive(ping.message));
  const decoded = decodeMessage(ping.message, OVERLAY);
  assert.ok(decoded.ok && decoded.value.body.type === "ping_req");
});

test("two links that only ping each other stay heard, and their cores see nothing", () => {
  const [a, b] = [makeLink(), makeLink(100)];
  const seen: string[] = [];
  const exchange = (now: number): void => {
    for (let quiet = false; !quiet; ) {
      quiet = true;
      for (const [from, to] of [[a, b], [b, a]] as const) {
        if ((from.nextDeadline() ?? Number.POSITIVE_INFINITY) > now) continue;
        quiet = false;
        for (const effect of tick(from, now)) {
          if (effect.type === "write") seen.push(...types(bytesIn(to, now, effect.bytes)));
          else seen.push(effect.type);
        }
      }
    }
  };
  for (let now = 100; now < 20_000; now += 25) exchange(now);
  assert.deepEqual(seen, []);
});

test("a ping of the other link layer is answered with its transaction and our time", () => {
  const link = makeLink();
  const ping = makePing(OVERLAY, countingRandom());
  assert.deepEqual(bytesIn(link, 3, frame(0, ping.message)), []);
  const [acknowledgement, answer] = framesWritten(tick(link, 3));
  assert.equal(acknowledgement?.type, "ack");
  assert.ok(answer?.type === "data");
  const decoded = decodeMessage(answer.message, OVERLAY);
  assert.ok(decoded.ok && decoded.value.body.type === "ping_ans");
  assert.equal(decoded.value.header.transactionId, ping.transactionId);
  assert.equal(decoded.value.body.time, WALL);
});

test("an answer to a ping that the link did not send goes up to the core", () => {
  const other = makeLink();
  bytesIn(other, 1, frame(0, makePing(OVERLAY, countingRandom()).message));
  const [, answer] = framesWritten(tick(other, 1));
  assert.ok(answer?.type === "data");
  assert.deepEqual(types(bytesIn(makeLink(), 2, frame(0, answer.message))), ["message"]);
});

test("a silent link that is heard again says so, before the message", () => {
  const link = makeLink();
  idle(link, 2000);
  assert.deepEqual(types(bytesIn(link, 2100, frame(0, someMessage(40)))), ["heard", "message"]);
});

test("a link that hears something is not silent until 1.7 seconds after it", () => {
  const link = makeLink();
  idle(link, 1500);
  bytesIn(link, 1600, ack(0));
  assert.deepEqual(idle(link, 3299).filter(({ effect }) => effect.type === "silent"), []);
  assert.equal(idle(link, 3300).at(-1)?.effect.type, "silent");
});

test("a box that slept itself gives the link a fresh interval before it calls it silent", () => {
  const link = makeLink();
  assert.ok(!types(tick(link, 60_000)).includes("silent"));
  const happened = idle(link, 63_000);
  assert.deepEqual(happened.filter(({ effect }) => effect.type === "silent").map(({ at }) => at), [61_700]);
});

test("a frame that is answered moves no deadline, so that a busy link costs no timer work", () => {
  const link = makeLink();
  const before = link.nextDeadline();
  bytesIn(link, 100, frame(0, someMessage(40)));
  send(link, 100, someMessage(40));
  tick(link, 100);
  assert.equal(link.nextDeadline(), before);
});

test("the round trip follows RFC 6298 from acknowledgements", () => {
  const link = makeLink();
  assert.equal(link.roundTrip, undefined);
  send(link, 0, someMessage(40));
  tick(link, 0);
  bytesIn(link, 100, ack(0));
  assert.deepEqual(link.roundTrip, { smoothed: 100, variation: 50, timeout: 300 });
  send(link, 200, someMessage(40));
  tick(link, 200);
  bytesIn(link, 220, ack(1));
  assert.deepEqual(link.roundTrip, { smoothed: 90, variation: 57.5, timeout: 320 });
});

test("an acknowledgement of something never sent changes nothing", () => {
  const link = makeLink();
  bytesIn(link, 100, ack(77));
  assert.equal(link.roundTrip, undefined);
});

test("more than a batch may hold is written at once", () => {
  const link = makeLink();
  send(link, 1, someMessage(60_000));
  assert.deepEqual(types(send(link, 1, someMessage(6_000))), ["write"]);
});

test("arbitrary bytes never throw", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 8 }), (chunks) => {
      const link = makeLink();
      for (const chunk of chunks) bytesIn(link, 1, concatBytes(new Uint8Array([0x81]), chunk));
    }),
  );
});

test("the same inputs give the same effects", () => {
  const run = (): string => {
    const link = makeLink();
    const effects = [...bytesIn(link, 5, frame(0, someMessage(64))), ...idle(link, 4000).map(({ effect }) => effect)];
    return JSON.stringify(effects);
  };
  assert.equal(run(), run());
});

test("a request above the limit is refused by name before the link is closed, and nothing of it is read", () => {
  const link = makeLink();
  const ping = makePing(OVERLAY, countingRandom());
  const beginning = frame(0, ping.message);
  beginning[5] = 0xff;
  const effects = bytesIn(link, 0, beginning);
  assert.deepEqual(effects.map(({ type }) => type), ["write", "broken"]);
  const [write] = effects;
  assert.ok(write?.type === "write");
  const frames = new FrameDecoder(MAX).decode(write.bytes);
  const answers = (frames.ok ? frames.value : []).flatMap((one) => (one.type === "data" ? [decodeMessage(one.message, OVERLAY)] : []));
  const refusal = answers.map((one) => (one.ok && one.value.body.type === "error" ? [one.value.body.code, one.value.header.transactionId] : undefined));
  assert.deepEqual(refusal, [[0x0b, ping.transactionId]]);
});

test("a frame above the limit whose message cannot be read is closed without a word", () => {
  const beginning = frame(0, someMessage(200));
  beginning[5] = 0xff;
  assert.deepEqual(bytesIn(makeLink(), 0, beginning).map(({ type }) => type), ["broken"]);
});
