import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LocalEnds } from "../../../../src/sip/transport/local-ends.ts";
import { canonicalHost, formatNumericHost, isLoopback, isNoPlace, parseNumericHost } from "../../../../src/sip/transport/numeric-host.ts";
import { settingsOf } from "../../../support/sip-harness.ts";

const ends = (...localAddresses: readonly string[]) => new LocalEnds(settingsOf("", "0".repeat(32), { localAddresses }));

test("numeric addresses are read and written as RFC 5952 wants", () => {
  for (const [text, wanted] of [
    ["192.0.2.1", "192.0.2.1"],
    ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
    ["2001:db8::1:0:0:1", "2001:db8::1:0:0:1"],
    ["::ffff:192.0.2.1", "::ffff:c000:201"],
    ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"],
    ["1:0:3:4:5:6:7:8", "1:0:3:4:5:6:7:8"],
    ["::", "::"],
  ] as const) {
    const bytes = parseNumericHost(text);
    assert.ok(bytes, text);
    assert.equal(formatNumericHost(bytes), wanted);
  }
});

test("what is no numeric address is none", () => {
  for (const text of ["", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1..2.3", "a.b.c.d", ":", ":::", "1:2:3", "12345::", "::1::", "g::", "fe80::1%eth0", "1:2:3:4:5:6:7:8:9"]) {
    assert.equal(parseNumericHost(text), undefined, text);
  }
});

test("any 16 bytes survive being written and read", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
      assert.deepEqual(parseNumericHost(formatNumericHost(bytes)), bytes);
    }),
  );
});

test("loopback, multicast, broadcast and nothing are known in all spellings", () => {
  for (const host of ["127.0.0.1", "127.9.9.9", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "localhost"]) assert.ok(isLoopback(host), host);
  for (const host of ["224.0.1.75", "255.255.255.255", "0.0.0.0", "ff02::1", "::", "::ffff:10.0.0.1"]) assert.ok(isNoPlace(host), host);
  for (const host of ["10.0.0.1", "2001:db8::1", "fe80::1"]) assert.ok(!isLoopback(host) && !isNoPlace(host), host);
  assert.equal(canonicalHost("example.test"), "example.test");
});

test("a request leaves from the address nearest to where it goes", () => {
  const here = ends("127.0.0.1", "10.0.0.1", "192.168.7.1", "2001:db8::1");
  assert.equal(here.localFor("192.168.7.99").host, "192.168.7.1");
  assert.equal(here.localFor("10.1.2.3").host, "10.0.0.1");
  assert.equal(here.localFor("127.0.0.1").host, "127.0.0.1");
  assert.equal(here.localFor("2001:db8::9").host, "2001:db8::1");
});

test("nothing is sent to loopback by a box that does not serve there, nor to itself, nor to no place", () => {
  const outward = ends("10.0.0.1");
  const at = (host: string, port = 5060) => ({ host, port });
  assert.ok(outward.mayReach(at("10.0.0.2")));
  assert.ok(outward.mayReach(at("10.0.0.1", 5070)));
  for (const remote of [at("10.0.0.1"), at("127.0.0.1"), at("224.0.0.1"), at("2001:db8::1"), at("10.0.0.2", 0), at("10.0.0.2", 70_000)]) {
    assert.ok(!outward.mayReach(remote), remote.host);
  }
  assert.ok(ends("127.0.0.1").mayReach(at("127.0.0.1", 5070)));
});

test("the domain and the local addresses are ours, on our port", () => {
  const here = ends("10.0.0.1", "2001:db8::1");
  assert.ok(here.isOurs("example.test", undefined));
  assert.ok(here.isOurs("10.0.0.1", 5060));
  assert.ok(here.isOurs("2001:db8:0::1", undefined));
  assert.ok(!here.isOurs("10.0.0.1", 5070));
  assert.ok(!here.isOurs("sub.example.test", undefined));
  here.setAddresses(["10.0.0.9"]);
  assert.ok(!here.isOurs("10.0.0.1", 5060));
});
