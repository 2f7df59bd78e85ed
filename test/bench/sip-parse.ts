// Messages per second of one process through the message layer: `node test/bench/sip-parse.ts`. Prints, judges nothing.

import { parseMessage, readMessage } from "../../src/sip/message/parse.ts";
import { RequestEdit } from "../../src/sip/message/edit.ts";
import { responseTo } from "../../src/sip/message/build.ts";
import { StreamFramer } from "../../src/sip/message/stream-framer.ts";
import { registerMessage } from "../support/sip-messages.ts";

const REPEATS = 300_000;

/** Fresh flat strings, as they come from a socket, so that nothing is remembered from the last round. */
const source = Buffer.from(registerMessage(), "latin1");
const fresh = (): string => source.toString("latin1");

function measure(name: string, once: () => unknown): void {
  for (let i = 0; i < 30_000; i++) once();
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 3; round++) {
    const start = process.hrtime.bigint();
    for (let i = 0; i < REPEATS / 3; i++) once();
    best = Math.min(best, Number(process.hrtime.bigint() - start) / (REPEATS / 3));
  }
  console.log(`${name.padEnd(44)} ${(best / 1_000).toFixed(2).padStart(6)} µs ${Math.round(1e9 / best).toLocaleString("en").padStart(10)}/s`);
}

console.log(`REGISTER of ${source.length} octets, Node ${process.version}`);
measure("octets to string only", fresh);
measure("located (parseMessage)", () => parseMessage(fresh()));
measure("read and validated (readMessage)", () => readMessage(fresh()));

const source5060 = { host: "10.99.0.7", port: 5060 };
const target = Buffer.alloc(65_536);

measure("… stamped, answered 200, written", () => {
  const read = readMessage(fresh());
  if (!read.ok || read.value.type !== "request") throw new Error("the benchmark's message is not valid");
  read.value.stampReceived(source5060);
  return target.write(responseTo(read.value, 200, "OK", { toTag: "a1b2c3" }).octets, "latin1");
});

measure("… stamped, forwarded, written", () => {
  const read = readMessage(fresh());
  if (!read.ok || read.value.type !== "request") throw new Error("the benchmark's message is not valid");
  read.value.stampReceived(source5060);
  const forwarded = new RequestEdit(read.value)
    .setUri("sip:dave@10.99.0.9:5062")
    .setMaxForwards(69)
    .pushRecordRoute("<sip:10.99.0.2;lr>")
    .pushVia("SIP/2.0/UDP 10.99.0.2:5060;branch=z9hG4bK0123456789abcdef")
    .request();
  return target.write(forwarded.octets, "latin1");
});

const framer = new StreamFramer();
measure("framed from a stream", () => framer.push(fresh()));
