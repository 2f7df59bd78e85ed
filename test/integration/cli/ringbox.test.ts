// Every command of `ringbox` against a box behind the real control socket.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, suite, test } from "node:test";
import { runRingbox } from "../../../src/cli/program.ts";
import { newSubscriber } from "../../../src/cli/credentials.ts";
import { OUTPUT_SCHEMAS } from "../../../src/cli/schemas.ts";
import { FakeBox } from "../../support/fake-box.ts";
import { RecordedTerminal } from "../../support/recorded-terminal.ts";
import { SAMPLE_CONFLICT, SAMPLE_PEERS, SAMPLE_STATUS, SAMPLE_WHERE } from "../../support/sample-reports.ts";

let box: FakeBox;
beforeEach(async () => {
  box = await new FakeBox().start();
});
afterEach(() => box.stop());

interface Ran {
  readonly status: number;
  readonly printed: string;
  readonly noted: string;
}

async function ringbox(args: readonly string[], terminal = new RecordedTerminal()): Promise<Ran> {
  const status = await runRingbox(["--data", box.directory, ...args], terminal);
  return { status, printed: terminal.printed.join("\n"), noted: terminal.noted.join("\n") };
}

const importFile = (content: string | Uint8Array): string => {
  const file = join(box.directory, "people.csv");
  writeFileSync(file, content);
  return file;
};

suite("status, peers, leave, where, registration list", () => {
  test("status says first what matters", async () => {
    const { status, printed } = await ringbox(["status"]);
    assert.equal(status, 0);
    assert.match(printed, /^Serving\. 5 of 5 boxes\. 3 copies of everything; you can lose 2\.\n/);
  });

  test("the exit status of status tells the worst that it found", async () => {
    const found = async (...severities: readonly ("notice" | "warning" | "alarm")[]): Promise<number> => {
      const conditions = severities.map((severity) => ({ code: severity, severity, text: "So it is.", next: "" }));
      box.override = ({ op }) => (op === "status" ? { ok: true, op, status: { ...SAMPLE_STATUS, conditions } } : undefined);
      const { status, noted } = await ringbox(["status"]);
      assert.equal(noted, "");
      return status;
    };
    assert.equal(await found("notice"), 0);
    assert.equal(await found("notice", "warning"), 3);
    assert.equal(await found("warning", "alarm", "notice"), 4);
  });

  test("--json prints the report, and its schema accepts it", async () => {
    const outputs = [
      { args: ["status"], schema: OUTPUT_SCHEMAS.status, report: SAMPLE_STATUS },
      { args: ["peers"], schema: OUTPUT_SCHEMAS.peers, report: SAMPLE_PEERS },
      { args: ["subscriber", "list"], schema: OUTPUT_SCHEMAS["subscriber-list"], report: [] },
      { args: ["registration", "list"], schema: OUTPUT_SCHEMAS["registration-list"], report: [{ aor: SAMPLE_WHERE.aor, bindings: SAMPLE_WHERE.bindings }] },
      { args: ["where", "100"], schema: OUTPUT_SCHEMAS.where, report: SAMPLE_WHERE },
    ];
    for (const { args, schema, report } of outputs) {
      const { status, printed } = await ringbox([...args, "--json"]);
      assert.equal(status, 0, args.join(" "));
      assert.deepEqual(schema.parse(JSON.parse(printed)), report);
      assert.deepEqual(JSON.parse(printed), report);
    }
  });

  test("conflicts are listed, mentioned in the status, and settled by number", async () => {
    assert.equal((await ringbox(["conflicts"])).printed, "No conflicts.");
    box.conflicts = [SAMPLE_CONFLICT];
    const json = await ringbox(["conflicts", "--json"]);
    assert.deepEqual(OUTPUT_SCHEMAS.conflicts.parse(JSON.parse(json.printed)), [SAMPLE_CONFLICT]);
    const { printed } = await ringbox(["conflicts"]);
    assert.match(printed, /^1 subscriber changed by boxes.*\n\nsip:100@acme\.example\n {2}1 {2}in force {2}password 1, "Anna" .* at 11111111 192\.0\.2\.1:5060\n {2}2 .* removed .* at 22222222/);
    assert.match((await ringbox(["status"])).printed, /1 subscriber was changed by boxes.*`ringbox conflicts`/);
    assert.match((await ringbox(["conflicts", "resolve", "100", "--keep", "3"])).noted, /2 versions, not 3/);
    assert.match((await ringbox(["conflicts", "resolve", "100", "--keep", "2"])).printed, /^Settled: version 2 of sip:100@acme\.example, its removal,/);
    assert.deepEqual(box.asked.at(-1), { op: "conflict-resolve", username: "100", version: "22" });
    assert.doesNotMatch((await ringbox(["status"])).printed, /conflicts/);
  });

  test("an AoR may be written short, whole or as a URI", async () => {
    for (const written of ["100", "100@ACME.example", "sip:100@acme.example"]) await ringbox(["where", written]);
    const asked = box.asked.filter((request) => request.op === "where");
    assert.deepEqual(asked, Array(3).fill({ op: "where", aor: "100@acme.example" }));
  });

  test("an AoR of another domain is refused before the box is asked for it", async () => {
    const { status, noted } = await ringbox(["where", "100@other.example"]);
    assert.equal(status, 1);
    assert.equal(noted, "ringbox: this fleet serves acme.example, not other.example");
  });

  test("registration list asks for all, or for one AoR", async () => {
    await ringbox(["registration", "list"]);
    await ringbox(["registration", "list", "100"]);
    const asked = box.asked.filter((request) => request.op === "registration-list");
    assert.deepEqual(asked.map(({ aor }) => aor), [null, "100@acme.example"]);
  });

  test("leave waits until everything is handed over", async () => {
    const { status, printed } = await ringbox(["leave"]);
    assert.equal(status, 0);
    assert.match(printed, /^The box has left the ring/);
  });

  test("leave does not claim that others have what a lone box had", async () => {
    const status = { ...SAMPLE_STATUS, boxes: { serving: 1, known: 1 } };
    box.override = (request) => (request.op === "status" ? { ok: true, op: "status", status } : undefined);
    assert.match((await ringbox(["leave"])).printed, /^The box has stopped\. It was alone/);
  });

  test("what the box refuses is one line and exit status 1", async () => {
    box.override = () => ({ ok: false, fault: "not-serving", text: "This box is not serving yet." });
    assert.deepEqual(await ringbox(["peers"]), { status: 1, printed: "", noted: "ringbox: This box is not serving yet." });
  });
});

suite("subscriber", () => {
  test("add asks for the password twice and sends hashes only", async () => {
    const { status, printed } = await ringbox(["subscriber", "add", "100"], new RecordedTerminal({ secrets: ["hunter2", "hunter2"] }));
    assert.equal(status, 0);
    assert.equal(printed, "Added sip:100@acme.example, on 2 boxes.");
    assert.deepEqual(box.subscribers.get("100"), newSubscriber("100", "acme.example", "hunter2", ""));
    assert.ok(!JSON.stringify(box.asked).includes("hunter2"));
  });

  test("add refuses two passwords that differ", async () => {
    const { status, noted } = await ringbox(["subscriber", "add", "100"], new RecordedTerminal({ secrets: ["a", "b"] }));
    assert.equal(status, 1);
    assert.match(noted, /the two passwords differ/);
    assert.equal(box.subscribers.size, 0);
  });

  test("add makes a password and shows it when none is given", async () => {
    for (const terminal of [new RecordedTerminal(), new RecordedTerminal({ secrets: [""] })]) {
      const { printed } = await ringbox(["subscriber", "add", "100", "--replace"], terminal);
      const password = /^Password \(shown this once\): (\S{16})$/m.exec(printed)?.[1];
      assert.ok(password !== undefined);
      assert.deepEqual(box.subscribers.get("100"), newSubscriber("100", "acme.example", password, ""));
    }
  });

  test("add --password-stdin takes the one line there is", async () => {
    const { printed } = await ringbox(["subscriber", "add", "100", "--password-stdin"], new RecordedTerminal({ input: "two words\n" }));
    assert.ok(!printed.includes("Password"));
    assert.deepEqual(box.subscribers.get("100"), newSubscriber("100", "acme.example", "two words", ""));
    for (const input of ["", "\n", "a\nb\n"]) {
      const { status } = await ringbox(["subscriber", "add", "101", "--password-stdin"], new RecordedTerminal({ input }));
      assert.equal(status, 1, JSON.stringify(input));
    }
    assert.equal(box.subscribers.size, 1);
  });

  test("add refuses a name that is taken, and says how to replace it", async () => {
    await ringbox(["subscriber", "add", "100"]);
    const { status, noted } = await ringbox(["subscriber", "add", "100"]);
    assert.equal(status, 1);
    assert.match(noted, /There is already a subscriber 100@acme\.example\. Give --replace/);
    assert.match((await ringbox(["subscriber", "add", "100", "--replace"])).printed, /^Replaced sip:100@/);
  });

  test("add refuses a name that cannot be one", async () => {
    for (const name of ["a b", "", "a:b", "ä", "a".repeat(65), "<a>"]) {
      const { status, noted } = await ringbox(["subscriber", "add", name]);
      assert.equal(status, 1, name);
      assert.match(noted, /^ringbox: [^\n]+$/);
    }
  });

  test("remove says whether there was one", async () => {
    await ringbox(["subscriber", "add", "100"]);
    assert.equal((await ringbox(["subscriber", "remove", "100"])).printed, "Removed sip:100@acme.example.");
    assert.equal((await ringbox(["subscriber", "remove", "100"])).status, 1);
  });

  test("import writes every line, with or without a heading", async () => {
    const people = Array.from({ length: 100 }, (_, n) => `${200 + n},secret${n},"Person, ${n}"`);
    const { status, printed } = await ringbox(["subscriber", "import", importFile(["name,password,display name", ...people].join("\r\n"))]);
    assert.equal(printed, "100 subscribers added.");
    assert.equal(status, 0);
    assert.deepEqual(box.subscribers.get("207"), newSubscriber("207", "acme.example", "secret7", "Person, 7"));
  });

  test("import writes nothing if any line is wrong, and names each", async () => {
    const { status, noted } = await ringbox(["subscriber", "import", importFile("100,a\n101\n100,b\nx y,c\n102,\n103,d,e,f\n")]);
    assert.equal(status, 1);
    assert.deepEqual(noted.split("\n").slice(1).map((line) => line.trim().slice(0, 7)), ["line 2:", "line 3:", "line 4:", "line 5:", "line 6:"]);
    assert.match(noted, /line 3: 100 is on line 1 already/);
    assert.equal(box.subscribers.size, 0);
  });

  test("import refuses those that are there already, unless told to replace them", async () => {
    await ringbox(["subscriber", "add", "101"]);
    const file = importFile("100,a\n101,b\n");
    const { status, noted } = await ringbox(["subscriber", "import", file]);
    assert.equal(status, 1);
    assert.match(noted, /line 2: 101 is a subscriber already/);
    assert.equal(box.subscribers.size, 1);
    assert.equal((await ringbox(["subscriber", "import", file, "--replace"])).printed, "1 subscriber added, 1 replaced.");
  });

  test("import that breaks off says where, and how to complete it", async () => {
    box.override = (request) =>
      request.op === "subscriber-add" && request.subscriber.username === "101"
        ? { ok: false, fault: "not-durable", text: "Too few boxes could write it to disk." }
        : undefined;
    const { status, noted } = await ringbox(["subscriber", "import", importFile("100,a\n101,b\n102,c\n")]);
    assert.equal(status, 1);
    assert.match(noted, /line 2: Too few boxes could write it to disk\. 2 of 3 are written; importing again with --replace completes it\./);
  });

  test("import of what is not there, not text, or empty is one line", async () => {
    for (const file of [join(box.directory, "absent.csv"), box.directory, importFile(new Uint8Array([0xff, 0x2c]))]) {
      const { status, noted } = await ringbox(["subscriber", "import", file]);
      assert.equal(status, 1);
      assert.match(noted, /^ringbox: [^\n]+$/);
    }
    assert.match((await ringbox(["subscriber", "import", importFile("")])).noted, /has no subscribers in it/);
  });
});
