// What a box tells the person who started it in a terminal: where it is, how to add a phone, how to add a box.

import { type Address, formatAddress } from "../base/address.ts";
import { COPIES_WANTED } from "../peer/status.ts";
import type { StreamPorts } from "../sip/ports.ts";

export interface WelcomeFacts {
  readonly fleetName: string;
  readonly domain: string;
  readonly sip: Address;
  readonly streams: StreamPorts;
  readonly overlay: Address;
  readonly nodeId: string;
  /** The data directory as it was typed. */
  readonly data: string;
  /** Where this box put the ticket of the fleet it founded, if it did. */
  readonly ticket: string | undefined;
  /** How the programs were called: the folder with `ringbox` in it. */
  readonly programs: string;
}

export function welcome(facts: WelcomeFacts): readonly string[] {
  const { data, domain, programs } = facts;
  const ringbox = `${programs}/ringbox --data ${data}`;
  return [
    `This box serves SIP at ${formatAddress(facts.sip)}, UDP and TCP, for the domain ${domain}.`,
    ...otherPorts(facts.streams),
    `Fleet "${facts.fleetName}", overlay at ${formatAddress(facts.overlay)}, Node-ID ${facts.nodeId}.`,
    "",
    "Add a phone:      give it a name and a password",
    `  ${ringbox} subscriber add 201`,
    `and set in the phone: user 201, that password, server ${formatAddress(facts.sip)}.`,
    "",
    ...secondBox(facts),
    `See how it is:    ${ringbox} status`,
    "Stop with Ctrl-C; what the box knows stays in its data directory.",
  ];
}

function otherPorts({ tls, ws, wss }: StreamPorts): readonly string[] {
  const ports = [["TLS", tls], ["WebSocket", ws], ["secure WebSocket", wss]].flatMap(([name, port]) => (port === undefined ? [] : [`${name} on port ${port}`]));
  return ports.length === 0 ? [] : [`Phones may come over ${ports.join(", ")} too.`];
}

function secondBox({ ticket, programs, overlay }: WelcomeFacts): readonly string[] {
  if (ticket === undefined) return [];
  return [
    `Add a second box: take ${ticket} to it and start there`,
    `  ${programs}/ringboxd --data DIRECTORY --ticket fleet.ticket`,
    `On another network add --hint ${formatAddress(overlay)}; on this machine, ports: --sip-port 5062 --overlay-port 6086.`,
    `With ${COPIES_WANTED} boxes everything is there three times, and any two may die.`,
    "",
  ];
}
