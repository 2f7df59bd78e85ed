import assert from "node:assert/strict";
import { test } from "node:test";
import { instant, seconds } from "../../../src/base/time.ts";
import { type Heard, MdnsCache } from "../../../src/io/mdns-cache.ts";

const heard = (instance: string, state: "serving" | "blank" = "blank", host = "10.77.0.2"): Heard => ({
  address: { host, port: 6084 }, announcement: { fleetHash: "f1ee7", state, instance },
});
const at = (second: number) => instant(second * 1_000);
const cache = (): MdnsCache => new MdnsCache(seconds(22));

test("a box is news once, and again when its state changes", () => {
  const heardOf = cache();
  assert.equal(heardOf.hear(at(0), "a-1", heard("a")), true);
  assert.equal(heardOf.hear(at(5), "a-1", heard("a")), false);
  assert.equal(heardOf.hear(at(6), "a-2", heard("a", "serving")), true);
});

test("a box at another address is news", () => {
  const heardOf = cache();
  heardOf.hear(at(0), "a-1", heard("a"));
  assert.equal(heardOf.hear(at(1), "a-2", heard("a", "blank", "10.77.0.9")), true);
});

test("a box counts for its lifetime after it was heard last", () => {
  const heardOf = cache();
  heardOf.hear(at(0), "a-1", heard("a"));
  heardOf.hear(at(5), "a-1", heard("a"));
  assert.deepEqual(heardOf.expire(at(26.9)), []);
  assert.deepEqual(heardOf.expire(at(27)), [heard("a")]);
  assert.deepEqual(heardOf.expire(at(28)), []);
});

test("a box that is still heard at another address is not gone", () => {
  const heardOf = cache();
  heardOf.hear(at(0), "a-1", heard("a"));
  heardOf.hear(at(10), "a-2", heard("a", "blank", "10.77.0.9"));
  assert.deepEqual(heardOf.expire(at(22)), []);
  assert.deepEqual(heardOf.expire(at(32)), [heard("a", "blank", "10.77.0.9")]);
});

test("a goodbye takes effect after a second", () => {
  const heardOf = cache();
  heardOf.hear(at(0), "a-1", heard("a"));
  heardOf.goodbye(at(3), "a-1");
  assert.deepEqual(heardOf.expire(at(3.9)), []);
  assert.deepEqual(heardOf.expire(at(4)), [heard("a")]);
});

test("a goodbye that a new announcement follows at once loses nothing", () => {
  const heardOf = cache();
  heardOf.hear(at(0), "a-1", heard("a"));
  heardOf.goodbye(at(3), "a-1");
  assert.equal(heardOf.hear(at(3), "a-2", heard("a", "serving")), true);
  assert.deepEqual(heardOf.expire(at(10)), []);
});

test("a goodbye that comes after the new announcement loses nothing", () => {
  const heardOf = cache();
  heardOf.hear(at(0), "a-1", heard("a"));
  heardOf.hear(at(3), "a-2", heard("a", "serving"));
  heardOf.goodbye(at(3), "a-1");
  assert.deepEqual(heardOf.expire(at(10)), []);
});

test("a goodbye repeated does not put the end off", () => {
  const heardOf = cache();
  heardOf.hear(at(0), "a-1", heard("a"));
  heardOf.goodbye(at(3), "a-1");
  heardOf.goodbye(at(3.9), "a-1");
  assert.deepEqual(heardOf.expire(at(4)), [heard("a")]);
});

test("beyond 64 whoever comes new is ignored, until there is room", () => {
  const heardOf = cache();
  for (let index = 0; index < 64; index++) assert.equal(heardOf.hear(at(0), `a${index}-1`, heard(`a${index}`)), true);
  assert.equal(heardOf.hear(at(1), "b-1", heard("b")), false);
  assert.equal(heardOf.hear(at(1), "a0-2", heard("a0", "serving")), true, "whom it knows it still follows");
  assert.equal(heardOf.expire(at(22)).length, 63);
  assert.equal(heardOf.hear(at(22), "b-1", heard("b")), true);
});
