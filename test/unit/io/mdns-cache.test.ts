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
  heardOf.goodbye(at(3), "a-1", "10.77.0.2");
  assert.deepEqual(heardOf.expire(at(3.9)), []);
  assert.deepEqual(heardOf.expire(at(4)), [heard("a")]);
});

test("a goodbye that a new announcement follows at once loses nothing", () => {
  const heardOf = cache();
  heardOf.hear(at(0), "a-1", heard("a"));
  heardOf.goodbye(at(3), "a-1", "10.77.0.2");
  assert.equal(heardOf.hear(at(3), "a-2", heard("a", "serving")), true);
  assert.deepEqual(heardOf.expire(at(10)), []);
});

test("a goodbye that comes after the new announcement loses nothing", () => {
  const heardOf = cache();
  heardOf.hear(at(0), "a-1", heard("a"));
  heardOf.hear(at(3), "a-2", heard("a", "serving"));
  heardOf.goodbye(at(3), "a-1", "10.77.0.2");
  assert.deepEqual(heardOf.expire(at(10)), []);
});

test("a goodbye repeated does not put the end off", () => {
  const heardOf = cache();
  heardOf.hear(at(0), "a-1", heard("a"));
  heardOf.goodbye(at(3), "a-1", "10.77.0.2");
  heardOf.goodbye(at(3.9), "a-1", "10.77.0.2");
  assert.deepEqual(heardOf.expire(at(4)), [heard("a")]);
});

test("one host that invents boxes fills its own part and nobody else's", () => {
  const heardOf = cache();
  const news = Array.from({ length: 1_000 }, (_, index) => heardOf.hear(at(0), `a${index}-1`, heard(`a${index}`)));
  assert.equal(news.filter((isNews) => isNews).length, 4);
  assert.equal(heardOf.hear(at(1), "b-1", heard("b", "serving", "10.77.0.9")), true);
  assert.equal(heardOf.hear(at(1), "a0-2", heard("a0", "serving")), true, "whom it knows it still follows");
  assert.equal(heardOf.expire(at(22)).length, 3);
  assert.equal(heardOf.hear(at(22), "c-1", heard("c")), true, "there is room again");
});

test("a goodbye that another host says takes nothing back", () => {
  const heardOf = cache();
  heardOf.hear(at(0), "a-1", heard("a"));
  heardOf.goodbye(at(3), "a-1", "10.77.0.66");
  assert.deepEqual(heardOf.expire(at(10)), []);
});

test("a whole network of inventions is forgotten again", () => {
  const heardOf = cache();
  for (let index = 0; index < 2_000; index++) heardOf.hear(at(0), `a${index}-1`, heard(`a${index}`, "blank", `10.77.${index >> 8}.${index & 255}`));
  assert.equal(heardOf.hear(at(1), "b-1", heard("b", "blank", "10.78.0.1")), false);
  assert.equal(heardOf.expire(at(22)).length, 1_024);
  assert.equal(heardOf.hear(at(22), "b-1", heard("b", "blank", "10.78.0.1")), true);
});
