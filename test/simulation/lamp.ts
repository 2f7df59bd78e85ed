// A busy lamp over UDP: subscribes to somebody's calls, answers NOTIFYs, and holds them against their order.

import assert from "node:assert/strict";
import type { Address } from "../../src/base/address.ts";
import { headerOf, headersOf, methodOf, readSip, type SipText, statusOf, writeSip } from "../support/sip-text.ts";
import type { World } from "../support/world.ts";

const AGAIN_MS = 500;

export class Lamp {
  readonly address: Address;
  readonly #world: World;
  readonly #place: number;
  readonly #watched: string;
  /** What the last NOTIFY said: the state of the living dialog, or "" for none. */
  state = "";
  /** When the state became what it is, on the world's clock. */
  since = 0;
  notifies = 0;
  isSubscribed = false;
  #version = -1;
  #cseq = -1;

  /** `watched`: an AoR. */
  constructor(world: World, place: number, address: Address, watched: string) {
    this.#world = world;
    this.#place = place;
    this.#watched = watched;
    this.address = address;
    world.network.bindDatagrams(address, place, (from, octets) => this.#receive(from, octets));
  }

  /** Asks until there is an answer. */
  subscribe(box: Address): void {
    const domain = this.#watched.slice(this.#watched.indexOf("@") + 1);
    const { host, port } = this.address;
    const octets = writeSip(`SUBSCRIBE sip:${this.#watched} SIP/2.0`, [
      ["Via", `SIP/2.0/UDP ${host}:${port};branch=z9hG4bKlamp${host};rport`], ["Max-Forwards", "70"],
      ["From", `<sip:lamp@${domain}>;tag=lamp`], ["To", `<sip:${this.#watched}>`], ["Call-ID", `lamp@${host}`], ["CSeq", "1 SUBSCRIBE"],
      ["Contact", `<sip:lamp@${host}:${port}>`], ["Event", "dialog"], ["Expires", "7200"],
    ]);
    const again = (): void => {
      if (this.isSubscribed) return;
      this.#world.network.sendDatagram(this.address, this.#place, box, octets);
      this.#world.queue.after(AGAIN_MS, again);
    };
    again();
  }

  #receive(from: Address, octets: string): void {
    const text = readSip(octets);
    if (statusOf(text) > 0) {
      assert.ok(statusOf(text) < 300, `SUBSCRIBE was answered ${statusOf(text)}`);
      if (statusOf(text) >= 200) this.isSubscribed = true;
      return;
    }
    assert.equal(methodOf(text), "NOTIFY");
    this.#world.network.sendDatagram(this.address, this.#place, from, this.#ok(text));
    this.#hear(text, octets.slice(octets.indexOf("\r\n\r\n") + 4));
  }

  #hear(text: SipText, body: string): void {
    const cseq = Number.parseInt(headerOf(text, "cseq"), 10);
    const version = Number(/<dialog-info[^>]* version="(\d+)"/.exec(body)?.[1]);
    // A datagram that came twice, or a retransmission.
    if (cseq === this.#cseq) return assert.equal(version, this.#version);
    assert.ok(cseq > this.#cseq && version > this.#version, `CSeq ${cseq} after ${this.#cseq}, version ${version} after ${this.#version}`);
    this.#cseq = cseq;
    this.#version = version;
    this.notifies++;
    const state = [...body.matchAll(/<state[^>]*>(\w+)</g)].map(([, name]) => name ?? "").find((name) => name !== "terminated") ?? "";
    if (state !== this.state) this.since = this.#world.now;
    this.state = state;
  }

  #ok(request: SipText): string {
    return writeSip("SIP/2.0 200 OK", [
      ...headersOf(request, "via").map((value) => ["Via", value] as const),
      ...["from", "to", "call-id", "cseq"].map((name) => [name, headerOf(request, name)] as const),
    ]);
  }
}

