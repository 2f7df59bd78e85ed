// A disk behind the network block device protocol (NBD, fixed newstyle) that remembers every write and every flush in their order,
// so that one run of a machine gives any number of power cuts.

import { closeSync, fstatSync, openSync, readSync, writeSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { OctetReader } from "./octet-reader.ts";

/** Offsets and lengths in octets. `at`: where the content of a write lies in the log. `durable`: on the disk when it was answered (FUA). */
export type DiskOperation =
  | { readonly type: "write"; readonly offset: number; readonly length: number; readonly at: number; readonly durable: boolean }
  | { readonly type: "zeros"; readonly offset: number; readonly length: number; readonly durable: boolean }
  | { readonly type: "flush" };

const MIB = 1 << 20;
const READ_MAX = 32 * MIB;
const MAGIC = { hello: 0x4e42444d41474943n, options: 0x49484156454f5054n, reply: 0x3e889045565a9n, request: 0x25609513, answer: 0x67446698 };
/** Numbers of the protocol's document. */
const [EXPORT_NAME, ABORT, INFO, GO] = [1, 2, 6, 7];
const [REPLY_ACKNOWLEDGED, REPLY_INFO, REPLY_UNSUPPORTED] = [1, 3, 0x80000001];
const [READ, WRITE, DISCONNECT, FLUSH, WRITE_ZEROS] = [0, 1, 2, 3, 6];
/** It has flags, takes flushes, forced unit access, and zeros without their content. No trim: what was discarded keeps its old content. */
const FLAGS = 1 | 4 | 8 | 64;
const INVALID = 22;

/** BOUNDED: by what one machine writes while it is recorded; the content is in a file. */
export class RecordedDisk {
  readonly operations: DiskOperation[] = [];
  readonly socket: string;
  readonly logFile: string;
  readonly #disk: number;
  readonly #log: number;
  readonly #size: number;
  #logLength = 0;
  readonly #server: Server;
  readonly #connections = new Set<Socket>();
  /** What went wrong in a connection, if anything did. */
  failure: unknown;

  /** `file` is read and written; beside it the log and the socket are made. */
  constructor(file: string) {
    this.socket = `${file}.nbd`;
    this.logFile = `${file}.log`;
    this.#disk = openSync(file, "r+");
    this.#log = openSync(this.logFile, "w+");
    this.#size = fstatSync(this.#disk).size;
    this.#server = createServer((socket) => {
      this.#connections.add(socket);
      socket.on("close", () => this.#connections.delete(socket));
      this.#serve(socket).catch((error: unknown) => {
        // A machine that is switched off closes in the middle of anything.
        if (!(error instanceof Error && "code" in error)) this.failure ??= error;
        socket.destroy();
      });
    });
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(this.socket, resolve));
  }

  async close(): Promise<void> {
    for (const connection of this.#connections) connection.destroy();
    await new Promise<void>((resolve) => void this.#server.close(() => resolve()));
    closeSync(this.#disk);
    closeSync(this.#log);
  }

  async #serve(socket: Socket): Promise<void> {
    const reader = new OctetReader(socket);
    const hello = Buffer.alloc(18);
    hello.writeBigUInt64BE(MAGIC.hello, 0);
    hello.writeBigUInt64BE(MAGIC.options, 8);
    hello.writeUInt16BE(1 | 2, 16);
    socket.write(hello);
    const withoutZeros = ((await reader.take(4)).readUInt32BE(0) & 2) !== 0;
    if (!(await this.#negotiate(socket, reader, withoutZeros))) return;
    for (let going = true; going; ) going = await this.#request(socket, reader);
    socket.end();
  }

  /** Whether the client wants the disk. */
  async #negotiate(socket: Socket, reader: OctetReader, withoutZeros: boolean): Promise<boolean> {
    for (;;) {
      const head = await reader.take(16);
      const option = head.readUInt32BE(8);
      await reader.take(head.readUInt32BE(12));
      if (option === EXPORT_NAME) {
        const answer = Buffer.alloc(withoutZeros ? 10 : 134);
        answer.writeBigUInt64BE(BigInt(this.#size), 0);
        answer.writeUInt16BE(FLAGS, 8);
        socket.write(answer);
        return true;
      }
      if (option === GO || option === INFO) {
        const info = Buffer.alloc(12);
        info.writeBigUInt64BE(BigInt(this.#size), 2);
        info.writeUInt16BE(FLAGS, 10);
        socket.write(optionReply(option, REPLY_INFO, info));
        // Its units: 512 octets at least, 4,096 best, so much at most.
        const units = Buffer.alloc(14);
        units.writeUInt16BE(3, 0);
        for (const [i, value] of [512, 4_096, READ_MAX].entries()) units.writeUInt32BE(value, 2 + 4 * i);
        socket.write(optionReply(option, REPLY_INFO, units));
        socket.write(optionReply(option, REPLY_ACKNOWLEDGED));
        if (option === GO) return true;
      } else if (option === ABORT) {
        socket.end(optionReply(option, REPLY_ACKNOWLEDGED));
        return false;
      } else {
        socket.write(optionReply(option, REPLY_UNSUPPORTED));
      }
    }
  }

  /** One at a time: a flush covers all that came before it. */
  async #request(socket: Socket, reader: OctetReader): Promise<boolean> {
    const head = await reader.take(28);
    if (head.readUInt32BE(0) !== MAGIC.request) throw new Error("this is no NBD request");
    const [flags, type, length] = [head.readUInt16BE(4), head.readUInt16BE(6), head.readUInt32BE(24)];
    const offset = Number(head.readBigUInt64BE(16));
    if (type === DISCONNECT) return false;
    const content = type === WRITE ? await reader.take(length) : undefined;
    const answer = Buffer.alloc(16);
    answer.writeUInt32BE(MAGIC.answer, 0);
    head.copy(answer, 8, 8, 16);
    const durable = (flags & 1) !== 0;
    if (offset + length > this.#size) answer.writeUInt32BE(INVALID, 4);
    else if (content !== undefined) this.#write(content, offset, durable);
    else if (type === WRITE_ZEROS) this.#zeros(offset, length, durable);
    else if (type === FLUSH) this.operations.push({ type: "flush" });
    else if (type !== READ) answer.writeUInt32BE(INVALID, 4);
    socket.write(answer);
    if (type === READ && answer.readUInt32BE(4) === 0) socket.write(readFrom(this.#disk, offset, length));
    return true;
  }

  #write(content: Buffer, offset: number, durable: boolean): void {
    this.operations.push({ type: "write", offset, length: content.length, at: this.#logLength, durable });
    writeSync(this.#log, content, 0, content.length, this.#logLength);
    this.#logLength += content.length;
    writeSync(this.#disk, content, 0, content.length, offset);
  }

  #zeros(offset: number, length: number, durable: boolean): void {
    this.operations.push({ type: "zeros", offset, length, durable });
    writeZeros(this.#disk, offset, length);
  }
}

export function readFrom(file: number, offset: number, length: number): Buffer {
  const content = Buffer.alloc(length);
  readSync(file, content, 0, length, offset);
  return content;
}

/** A hole in the file stays one. */
export function writeZeros(file: number, offset: number, length: number): void {
  const zeros = Buffer.alloc(Math.min(length, MIB));
  for (let at = 0; at < length; at += MIB) {
    const part = Math.min(MIB, length - at);
    if (!readFrom(file, offset + at, part).equals(zeros.subarray(0, part))) writeSync(file, zeros, 0, part, offset + at);
  }
}

function optionReply(option: number, type: number, content = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(20);
  head.writeBigUInt64BE(MAGIC.reply, 0);
  head.writeUInt32BE(option, 8);
  head.writeUInt32BE(type, 12);
  head.writeUInt32BE(content.length, 16);
  return Buffer.concat([head, content]);
}
