// CPU time of the SIP core alone, without sockets and ring: what one REGISTER and one proxied request cost.
// node test/bench/sip-core.ts

import { toHex } from "../../src/base/bytes.ts";
import { hours, instant, seconds, wallTime } from "../../src/base/time.ts";
import { digestHa1, digestResponse } from "../../src/sip/message/digest.ts";
import { issueNonce } from "../../src/sip/message/nonce.ts";
import type { Binding, Flow, SipEffect, SipInput } from "../../src/sip/ports.ts";
import { SipCore } from "../../src/sip/sip-core.ts";
import { hashCrypto } from "../support/hash-crypto.ts";
import { countingRandom, DOMAIN, settingsOf } from "../support/sip-harness.ts";

const ROUNDS = 20_000;
const HA1 = digestHa1(hashCrypto, "MD5", "alice", DOMAIN, "secret");
const CREDENTIALS = { username: "alice", realm: DOMAIN, ha1Md5: HA1, ha1Sha256: "" };
const FLOW: Flow = { transport: "udp", local: { host: "10.0.0.1", port: 5060 }, remote: { host: "10.0.1.1", port: 5060 }, connection: 0 };

const SETTINGS = settingsOf("10.0.0.1", "1".repeat(32), { expiry: { minimum: seconds(60), standard: hours(1), maximum: hours(2) } });
/** As the core reckons it. */
const ISSUER = SETTINGS.nodeId.slice(0, 8) + toHex(countingRandom().bytes(6)).slice(0, 4);
const core = new SipCore(SETTINGS, hashCrypto, countingRandom(), () => wallTime(1_700_000_000_000));
let now = 0;
let binding: Binding | undefined;

function step(input: SipInput): readonly SipEffect[] {
  const effects = core.step(instant(now), input);
  for (const effect of effects) {
    if (effect.type === "find-user") {
      const bindings = binding === undefined ? [] : [{ ...binding, reach: { at: "here" as const } }];
      step({ type: "user-found", ticket: effect.ticket, lookup: { outcome: "found", credentials: CREDENTIALS, bindings } });
    } else if (effect.type === "change-bindings") {
      binding = effect.changes.upserts[0];
      step({ type: "bindings-changed", ticket: effect.ticket, result: { outcome: "stored" } });
    }
  }
  return effects;
}

function register(i: number, withDigest: boolean): string {
  const nonce = issueNonce(hashCrypto, SETTINGS.fleetSecret, wallTime(1_700_000_000_000), DOMAIN, ISSUER);
  const nc = i.toString(16).padStart(8, "0");
  const parts = { username: "alice", realm: DOMAIN, nonce, uri: `sip:${DOMAIN}`, algorithm: "MD5", qop: "auth", cnonce: "1", nc, opaque: undefined } as const;
  const response = digestResponse(hashCrypto, parts, "REGISTER", HA1);
  const authorization = `Authorization: Digest username="alice", realm="${DOMAIN}", nonce="${nonce}", uri="sip:${DOMAIN}", response="${response}", algorithm=MD5, cnonce="1", qop=auth, nc=${nc}\r\n`;
  return `REGISTER sip:${DOMAIN} SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.1.1:5060;rport;branch=z9hG4bK${i}${withDigest}\r\nMax-Forwards: 70\r\nFrom: <sip:alice@${DOMAIN}>;tag=a${i}\r\nTo: <sip:alice@${DOMAIN}>\r\nCall-ID: c\r\nCSeq: ${i} REGISTER\r\nUser-Agent: Telephone 1\r\nContact: <sip:alice@10.0.1.1:5060>\r\nExpires: 300\r\n${withDigest ? authorization : ""}Content-Length: 0\r\n\r\n`;
}

const message = (i: number): string =>
  `MESSAGE sip:alice@${DOMAIN} SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.1.9:5060;rport;branch=z9hG4bKm${i}\r\nMax-Forwards: 70\r\nFrom: <sip:x@far.example>;tag=a${i}\r\nTo: <sip:alice@${DOMAIN}>\r\nCall-ID: m${i}\r\nCSeq: ${i} MESSAGE\r\nContent-Length: 0\r\n\r\n`;

/** Answers what the core sent on with a 200. */
function answered(effects: readonly SipEffect[]): void {
  for (const effect of effects) {
    if (effect.type !== "send" || !effect.octets.startsWith("MESSAGE")) continue;
    const kept = effect.octets.split("\r\n").filter((line) => /^(Via|From|To|Call-ID|CSeq)/.test(line));
    step({ type: "received", flow: FLOW, octets: `SIP/2.0 200 OK\r\n${kept.join("\r\n")}\r\nContent-Length: 0\r\n\r\n` });
  }
}

function measure(name: string, make: (i: number) => string, withAnswer = false): void {
  const messages = Array.from({ length: ROUNDS }, (_, i) => make(i + 1));
  const sent: SipEffect[] = [];
  const originalStep = core.step.bind(core);
  if (withAnswer) core.step = (at, input) => { const effects = originalStep(at, input); sent.push(...effects); return effects; };
  const before = process.cpuUsage();
  for (const octets of messages) {
    now += 2;
    step({ type: "received", flow: FLOW, octets });
    if (withAnswer) answered(sent.splice(0));
    if ((core.nextDeadline() ?? Infinity) <= now) step({ type: "tick" });
  }
  const { user, system } = process.cpuUsage(before);
  process.stdout.write(`${name}: ${((user + system) / ROUNDS).toFixed(1)} us of CPU\n`);
  core.step = originalStep;
}

// The first round warms up; the later ones count.
for (let round = 0; round < 3; round++) {
  const base = round * ROUNDS;
  measure("REGISTER, challenged", (i) => register(base + i, false));
  measure("REGISTER, with digest", (i) => register(base + i, true));
  measure("MESSAGE, proxied to a phone and answered", (i) => message(base + i), true);
}
