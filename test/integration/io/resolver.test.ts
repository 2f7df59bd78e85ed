import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { orderSrv, type ResolveCommand, SipResolver } from "../../../src/io/resolver.ts";
import type { Target } from "../../../src/sip/ports.ts";
import { dnsServer, type DnsRecord } from "../../support/dns-server.ts";
import { SeededRandom } from "../../support/seeded-random.ts";

const a = (name: string, data: string): DnsRecord => ({ name, type: data.includes(":") ? "AAAA" : "A", data });
const srv = (name: string, priority: number, weight: number, port: number, target: string): DnsRecord => ({ name, type: "SRV", data: { priority, weight, port, target } });
const naptr = (name: string, order: number, services: string, replacement: string, flags = "s"): DnsRecord => ({
  name, type: "NAPTR", data: { order, preference: 0, flags, services, regexp: "", replacement },
});
const text = (targets: readonly Target[]): string[] => targets.map(({ transport, address }) => `${transport} ${address.host} ${address.port}`);

class Asker {
  readonly asked: string[];
  readonly #resolver: SipResolver;
  readonly #waiting = new Map<number, (targets: readonly Target[]) => void>();
  #last = 0;
  constructor(t: TestContext, server: { readonly address: string; readonly asked: string[] }) {
    this.asked = server.asked;
    this.#resolver = new SipResolver({
      random: new SeededRandom(1), servers: [server.address],
      onResolved: (ticket, targets) => this.#waiting.get(ticket)?.(targets),
    });
    t.after(() => this.#resolver.close());
  }
  ask(host: string, rest: Partial<Pick<ResolveCommand, "port" | "transport">> = {}): Promise<string[]> {
    const ticket = ++this.#last;
    return new Promise((resolve) => {
      this.#waiting.set(ticket, (targets) => resolve(text(targets)));
      this.#resolver.resolve({ type: "resolve", ticket, host, port: rest.port, transport: rest.transport });
    });
  }
}
const asker = async (t: TestContext, records: readonly DnsRecord[]): Promise<Asker> => new Asker(t, await dnsServer(t, records));

describe("the resolver", { timeout: 300_000 }, () => {
  test("asks nobody about a numeric address", async (t) => {
    const dns = await asker(t, []);
    assert.deepEqual(await dns.ask("192.0.2.1"), ["udp 192.0.2.1 5060"]);
    assert.deepEqual(await dns.ask("[2001:db8::1]", { port: 7, transport: "tcp" }), ["tcp 2001:db8::1 7"]);
    assert.deepEqual(dns.asked, []);
  });

  test("with a port asks for addresses only, IPv4 before IPv6", async (t) => {
    const dns = await asker(t, [a("x.test", "2001:db8::1"), a("x.test", "192.0.2.1"), srv("_sip._udp.x.test", 1, 1, 9, "y.test")]);
    assert.deepEqual(await dns.ask("X.test", { port: 7 }), ["udp 192.0.2.1 7", "udp 2001:db8::1 7"]);
    assert.deepEqual(dns.asked.sort(), ["A x.test", "AAAA x.test"]);
  });

  test("follows NAPTR in its order and leaves out what is not spoken here", async (t) => {
    const dns = await asker(t, [
      naptr("x.test", 30, "SIP+D2U", "_sip._udp.x.test"), naptr("x.test", 10, "SIPS+D2T", "_sips._tcp.x.test"), naptr("x.test", 20, "SIP+D2T", "_sip._tcp.x.test"),
      srv("_sip._tcp.x.test", 1, 1, 5070, "t.test"), srv("_sip._udp.x.test", 1, 1, 5080, "u.test"), a("t.test", "192.0.2.1"), a("u.test", "192.0.2.2"),
    ]);
    assert.deepEqual(await dns.ask("x.test"), ["tcp 192.0.2.1 5070"]);
  });

  test("without NAPTR tries SRV for UDP, then TCP", async (t) => {
    const dns = await asker(t, [srv("_sip._tcp.x.test", 1, 1, 5070, "t.test"), a("t.test", "192.0.2.1")]);
    assert.deepEqual(await dns.ask("x.test"), ["tcp 192.0.2.1 5070"]);
  });

  test("puts a lower SRV priority first, with all addresses of each", async (t) => {
    const dns = await asker(t, [
      srv("_sip._udp.x.test", 20, 0, 3, "c.test"), srv("_sip._udp.x.test", 10, 0, 1, "b.test"),
      a("b.test", "192.0.2.1"), a("b.test", "192.0.2.2"), a("c.test", "192.0.2.3"),
    ]);
    assert.deepEqual(await dns.ask("x.test", { transport: "udp" }), ["udp 192.0.2.1 1", "udp 192.0.2.2 1", "udp 192.0.2.3 3"]);
  });

  test("without SRV falls back to addresses and port 5060", async (t) => {
    const dns = await asker(t, [a("x.test", "192.0.2.1")]);
    assert.deepEqual(await dns.ask("x.test"), ["udp 192.0.2.1 5060"]);
    assert.deepEqual(await dns.ask("x.test", { transport: "tcp" }), ["tcp 192.0.2.1 5060"]);
  });

  test("takes a service of \".\" for a no", async (t) => {
    const dns = await asker(t, [srv("_sip._udp.x.test", 1, 1, 5060, "."), a("x.test", "192.0.2.1")]);
    assert.deepEqual(await dns.ask("x.test", { transport: "udp" }), []);
  });

  test("answers a name that is not there, or is none, with nothing", async (t) => {
    const dns = await asker(t, []);
    assert.deepEqual(await dns.ask("nowhere.test"), []);
    assert.deepEqual(await dns.ask("not a name\0"), []);
    assert.deepEqual(await dns.ask("x".repeat(400)), []);
    assert.deepEqual(await dns.ask(""), []);
  });

  test("asks once about the same thing, however many ask at once, and remembers what is not there", async (t) => {
    const dns = await asker(t, [a("x.test", "192.0.2.1")]);
    await Promise.all(Array.from({ length: 50 }, () => dns.ask("x.test", { port: 1 })));
    assert.equal(dns.asked.length, 2);
    await dns.ask("nowhere.test", { port: 1 });
    const before = dns.asked.length;
    await dns.ask("nowhere.test", { port: 1 });
    assert.equal(dns.asked.length, before);
  });

  test("answers more questions at once than it will ask with nothing", async (t) => {
    const dns = await asker(t, []);
    const all = await Promise.all(Array.from({ length: 400 }, (_, i) => dns.ask(`n${i}.test`, { port: 1 })));
    assert.equal(all.length, 400);
    assert.ok(dns.asked.length <= 2 * 256 * 2);
  });
});

test("SRV records of one priority come first in proportion to their weights, those of weight 0 seldom", () => {
  const random = new SeededRandom(5);
  const records = [0, 10, 30, 60].map((weight) => ({ name: `w${weight}`, port: 1, priority: 1, weight }));
  const first = new Map<string, number>();
  for (let i = 0; i < 10_000; i++) {
    const ordered = orderSrv(records, random);
    assert.equal(new Set(ordered).size, 4);
    const name = ordered[0]?.name ?? "";
    first.set(name, (first.get(name) ?? 0) + 1);
  }
  const share = (name: string): number => (first.get(name) ?? 0) / 100;
  assert.ok(Math.abs(share("w10") - 10) < 2 && Math.abs(share("w30") - 30) < 3 && Math.abs(share("w60") - 60) < 3, JSON.stringify([...first]));
  assert.ok(share("w0") > 0 && share("w0") < 2);
});
