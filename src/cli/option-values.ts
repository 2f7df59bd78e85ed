// Values of command-line options, each checked where it is read. What is wrong with one is told in a
// sentence that names the value.

import { isIP } from "node:net";
import { InvalidArgumentError } from "commander";
import { type Duration, hours } from "../base/time.ts";
import { MAX_USES } from "../provision/ticket.ts";
import { isVersion } from "../provision/version.ts";

/** An error that commander prints behind the option's name. */
const wrong = (reason: string): InvalidArgumentError => new InvalidArgumentError(reason);

const HOURS_BY_UNIT: Readonly<Record<string, number>> = { h: 1, d: 24, w: 24 * 7 };
const LONGEST = hours(24 * 366);

/** `12h`, `7d`, `2w`: one hour to a year. */
export function durationOption(text: string): Duration {
  const [, digits = "", unit = ""] = /^([0-9]{1,6})([hdw])$/.exec(text) ?? [];
  const hoursOfUnit = HOURS_BY_UNIT[unit];
  if (hoursOfUnit === undefined) throw wrong(`"${text}" is not a length of time like 12h, 7d or 2w.`);
  const duration = hours(Number(digits) * hoursOfUnit);
  if (duration <= 0) throw wrong(`"${text}" is no time at all.`);
  if (duration > LONGEST) throw wrong(`"${text}" is more than a year.`);
  return duration;
}

/** Three numbers, `1.12.3`. */
export function versionOption(text: string): string {
  if (!isVersion(text)) throw wrong(`"${text}" is not a version like 1.12.3.`);
  return text;
}

/** Whole seconds since 1970. */
export function timeOption(text: string): number {
  if (!/^[0-9]{1,12}$/.test(text)) throw wrong(`"${text}" is not a number of seconds since 1970.`);
  return Number(text);
}

/** A number of a list, from 1. */
export function choiceOption(text: string): number {
  const choice = /^[0-9]{1,3}$/.test(text) ? Number(text) : 0;
  if (choice === 0) throw wrong(`"${text}" is not a number of the list.`);
  return choice;
}

/** A TCP or UDP port; 0 lets the system choose. */
export function portOption(text: string): number {
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65_535)) throw wrong(`"${text}" is not a port (0 to 65535).`);
  return port;
}

/** A numeric IPv4 or IPv6 address of this machine. */
export function listenOption(text: string): string {
  const bare = text.startsWith("[") && text.endsWith("]") ? text.slice(1, -1) : text;
  if (isIP(bare) === 0) throw wrong(`"${text}" is not an IP address.`);
  return bare.toLowerCase();
}

/** A numeric address that is to be this machine's. */
export function serviceAddressOption(text: string): string {
  const address = listenOption(text);
  if (address.startsWith("127.") || address === "::1" || address.startsWith("fe80:")) throw wrong(`"${text}" leads nowhere from another machine.`);
  return address;
}

/** `HOST:PORT` with a name or an IPv4 address, `[IPV6]:PORT`; returned as it was written. */
export function hintOption(text: string): string {
  const [, host = "", port = ""] = /^(\[[^\]]*\]|[^:[\]]+):([0-9]{1,5})$/.exec(text) ?? [];
  const portNumber = Number(port);
  if (port === "" || portNumber < 1 || portNumber > 65_535) throw wrong(`"${text}" is not HOST:PORT.`);
  const good = host.startsWith("[") ? isIP(host.slice(1, -1)) === 6 : isIP(host) === 4 || isHostName(host);
  if (!good) throw wrong(`"${host}" in "${text}" is neither a host name nor an address.`);
  return text;
}

/** An address that is called over HTTP. */
export function webhookOption(text: string): string {
  const isOne = URL.canParse(text) && ["http:", "https:"].includes(new URL(text).protocol);
  if (!isOne) throw wrong(`"${text}" is not an http or https address.`);
  return text;
}

/** How many boxes one ticket admits. */
export function usesOption(text: string): number {
  const uses = /^[0-9]{1,4}$/.test(text) ? Number(text) : 0;
  if (uses < 1 || uses > MAX_USES) throw wrong(`"${text}" is not a number from 1 to ${MAX_USES}.`);
  return uses;
}

/** For options that may be given several times. */
export const collected =
  <Value>(parse: (text: string) => Value) =>
  (text: string, previous: readonly Value[] | undefined): readonly Value[] => [...(previous ?? []), parse(text)];

/** A SIP domain: a host name of at least one label, in lower case. */
export function domainOption(text: string): string {
  const domain = text.toLowerCase();
  if (isIP(domain) === 0 && !isHostName(domain)) throw wrong(`"${text}" is not a domain name.`);
  return domain;
}

const NAME_MAX = 64;

/** What a person calls a fleet or a zone. */
export function nameOption(text: string): string {
  const name = text.trim();
  if (name === "" || name.length > NAME_MAX) throw wrong(`"${text}" is not a name of 1 to ${NAME_MAX} characters.`);
  if (/\p{Cc}/u.test(name)) throw wrong("a name has no control characters.");
  return name;
}

/** Rack, room or site, as a ticket has it. */
export function zoneOption(text: string): string {
  if (!/^[\w .-]{1,32}$/.test(text)) throw wrong(`"${text}" is not a zone: at most 32 letters, digits, dots, dashes and spaces.`);
  return text;
}

/** What goes into the settings of an image: one word, since a shell reads it there. */
export function imageWordOption(text: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9.-]{0,31}$/.test(text)) throw wrong(`"${text}" is not a word of at most 32 letters, digits, dots and dashes.`);
  return text;
}

/** RFC 1123 section 2.1: letters, digits and inner hyphens, labels of 63, 253 in all; not all digits at the end. */
function isHostName(text: string): boolean {
  if (text.length > 253) return false;
  const labels = text.split(".");
  const last = labels.at(-1) ?? "";
  return labels.every((label) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i.test(label)) && !/^[0-9]+$/.test(last);
}
