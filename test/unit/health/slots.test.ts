import assert from "node:assert/strict";
import { test } from "node:test";
import { instant, seconds } from "../../../src/base/time.ts";
import { SlotBook } from "../../../src/health/slots.ts";

test("one box at a time is let out of service, until its time is over or it gives the slot back", () => {
  const book = new SlotBook();
  assert(book.ask(instant(0), "a", seconds(60)));
  assert(!book.ask(instant(1), "b", seconds(60)));
  assert(book.ask(instant(2), "a", seconds(60)), "the one that has it is given it again");
  book.giveBack("b");
  assert(!book.ask(instant(3), "b", seconds(60)));
  book.giveBack("a");
  assert(book.ask(instant(4), "b", seconds(60)));
  assert(book.ask(instant(64_001), "c", seconds(60)));
});
