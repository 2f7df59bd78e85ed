import assert from "node:assert/strict";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { suite, type TestContext, test } from "node:test";
import { type Box, Lan, whyNoLan } from "./mdns-lan.ts";

/** Sends to the group everything that a stranger might, the last of it again and again: a burst may not fit into a socket. */
const GARBAGE = `
  const { createSocket } = require("node:dgram");
  const { randomFillSync } = require("node:crypto");
  const socket = createSocket("udp4");
  const send = (bytes) => new Promise((done) => socket.send(bytes, 5353, "224.0.0.251", done));
  const label = (...parts) => Buffer.concat([...parts.map((part) => Buffer.concat([Buffer.of(part.length), Buffer.from(part)])), Buffer.of(0)]);
  const u16 = (...numbers) => Buffer.concat(numbers.map((number) => Buffer.of(number >> 8, number & 255)));
  const record = (name, type, content) => Buffer.concat([name, u16(type, 1, 0, 120, content.length), content]);
  const service = label("_ringbox", "_tcp", "local"), box = label("cc-1", "_ringbox", "_tcp", "local"), host = label("cc", "local");
  const says = (text, address, port) => Buffer.concat([u16(0, 0x8400, 0, 4, 0, 0), record(service, 12, box),
    record(box, 33, Buffer.concat([u16(0, 0, port), host])),
    record(box, 16, Buffer.concat(text.map((item) => Buffer.concat([Buffer.of(item.length), Buffer.from(item)])))),
    record(host, 1, Buffer.from(address))]);
  socket.bind(5353, async () => {
    socket.setMulticastInterface("10.77.0.3");
    for (let length = 0; length < 200; length++) await send(randomFillSync(Buffer.alloc(length)));
    for (let length = 12; length < 200; length++) {
      const bytes = randomFillSync(Buffer.alloc(length));
      u16(0, length & 1 ? 0x8400 : 0, 1, 2, 1, 1).copy(bytes);
      await send(bytes);
    }
    for (let length = 0; length < 90; length++) await send(says(["f=", "s=blank", "i=cc"], [10, 77, 0, 3], 1).subarray(0, length));
    const question = Buffer.concat([service, u16(12, 1)]);
    for (let times = 0; times < 20; times++) await send(Buffer.concat([u16(0, 0, 55, 0, 0, 0), ...Array(55).fill(question)]));
    setInterval(async () => {
      await send(says(["nonsense"], [10, 77, 0, 3], 1));
      await send(says(["f=", "s=asleep", "i=cc"], [10, 77, 0, 3], 1));
      await send(says(["f=", "s=blank", "i=cc"], [192, 0, 2, 1], 1));
      await send(says(["f=", "s=blank", "i=cc"], [10, 77, 0, 3], 0));
      await send(says(["f=", "s=blank", "i=dd"], [10, 77, 0, 3], 7));
    }, 300);
  });
`;

/** Asks 200 times at once; prints the responses, in hexadecimal, one a line, up to the repeated announcement that the box serves. */
const CURIOUS = `
  const { createSocket } = require("node:dgram");
  const socket = createSocket({ type: "udp4", reuseAddr: true });
  const question = Buffer.concat([Buffer.of(0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 8), Buffer.from("_ringbox"), Buffer.of(4),
    Buffer.from("_tcp"), Buffer.of(5), Buffer.from("local"), Buffer.of(0, 0, 12, 0, 1)]);
  let announcements = 0;
  socket.on("message", (bytes, { address }) => {
    if (address !== "10.77.0.1" || (bytes[2] & 128) === 0) return;
    process.stdout.write(bytes.toString("hex") + "\\n");
    // Announcements name the type of the service, replies do not.
    if (bytes.includes("_dns-sd") && bytes.includes("s=serving") && ++announcements === 2) process.exit();
  });
  socket.bind(5353, () => {
    socket.addMembership("224.0.0.251", "10.77.0.2");
    socket.setMulticastInterface("10.77.0.2");
    process.stdin.once("data", () => { for (let times = 0; times < 200; times++) socket.send(question, 5353, "224.0.0.251"); });
    process.stdout.write("listening\\n");
  });
`;

async function closed(t: TestContext, box: Box): Promise<void> {
  box.tell("close");
  const { value } = await box.prints({ type: "closed" });
  t.diagnostic(`processor time of a box with its start: ${value.cpuMilliseconds} ms`);
}

suite("multicast DNS on a LAN without a default route", { skip: whyNoLan(), concurrency: 2 }, () => {
  test("two boxes hear each other, a change of state and a goodbye", async (t) => {
    const lan = new Lan(t);
    lan.host("a", "10.77.0.1/24");
    lan.host("b", "10.77.0.2/24");
    const a = lan.box("a", "aa");
    await a.prints({ type: "open" });
    const b = lan.box("b", "bb", { port: 7084 });
    await b.prints({ type: "open" });
    const open = performance.now();
    const { seconds } = await b.prints({ type: "heard", at: "10.77.0.1:6084", state: "blank", instance: "aa" }, open);
    await a.prints({ type: "heard", at: "10.77.0.2:7084", state: "blank", instance: "bb" });
    const told = performance.now();
    b.tell("announce serving");
    const change = await a.prints({ type: "heard", at: "10.77.0.2:7084", state: "serving", instance: "bb" }, told);
    t.diagnostic(`heard ${seconds.toFixed(2)} s after it asked; a change after ${change.seconds.toFixed(2)} s`);
    b.tell("announce blank");
    b.tell("announce serving");
    await closed(t, b);
    await a.prints({ type: "unheard", instance: "bb", state: "serving" });
    assert.deepEqual(a.lines.slice(a.lines.findIndex(({ type }) => type === "unheard")).map(({ type }) => type), ["unheard"]);
    assert.deepEqual(a.lines.filter(({ type, instance }) => type === "report" || instance === "aa"), []);
    await closed(t, a);
  });

  test("a box that is killed is unheard, one that lives is not", async (t) => {
    const lan = new Lan(t);
    for (const [index, name] of ["a", "b", "c"].entries()) lan.host(name, `10.77.0.${index + 1}/24`);
    const [a, b, c] = [lan.box("a", "aa", { lifetime: 12 }), lan.box("b", "bb"), lan.box("c", "cc")];
    await a.prints({ type: "heard", instance: "bb" });
    await a.prints({ type: "heard", instance: "cc" });
    b.kill();
    await a.prints({ type: "unheard", instance: "bb", at: "10.77.0.2:6084" });
    assert.deepEqual(a.lines.filter(({ instance }) => instance === "cc").map(({ type }) => type), ["heard"]);
    await closed(t, c);
  });

  test("a box is followed to its first address, to another, and through an interface made anew", async (t) => {
    const lan = new Lan(t);
    lan.host("a");
    lan.host("b", "10.77.0.2/24");
    const [a, b] = [lan.box("a", "aa"), lan.box("b", "bb")];
    await a.prints({ type: "open" });
    lan.ip("a", "address", "add", "10.77.0.1/24", "dev", "eth0");
    await b.prints({ type: "heard", at: "10.77.0.1:6084" });
    await a.prints({ type: "heard", at: "10.77.0.2:6084" });
    lan.ip("a", "address", "delete", "10.77.0.1/24", "dev", "eth0");
    lan.ip("a", "address", "add", "10.77.0.9/24", "dev", "eth0");
    const changed = performance.now();
    const { seconds } = await b.prints({ type: "heard", at: "10.77.0.9:6084" }, changed);
    t.diagnostic(`heard at its new address after ${seconds.toFixed(2)} s`);
    lan.ip("a", "link", "delete", "eth0");
    lan.plug("a");
    lan.ip("a", "address", "add", "10.77.0.9/24", "dev", "eth0");
    b.tell("announce serving");
    await a.prints({ type: "heard", at: "10.77.0.2:6084", state: "serving" });
    a.tell("announce serving");
    await b.prints({ type: "heard", at: "10.77.0.9:6084", state: "serving" });
    assert.deepEqual(b.lines.filter(({ type }) => type === "unheard"), []);
  });

  test("two boxes on one host hear each other, and one on loopback is quiet", async (t) => {
    const lan = new Lan(t);
    lan.host("a", "10.77.0.1/24");
    const quiet = lan.box("a", "cc", { port: 6086, listen: "127.0.0.1" });
    await quiet.prints({ type: "open" });
    const [one, two] = [lan.box("a", "aa", { port: 6084 }), lan.box("a", "bb", { port: 6085, listen: "10.77.0.1" })];
    await one.prints({ type: "heard", at: "10.77.0.1:6085", instance: "bb" });
    await two.prints({ type: "heard", at: "10.77.0.1:6084", instance: "aa" });
    await closed(t, two);
    await one.prints({ type: "unheard", instance: "bb" });
    assert.deepEqual([...one.lines, ...two.lines].filter(({ instance }) => instance === "cc"), []);
    assert.deepEqual(quiet.lines.map(({ type }) => type), ["open"]);
    await closed(t, one);
    await closed(t, quiet);
  });

  test("what strangers send does no harm", async (t) => {
    const lan = new Lan(t);
    for (const [index, name] of ["a", "b", "c"].entries()) lan.host(name, `10.77.0.${index + 1}/24`);
    const [a, b] = [lan.box("a", "aa"), lan.box("b", "bb")];
    await a.prints({ type: "heard", instance: "bb" });
    lan.run("c", ["-e", GARBAGE]);
    await a.prints({ type: "heard", instance: "dd", at: "10.77.0.3:7" });
    b.tell("announce serving");
    await a.prints({ type: "heard", instance: "bb", state: "serving" });
    assert.deepEqual(a.lines.filter(({ instance }) => instance === "cc"), []);
    a.tell("close");
    const { value } = await a.prints({ type: "closed" });
    assert.ok((value.malformed ?? 0) >= 3, `${value.malformed} malformed`);
    assert.ok(a.lines.filter(({ type }) => type === "report").length <= 3, "once for each kind");
  });

  test("on each link a box names only its address there, and it does not answer whoever asks too much", async (t) => {
    const lan = new Lan(t);
    lan.host("a", "10.77.0.1/24");
    lan.ip("a", "link", "add", "other", "type", "veth", "peer", "name", "end");
    lan.ip("a", "address", "add", "192.168.55.1/24", "dev", "other");
    lan.ip("a", "link", "set", "other", "up");
    lan.ip("a", "link", "set", "end", "up");
    lan.host("b", "10.77.0.2/24");
    const listener = lan.run("b", ["-e", CURIOUS]);
    assert.ok(listener.stdout !== null);
    const output = createInterface({ input: listener.stdout });
    await once(output, "line");
    const a = lan.box("a", "aa");
    await a.prints({ type: "open" });
    listener.stdin?.write("ask\n");
    a.tell("announce serving");
    const responses: string[] = [];
    for await (const line of output) responses.push(line);
    t.diagnostic(`${responses.length} responses`);
    assert.ok(responses.length <= 20, `${responses.length} responses`);
    assert.ok(responses.some((response) => response.includes("00040a4d0001")), "its address here");
    assert.ok(!responses.some((response) => response.includes("0004c0a83701")), "its address elsewhere");
    assert.deepEqual(a.lines.map(({ type }) => type), ["open"]);
  });

  test("a port that another program holds for itself is reported once, and taken when it is free", async (t) => {
    const lan = new Lan(t);
    lan.host("a", "10.77.0.1/24");
    lan.host("b", "10.77.0.2/24");
    const holder = lan.run("a", ["-e", 'require("node:dgram").createSocket("udp4").bind(5353, () => process.stdout.write("held")); setInterval(() => 0, 1000)']);
    if (holder.stdout !== null) await once(holder.stdout, "data");
    const [a, b] = [lan.box("a", "aa"), lan.box("b", "bb")];
    await a.prints({ type: "report" });
    holder.kill("SIGKILL");
    await b.prints({ type: "heard", instance: "aa" });
    await a.prints({ type: "heard", instance: "bb" });
    const texts = a.lines.filter(({ type }) => type === "report").map(({ text }) => text);
    assert.equal(new Set(texts).size, texts.length);
    assert.ok(texts.some((text) => text?.includes("EADDRINUSE")), texts.join("\n"));
    await closed(t, a);
  });
});
