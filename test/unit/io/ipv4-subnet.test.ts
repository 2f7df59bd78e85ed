import assert from "node:assert/strict";
import { test } from "node:test";
import { isOnLink, subnetOf } from "../../../src/io/ipv4-subnet.ts";

test("an address is on the link if it is in the interface's subnet", () => {
  const on = { address: "10.77.0.1", netmask: "255.255.255.0" };
  assert.equal(isOnLink("10.77.0.254", on), true);
  assert.equal(isOnLink("10.77.1.1", on), false);
  assert.equal(isOnLink("192.0.2.1", on), false);
});

test("subnets in the upper half of the address space compare as well", () => {
  assert.equal(isOnLink("192.168.127.255", { address: "192.168.64.1", netmask: "255.255.192.0" }), true);
  assert.equal(isOnLink("192.168.128.0", { address: "192.168.64.1", netmask: "255.255.192.0" }), false);
});

test("what is no dotted IPv4 address is on no link", () => {
  for (const host of ["", "10.77.0", "10.77.0.1.5", "10.77.0.256", "10.77.0.x", "10.77.0.-1", "10.77.0.1 ", "::1", "10.77.0.0x1"]) {
    assert.equal(isOnLink(host, { address: "10.77.0.1", netmask: "255.255.255.0" }), false, host);
  }
  assert.equal(subnetOf("10.77.0.1", "none"), undefined);
});
