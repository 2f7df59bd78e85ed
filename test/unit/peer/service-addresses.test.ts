import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { after, type Instant, instant, milliseconds, seconds } from "../../../src/base/time.ts";
import type { Entry, NodeId, OverlayInput } from "../../../src/overlay/ports.ts";
import { wallTime } from "../../../src/base/time.ts";
import { ServiceAddresses, type ServiceAddressEvent, type ServiceStep } from "../../../src/peer/service-addresses.ts";
import { decodeServiceEntry, encodeServiceEntry, serviceKey } from "../../../src/peer/service-entry.ts";
import { SimulatedCrypto } from "../../support/simulated-crypto.ts";

const node = (digit: string): NodeId => digit.repeat(32) as NodeId;
const LINK = "192.0.2.0/24";
const SIP_PORT = 5060;
const addressOf = (digit: string): string => `192.0.2.1${digit}`;

/** One box of a link where every box has an address; `digits` name them in the order of the ring. */
class OneBox {
  readonly serving: Set<NodeId>;
  readonly machine: ServiceAddresses;
  readonly entries: readonly Entry[];
  now: Instant = instant(0);
  tickets = 0;
  /** Addresses that were asked for, and given up with a minus before them, since the last look. */
  wanted: string[] = [];
  operations: OverlayInput[] = [];

  constructor(self: string, digits: string, ports: Readonly<Record<string, number>> = {}) {
    this.serving = new Set([...digits].map(node));
    this.entries = [...digits].map((digit) => {
      const entry = { owner: node(digit), address: addressOf(digit), sipPort: ports[digit] ?? SIP_PORT };
      return { key: serviceKey(entry), value: encodeServiceEntry(entry), storedAt: wallTime(1) };
    });
    this.machine = new ServiceAddresses(
      { self: node(self), sipPort: ports[self] ?? SIP_PORT, addresses: [addressOf(self)] },
      { serves: (id) => this.serving.has(id), isReachable: (id) => this.serving.has(id), nextTicket: () => ++this.tickets },
      new SimulatedCrypto(new Uint8Array(4)),
    );
  }

  /** In the ring, its own address up, and the others' known. */
  settle(): this {
    this.take(this.machine.setServing(this.now, true));
    this.told(this.ownAddress, "held");
    this.pass(milliseconds(1));
    this.wanted = [];
    return this;
  }

  get ownAddress(): string {
    return this.wanted[0] ?? "";
  }

  told(address: string, state: ServiceAddressEvent["state"]): void {
    this.take(this.machine.told(this.now, state === "held" ? { type: "service-address", address, state, link: LINK } : { type: "service-address", address, state }));
  }

  dies(digit: string): void {
    this.serving.delete(node(digit));
    this.take(this.machine.looked(this.now));
  }

  /** Time passes; readings are answered with what the ring has. */
  pass(time: number): void {
    const end = after(this.now, milliseconds(time));
    for (;;) {
      const next = this.machine.nextDeadline();
      if (next === undefined || next > end) break;
      this.now = next;
      this.take(this.machine.tick(this.now));
    }
    this.now = end;
  }

  take(step: ServiceStep | undefined): void {
    for (const effect of step?.effects ?? []) if (effect.type === "service-address") this.wanted.push(`${effect.wanted ? "" : "-"}${effect.address}`);
    for (const operation of step?.operations ?? []) {
      this.operations.push(operation);
      if (operation.type === "fetch") this.take(this.machine.fetched(this.now, operation.ticket, { ok: true, kinds: [{ kind: operation.kinds[0] ?? 0, generation: 1, entries: this.entries }] }));
      if (operation.type === "store") this.take(this.machine.stored(this.now, operation.ticket, { ok: true, copies: 2, generation: 1 }));
    }
  }
}

suite("service addresses", () => {
  test("a box asks for its own when it serves, writes it for the others once it has it, and lets it go when it serves no more", () => {
    const box = new OneBox("1", "1");
    box.take(box.machine.setServing(box.now, true));
    assert.deepEqual(box.wanted, [addressOf("1")]);
    assert.equal(box.operations.some(({ type }) => type === "store"), false);
    box.told(addressOf("1"), "held");
    box.pass(1);
    const store = box.operations.find((operation) => operation.type === "store");
    assert.ok(store?.type === "store");
    const [change] = store.changes;
    assert.ok(change?.value !== undefined);
    assert.deepEqual(decodeServiceEntry({ key: change.key, value: change.value }), { owner: node("1"), address: addressOf("1"), sipPort: SIP_PORT });
    box.take(box.machine.setServing(box.now, false));
    assert.deepEqual(box.wanted, [addressOf("1"), `-${addressOf("1")}`]);
  });

  test("of the living the first clockwise takes a dead box's address at once, the next ones wait longer each", () => {
    const askedAfter = (self: string): number => {
      const box = new OneBox(self, "2579").settle();
      box.dies("7");
      const died = box.now;
      for (; box.wanted.length === 0 && box.now < after(died, seconds(20)); ) box.pass(100);
      assert.deepEqual(box.wanted, [addressOf("7")]);
      return box.now - died;
    };
    assert.ok(askedAfter("9") <= 600);
    assert.ok(askedAfter("2") >= 3_000 && askedAfter("2") < 4_000);
    assert.ok(askedAfter("5") >= 6_000 && askedAfter("5") < 7_000);
  });

  test("a taker steps down when the owner serves again, and not while it is only heard of", () => {
    const box = new OneBox("9", "79").settle();
    box.dies("7");
    box.pass(1_000);
    box.told(addressOf("7"), "held");
    assert.deepEqual(box.machine.held, [addressOf("9"), addressOf("7")]);
    box.pass(60_000);
    box.serving.add(node("7"));
    box.pass(500);
    assert.deepEqual(box.wanted, [addressOf("7"), `-${addressOf("7")}`]);
    assert.deepEqual(box.machine.held, [addressOf("9")]);
  });

  test("an address that somebody has is asked for again, ever more seldom", () => {
    const box = new OneBox("9", "79").settle();
    box.dies("7");
    let asked = 0;
    for (let second = 0; second < 60; second += 1) {
      box.pass(1_000);
      asked += box.wanted.splice(0).length;
      box.told(addressOf("7"), "busy");
    }
    assert.ok(asked >= 5 && asked <= 12, `${asked}`);
  });

  test("a box with another SIP port is passed over: it could not answer there", () => {
    const box = new OneBox("9", "79", { 9: 5070 }).settle();
    box.dies("7");
    box.pass(30_000);
    assert.deepEqual(box.wanted, []);
  });

  test("of two that hold one dead box's address the one whose turn it is keeps it", () => {
    const outcome = (self: string): readonly string[] => {
      const box = new OneBox(self, "279").settle();
      box.dies("7");
      box.pass(5_000);
      box.told(addressOf("7"), "held");
      box.told(addressOf("7"), "conflict");
      return box.machine.held;
    };
    assert.deepEqual(outcome("9"), [addressOf("9"), addressOf("7")]);
    assert.deepEqual(outcome("2"), [addressOf("2")]);
  });

  test("what comes up after it was given up is taken down again", () => {
    const box = new OneBox("9", "79").settle();
    box.dies("7");
    box.pass(1_000);
    box.serving.add(node("7"));
    box.pass(500);
    box.wanted = [];
    box.told(addressOf("7"), "held");
    assert.deepEqual(box.wanted, [`-${addressOf("7")}`]);
    assert.deepEqual(box.machine.held, [addressOf("9")]);
  });

  test("an entry of another box's making under somebody's key is not believed", () => {
    const entry = { owner: node("1"), address: addressOf("1"), sipPort: SIP_PORT };
    assert.equal(decodeServiceEntry({ key: serviceKey({ ...entry, owner: node("2") }), value: encodeServiceEntry(entry) }), undefined);
    assert.equal(decodeServiceEntry({ key: serviceKey(entry), value: encodeServiceEntry(entry).subarray(1) }), undefined);
  });
});
