// All that the agent serves, on its three ways in.

import { rmSync } from "node:fs";
import { formatAddress } from "../../base/address.ts";
import { seconds } from "../../base/time.ts";
import { OneTimeCodes } from "../../health/access/one-time-codes.ts";
import { type Session, Sessions } from "../../health/access/sessions.ts";
import { PageIdentity } from "../../io/agent/page-identity.ts";
import { type ControlSocketPath, controlSocketPath } from "../../io/control-socket.ts";
import { NodeCrypto } from "../../io/crypto.ts";
import type { Report } from "../../io/journal.ts";
import { ownAddress } from "../../io/own-address.ts";
import type { PageCertificate } from "../../io/page-certificate.ts";
import { SystemRandom } from "../../io/random.ts";
import { AgentServer } from "./agent-server.ts";
import { Door } from "./door.ts";
import type { Route } from "./routes.ts";
import { signInRoutes } from "./sign-in-routes.ts";
import { TERMINAL_PATH, terminalRoutes, Terminals, type TerminalsSettings } from "./terminals.ts";

/** The data directory may be made after the agent started. */
const LOCAL_TRIED_EVERY = seconds(2);

export interface WebFrontSettings {
  readonly directory: string;
  /** Numeric address; `undefined`: all. */
  readonly listen: string | undefined;
  readonly httpPort: number;
  readonly httpsPort: number;
  /** Names of this box in DNS that it does not know of itself. */
  readonly names: readonly string[];
  readonly words: () => string;
  /** What is served besides signing in. */
  readonly routes: readonly Route[];
  readonly terminal: Pick<TerminalsSettings, "program" | "user">;
  readonly onEvent: (text: string) => void;
  readonly onReport: Report;
}

export class WebFront {
  readonly #settings: WebFrontSettings;
  readonly #identity: PageIdentity;
  readonly #door: Door;
  readonly #routes: readonly Route[];
  readonly #terminals: Terminals;
  /** BOUNDED: one for each way in. */
  readonly #servers: AgentServer[] = [];
  #localName: ControlSocketPath | undefined;
  #localTimer: NodeJS.Timeout | undefined;
  #secure: AgentServer | undefined;

  constructor(settings: WebFrontSettings) {
    this.#settings = settings;
    const crypto = new NodeCrypto(undefined);
    const random = new SystemRandom();
    this.#identity = new PageIdentity({
      directory: settings.directory,
      listen: settings.listen,
      extraNames: settings.names,
      words: settings.words,
      onChanged: ({ key, certificate }) => this.#renew(key, certificate),
      onReport: settings.onReport,
    });
    this.#door = new Door({
      sessions: new Sessions(crypto, random),
      codes: new OneTimeCodes(crypto, random),
      names: () => this.#identity.names(),
      onEnded: (session) => this.#ended(session),
    });
    this.#terminals = new Terminals({ ...settings.terminal, directory: settings.directory, onEvent: settings.onEvent });
    const page = `https://${formatAddress({ host: ownAddress(settings.listen), port: settings.httpsPort })}/operate`;
    this.#routes = [
      ...settings.routes,
      ...terminalRoutes(this.#door, settings.directory),
      ...signInRoutes({ door: this.#door, onEvent: settings.onEvent, fingerprint: () => this.#identity.certificate?.fingerprint ?? "", page }),
    ];
  }

  /** Rejects with a `ListenError`. */
  async open(): Promise<void> {
    const { listen: host, httpPort, httpsPort } = this.#settings;
    await this.#open(new AgentServer({ listen: { host, port: httpPort }, option: "--http-port", routes: this.#routes, door: this.#door }));
    const { key, certificate } = await this.#identity.open();
    this.#secure = new AgentServer({
      listen: { host, port: httpsPort }, option: "--https-port", secure: { key, cert: certificate.chain }, routes: this.#routes, door: this.#door,
      upgrade: { path: TERMINAL_PATH, open: (upgrade) => this.#terminals.upgrade(upgrade, this.#door) },
    });
    await this.#open(this.#secure);
    await this.#openLocal();
  }

  close(): void {
    clearTimeout(this.#localTimer);
    this.#terminals.close();
    for (const server of this.#servers) server.close();
    this.#localName?.close();
    this.#door.close();
    this.#identity.close();
  }

  async #open(server: AgentServer): Promise<void> {
    await server.open();
    this.#servers.push(server);
  }

  /** The ports are ours by now: a socket found there is of an agent that is gone. */
  async #openLocal(): Promise<void> {
    try {
      this.#localName ??= controlSocketPath(this.#settings.directory, "agent.sock");
      rmSync(this.#localName.path, { force: true });
      await this.#open(new AgentServer({ listen: { path: this.#localName.path }, option: "--data", routes: this.#routes, door: this.#door }));
    } catch {
      // There is no such directory yet, or it is not this user's: `ringbox web-code` says so when somebody asks.
      this.#localTimer = setTimeout(() => void this.#openLocal(), LOCAL_TRIED_EVERY);
    }
  }

  #renew(key: string, { chain, byFleet }: PageCertificate): void {
    this.#secure?.renew({ key, cert: chain });
    this.#settings.onReport("info", `The page has a new certificate${byFleet ? " by the fleet" : ", made by itself"}.`);
  }

  #ended(session: Session): void {
    this.#terminals.endOf(session);
    this.#settings.onReport("debug", `${session.who} is not signed in any more`);
  }
}
