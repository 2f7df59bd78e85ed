// What this box shows to phones over TLS: a certificate of the fleet's own authority, renewed long before it
// ends, and if the operator has one, his own. What is shown changes for connections that begin afterwards.

import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { hostname } from "node:os";
import { createSecureContext, type SecureContext } from "node:tls";
import { type Duration, hours } from "../base/time.ts";
import type { Clock } from "./clock.ts";
import type { Report } from "./journal.ts";
import type { SecureSettings } from "./sip-sockets.ts";
import { type Credential, certificatePem, issueSipCertificate, makePrivateKey, publicKeyOf } from "./pki.ts";

/** A certificate with its chain, and its key, PEM. */
export interface TlsPem {
  readonly cert: string;
  readonly key: string;
}

export interface SipCertificateSettings {
  readonly domain: string;
  /** DER of the fleet's root: phones that believe it believe this box. */
  readonly root: Uint8Array;
  readonly issuing: () => Credential;
  readonly addresses: () => readonly string[];
  readonly clock: Clock;
  /** The operator's own certificate and key: paths of PEM files. */
  readonly files: { readonly certificate: string; readonly key: string } | undefined;
  readonly load: () => string | undefined;
  readonly save: (pem: string) => void;
  readonly onReport: Report;
}

/** A certificate lives so long… */
const LIFETIME = hours(24 * 397);
/** …and is renewed when so much is left: phones that were off for months still know the old one's authority. */
const RENEWED_BEFORE = hours(24 * 120);
/** Names, the end, and the operator's files are looked at so often. */
const LOOK: Duration = hours(1);
/** A fleet's root is made to last twenty years; a clock that shows a time before its making is wrong. */
const ROOT_YEARS = 20;

interface Shown {
  readonly pem: TlsPem;
  readonly context: SecureContext;
  readonly certificate: X509Certificate;
}

export class SipCertificate {
  readonly #settings: SipCertificateSettings;
  #fleet: Shown | undefined;
  #own: Shown | undefined;
  #ownText = "";
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();

  constructor(settings: SipCertificateSettings) {
    this.#settings = settings;
  }

  /** Resolves when there is something to show. */
  async start(): Promise<void> {
    this.#fleet = shown(split(this.#settings.load() ?? ""));
    this.#timer = setInterval(() => void this.look(), LOOK);
    await this.look();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Renews what has to be renewed, and reads the operator's files again. */
  look(): Promise<void> {
    this.#looking = this.#looking.then(() => this.#lookNow()).catch((error: unknown) => {
      this.#settings.onReport("warning", `no new TLS certificate: ${error instanceof Error ? error.message : String(error)}`);
    });
    return this.#looking;
  }

  async #lookNow(): Promise<void> {
    this.#readFiles();
    if (!this.#isGood()) await this.#renew();
  }

  /** For who asks by this name (SNI), or by none: the operator's certificate where it fits, else the fleet's. */
  readonly #contextFor = (servername: string | undefined): SecureContext | undefined => {
    const own = this.#own;
    if (own !== undefined && (servername === undefined || own.certificate.checkHost(servername) !== undefined)) return own.context;
    return this.#fleet?.context ?? own?.context;
  };

  /** What this box shows when it opens a connection itself. */
  readonly #identity = (): TlsPem | Record<string, never> => this.#fleet?.pem ?? {};

  get access(): Pick<SecureSettings, "contextFor" | "identity"> {
    return { contextFor: this.#contextFor, identity: this.#identity };
  }

  #isGood(): boolean {
    const certificate = this.#fleet?.certificate;
    if (certificate === undefined) return false;
    const { issuing, addresses, domain } = this.#settings;
    const left = certificate.validToDate.getTime() - this.#wall();
    const issuer = new X509Certificate(issuing().certificate);
    const ends = Math.min(RENEWED_BEFORE, issuer.validToDate.getTime() - this.#wall() - 1);
    if (left < ends || !certificate.checkIssued(issuer)) return false;
    return certificate.checkHost(domain) !== undefined && addresses().every((address) => certificate.checkIP(address) !== undefined);
  }

  async #renew(): Promise<void> {
    const { issuing, domain, addresses, save, onReport } = this.#settings;
    const credential = issuing();
    const key = makePrivateKey();
    const name = hostname().toLowerCase();
    const certificate = await issueSipCertificate(credential, {
      publicKey: await publicKeyOf(key),
      domain,
      hosts: isHostName(name) && name !== domain ? [name] : [],
      addresses: addresses().filter((address) => isIP(address) !== 0),
      notAfter: new Date(this.#wall() + LIFETIME),
    });
    const pem = { key, cert: certificatePem(certificate) + certificatePem(credential.certificate) };
    this.#fleet = shown(pem);
    onReport("debug", "a new certificate for phones over TLS");
    save(pem.key + pem.cert);
  }

  /** The time of day, or the fleet's beginning if the clock is before that. */
  #wall(): number {
    const beginning = new X509Certificate(this.#settings.root).validToDate;
    beginning.setUTCFullYear(beginning.getUTCFullYear() - ROOT_YEARS);
    return Math.max(this.#settings.clock.wall(), beginning.getTime());
  }

  #readFiles(): void {
    const { files, onReport } = this.#settings;
    if (files === undefined) return;
    try {
      const pem = { cert: readFileSync(files.certificate, "utf8"), key: readFileSync(files.key, "utf8") };
      if (pem.cert + pem.key === this.#ownText) return;
      const own = shown(pem);
      if (own === undefined) return onReport("warning", `${files.certificate} and ${files.key} are not a certificate and its key; the ones before stay in use`);
      this.#own = own;
      this.#ownText = pem.cert + pem.key;
      onReport("info", `phones over TLS are shown ${files.certificate}`);
    } catch (error) {
      onReport("warning", `the TLS certificate cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

const isHostName = (name: string): boolean => /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(name) && isIP(name) === 0;

function split(text: string): TlsPem {
  const begin = text.indexOf("-----BEGIN CERTIFICATE-----");
  return { key: text.slice(0, Math.max(0, begin)), cert: text.slice(Math.max(0, begin)) };
}

/** `undefined`: not a certificate and its key. */
function shown(pem: TlsPem): Shown | undefined {
  try {
    return { pem, context: createSecureContext({ ...pem, minVersion: "TLSv1.2" }), certificate: new X509Certificate(pem.cert) };
  } catch {
    return undefined; // OpenSSL says why in words that help nobody here
  }
}
