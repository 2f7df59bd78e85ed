// The options of `ringboxd`, read and checked before anything is touched.

import { Command } from "commander";
import { asHouseCommand, runProgram, type Voice } from "./command-line.ts";
import { collected, domainOption, hintOption, listenOption, nameOption, portOption, serviceAddressOption, zoneOption } from "./option-values.ts";
import { VERSION } from "./version.ts";

const NAME = "ringboxd";

export interface RingboxdOptions {
  /** Data directory, as typed. */
  readonly data: string;
  /** File with a fleet or join ticket. */
  readonly ticket: string | undefined;
  /** Numeric address to serve SIP and the overlay on; `undefined`: all. */
  readonly listen: string | undefined;
  readonly sipPort: number;
  /** TLS and WebSocket; absent: not served. `wanted`: it was typed. */
  readonly extraPorts: ExtraPorts;
  /** The operator's own certificate and key, PEM files, as typed. */
  readonly certificateFiles: { readonly certificate: string; readonly key: string } | undefined;
  readonly overlayPort: number;
  /** `HOST:PORT` each, checked. */
  readonly hints: readonly string[];
  /** Where rtpengine listens, `HOST:PORT`, checked; `undefined`: there is none. */
  readonly mediaRelay: string | undefined;
  /** A TURN server, `HOST:PORT`, checked, and the file with the secret that it shares with the fleet, as typed. */
  readonly turn: { readonly server: string; readonly secretFile: string } | undefined;
  readonly mdns: boolean;
  /** Rack, room or site of this box; `undefined`: as its ticket says. */
  readonly zone: string | undefined;
  /** Wait for an address that leads off this machine, and start anew when it changes. */
  readonly followAddress: boolean;
  /** By which phones know this box, and which another box on the link takes when it is dead; numeric. */
  readonly serviceAddresses: readonly string[];
  /** Whether whoever can reach the box may register as anybody. */
  readonly openRegistration: boolean;
  /** Present: found a fleet of one box if the data directory is blank and there is no ticket. */
  readonly found: { readonly name: string; readonly domain: string } | undefined;
}

/** The fleet of somebody who named none. `.internal` is reserved for private use and is nobody's to look up. */
export const USUAL_FLEET = { name: "ringbox", domain: "ringbox.internal" } as const;

interface ParsedOptions {
  readonly data: string;
  readonly ticket?: string;
  readonly listen?: string;
  readonly sipPort: number;
  readonly sipsPort?: number;
  readonly wsPort?: number;
  readonly wssPort?: number;
  readonly sipCertificate?: string;
  readonly sipKey?: string;
  readonly overlayPort: number;
  readonly hint?: readonly string[];
  readonly mediaRelay?: string;
  readonly turnServer?: string;
  readonly turnSecret?: string;
  readonly mdns: boolean;
  readonly zone?: string;
  readonly followAddress?: boolean;
  readonly serviceAddress?: readonly string[];
  readonly openRegistration?: boolean;
  readonly found?: boolean;
  readonly domain: string;
  readonly name: string;
}

/** The options, or the exit status after what there was to say was said. */
export async function parseRingboxdOptions(
  args: readonly string[],
  voice: Voice,
): Promise<{ readonly options: RingboxdOptions } | { readonly exitStatus: number }> {
  let options: RingboxdOptions | undefined;
  const program = asHouseCommand(new Command(NAME), voice)
    .description("Runs a box: SIP registrar and proxy, member of the ring.")
    .version(VERSION)
    .requiredOption("--data <dir>", "data directory; made if it is not there")
    .option("--ticket <file>", "ticket that lets the box into its fleet, if it is not ringbox.ticket in the data directory; needed at the first start only")
    .option("--listen <address>", "serve on this address only", listenOption)
    .option("--sip-port <port>", "UDP and TCP port for phones", portOption, 5060)
    .option("--sips-port <port>", "TLS port for phones, one above the SIP port if not given; 0: none", portOption)
    .option("--ws-port <port>", "WebSocket port for phones, six above the SIP port if not given; 0: none", portOption)
    .option("--wss-port <port>", "secure WebSocket port for phones, seven above the SIP port if not given; 0: none", portOption)
    .option("--sip-certificate <file>", "PEM file with a certificate of your own for phones over TLS; needs --sip-key")
    .option("--sip-key <file>", "PEM file with its private key")
    .option("--overlay-port <port>", "TCP port for other boxes", portOption, 6084)
    .option("--hint <host:port>", "where a member may be found; may be repeated", collected(hintOption))
    .option("--media-relay <host:port>", "rtpengine (its ng protocol) for calls between browsers and telephones, or between two NATs; none is used if not given", hintOption)
    .option("--turn-server <host:port>", "TURN server for which phones over TLS get credentials as they register; needs --turn-secret", hintOption)
    .option("--turn-secret <file>", "file with the secret that the TURN server makes its credentials with (coturn: static-auth-secret)")
    .option("--no-mdns", "neither announce this box on the LAN nor look for others there")
    .option("--zone <zone>", "rack, room or site of this box, if not the one in its ticket", zoneOption)
    .option("--follow-address", "wait until this machine has an address, and start anew when it changes: for a box under systemd")
    .option("--service-address <address>", "address by which phones know this box: another box on the link takes it when this one is dead; may be repeated", collected(serviceAddressOption))
    .option("--open-registration", "let anybody register as anybody, without a password: for closed laboratories only")
    .option("--found", "found a fleet of one box if the data directory is blank and no ticket is given")
    .option("--domain <domain>", "SIP domain of a fleet founded so", domainOption, USUAL_FLEET.domain)
    .option("--name <name>", "name of a fleet founded so", nameOption, USUAL_FLEET.name)
    .action((parsed: ParsedOptions, command: Command) => {
      if ((parsed.sipCertificate === undefined) !== (parsed.sipKey === undefined)) command.error("error: --sip-certificate and --sip-key go together");
      if ((parsed.turnServer === undefined) !== (parsed.turnSecret === undefined)) command.error("error: --turn-server and --turn-secret go together");
      if (parsed.listen !== undefined && parsed.serviceAddress !== undefined) command.error("error: a box with --service-address serves on all its addresses: leave --listen out");
      options = plain(parsed);
    });
  const exitStatus = await runProgram(program, args, NAME, voice);
  return options === undefined ? { exitStatus } : { options };
}

interface ExtraPorts {
  readonly tls: { readonly port: number; readonly wanted: boolean } | undefined;
  readonly ws: ExtraPorts["tls"];
  readonly wss: ExtraPorts["tls"];
}

/** Counted from the SIP port, so that a second box on a machine needs to be told only that one. */
function extraPort(typed: number | undefined, sipPort: number, distance: number): ExtraPorts["tls"] {
  if (typed !== undefined) return typed === 0 ? undefined : { port: typed, wanted: true };
  const port = sipPort + distance;
  return sipPort === 0 || port > 65_535 ? undefined : { port, wanted: false };
}

const plain = (parsed: ParsedOptions): RingboxdOptions => ({
  data: parsed.data,
  ticket: parsed.ticket,
  listen: parsed.listen,
  sipPort: parsed.sipPort,
  extraPorts: {
    tls: extraPort(parsed.sipsPort, parsed.sipPort, 1),
    ws: extraPort(parsed.wsPort, parsed.sipPort, 6),
    wss: extraPort(parsed.wssPort, parsed.sipPort, 7),
  },
  certificateFiles:
    parsed.sipCertificate === undefined || parsed.sipKey === undefined ? undefined : { certificate: parsed.sipCertificate, key: parsed.sipKey },
  overlayPort: parsed.overlayPort,
  hints: parsed.hint ?? [],
  mediaRelay: parsed.mediaRelay,
  turn: parsed.turnServer === undefined || parsed.turnSecret === undefined ? undefined : { server: parsed.turnServer, secretFile: parsed.turnSecret },
  mdns: parsed.mdns,
  zone: parsed.zone,
  followAddress: parsed.followAddress === true,
  serviceAddresses: parsed.serviceAddress ?? [],
  openRegistration: parsed.openRegistration === true,
  found: parsed.found === true ? { name: parsed.name, domain: parsed.domain } : undefined,
});
