import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ByteReader, ByteWriter, DecodeError, fromHex, toHex } from "../../../../src/base/bytes.ts";
import { readIpAddressPort, writeIpAddressPort } from "../../../../src/overlay/wire/ip-address-port.ts";
import { address } from "../../../support/reload-arbitraries.ts";

const hexOf = (host: string, port: number): string => {
  const writer = new ByteWriter();
  writeIpAddressPort(writer, { host, port });
  return toHex(writer.finish());
};
const read = (hex: string): unknown => readIpAddressPort(new ByteReader(fromHex(hex)));

test("the vector of the reference: 192.0.2.1:6084", () => {
  assert.equal(hexOf("192.0.2.1", 6084), "0106c000020117c4");
  assert.deepEqual(read("0106c000020117c4"), { host: "192.0.2.1", port: 6084 });
});

test("IPv6 addresses are read in the form of RFC 5952", () => {
  const forms: Record<string, string> = {
    "00000000000000000000000000000000": "::",
    "00000000000000000000000000000001": "::1",
    "20010db8000000000000000000000000": "2001:db8::",
    "20010db8000000010001000100010001": "2001:db8:0:1:1:1:1:1",
    "20010000000000010000000000000001": "2001:0:0:1::1",
    "20010db8000000000001000000000001": "2001:db8::1:0:0:1",
  };
  for (const [hex, host] of Object.entries(forms)) {
    assert.deepEqual(read(`0212${hex}0000`), { host, port: 0 });
    assert.equal(hexOf(host, 0), `0212${hex}0000`);
  }
});

test("an embedded IPv4 address and a zone are understood when written", () => {
  assert.equal(hexOf("::ffff:192.0.2.1", 0), "021200000000000000000000ffffc00002010000");
  assert.equal(hexOf("fe80::1%eth0", 0), "0212fe8000000000000000000000000000010000");
});

test("any address is read as it was written", () => {
  fc.assert(fc.property(address, ({ host, port }) => assert.deepEqual(read(hexOf(host, port)), { host, port })));
});

test("a length that does not fit the type, and an unknown type, are refused", () => {
  assert.throws(() => read("0105c000020117c4"), DecodeError);
  assert.throws(() => read("0306c000020117c4"), DecodeError);
});
