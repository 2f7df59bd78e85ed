// The client of the media relay against one of our own that answers as rtpengine does, and one that is not there.

import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { suite, test, type TestContext } from "node:test";
import { type Bencoded, bdecode, bencode, isDictionary } from "../../../src/io/bencode.ts";
import { MediaRelayClient } from "../../../src/io/media-relay.ts";
import type { PeerInput } from "../../../src/peer/ports.ts";
import { PATIENCE, until } from "../../lab/until.ts";

type Command = Readonly<Record<string, Bencoded>>;
const OFFER = { verb: "offer", callId: "c", fromTag: "f", toTag: "", branch: "b1", sdp: "v=0\r\n\u00e4", towards: "plain", changes: true } as const;

async function socket(t: TestContext): Promise<Socket> {
  const made = createSocket("udp4");
  made.bind(0, "127.0.0.1");
  await once(made, "listening");
  t.after(() => made.close());
  return made;
}

/** Says what `answers` makes of each command; nothing where that is `undefined`. */
async function relay(t: TestContext, answers: (command: Command) => Command | undefined) {
  const made = await socket(t);
  const commands: Command[] = [];
  made.on("message", (octets, from) => {
    const text = octets.toString("latin1");
    const space = text.indexOf(" ");
    const command = bdecode(text.slice(space + 1));
    assert(command !== undefined && isDictionary(command));
    commands.push(command);
    const answer = answers(command);
    if (answer !== undefined) made.send(Buffer.from(`${text.slice(0, space)} ${bencode(answer)}`, "latin1"), from.port, from.address);
  });
  return { port: made.address().port, commands };
}

function client(t: TestContext, port: number) {
  const inputs: PeerInput[] = [];
  const made = new MediaRelayClient({ address: { host: "127.0.0.1", port }, life: "test", onInput: (input) => inputs.push(input), onReport: () => undefined });
  t.after(() => made.close());
  return { made, inputs };
}

suite("the client of the media relay", () => {
  test("an offer is asked, and comes back octet for octet", async (t) => {
    const there = await relay(t, ({ command, sdp = "" }) => (command === "ping" ? { result: "pong" } : { result: "ok", sdp }));
    const { made, inputs } = client(t, there.port);
    made.perform({ type: "relay-media", ticket: 7, question: OFFER });
    await until("it is answered", PATIENCE, () => assert.equal(inputs.length, 2));
    assert.deepEqual(inputs, [{ type: "media-relay", answers: true }, { type: "media-relayed", ticket: 7, sdp: OFFER.sdp }]);
    const asked = there.commands.at(-1);
    assert.deepEqual([asked?.["via-branch"], asked?.["transport-protocol"], asked?.["ICE"], asked?.["to-tag"]], ["b1", "RTP/AVP", "remove", undefined]);
  });

  test("a datagram that is lost is sent again", async (t) => {
    let lost = 0;
    const there = await relay(t, ({ command, sdp = "" }) => (command === "ping" ? { result: "pong" } : lost++ === 0 ? undefined : { result: "ok", sdp }));
    const { made, inputs } = client(t, there.port);
    made.perform({ type: "relay-media", ticket: 7, question: OFFER });
    await until("it is answered", PATIENCE, () => assert(inputs.some((input) => input.type === "media-relayed" && input.sdp === OFFER.sdp)));
  });

  test("a refusal is an answer without a description, and the relay still counts as there", async (t) => {
    const there = await relay(t, ({ command }) => (command === "ping" ? { result: "pong" } : { result: "error", "error-reason": "no" }));
    const { made, inputs } = client(t, there.port);
    made.perform({ type: "relay-media", ticket: 7, question: OFFER });
    await until("it is answered", PATIENCE, () => assert.equal(inputs.length, 2));
    assert.deepEqual(inputs, [{ type: "media-relay", answers: true }, { type: "media-relayed", ticket: 7, sdp: undefined }]);
  });

  test("where nobody listens each question is answered with nothing, and the relay counts as silent", async (t) => {
    const free = await socket(t);
    const { made, inputs } = client(t, free.address().port);
    made.perform({ type: "relay-media", ticket: 7, question: OFFER });
    await until("it is given up", PATIENCE, () => assert.equal(inputs.length, 2));
    assert.deepEqual(inputs, [{ type: "media-relay", answers: false }, { type: "media-relayed", ticket: 7, sdp: undefined }]);
  });
});
