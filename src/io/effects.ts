// Carries out what one step of the peer wants done: first what must be on disk, then what leaves the box.
// Everything for one port goes to it in one call, so that it can write once.

import { unreachable } from "../base/assert.ts";
import type { Duration } from "../base/time.ts";
import type { AdmissionAnswer } from "../peer/admission-office.ts";
import type { ControlReply } from "../peer/control.ts";
import type { PeerEffect } from "../peer/ports.ts";
import type { ServiceAddressEffect } from "../peer/service-addresses.ts";
import type { NodeId, PeerInfo, Phase } from "../overlay/ports.ts";
import type { LinkCommand } from "./links.ts";
import type { ResolveCommand } from "./resolver.ts";
import type { SipCommand } from "./sip-sockets.ts";
import type { PersistCommand } from "./store.ts";

export interface EffectPorts {
  readonly store: { persist(commands: readonly PersistCommand[]): void; setAside(): void };
  readonly links: { perform(commands: readonly LinkCommand[]): void; showed(nodeId: NodeId, certificate: Uint8Array): void };
  readonly sip: { perform(commands: readonly SipCommand[]): void };
  readonly onServiceAddress: (effect: ServiceAddressEffect) => void;
  readonly resolver: { resolve(command: ResolveCommand): void };
  /** `undefined`: none is used, and none is asked. */
  readonly mediaRelay: { perform(command: Extract<PeerEffect, { type: "relay-media" }>): void } | undefined;
  readonly onReply: (ticket: number, reply: ControlReply) => void;
  readonly onAdmission: (ticket: number, answer: AdmissionAnswer) => void;
  readonly onMembers: (members: readonly PeerInfo[]) => void;
  /** Returns when it is on disk: what follows in the batch leaves after it. */
  readonly onRules: (rules: Extract<PeerEffect, { type: "rules-changed" }>) => void;
  readonly onPhase: (phase: Phase) => void;
  readonly onRingAge: (age: Duration) => void;
  readonly onReport: (level: "debug" | "info" | "warning", text: string) => void;
}

export class EffectPerformer {
  readonly #ports: EffectPorts;

  constructor(ports: EffectPorts) {
    this.#ports = ports;
  }

  perform(effects: readonly PeerEffect[]): void {
    if (effects.length === 0) return;
    const persist: PersistCommand[] = [];
    const links: LinkCommand[] = [];
    const sip: SipCommand[] = [];
    for (const effect of effects) {
      switch (effect.type) {
        case "persist":
          persist.push(effect);
          break;
        case "dial":
        case "link-send":
        case "link-close":
          links.push(effect);
          break;
        case "send":
        case "connect":
        case "close-connection":
          sip.push(effect);
          break;
        default:
          this.#performRare(effect);
      }
    }
    if (persist.length > 0) this.#ports.store.persist(persist);
    if (links.length > 0) this.#ports.links.perform(links);
    if (sip.length > 0) this.#ports.sip.perform(sip);
  }

  #performRare(effect: Exclude<PeerEffect, PersistCommand | LinkCommand | SipCommand>): void {
    switch (effect.type) {
      case "resolve":
        return this.#ports.resolver.resolve(effect);
      case "relay-media":
        return this.#ports.mediaRelay?.perform(effect);
      case "replied":
        return this.#ports.onReply(effect.ticket, effect.reply);
      case "admission-answered":
        return this.#ports.onAdmission(effect.ticket, effect.answer);
      case "members-changed":
        return this.#ports.onMembers(effect.members);
      case "rules-changed":
        return this.#ports.onRules(effect);
      case "phase-changed":
        return this.#ports.onPhase(effect.phase);
      case "certificate-shown":
        return this.#ports.links.showed(effect.nodeId, effect.certificate);
      case "ring-age":
        return this.#ports.onRingAge(effect.age);
      case "service-address":
      case "service-addresses-known":
        return this.#ports.onServiceAddress(effect);
      case "set-aside":
        return this.#ports.store.setAside(); // before the removals of this step, which go to the store at its end
      case "report":
        return this.#ports.onReport(effect.level, effect.text);
      default:
        return unreachable(effect);
    }
  }
}
