// The control socket itself: who may open it, how long its path and its lines may be, and what a client
// says when there is no box.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { createConnection, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test, type TestContext } from "node:test";
import { ControlClient } from "../../../src/cli/control-client.ts";
import { runRingbox } from "../../../src/cli/program.ts";
import { FakeBox } from "../../support/fake-box.ts";
import { RecordedTerminal } from "../../support/recorded-terminal.ts";

async function runningBox(t: TestContext, directory?: string): Promise<FakeBox> {
  const box = await new FakeBox(directory).start();
  t.after(() => box.stop());
  return box;
}

async function rawConnection(t: TestContext, box: FakeBox): Promise<Socket> {
  const socket = createConnection(join(box.directory, "control.sock"));
  t.after(() => socket.destroy());
  await once(socket, "connect");
  return socket;
}

/** What `ringbox status` asks. */
const STATUS_QUESTIONS = [{ op: "status" }, { op: "conflict-list" }];

suite("control socket", () => {
  test("only its owner may open it", async (t) => {
    const box = await runningBox(t);
    assert.equal(statSync(join(box.directory, "control.sock")).mode & 0o777, 0o600);
  });

  test("a socket that a dead box left behind is taken over", async (t) => {
    const first = await runningBox(t);
    const second = await runningBox(t, first.directory);
    assert.equal(await runRingbox(["--data", second.directory, "status"], new RecordedTerminal()), 0);
    assert.deepEqual(second.asked, STATUS_QUESTIONS);
  });

  test("a data directory with a path longer than a socket address works", async (t) => {
    const top = mkdtempSync(join(tmpdir(), "ringbox-long-"));
    t.after(() => rmSync(top, { recursive: true, force: true }));
    const directory = join(top, "d".repeat(90), "e".repeat(90));
    mkdirSync(directory, { recursive: true });
    await runningBox(t, directory);
    assert.equal(statSync(join(directory, "control.sock")).mode & 0o777, 0o600);
    assert.equal(await runRingbox(["--data", directory, "status"], new RecordedTerminal()), 0);
  });

  test("without a box there is one line that says so", async (t) => {
    const directory = mkdtempSync(join(tmpdir(), "ringbox-none-"));
    t.after(() => rmSync(directory, { recursive: true, force: true }));
    const cases = [
      { data: join(directory, "absent"), reason: "there is no such directory" },
      { data: directory, reason: "it has no control socket" },
    ];
    for (const { data, reason } of cases) {
      const terminal = new RecordedTerminal();
      assert.equal(await runRingbox(["--data", data, "status"], terminal), 1);
      assert.deepEqual(terminal.noted, [`ringbox: no box is running on ${data} (${reason})`]);
    }
  });

  test("questions are answered in whatever order the answers come", async (t) => {
    const box = await runningBox(t);
    const client = await ControlClient.connect(box.directory);
    t.after(() => client.close());
    const [peers, { status }] = await Promise.all([client.ask<"peers">({ op: "peers" }), client.ask<"status">({ op: "status" })]);
    assert.equal(peers.peers.length, 2);
    assert.equal(status.fleet, "Acme");
  });

  test("a hundred questions at once are all answered", async (t) => {
    const box = await runningBox(t);
    const client = await ControlClient.connect(box.directory);
    t.after(() => client.close());
    const answers = await Promise.all(Array.from({ length: 100 }, () => client.ask<"status">({ op: "status" })));
    assert.equal(answers.length, 100);
  });

  test("a question that the box does not know is refused, and the next one answered", async (t) => {
    const box = await runningBox(t);
    const socket = await rawConnection(t, box);
    socket.write('{"id":1,"op":"explode"}\n{"id":2,"op":"status"}\n');
    const [first, second] = await linesOf(socket, 2);
    assert.match(first ?? "", /^\{"id":1,"ok":false,"fault":"invalid"/);
    assert.match(second ?? "", /^\{"id":2,"ok":true,"op":"status"/);
    assert.deepEqual(box.asked, [{ op: "status" }]);
  });

  test("what is no question closes its connection, and the box goes on", async (t) => {
    const box = await runningBox(t);
    for (const bad of ["not json\n", "{}\n", "[]\n", "null\n", `{"id":1,"op":"${"x".repeat(300_000)}`]) {
      const socket = await rawConnection(t, box);
      socket.write(bad);
      // A reset, when the box closes before it has read everything, is a close too.
      await new Promise((resolve) => socket.resume().on("error", () => {}).once("close", resolve));
    }
    assert.equal(await runRingbox(["--data", box.directory, "status"], new RecordedTerminal()), 0);
    assert.deepEqual(box.asked, STATUS_QUESTIONS);
  });

  test("a question in pieces is a question", async (t) => {
    const box = await runningBox(t);
    const socket = await rawConnection(t, box);
    socket.setNoDelay(true);
    for (const piece of ['{"id":1,', '"op":"sta', 'tus"}\n{"id"']) {
      socket.write(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const [line] = await linesOf(socket, 1);
    assert.match(line ?? "", /^\{"id":1,"ok":true/);
  });

  test("a box that stops before it answers is told as such", async (t) => {
    const box = await runningBox(t);
    box.override = () => {
      setImmediate(() => box.stop());
      return "silent";
    };
    const client = await ControlClient.connect(box.directory);
    await assert.rejects(client.ask<"status">({ op: "status" }), /stopped before it answered/);
    await assert.rejects(client.ask<"status">({ op: "status" }), /is gone/);
    client.close();
  });

  test("what answers but is no box, or another version of one, is told as such", async (t) => {
    const directory = mkdtempSync(join(tmpdir(), "ringbox-other-"));
    const cases = [
      { answer: "hello\n", told: /not a box/ },
      { answer: '{"id":1,"ok":true,"status":{}}\n', told: /same version/ },
    ];
    for (const { answer, told } of cases) {
      const other = createServer((socket) => socket.once("data", () => socket.write(answer)));
      other.listen(join(directory, "control.sock"));
      await once(other, "listening");
      const client = await ControlClient.connect(directory);
      await assert.rejects(client.ask<"status">({ op: "status" }), told);
      client.close();
      other.close();
      await once(other, "close");
    }
    t.after(() => rmSync(directory, { recursive: true, force: true }));
  });
});

/** The first lines that arrive. */
async function linesOf(socket: Socket, count: number): Promise<readonly string[]> {
  let text = "";
  for await (const chunk of socket) {
    text += chunk.toString();
    const lines = text.split("\n");
    if (lines.length > count) return lines.slice(0, count);
  }
  return text.split("\n");
}
