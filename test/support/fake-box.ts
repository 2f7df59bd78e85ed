// Stands in for a running box behind the real control socket: remembers subscribers, and what it was asked.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ControlServer } from "../../src/io/control-server.ts";
import type { ControlReply, ControlRequest, NewSubscriber } from "../../src/peer/control.ts";
import type { ConflictReport } from "../../src/peer/reports.ts";
import { SAMPLE_BINDING, SAMPLE_CALL, SAMPLE_CONFIGURATION, SAMPLE_PEERS, SAMPLE_STATUS, SAMPLE_WHERE } from "./sample-reports.ts";

export class FakeBox {
  readonly directory: string;
  readonly asked: ControlRequest[] = [];
  readonly subscribers = new Map<string, NewSubscriber>();
  conflicts: readonly ConflictReport[] = [];
  /** Takes the place of the usual answer where it returns one; `"silent"` answers nothing. */
  override: (request: ControlRequest) => ControlReply | "silent" | undefined = () => undefined;
  #server: ControlServer | undefined;

  /** `directory`: made if it is not given, and removed by `stop`. */
  constructor(directory = mkdtempSync(join(tmpdir(), "ringbox-fake-"))) {
    this.directory = directory;
  }

  async start(): Promise<this> {
    this.#server = await ControlServer.open({
      directory: this.directory,
      ask: (request, answer) => {
        this.asked.push(request);
        const reply = this.override(request) ?? this.#usualReply(request);
        if (reply !== "silent") answer(reply);
      },
    });
    return this;
  }

  async stop(): Promise<void> {
    await this.#server?.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  #usualReply(request: ControlRequest): ControlReply {
    switch (request.op) {
      case "heartbeat":
        return { ok: true, op: "heartbeat", phase: "serving", code: null, processId: process.pid };
      case "status":
        return { ok: true, op: "status", status: SAMPLE_STATUS };
      case "peers":
        return { ok: true, op: "peers", peers: SAMPLE_PEERS };
      case "drain":
        return { ok: true, op: "drain", on: request.on, underWay: 0, phones: 0 };
      case "restart":
        return { ok: true, op: "restart" };
      case "leave":
        return { ok: true, op: "leave" };
      case "subscriber-add":
        return this.#add(request.subscriber, request.existing);
      case "subscriber-remove":
        return this.subscribers.delete(request.username)
          ? { ok: true, op: "subscriber-remove", aor: `${request.username}@acme.example`, copies: 3 }
          : { ok: false, fault: "absent", text: `There is no subscriber ${request.username}@acme.example.` };
      case "subscriber-list":
        return {
          ok: true,
          op: "subscriber-list",
          subscribers: [...this.subscribers.values()].map(({ username, realm, displayName }) => ({ username, aor: `${username}@${realm}`, displayName })),
        };
      case "conflict-list":
        return { ok: true, op: "conflict-list", conflicts: this.conflicts };
      case "conflict-resolve":
        this.conflicts = this.conflicts.filter(({ username }) => username !== request.username);
        return { ok: true, op: "conflict-resolve", aor: `${request.username}@acme.example`, copies: 3 };
      case "flows":
        return { ok: true, op: "flows", flows: [{ ...SAMPLE_BINDING, aor: "100@acme.example", token: "" }] };
      case "calls":
        return { ok: true, op: "calls", life: "1", revision: 1, calls: [SAMPLE_CALL] };
      case "call-messages":
        return { ok: true, op: "call-messages", found: request.name === SAMPLE_CALL.id ? { call: SAMPLE_CALL, messages: [] } : null };
      case "registration-list":
        return { ok: true, op: "registration-list", registrations: [{ aor: "100@acme.example", bindings: [SAMPLE_BINDING] }] };
      case "admit":
        return { ok: true, op: "admit", nodeId: null };
      case "where":
        return { ok: true, op: "where", where: { ...SAMPLE_WHERE, aor: request.aor } };
      case "configuration":
        return { ok: true, op: "configuration", configuration: SAMPLE_CONFIGURATION };
      case "configure":
        return { ok: true, op: "configure", sequence: 2, told: 2, linked: 2 };
      case "published":
        return { ok: true, op: "published", certificates: [] };
      case "known-boxes":
        return { ok: true, op: "known-boxes", boxes: [] };
      case "rotate":
        return { ok: true, op: "rotate", sequence: 2, told: 2, linked: 2 };
      case "revoke":
        return { ok: true, op: "revoke", nodeId: request.nodeId, told: 1, linked: 1 };
    }
  }

  #add(subscriber: NewSubscriber, existing: "refuse" | "replace"): ControlReply {
    const aor = `${subscriber.username}@${subscriber.realm}`;
    const replaced = this.subscribers.has(subscriber.username);
    if (replaced && existing === "refuse") return { ok: false, fault: "exists", text: `There is already a subscriber ${aor}.` };
    this.subscribers.set(subscriber.username, subscriber);
    return { ok: true, op: "subscriber-add", aor, replaced, copies: 2 };
  }
}
