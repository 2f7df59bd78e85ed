import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createRequire } from "node:module";
import type { TestContext } from "node:test";

export interface DnsRecord {
  readonly name: string;
  readonly type: "A" | "AAAA" | "SRV" | "NAPTR";
  readonly data: unknown;
}
interface DnsMessage {
  readonly id: number;
  readonly questions: readonly { readonly name: string; readonly type: string }[];
}
interface DnsPacket {
  decode(bytes: Buffer): DnsMessage;
  encode(message: unknown): Buffer;
}

/** A DNS server on loopback that knows these records and nothing else; `asked` grows with each question. */
export async function dnsServer(t: TestContext, records: readonly DnsRecord[]): Promise<{ readonly address: string; readonly asked: string[] }> {
  const packet = createRequire(import.meta.url)("dns-packet") as DnsPacket; // comes with bonjour-service
  const socket = createSocket("udp4");
  const asked: string[] = [];
  socket.on("message", (bytes, { port, address }) => {
    const { id, questions } = packet.decode(bytes);
    const [question] = questions;
    asked.push(`${question?.type} ${question?.name}`);
    const answers = records.filter(({ name, type }) => type === question?.type && name === question.name);
    const flags = 0x8180 | (records.some(({ name }) => name === question?.name) ? 0 : 3);
    socket.send(packet.encode({ type: "response", id, flags, questions, answers }), port, address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  t.after(() => socket.close());
  return { address: `127.0.0.1:${socket.address().port}`, asked };
}
