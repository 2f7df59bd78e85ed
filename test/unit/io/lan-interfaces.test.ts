import assert from "node:assert/strict";
import type { NetworkInterfaceInfo } from "node:os";
import { test } from "node:test";
import { MAX_LAN_INTERFACES, selectLanInterfaces } from "../../../src/io/lan-interfaces.ts";

const ipv4 = (address: string, internal = false): NetworkInterfaceInfo => ({
  family: "IPv4", address, netmask: "255.255.255.0", mac: "02:00:00:00:00:01", internal, cidr: `${address}/24`,
});
const ipv6: NetworkInterfaceInfo = {
  family: "IPv6", address: "fe80::1", netmask: "ffff:ffff:ffff:ffff::", mac: "02:00:00:00:00:01", internal: false, cidr: "fe80::1/64", scopeid: 2,
};
const FOUND = { lo: [ipv4("127.0.0.1", true)], eth0: [ipv4("10.1.0.5"), ipv6, ipv4("10.1.0.6")], eth1: [ipv4("10.2.0.5"), ipv4("10.3.0.5")] };
const addresses = (listen: string | undefined, found: Parameters<typeof selectLanInterfaces>[0] = FOUND): readonly string[] =>
  selectLanInterfaces(found, listen, () => "1|1").map(({ address }) => address);

test("each IPv4 subnet of each interface is one, loopback is none", () => {
  assert.deepEqual(addresses(undefined), ["10.1.0.5", "10.2.0.5", "10.3.0.5"]);
  assert.deepEqual(addresses("0.0.0.0"), ["10.1.0.5", "10.2.0.5", "10.3.0.5"]);
});

test("where the box listens on one address, that interface is the only one", () => {
  assert.deepEqual(addresses("10.1.0.6"), ["10.1.0.6"]);
});

test("loopback is never spoken on, and an address that is not there is not either", () => {
  assert.deepEqual(addresses("127.0.0.1"), []);
  assert.deepEqual(addresses("192.0.2.1"), []);
  assert.deepEqual(addresses(undefined, { lo: [ipv4("127.0.0.1", true)] }), []);
  assert.deepEqual(addresses(undefined, {}), []);
});

test("an interface that came anew has another key", () => {
  const keyOf = (incarnation: string): string | undefined => selectLanInterfaces(FOUND, undefined, () => incarnation)[0]?.key;
  assert.equal(keyOf("2|1"), keyOf("2|1"));
  assert.notEqual(keyOf("2|1"), keyOf("3|1"));
  assert.notEqual(keyOf("2|1"), keyOf("2|3"));
});

test("there are never more than the bound", () => {
  const many = { eth0: Array.from({ length: 40 }, (_, index) => ipv4(`10.1.${index}.1`)) };
  assert.equal(addresses(undefined, many).length, MAX_LAN_INTERFACES);
});
