import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ByteReader, ByteWriter, DecodeError, fromUtf8Octets, parseHex, toHex, utf8Octets } from "../../../src/base/bytes.ts";

const written = (write: (writer: ByteWriter) => void): string => {
  const writer = new ByteWriter(1);
  write(writer);
  return toHex(writer.finish());
};

test("hex is that of the platform, and reads back", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const hex = Buffer.from(bytes).toString("hex");
      assert.equal(toHex(bytes), hex);
      assert.deepEqual(parseHex(hex), bytes);
      assert.equal(written((writer) => writer.hex(hex)), hex);
      assert.equal(new ByteReader(bytes).hex(bytes.length), hex);
    }),
  );
});

test("64-bit fields are the same as a number and as a big integer", () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (value) => {
      const hex = value.toString(16).padStart(16, "0");
      assert.equal(written((writer) => writer.u64(value)), hex);
      assert.equal(written((writer) => writer.u64(BigInt(value))), hex);
      assert.equal(new ByteReader(parseHex(hex) ?? new Uint8Array(0)).u64(), value);
    }),
  );
});

test("a 64-bit field above what a number holds is refused", () => {
  const reader = new ByteReader(new Uint8Array([0, 0x20, 0, 0, 0, 0, 0, 0]));
  assert.throws(() => reader.u64(), DecodeError);
});

test("reading beyond the end is refused and moves nothing", () => {
  const reader = new ByteReader(new Uint8Array(3));
  assert.throws(() => reader.u32(), DecodeError);
  assert.throws(() => reader.hex(4), DecodeError);
  assert.equal(reader.u24(), 0);
});

test("a writer grows, patches what it wrote, and begins again", () => {
  const writer = new ByteWriter(2).u32(0).u16(0).u8(9);
  writer.u32At(0, 0xdeadbeef).u16At(4, 0x1234);
  assert.equal(toHex(writer.finish()), "deadbeef123409");
  assert.equal(toHex(writer.view(4, 6)), "1234");
  const target = new Uint8Array(9);
  writer.copyTo(target, 1);
  assert.equal(toHex(target), "00deadbeef12340900");
  assert.equal(toHex(writer.reset().u8(1).finish()), "01");
});

test("a prefix counts the bytes behind it, and refuses more than it can say", () => {
  assert.equal(written((writer) => writer.prefixed(3, (inner) => inner.u16(7))), "0000020007");
  assert.throws(() => new ByteWriter().prefixed(1, (inner) => inner.bytes(new Uint8Array(256))), RangeError);
});

test("identifiers read again and again are the same text as the first time, whatever was read between", () => {
  // Few different bytes: many share a place where known texts are kept.
  const identifier = fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 16, maxLength: 16 });
  fc.assert(
    fc.property(fc.array(identifier, { minLength: 1, maxLength: 50 }), (all) => {
      const reader = new ByteReader(Uint8Array.from([...all, ...all].flat()));
      for (const bytes of [...all, ...all]) assert.equal(reader.knownHex16(), toHex(Uint8Array.from(bytes)));
    }),
  );
});

test("text that is ASCII and text that is not go to UTF-8 octets and back", () => {
  for (const text of ["", "kitchen-1", "Küche", "台所", "a\u007f\u0080"]) assert.equal(fromUtf8Octets(utf8Octets(text)), text);
  assert.equal(utf8Octets("Küche"), "K\u00c3\u00bcche");
});
