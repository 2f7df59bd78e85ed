// What a session description (RFC 8866) tells of the phone that wrote it: whether it is a browser, whether it does ICE.

import { lowerCase } from "../message/scan.ts";
import type { SipRequest, SipResponse } from "../message/message.ts";

/** `webrtc`: keys by DTLS, feedback, ICE (RFC 8827). `plain`: what telephones do. */
export type MediaSide = "webrtc" | "plain";

export interface DescribedMedia {
  readonly side: MediaSide;
  readonly doesIce: boolean;
}

/** A description of usual length has forty lines; what stands after so many is not looked at. */
const LINES_MAX = 400;

/** `undefined`: there is none. */
export function describedMedia(message: SipRequest | SipResponse): DescribedMedia | undefined {
  if (!hasDescription(message)) return undefined;
  let side: MediaSide = "plain";
  let doesIce = false;
  for (const line of message.body.split("\n", LINES_MAX)) {
    if (line.startsWith("m=") && (line.split(" ", 3)[2] ?? "").endsWith("TLS/RTP/SAVPF")) side = "webrtc";
    if (line.startsWith("a=ice-ufrag:")) doesIce = true;
  }
  return { side, doesIce };
}

export function hasDescription(message: SipRequest | SipResponse): boolean {
  return message.body !== "" && saysDescription(message);
}

/** Whether its Content-Type is that of a session description. */
export function saysDescription(message: SipRequest | SipResponse): boolean {
  const [type = ""] = (message.header("content-type") ?? "").split(";", 1);
  return lowerCase(type.trim()) === "application/sdp";
}
