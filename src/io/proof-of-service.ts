// What feeds the watchdog: not that the process lives, but that it serves. A question through the step of the peer,
// an OPTIONS to the SIP port, a TLS handshake with the overlay port; each from outside its socket, as a phone or
// a box would ask.

import { createSocket, type Socket } from "node:dgram";
import { randomBytes } from "node:crypto";
import { isIPv6 } from "node:net";
import { connect } from "node:tls";
import { type Address, formatAddress } from "../base/address.ts";
import { fault, ok, type Result } from "../base/result.ts";
import { type Duration, seconds } from "../base/time.ts";
import type { ControlReply, ControlRequest } from "../peer/control.ts";
import type { StatusReport } from "../peer/reports.ts";
import { ENROLLMENT_ALPN } from "./tls-identity.ts";

/** Each of the three; a box that is busy with a storm of registrations still answers in this time. */
const PATIENCE = seconds(8);
/** A datagram may be lost where the socket is full. */
const AGAIN = seconds(2);

export interface ProofSubject {
  readonly ask: (request: ControlRequest, answer: (reply: ControlReply) => void) => void;
  readonly sip: Address;
  readonly overlay: Address;
}

/** How the box is, by its own word, if everything that must answer does; else which part did not. */
export async function proofOfService({ ask, sip, overlay }: ProofSubject, patience: Duration = PATIENCE): Promise<Result<StatusReport, string>> {
  const [status, sipAnswers, overlayAnswers] = await Promise.all([
    askStatus(ask, patience),
    answersOptions(sip, patience),
    answersOverlay(overlay, patience),
  ]);
  if (status === undefined) return fault("the box does not come to its turn");
  if (!sipAnswers) return fault(`no answer to OPTIONS at ${formatAddress(sip)}`);
  if (!overlayAnswers) return fault(`no answer on the overlay port at ${formatAddress(overlay)}`);
  return ok(status);
}

function askStatus(ask: ProofSubject["ask"], patience: Duration): Promise<StatusReport | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(undefined), patience);
    ask({ op: "status" }, (reply) => {
      clearTimeout(timer);
      resolve(reply.ok && reply.op === "status" ? reply.status : undefined);
    });
  });
}

/** Any final answer will do: a box that does not serve yet says so with a 503. */
function answersOptions(box: Address, patience: Duration): Promise<boolean> {
  const branch = `z9hG4bK${randomBytes(8).toString("hex")}`;
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(box.host) ? "udp6" : "udp4");
    const send = (): void => socket.send(optionsTo(box, branch, socket), () => undefined);
    const end = (answered: boolean): void => {
      clearTimeout(timer);
      clearInterval(again);
      socket.close();
      resolve(answered);
    };
    const timer = setTimeout(() => end(false), patience);
    let again: NodeJS.Timeout | undefined;
    socket.on("error", () => end(false));
    socket.on("message", (bytes) => {
      const text = bytes.toString("latin1");
      if (text.includes(branch) && text.startsWith("SIP/2.0 ") && !text.startsWith("SIP/2.0 1")) end(true);
    });
    socket.connect(box.port, box.host, () => {
      send();
      again = setInterval(send, AGAIN);
    });
  });
}

function optionsTo(box: Address, branch: string, socket: Socket): string {
  const own = socket.address();
  const from = formatAddress({ host: own.address, port: own.port });
  return [
    `OPTIONS sip:${formatAddress(box)} SIP/2.0`,
    `Via: SIP/2.0/UDP ${from};branch=${branch};rport`,
    "Max-Forwards: 0",
    `From: <sip:proof@${from}>;tag=${branch.slice(7, 15)}`,
    `To: <sip:${formatAddress(box)}>`,
    `Call-ID: ${branch.slice(7)}@proof`,
    "CSeq: 1 OPTIONS",
    "Content-Length: 0",
    "",
    "",
  ].join("\r\n");
}

/**
 * A handshake, as any box begins. The certificate is not judged: this asks whether the port answers, and tells it nothing.
 * A box that has no room for one more connection closes it, and answers by that: strangers who fill it must not have it ended.
 */
function answersOverlay({ host, port }: Address, patience: Duration): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, ALPNProtocols: [ENROLLMENT_ALPN], rejectUnauthorized: false });
    let reached = false;
    const end = (answered: boolean): void => {
      clearTimeout(timer);
      resolve(answered);
      socket.destroy();
    };
    const timer = setTimeout(() => end(false), patience);
    socket.on("connect", () => {
      reached = true;
    });
    socket.on("secureConnect", () => end(true));
    socket.on("error", () => end(reached));
    socket.on("close", () => end(reached));
  });
}
