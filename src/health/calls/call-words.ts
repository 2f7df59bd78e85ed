// How a call stands, or how it ended, in plain words. No word grows older by itself: what goes on is "talking", not for how long.

import { hours, minutes } from "../../base/time.ts";
import type { CallView } from "../ports.ts";

/** A call of which nothing was heard for so long has ended unseen: a phone lost its power. */
const LONGEST_TALK = hours(4);
const LONGEST_RINGING = minutes(5);

export function isUnderWay(call: CallView, at: number): boolean {
  if (call.kind !== "call" || call.endedAt !== null) return false;
  return at - (call.answeredAt ?? call.startedAt) < (call.answeredAt === null ? LONGEST_RINGING : LONGEST_TALK);
}

export function outcomeWords(call: CallView, at: number): string {
  if (call.kind === "registration") return registrationWords(call);
  if (isUnderWay(call, at)) return call.answeredAt !== null ? "talking" : call.ringingAt !== null ? "ringing" : "calling";
  if (call.answeredAt !== null) return answeredWords(call, call.answeredAt);
  if (call.endedAt === null) return "nothing more was heard of it";
  const after = spanWords(call.endedAt - call.startedAt);
  if (call.endedBy === "caller") return call.ringingAt === null ? `given up after ${after}` : `rang, and was given up after ${after}`;
  return refusalWords(call.status ?? 0, call.reason, after, call.ringingAt !== null);
}

function answeredWords({ startedAt, endedAt, endedBy }: CallView, answeredAt: number): string {
  const answered = `answered after ${spanWords(answeredAt - startedAt)}`;
  if (endedAt === null) return `${answered}; nobody was heard to hang up`;
  const who = endedBy === null ? "" : endedBy === "caller" ? "; the caller hung up" : "; the called side hung up";
  return `${answered}, talked ${spanWords(endedAt - answeredAt)}${who}`;
}

function registrationWords({ status, reason }: CallView): string {
  if (status === null) return "not answered yet";
  if (status < 300) return "registered";
  if (status === 401 || status === 407) return "asked for its password, and did not give the right one";
  return `refused: ${status} ${reason}`.trim();
}

const PLAIN: Readonly<Record<number, string>> = {
  401: "the caller did not give the right password", 403: "not allowed", 404: "there is nobody of that name", 407: "the caller did not give the right password",
  410: "there is nobody of that name any more", 486: "busy", 503: "the box could not carry it then", 600: "busy", 603: "declined", 604: "there is nobody of that name",
};

function refusalWords(status: number, reason: string, after: string, rang: boolean): string {
  if (status === 408 || status === 480) return rang ? `rang, nobody answered in ${after}` : status === 480 ? "not reachable" : `no answer at all in ${after}`;
  const words = PLAIN[status] ?? "refused";
  return `${words} (${`${status} ${reason}`.trim()})`;
}

/** "4 s", "3 min", "2 h 5 min". */
function spanWords(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1_000));
  if (seconds < 100) return `${seconds} s`;
  const whole = Math.round(seconds / 60);
  return whole < 60 ? `${whole} min` : `${Math.floor(whole / 60)} h ${whole % 60} min`;
}
