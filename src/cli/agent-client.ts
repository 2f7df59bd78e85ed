// Asks the health agent of the box over its own socket in the data directory: HTTP, as the page does, without signing in.

import { existsSync } from "node:fs";
import { request } from "node:http";
import { resolve } from "node:path";
import { seconds } from "../base/time.ts";
import { controlSocketPath } from "../io/control-socket.ts";
import { CliError } from "./cli-error.ts";
import { plainReason } from "./plain-reason.ts";

/** Longer than any action of the page takes. */
const ANSWER_WAIT = seconds(60);
const ANSWER_MAX_BYTES = 16 * 1_048_576;

/** What the agent answers, as JSON. Rejects with a `CliError` if none runs, or if it refuses: then with its words. */
export async function askAgent(directory: string, method: "GET" | "POST", path: string, body?: object): Promise<unknown> {
  return JSON.parse((await bytesFromAgent(directory, method, path, body)).toString("utf8"));
}

/** The same, as it is. */
export async function bytesFromAgent(directory: string, method: "GET" | "POST", path: string, body?: object | Uint8Array): Promise<Buffer> {
  const whole = resolve(directory);
  if (!existsSync(whole)) throw new CliError(`no ringbox-agent is running on ${whole} (there is no such directory)`);
  const name = controlSocketPath(whole, "agent.sock");
  try {
    const { status, bytes } = await exchange(name.path, method, path, body);
    if (status !== 200) throw new CliError(bytes.toString("utf8").trim());
    return bytes;
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw new CliError(`no ringbox-agent is running on ${whole} (${plainReason(error)})`);
  } finally {
    name.close();
  }
}

function exchange(socketPath: string, method: string, path: string, body: object | Uint8Array | undefined): Promise<{ readonly status: number; readonly bytes: Buffer }> {
  return new Promise((answered, failed) => {
    const asked = request({ socketPath, method, path, headers: { host: "box", "content-type": "application/json" }, timeout: ANSWER_WAIT }, (response) => {
      const chunks: Buffer[] = [];
      let length = 0;
      response.on("data", (chunk: Buffer) => {
        length += chunk.length;
        if (length > ANSWER_MAX_BYTES) asked.destroy(new CliError("the answer of ringbox-agent is too long"));
        else chunks.push(chunk);
      });
      response.on("end", () => answered({ status: response.statusCode ?? 0, bytes: Buffer.concat(chunks) }));
    });
    asked.on("timeout", () => asked.destroy(new CliError(`ringbox-agent did not answer within ${ANSWER_WAIT / 1_000} seconds`)));
    asked.on("error", failed);
    asked.end(body === undefined || body instanceof Uint8Array ? body : JSON.stringify(body));
  });
}
