// SIP messages as a simple phone reads and writes them: full header names, one value a line.

import type { Address } from "../../src/base/address.ts";

export interface SipText {
  /** The request line or status line. */
  readonly start: string;
  /** Names in lower case, in order. */
  readonly headers: readonly (readonly [string, string])[];
}

export function readSip(octets: string): SipText {
  const [head = ""] = octets.split("\r\n\r\n", 1);
  const [start = "", ...lines] = head.split("\r\n");
  const headers = lines.map((line): readonly [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()];
  });
  return { start, headers };
}

export const writeSip = (start: string, headers: readonly (readonly [string, string])[]): string =>
  `${[start, ...headers.map(([name, value]) => `${name}: ${value}`), "Content-Length: 0"].join("\r\n")}\r\n\r\n`;

export const headerOf = ({ headers }: SipText, name: string): string =>
  headers.find(([one]) => one === name)?.[1] ?? "";

export const headersOf = ({ headers }: SipText, name: string): readonly string[] =>
  headers.filter(([one]) => one === name).map(([, value]) => value);

/** 0 for a request. */
export const statusOf = ({ start }: SipText): number => (start.startsWith("SIP/2.0 ") ? Number(start.slice(8, 11)) : 0);

export const methodOf = (text: SipText): string =>
  statusOf(text) > 0 ? (headerOf(text, "cseq").split(" ")[1] ?? "") : (text.start.split(" ")[0] ?? "");

/** The value of a parameter of a header, without quotes; empty if there is none. */
export function parameterOf(value: string, name: string): string {
  for (const part of value.split(/[;,]| (?=[a-z]+=)/)) {
    const [key = "", ...rest] = part.trim().split("=");
    if (key.toLowerCase() === name) return rest.join("=").replaceAll('"', "");
  }
  return "";
}

/** Values of a header that may list several in one line (Record-Route, Contact). */
export function listOf(text: SipText, name: string): readonly string[] {
  return headersOf(text, name).flatMap((value) => value.split(/,\s*(?=<)/));
}

/** The URI between angle brackets, or the whole value up to its first parameter. */
export function uriOf(value: string): string {
  const open = value.indexOf("<");
  return open < 0 ? (value.split(";", 1)[0] ?? "") : value.slice(open + 1, value.indexOf(">", open));
}

/** Host and port of a SIP URI. */
export function addressOf(uri: string): Address {
  const hostPort = (uri.replace(/^sips?:/, "").split(/[;?]/, 1)[0] ?? "").replace(/^.*@/, "");
  const [host = "", port = "5060"] = hostPort.split(":");
  return { host, port: Number(port) };
}
