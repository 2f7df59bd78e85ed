// One call as all boxes saw it: each tells the messages that crossed it, and what one sent to another is one arrow.
// Times are of the clock that the ring agrees on, and that is not exact: a message is never shown before the one that
// its box had before it, nor as received before it was sent.

import { formatAddress, sameAddress } from "../../base/address.ts";
import { boxName } from "../box-words.ts";
import type { BoxPlace, CallView, MessageView } from "../ports.ts";
import type { CallLadder, CallMessage, LadderColumn, SipTransport } from "../report.ts";
import { outcomeWords } from "./call-words.ts";

/** What one box remembers of the call. */
export interface Leg {
  readonly nodeId: string;
  readonly call: CallView;
  readonly messages: readonly MessageView[];
}

/** An arrow while it is put together. */
interface Arrow {
  readonly from: string;
  readonly to: string;
  readonly at: number;
  /** At the box that it was sent to, where both have told; `at` is then when it was sent. */
  receivedAt: number | null;
  readonly message: MessageView;
}

/** The boxes that a leg talked to, by their Node-IDs. */
export function boxesMet({ nodeId, messages }: Leg, boxes: readonly BoxPlace[]): readonly string[] {
  const met = new Set(messages.map((message) => boxOf(message, boxes)).filter((id) => id !== undefined && id !== nodeId));
  return [...met].flatMap((id) => id ?? []);
}

/** `legs`: of the box that is asked first. `silent`: boxes that took part and did not tell. */
export function ladderOf(legs: readonly [Leg, ...Leg[]], boxes: readonly BoxPlace[], silent: readonly string[], at: number): CallLadder {
  const [first] = legs;
  const arrows = inOrder(arrowsOf(legs.map((leg) => byClockOf(first, leg, arrowsOf(legs, boxes).flat())), boxes));
  const [begin] = arrows;
  const entry = (legs.find(({ nodeId }) => `${BOX}${nodeId}` === begin?.to) ?? first).call;
  const { kind, id, callId, from, to } = entry;
  return {
    kind, id, callId, from, to,
    startedAt: begin?.at ?? entry.startedAt,
    endedAt: entry.endedAt,
    outcome: outcomeWords(entry, at),
    columns: columnsOf(arrows, entry),
    messages: arrows.map(shown),
    leftOut: legs.reduce((sum, leg) => sum + leg.call.leftOut, 0),
    silent: silent.map((nodeId) => boxName(nodeId)),
  };
}

const shown = ({ from, to, at, receivedAt, message }: Arrow): CallMessage => ({
  at, receivedAt, from: nameOf(from), to: nameOf(to), transport: transportOf(message.transport), startLine: message.startLine, text: message.text,
});

const BOX = "box ";
/** A place is a box by its Node-ID or a phone by its address. */
const nameOf = (place: string): string => (place.startsWith(BOX) ? boxName(place.slice(BOX.length)).words : place);

/** For each box its arrows in their order; an arrow between two of them is in both lists. */
function arrowsOf(legs: readonly Leg[], boxes: readonly BoxPlace[]): Arrow[][] {
  /** Sent and not yet found as received, the oldest first. BOUNDED: by the messages. */
  const sent = new Map<string, Arrow[]>();
  const lists = legs.map((leg) => leg.messages.map((message) => ({ message, arrow: message.direction === "out" ? sentArrow(leg, message, boxes, sent) : undefined })));
  return lists.map((list, index) => list.flatMap(({ message, arrow }) => {
    const leg = legs[index];
    return leg === undefined ? [] : [arrow ?? receivedArrow(leg, message, boxes, sent)];
  }));
}

/**
 * A leg in the time of `first`, if their clocks contradict one another: something would have come before it was sent. The
 * shortest ways there and back are taken to be equally long, as NTP does.
 */
function byClockOf(first: Leg, leg: Leg, arrows: readonly Arrow[]): Leg {
  const there = shortest(arrows, first.nodeId, leg.nodeId);
  const back = shortest(arrows, leg.nodeId, first.nodeId);
  if (there === undefined || back === undefined || (there >= 0 && back >= 0)) return leg;
  const ahead = Math.round((there - back) / 2);
  return { ...leg, messages: leg.messages.map((message) => ({ ...message, at: message.at - ahead })) };
}

function shortest(arrows: readonly Arrow[], from: string, to: string): number | undefined {
  const took = arrows.flatMap((arrow) => (arrow.from === `${BOX}${from}` && arrow.to === `${BOX}${to}` && arrow.receivedAt !== null ? [arrow.receivedAt - arrow.at] : []));
  return took.length === 0 ? undefined : Math.min(...took);
}

const keyOf = (from: string, to: string, { text }: MessageView): string => `${from}\n${to}\n${text}`;

function sentArrow(leg: Leg, message: MessageView, boxes: readonly BoxPlace[], sent: Map<string, Arrow[]>): Arrow {
  const [from, to] = [`${BOX}${leg.nodeId}`, placeOf(message, boxes)];
  const arrow: Arrow = { from, to, at: message.at, receivedAt: null, message };
  const key = keyOf(from, to, message);
  sent.set(key, [...(sent.get(key) ?? []), arrow]);
  return arrow;
}

function receivedArrow(leg: Leg, message: MessageView, boxes: readonly BoxPlace[], sent: Map<string, Arrow[]>): Arrow {
  const [from, to] = [placeOf(message, boxes), `${BOX}${leg.nodeId}`];
  const known = sent.get(keyOf(from, to, message))?.shift();
  if (known === undefined) return { from, to, at: message.at, receivedAt: null, message };
  known.receivedAt = message.at;
  return known;
}

function placeOf(message: MessageView, boxes: readonly BoxPlace[]): string {
  const box = boxOf(message, boxes);
  return box === undefined ? formatAddress(message.remote) : `${BOX}${box}`;
}

/** A connection comes from any port: then the Via that a box wrote says which it is. */
function boxOf(message: MessageView, boxes: readonly BoxPlace[]): string | undefined {
  const { remote, transport, direction, startLine, text } = message;
  const known = boxes.find(({ sip }) => sameAddress(sip, remote));
  if (known !== undefined || transport === "udp") return known?.nodeId;
  const isTheirVia = startLine.startsWith("SIP/") === (direction === "out");
  if (!isTheirVia) return undefined;
  const sentBy = topSentBy(text);
  return boxes.find(({ sip }) => sip.host === remote.host && formatAddress(sip) === sentBy)?.nodeId;
}

/** `host:port` of the first Via. */
function topSentBy(text: string): string {
  const start = text.toLowerCase().indexOf("\r\nvia:");
  if (start < 0) return "";
  const line = text.slice(start + 6, text.indexOf("\r\n", start + 6)).trim();
  return line.slice(line.indexOf(" ") + 1).split(";", 1)[0]?.trim() ?? "";
}

/** Each list keeps its order; among those that may come next, the earliest. */
function inOrder(lists: readonly (readonly Arrow[])[]): Arrow[] {
  const rest = lists.map((list) => [...list]);
  const ordered: Arrow[] = [];
  const done = new Set<Arrow>();
  for (;;) {
    const heads = rest.flatMap((list) => list.find((arrow) => !done.has(arrow)) ?? []);
    if (heads.length === 0) return ordered;
    // Boxes that remember different parts may contradict one another; then time decides.
    const free = heads.filter((arrow) => rest.every((list) => !list.includes(arrow) || list.find((other) => !done.has(other)) === arrow));
    const next = (free.length > 0 ? free : heads).reduce((first, arrow) => (arrow.at < first.at ? arrow : first));
    ordered.push(next);
    done.add(next);
  }
}

/** As they come into play: the caller on the left. */
function columnsOf(arrows: readonly Arrow[], { from }: CallView): LadderColumn[] {
  const places = [...new Set(arrows.flatMap((arrow) => [arrow.from, arrow.to]))];
  const boxes = places.filter((place) => place.startsWith(BOX));
  const [caller, ...others] = places.filter((place) => !place.startsWith(BOX));
  const ordered = [...(caller === undefined ? [] : [caller]), ...boxes, ...others];
  return ordered.map((place) => ({ name: nameOf(place), isBox: place.startsWith(BOX), label: place.startsWith(BOX) ? "box" : place === caller ? userOf(from) : calledAt(place, arrows) }));
}

const userOf = (aor: string): string => aor.split("@", 1)[0] ?? "";

/** Whom the first request to this phone was for. */
function calledAt(place: string, arrows: readonly Arrow[]): string {
  const request = arrows.find(({ to, message }) => to === place && !message.startLine.startsWith("SIP/"))?.message.startLine ?? "";
  const uri = request.split(" ")[1] ?? "";
  const at = uri.indexOf("@");
  return at < 0 ? "" : uri.slice(uri.indexOf(":") + 1, at);
}

const TRANSPORTS: readonly SipTransport[] = ["UDP", "TCP", "TLS", "WS", "WSS"];
const transportOf = (name: string): SipTransport => TRANSPORTS.find((transport) => transport === name.toUpperCase()) ?? "UDP";
