import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { describe, type TestContext, test } from "node:test";
import type { Address } from "../../../src/base/address.ts";
import { Mdns } from "../../../src/io/mdns.ts";
import type { Announcement } from "../../../src/provision/admission.ts";
import { until } from "../../support/until.ts";

interface Box {
  readonly mdns: Mdns;
  readonly heard: { readonly address: Address; readonly announcement: Announcement }[];
  readonly gone: string[];
}
const announcement = (instance: string, state: "blank" | "serving" = "blank"): Announcement => ({ fleetHash: "ab".repeat(16), state, instance });

/** A box that speaks on the loopback link alone. Tags are random: other tests may run beside this one. */
async function box(t: TestContext, instance: string, port: number): Promise<Box> {
  const heard: Box["heard"] = [];
  const gone: string[] = [];
  const mdns = new Mdns({
    announcement: announcement(instance), port, software: "test", listen: "127.0.0.1", onReport: () => {},
    onHeard: (address, said) => heard.push({ address, announcement: said }),
    onUnheard: (_, said) => gone.push(said.instance),
  });
  mdns.open();
  t.after(() => mdns.close());
  return { mdns, heard, gone };
}
const tag = (): string => Math.floor(Math.random() * 2 ** 48).toString(16).padStart(12, "0");
const hears = (listener: Box, instance: string, state: "blank" | "serving"): boolean =>
  listener.heard.some(({ announcement: said }) => said.instance === instance && said.state === state);

describe("mDNS", { timeout: 30_000 }, () => {
  test("lets two boxes hear each other, and nobody itself", async (t) => {
    const [one, two] = [tag(), tag()];
    const a = await box(t, one, 7001);
    const b = await box(t, two, 7002);
    await until(() => hears(a, two, "blank") && hears(b, one, "blank"));
    assert.deepEqual(a.heard.find(({ announcement: said }) => said.instance === two), { address: { host: "127.0.0.1", port: 7002 }, announcement: announcement(two) });
    assert.ok(!hears(a, one, "blank") && !hears(b, two, "blank"));
  });

  test("tells a new state at once and a goodbye at the end", async (t) => {
    const [one, two] = [tag(), tag()];
    const a = await box(t, one, 7001);
    const b = await box(t, two, 7002);
    await until(() => hears(a, two, "blank"));
    b.mdns.announce(announcement(two, "serving"));
    await until(() => hears(a, two, "serving"));
    assert.deepEqual(a.gone.filter((instance) => instance === two), []);
    await b.mdns.close();
    await until(() => a.gone.includes(two));
  });

  test("lives on through packets that are no DNS, or odd DNS", async (t) => {
    const [one, two] = [tag(), tag()];
    const a = await box(t, one, 7001);
    const socket = createSocket("udp4");
    t.after(() => socket.close());
    const header = Buffer.from("000084000000000100000000", "hex");
    const name = Buffer.concat([..."_ringbox._tcp.local".split(".")].map((label) => Buffer.from([label.length, ...Buffer.from(label)])));
    const odd = Buffer.concat([header, name, Buffer.from("00000c000100000078000101", "hex")]);
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(500, 0xff), header, odd, Buffer.concat([header, Buffer.from("c00cc00c", "hex")])]) {
      socket.send(bytes, 5353, "127.0.0.1");
    }
    await box(t, two, 7002);
    await until(() => hears(a, two, "blank"));
  });
});
