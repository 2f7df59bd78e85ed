// What this profile sends, read by Wireshark's dissector.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { DATA_OVERHEAD, putDataFrame } from "../../../src/overlay/wire/framing.ts";
import { sharedPath } from "../../support/shared.ts";
import { type OwnMessage, ownMessages } from "./own-messages.ts";

function missing(): string | false {
  for (const program of ["tshark", "text2pcap"]) {
    try {
      execFileSync(program, ["--version"], { stdio: "ignore" });
    } catch {
      return `needs ${program} (Debian package tshark)`;
    }
  }
  return sharedPath("reload/a.pem") === undefined ? "needs ../shared/reload/a.pem" : false;
}

const skip = missing();
const directory = skip ? "" : mkdtempSync(join(tmpdir(), "ringbox-tshark-"));
const capture = join(directory, "own.pcap");
let messages: readonly (readonly [string, OwnMessage])[] = [];

const KINDS = ['"4026531841","EDGE-BINDING","DICTIONARY"', '"4026531842","SUBSCRIBER","SINGLE"'];

/** A line for each frame: the fields asked for, separated by tabs. */
function dissect(...fields: readonly string[]): string[] {
  const kinds = KINDS.flatMap((kind) => ["-o", `uat:reload_kindids:${kind}`]);
  const wanted = fields.flatMap((field) => ["-e", field]);
  const args = ["-r", capture, ...kinds, "-T", "fields", ...wanted];
  return execFileSync("tshark", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trimEnd().split("\n");
}

before(() => {
  if (skip) return;
  const certificate = new X509Certificate(readFileSync(sharedPath("reload/a.pem") ?? ""));
  messages = Object.entries(ownMessages(new Uint8Array(certificate.raw)));
  const dump = messages.map(([, { message }], sequence) => hexDump(framed(message, sequence))).join("");
  writeFileSync(join(directory, "own.txt"), dump);
  execFileSync("text2pcap", ["-q", "-T", "40000,6084", join(directory, "own.txt"), capture], { stdio: "ignore" });
});

after(() => {
  if (!skip) rmSync(directory, { recursive: true });
});

function framed(message: Uint8Array, sequence: number): Uint8Array {
  const frame = new Uint8Array(DATA_OVERHEAD + message.length);
  putDataFrame(frame, 0, sequence, message);
  return frame;
}

/** The form text2pcap reads: an offset, then bytes; offset 0 begins a packet. */
function hexDump(bytes: Uint8Array): string {
  let dump = "";
  for (let at = 0; at < bytes.length; at += 16) {
    const row = Array.from(bytes.subarray(at, at + 16), (byte) => byte.toString(16).padStart(2, "0"));
    dump += `${at.toString(16).padStart(6, "0")} ${row.join(" ")}\n`;
  }
  return dump;
}

test("no message of this profile is malformed to Wireshark", { skip }, () => {
  const rows = dissect("frame.number", "_ws.malformed", "_ws.expert.message");
  assert.equal(rows.length, messages.length);
  rows.forEach((row, i) => {
    const [, malformed, notes = ""] = row.split("\t");
    assert.equal(malformed ?? "", "", `${messages[i]?.[0]}: ${row}`);
    for (const note of notes.split(",")) {
      assert.ok(note === "" || note === "Unknown identity type", `${messages[i]?.[0]}: ${note}`);
    }
  });
});

test("Wireshark names each message as we mean it", { skip }, () => {
  const wanted = messages.map(([name, { label }]) => `${name}: ${label}`);
  assert.deepEqual(
    dissect("_ws.col.Info").map((label, i) => `${messages[i]?.[0]}: ${label}`),
    wanted,
  );
});

test("Wireshark sees the private kinds, their values and the private extensions", { skip }, () => {
  const rows = dissect("reload.kinddata.kind", "reload.storeddata.lifetime", "reload.message_extension.type");
  const byName = new Map(rows.map((row, i) => [messages[i]?.[0], row.split("\t")]));
  assert.deepEqual(byName.get("store of a binding")?.slice(0, 2), ["4026531841", "3600"]);
  assert.deepEqual(byName.get("fetch answer")?.slice(0, 2), ["4026531841,4026531842", "3600,3600"]);
  assert.equal(byName.get("attach with peer info")?.[2], "61441");
  assert.equal(byName.get("fetch from a replica")?.[2], "61442");
});
