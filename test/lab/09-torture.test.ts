// RFC 4475 and RFC 5118 against a real box over UDP on the loopback. A message is judged by what comes back
// with its Call-ID; after each the box has to answer an OPTIONS.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { sharedPath } from "../support/shared.ts";
import { Box, Loopback, ringbox, whyNoBox } from "./box.ts";
import { Datagrams } from "./datagrams.ts";
import { PATIENCE, until } from "./until.ts";

/** The box serves the domain of most of the messages. */
const DOMAIN = "example.com";
const BOX = { address: "127.0.0.71", port: 5060, overlayPort: 6084 };
const SENDER = "127.0.0.72";
/** RFC 3261 section 18.1.1: where answers go if the topmost Via names no port. */
const USUAL_PORT = 5060;
/** A final answer may wait for a resolver or for timer B or F. */
const FINAL_SECONDS = 40;

type Outcome = "process" | "drop" | number;

interface Message {
  readonly name: string;
  readonly file: string;
  readonly kind: "request" | "response";
  readonly udp: readonly Outcome[];
}

interface Corpus {
  readonly rfc4475: readonly Message[];
  readonly rfc5118: readonly Message[];
}

const expected = sharedPath("corpora/expected.json");
const reason = expected === undefined ? "the messages are in ../shared/corpora, which is not here" : whyNoBox();

test("61 torturous messages over UDP have the wanted outcomes, and the box answers after each", { skip: reason ?? false }, async (context) => {
  assert(expected !== undefined);
  const corpus: Corpus = JSON.parse(readFileSync(expected, "utf8"));
  const messages = [...corpus.rfc4475, ...corpus.rfc5118];
  const directory = mkdtempSync(join(tmpdir(), "ringbox-torture-"));
  const datagrams = new Datagrams(SENDER);
  const box = await startBox(directory);
  try {
    const octets = new Map(messages.map((message, index) => [message, ownTransaction(readFileSync(join(dirname(expected), message.file)), index)]));
    const octetsOf = (message: Message): Uint8Array => octets.get(message) ?? new Uint8Array();
    for (const message of messages) {
      await datagrams.listen(answerPort(octetsOf(message)));
      await datagrams.send(USUAL_PORT, BOX, octetsOf(message));
      await assertAlive(datagrams, message.name);
    }
    await until("every message has its outcome", FINAL_SECONDS, () => {
      const wrong = messages.flatMap((message) => complaint(message, answersTo(octetsOf(message), datagrams)));
      assert.equal(wrong.length, 0, wrong.join("\n"));
    });
    context.diagnostic(`${messages.length} messages, every outcome as wanted`);
  } catch (error) {
    context.diagnostic(box.lastWords());
    throw error;
  } finally {
    await box.kill();
    datagrams.close();
    rmSync(directory, { recursive: true, force: true });
  }
});

async function startBox(directory: string): Promise<Box<Loopback>> {
  const fleet = join(directory, "fleet");
  await ringbox("fleet", "init", fleet, "--name", "torture", "--domain", DOMAIN);
  const box = new Box(new Loopback(BOX.address, directory), join(fleet, "fleet.ticket"), [
    "--listen", BOX.address, "--sip-port", String(BOX.port), "--overlay-port", String(BOX.overlayPort), "--no-mdns",
  ]);
  box.start();
  await until("the box serves", PATIENCE, async () => assert.equal((await box.status()).phase, "serving"));
  return box;
}

/**
 * The RFCs use one branch and one Call-ID for many messages; sent within half a minute they would be
 * retransmissions of one another (RFC 3261 section 17.2.3). Each gets its own, of the same length.
 */
function ownTransaction(octets: Buffer, index: number): Buffer {
  const number = String(index).padStart(2, "0");
  const text = octets
    .toString("latin1")
    .replace(/(branch=z9hG4bK(?:kdj|as3-1))(?:uw|11)(?=[;\s])/, `$1${number}`)
    .replaceAll(/9559905523997077(?=@)/g, `95599055239970${number}`);
  return Buffer.from(text, "latin1");
}

/** The port of the topmost Via, in the few forms of it that the messages have. */
function answerPort(octets: Uint8Array): number {
  const via = /^(?:via|v)\s*:\s*sip\s*\/\s*2\.0\s*\/\s*udp\s+(?:\[[^\]]*\]|[^\s;:,]+)\s*(?::\s*(\d+))?/im;
  return Number(via.exec(Buffer.from(octets).toString("latin1"))?.[1] ?? USUAL_PORT);
}

async function assertAlive(datagrams: Datagrams, after: string): Promise<void> {
  const callId = `alive-after-${after}@${SENDER}`;
  const options = [
    `OPTIONS sip:${BOX.address}:${BOX.port} SIP/2.0`,
    `Via: SIP/2.0/UDP ${SENDER}:${USUAL_PORT};branch=z9hG4bK-alive-${after}`,
    "Max-Forwards: 70",
    `From: <sip:probe@${SENDER}>;tag=probe`,
    `To: <sip:${BOX.address}:${BOX.port}>`,
    `Call-ID: ${callId}`,
    "CSeq: 1 OPTIONS",
    "Content-Length: 0",
    "\r\n",
  ].join("\r\n");
  await datagrams.send(USUAL_PORT, BOX, Buffer.from(options, "latin1"));
  await until(`the box answers OPTIONS after ${after}`, PATIENCE, () => {
    assert(datagrams.arrivals.some(({ text }) => text.startsWith("SIP/2.0 ") && text.includes(callId)));
  });
}

/** Status codes that came with the message's Call-ID, or with none if the message has none. */
function answersTo(octets: Uint8Array, datagrams: Datagrams): readonly number[] {
  const callId = callIdOf(Buffer.from(octets).toString("latin1"));
  return datagrams.arrivals
    .filter(({ text }) => text.startsWith("SIP/2.0 ") && callIdOf(text) === callId)
    .map(({ text }) => Number(text.slice(8, 11)));
}

function callIdOf(text: string): string | undefined {
  return /^(?:call-id|i)[ \t]*:[ \t]*(\S+)/im.exec(text)?.[1];
}

/** What is not as wanted, if anything. */
function complaint(message: Message, statuses: readonly number[]): readonly string[] {
  const final = statuses.find((status) => status >= 200);
  const isAsWanted = message.udp.some((outcome) => {
    if (outcome === "drop") return statuses.length === 0;
    if (outcome === "process") return statuses.length > 0 && (final === undefined || ![400, 500, 505, 513].includes(final));
    return final === outcome;
  });
  return isAsWanted ? [] : [`${message.name}: ${statuses.length === 0 ? "no answer" : statuses.join(", ")}, wanted ${message.udp.join(" or ")}`];
}
