// The disk that is recorded, and its cuts: judged by what they do to a few writes.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { suite, test, type TestContext } from "node:test";
import { atEnd } from "../support/built-ring.ts";
import { CutDisk } from "../support/power-cut/cut-disk.ts";
import { OctetReader } from "../support/power-cut/octet-reader.ts";
import { RecordedDisk } from "../support/power-cut/recorded-disk.ts";
import { SeededRandom } from "../support/seeded-random.ts";
import { memoryDirectory } from "../support/temporary-directory.ts";

const SIZE = 1 << 20;
const SECTOR = 512;
const [READ, WRITE, FLUSH, WRITE_ZEROS] = [0, 1, 3, 6];
const FORCED = 1;

suite("a recorded disk", () => {
  test("gives back what was written, and zeros where zeros were", async (t) => {
    const { client } = await recorded(t);
    await client.ask(WRITE, 4_096, Buffer.alloc(8 * SECTOR, 1));
    await client.ask(WRITE_ZEROS, 4_096 + SECTOR, SECTOR);
    const expected = Buffer.alloc(8 * SECTOR, 1);
    expected.fill(0, SECTOR, 2 * SECTOR);
    assert.deepEqual(await client.ask(READ, 4_096, 8 * SECTOR), expected);
  });

  test("refuses what lies behind its end", async (t) => {
    const { client } = await recorded(t);
    await assert.rejects(client.ask(WRITE, SIZE - SECTOR, Buffer.alloc(2 * SECTOR)), /22/);
  });

  test("keeps what was flushed or forced through each cut, and of the rest any sectors", async (t) => {
    const { client, disk, before, directory } = await recorded(t);
    await client.ask(WRITE, 0, Buffer.alloc(8 * SECTOR, 1));
    await client.ask(FLUSH, 0, 0);
    await client.ask(WRITE, 8 * SECTOR, Buffer.alloc(SECTOR, 2), FORCED);
    await client.ask(WRITE, 0, Buffer.alloc(8 * SECTOR, 3));
    const cuts = new CutDisk(disk, before);
    atEnd(t, () => cuts.close());
    const states = new Set<string>();
    for (let seed = 0; seed < 60; seed++) {
      const state = join(directory, "state");
      cuts.cut(disk.operations.length, new SeededRandom(seed), state);
      const found = readFileSync(state);
      const sectors = Array.from({ length: 9 }, (_, i) => found.subarray(i * SECTOR, (i + 1) * SECTOR));
      for (const sector of sectors) assert.ok(sector.every((octet) => octet === sector[0]), "a sector is not torn");
      const octets = sectors.map((sector) => sector[0] ?? 0);
      assert.ok(octets.slice(0, 8).every((octet) => octet === 1 || octet === 3), "nothing older than the flush");
      assert.equal(octets[8], 2);
      states.add(octets.join(""));
    }
    assert.ok(states.has("111111112") && states.has("333333332") && states.size > 10, [...states].join());
  });
});

async function recorded(t: TestContext): Promise<{ client: Client; disk: RecordedDisk; before: string; directory: string }> {
  const directory = memoryDirectory(t);
  const [file, before] = [join(directory, "disk"), join(directory, "before")];
  for (const path of [file, before]) {
    writeFileSync(path, "");
    truncateSync(path, SIZE);
  }
  const disk = new RecordedDisk(file);
  atEnd(t, () => disk.close());
  await disk.listen();
  return { client: await Client.open(disk.socket), disk, before, directory };
}

/** Speaks so much of the protocol as a machine does. */
class Client {
  readonly #socket: Socket;
  readonly #reader: OctetReader;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#reader = new OctetReader(socket);
  }

  static async open(path: string): Promise<Client> {
    const socket = connect(path);
    await once(socket, "connect");
    const client = new Client(socket);
    await client.#reader.take(18);
    const hello = Buffer.alloc(4 + 16 + 6);
    hello.writeUInt32BE(3, 0);
    hello.write("IHAVEOPT", 4, "latin1");
    hello.writeUInt32BE(7, 12);
    hello.writeUInt32BE(6, 16);
    socket.write(hello);
    for (let type = 0; type !== 1; ) {
      const head = await client.#reader.take(20);
      type = head.readUInt32BE(12);
      const content = await client.#reader.take(head.readUInt32BE(16));
      if (type === 3 && content.readUInt16BE(0) === 0) assert.equal(content.readBigUInt64BE(2), BigInt(SIZE));
    }
    return client;
  }

  /** `what`: the content, or a length. Resolves with what was read. */
  async ask(type: number, offset: number, what: Buffer | number, flags = 0): Promise<Buffer> {
    const head = Buffer.alloc(28);
    head.writeUInt32BE(0x25609513, 0);
    head.writeUInt16BE(flags, 4);
    head.writeUInt16BE(type, 6);
    head.writeBigUInt64BE(BigInt(offset), 16);
    head.writeUInt32BE(typeof what === "number" ? what : what.length, 24);
    this.#socket.write(typeof what === "number" ? head : Buffer.concat([head, what]));
    const answer = await this.#reader.take(16);
    if (answer.readUInt32BE(4) !== 0) throw new Error(`refused with ${answer.readUInt32BE(4)}`);
    return type === READ && typeof what === "number" ? await this.#reader.take(what) : Buffer.alloc(0);
  }
}
