import assert from "node:assert/strict";
import { test } from "node:test";
import { subnetOf } from "../../../src/io/ipv4-subnet.ts";
import { isOnLink, linkOf } from "../../../src/io/local-addresses.ts";

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

test("the link of an address is that of the interface whose subnet it is in, by the same name at every box", () => {
  const local = (address: string, netmask: string, family: "IPv4" | "IPv6" = "IPv4") => ({ address, netmask, family, interface: "eth0", internal: false });
  const found = [local("10.77.0.201", "255.255.255.255"), local("10.77.0.1", "255.255.255.0"), local("fd00::a:0:0:0:1", "ffff:ffff:ffff:ffff::", "IPv6")];
  assert.deepEqual(linkOf("10.77.0.201", found), { interface: "eth0", link: "10.77.0.0/24" });
  assert.deepEqual(linkOf("fd00:0:0:a::9", found), { interface: "eth0", link: "fd00:0:0:a:0:0:0:0/64" });
  assert.equal(linkOf("10.78.0.1", found), undefined);
});
