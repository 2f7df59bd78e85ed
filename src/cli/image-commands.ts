// What an operator does with a flashable image before it is flashed.

import { closeSync, openSync, readFileSync, readSync, writeSync } from "node:fs";
import { wallTime } from "../base/time.ts";
import type { Result } from "../base/result.ts";
import { NodeCrypto } from "../io/crypto.ts";
import { type Extent, findConfigVolume, findFile, type ImageSettings, padded, withSettings } from "../provision/image-stamp.ts";
import { parseTicket } from "../provision/ticket.ts";
import { CliError } from "./cli-error.ts";
import { plainReason } from "./plain-reason.ts";
import type { Terminal } from "./terminal.ts";

const HEAD_BYTES = 1 << 20;
const VOLUME_BYTES_MAX = 64 << 20;

export interface StampOptions extends ImageSettings {
  readonly ticket?: string;
}

/** Writes ticket and settings into an image or a flashed card; what it held of them before is overwritten. */
export function stampImage(file: string, options: StampOptions, terminal: Terminal): void {
  const ticket = options.ticket === undefined ? undefined : readTicket(options.ticket);
  const descriptor = onDisk(file, "opened", () => openSync(file, "r+"));
  try {
    const { offset, length } = orFail(file, findConfigVolume(read(file, descriptor, 0, HEAD_BYTES)));
    if (length > VOLUME_BYTES_MAX) throw new CliError(`${file}: the settings partition is larger than any of ours`);
    const volume = read(file, descriptor, offset, length);
    const settings = orFail(file, findFile(volume, "ringbox.conf"));
    const text = latin1(volume, settings).trimEnd();
    const parts = [{ extents: settings, text: withSettings(text, options) }];
    if (ticket !== undefined) parts.push({ extents: orFail(file, findFile(volume, "ringbox.ticket")), text: ticket.text });
    const writes = parts.map(({ extents, text: content }) => ({ extents, content: orFail(file, padded(content, extents)) }));
    onDisk(file, "written", () => {
      for (const { extents, content } of writes) write(descriptor, offset, extents, content);
    });
  } finally {
    closeSync(descriptor);
  }
  terminal.print(ticket === undefined ? `${file} is stamped.` : `${file} is stamped with a ticket of fleet ${ticket.fleetName}: keep it like the ticket.`);
}

function readTicket(path: string): { readonly text: string; readonly fleetName: string } {
  const text = onDisk(path, "read", () => readFileSync(path, "latin1"));
  const ticket = parseTicket(text, { crypto: new NodeCrypto(undefined), wall: wallTime(Date.now()) });
  if (!ticket.ok) throw new CliError(`${path} cannot be used: ${ticket.fault}`);
  return { text, fleetName: ticket.value.fleetName };
}

function read(file: string, descriptor: number, position: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  return bytes.subarray(0, onDisk(file, "read", () => readSync(descriptor, bytes, 0, length, position)));
}

function write(descriptor: number, start: number, extents: readonly Extent[], content: Uint8Array): void {
  let at = 0;
  for (const { offset, length } of extents) {
    writeSync(descriptor, content, at, length, start + offset);
    at += length;
  }
}

const latin1 = (volume: Uint8Array, extents: readonly Extent[]): string =>
  extents.map(({ offset, length }) => Buffer.from(volume.subarray(offset, offset + length)).toString("latin1")).join("");

function orFail<Value>(file: string, result: Result<Value, string>): Value {
  if (!result.ok) throw new CliError(`${file}: ${result.fault}`);
  return result.value;
}

function onDisk<Value>(path: string, done: string, access: () => Value): Value {
  try {
    return access();
  } catch (error) {
    throw new CliError(`${path} cannot be ${done}: ${plainReason(error)}`);
  }
}
