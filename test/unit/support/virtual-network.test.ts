import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { EventQueue } from "../../support/event-queue.ts";
import { SeededRandom } from "../../support/seeded-random.ts";
import { VirtualNetwork } from "../../support/virtual-network.ts";

const HERE = { host: "10.0.0.1", port: 5060 };
const THERE = { host: "10.0.0.2", port: 5060 };

/** What arrives there of 1,000 datagrams that are numbered and sent a millisecond apart. */
function sendThousand(loss: number, duplicate: number, prepare = (_: VirtualNetwork): void => undefined): number[] {
  const queue = new EventQueue();
  const network = new VirtualNetwork(queue, new SeededRandom(1), { delayLeast: 1, delayMost: 10, loss, duplicate });
  const arrived: number[] = [];
  network.bindDatagrams(THERE, 1, (from, octets) => {
    assert.deepEqual(from, HERE);
    arrived.push(Number(octets));
  });
  prepare(network);
  for (let i = 0; i < 1_000; i++) queue.at(i, () => network.sendDatagram(HERE, 0, THERE, String(i)));
  while (queue.runNext(10_000));
  return arrived;
}

describe("datagrams", () => {
  test("overtake each other, and all arrive where nothing is lost", () => {
    const arrived = sendThousand(0, 0);
    assert.notDeepEqual(arrived, [...arrived].sort((a, b) => a - b));
    assert.equal(new Set(arrived).size, 1_000);
  });
  test("are lost and doubled as often as is said", () => {
    const arrived = sendThousand(0.2, 0.1);
    const once = new Set(arrived).size;
    assert.ok(once > 750 && once < 880, `${once} arrived`);
    assert.ok(arrived.length > once + 30, `${arrived.length - once} arrived twice`);
  });
  test("do not pass a cut, and do where only the way back is cut", () => {
    assert.equal(sendThousand(0, 0, (network) => network.partition([0, 1])).length, 0);
    assert.equal(sendThousand(0, 0, (network) => network.cut(0, 1)).length, 0);
    assert.equal(sendThousand(0, 0, (network) => network.cut(1, 0)).length, 1_000);
  });
});
