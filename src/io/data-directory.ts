// Everything a box remembers on disk but the databases: its key, what it knows of its fleet, the members it
// has seen. `fleet.json` is written whole in one rename, so that a box is enrolled or is not; a power cut
// leaves nothing between.

import { accessSync, constants, existsSync, mkdirSync, readFileSync, renameSync, statSync, truncateSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import type Database from "better-sqlite3";
import { type WallTime, wallTime } from "../base/time.ts";
import type { PeerInfo } from "../overlay/ports.ts";
import { type FleetMembership, parseMembers, parseMembership, serializeMembers, serializeMembership } from "./identity-files.ts";
import { certificatePem, makePrivateKey } from "./pki.ts";
import { replaceFile } from "./replace-file.ts";
import { NO_RULES, sealRevocations, type StoredRules, unsealRevocations } from "./rules-files.ts";
import { isDamage, openDatabase, sqliteCode } from "./sqlite.ts";
import { CertificateTrust } from "./trust.ts";

const SERVED = "served";
const DATABASES = ["durable.db", "soft.db"];
const RING_AGE = "ring-age";
const AGREED_TIME = "agreed-time";
const CONFIGURATION = "configuration.xml";
const BOXES = "boxes.json";
const SIP_IDENTITY = "sip-tls.pem";
const REVOCATIONS = "revocations";

/** A data directory that cannot be used; the message is a sentence for the operator. */
export class DataDirectoryError extends Error {
  override readonly name = "DataDirectoryError";
}

const PRIVATE = 0o600;
const PUBLIC = 0o644;

export class DataDirectory {
  readonly path: string;
  readonly #onReport: (level: "info" | "warning", text: string) => void;
  #lock: Database.Database | undefined;

  constructor(path: string, onReport: (level: "info" | "warning", text: string) => void) {
    this.path = path;
    this.#onReport = onReport;
  }

  /** Makes the directory and takes its lock. Throws `DataDirectoryError`. */
  open(): void {
    this.#explained(() => makeDirectories(resolve(this.path)));
    if (!statSync(this.path).isDirectory()) throw new DataDirectoryError(`${this.path} is not a directory`);
    this.#explained(() => accessSync(this.path, constants.R_OK | constants.W_OK | constants.X_OK));
    if (!existsSync(join(this.path, "README"))) this.replaceFile("README", "This directory belongs to a Ringbox.\n");
    this.#takeLock();
  }

  /** This box's private key (PKCS #8 PEM), made at the first call. */
  identityKey(): string {
    const path = join(this.path, "identity.key");
    if (existsSync(path)) {
      const pem = readFileSync(path, "utf8");
      if (isPrivateKey(pem)) return pem;
      this.#setAside("identity.key", "holds no key; this box makes a new one and enrolls again");
    }
    const pem = makePrivateKey();
    this.replaceFile("identity.key", pem, PRIVATE);
    return pem;
  }

  /** `undefined`: not enrolled yet, or what says so is damaged and has been set aside. */
  membership(): FleetMembership | undefined {
    const text = this.#read("fleet.json");
    if (text === undefined) return undefined;
    const membership = parseMembership(text);
    if (membership !== undefined && isWhole(membership, this.identityKey())) return membership;
    this.#setAside("fleet.json", "is damaged or not of this box's key; this box enrolls again");
    return undefined;
  }

  saveMembership(membership: FleetMembership): void {
    this.replaceFile("identity.crt", certificatePem(membership.enrolled.certificate), PUBLIC);
    this.replaceFile("fleet.json", serializeMembership(membership), PRIVATE);
  }

  /** DER of the certificate this box had last, even if it is not a member any more: so it gets its place on the ring again. */
  lastCertificate(): Uint8Array | undefined {
    const pem = this.#read("identity.crt");
    try {
      return pem === undefined ? undefined : new X509Certificate(pem).raw;
    } catch {
      return undefined; // a damaged file is as good as none: the box gets a new place
    }
  }

  /**
   * Rises with each call; one call a start. Without its file it starts at the clock, which is above
   * all earlier numbers unless the clock is wrong as well. A full disk does not keep a box from starting.
   */
  nextIncarnation(): number {
    const stored = Number.parseInt(this.#read("incarnation") ?? "", 10);
    const byClock = Math.floor(Date.now() / 1_000);
    const next = Number.isSafeInteger(stored) && stored > 0 ? stored + 1 : byClock;
    try {
      this.replaceFile("incarnation", `${next}\n`);
      return next;
    } catch (error) {
      this.#onReport("warning", `the count of starts is not kept: ${error instanceof Error ? error.message : String(error)}`);
      return Math.max(next, byClock);
    }
  }

  /** What people call this box; the image calls the machine by it. */
  saveName(name: string): void {
    if (this.#read("name")?.trim() !== name) this.#tryReplace("name", `${name}\n`);
  }

  /** Members seen last, to be dialed after a start. */
  members(): readonly PeerInfo[] {
    const text = this.#read("members.json");
    if (text === undefined) return [];
    const members = parseMembers(text);
    if (members !== undefined) return members;
    this.#setAside("members.json", "is damaged; members are found again by hints and multicast");
    return [];
  }

  /** Members are hints for the next start: a disk that does not take them is reported, and no more. */
  saveMembers(members: readonly PeerInfo[]): void {
    this.#tryReplace("members.json", serializeMembers(members));
  }

  /** How long the ring had lived when this box was last in it, ms; `undefined`: nothing here says so. */
  ringAge(): number | undefined {
    const stored = Number.parseInt(this.#read(RING_AGE) ?? "", 10);
    return Number.isSafeInteger(stored) && stored >= 0 ? stored : undefined;
  }
  saveRingAge(age: number): void {
    this.#tryReplace(RING_AGE, `${age}\n`);
  }

  /** The time that the boxes agreed on when it was saved last, ms since 1970. */
  agreedTime(): WallTime | undefined {
    const [first = "", second] = (this.#read(AGREED_TIME) ?? "").trimEnd().split(" ");
    const stored = Number.parseInt(first, 10);
    return first === second && Number.isSafeInteger(stored) && stored >= 0 ? wallTime(stored) : undefined;
  }
  saveAgreedTime(time: WallTime): void {
    this.#tryReplace(AGREED_TIME, `${time} ${time}\n`); // twice: a flipped digit must not put the box years ahead
  }

  /** The boxes this one has met, as they were saved. */
  boxes(): string | undefined {
    return this.#read(BOXES);
  }
  saveBoxes(text: string): void {
    this.replaceFile(BOXES, text);
  }

  /** What is in force in the fleet; `isGenuine` judges the document. What is damaged comes again from the others. */
  rules(isGenuine: (document: Uint8Array) => boolean): StoredRules {
    let document = this.#readBytes(CONFIGURATION);
    if (document !== undefined && !isGenuine(document)) {
      this.#setAside(CONFIGURATION, "is damaged; the other boxes will send it again");
      document = undefined;
    }
    const sealed = this.#readBytes(REVOCATIONS);
    const revocations = sealed === undefined ? undefined : unsealRevocations(sealed);
    if (sealed !== undefined && revocations === undefined) this.#setAside(REVOCATIONS, "is damaged; the other boxes will send it again");
    return { document, revocations: revocations ?? NO_RULES.revocations };
  }
  saveRules({ document, revocations }: StoredRules): void {
    if (revocations.length > 0) this.replaceFile(REVOCATIONS, sealRevocations(revocations));
    if (document !== undefined) this.replaceFile(CONFIGURATION, document);
  }

  /** Key and certificates for phones over TLS, PEM. */
  sipIdentity(): string | undefined {
    return this.#read(SIP_IDENTITY);
  }
  /** With the fleet's root beside it, for phones that are to believe it. */
  saveSipIdentity(pem: string, rootPem: string): void {
    this.replaceFile("fleet-root.pem", rootPem, PUBLIC);
    this.replaceFile(SIP_IDENTITY, pem, PRIVATE);
  }

  /** A box that was in the ring, or founded it, may stand alone when it finds nobody; another one waits. */
  get hasServed(): boolean {
    return existsSync(join(this.path, SERVED));
  }
  /** Databases that a box which has been started before must have, and that are not there, or of zero length. To be asked before this start is counted. */
  missingDatabases(): readonly string[] {
    if (!existsSync(join(this.path, "incarnation"))) return [];
    return DATABASES.filter((name) => !existsSync(join(this.path, name)) || statSync(join(this.path, name)).size === 0);
  }
  rememberServing(): void {
    if (!this.hasServed) this.#tryReplace(SERVED, "");
  }

  #tryReplace(name: string, content: string): void {
    try {
      replaceFile(join(this.path, name), content, PUBLIC);
    } catch (error) {
      this.#onReport("warning", `${name} could not be written: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** Atomic: the old content or the new one, never a part. Throws `DataDirectoryError`. */
  replaceFile(name: string, content: string | Uint8Array, mode: number = PUBLIC): void {
    this.#explained(() => replaceFile(join(this.path, name), content, mode));
  }

  close(): void {
    this.#lock?.close();
    this.#lock = undefined;
  }

  /** An exclusive lock on a SQLite file: the kernel drops it with the process, however that ends. */
  #takeLock(): void {
    const path = join(this.path, "lock");
    try {
      try {
        this.#lockFile(path);
      } catch (error) {
        if (!isDamage(error)) throw error;
        this.close();
        truncateSync(path); // it never held anything; the file itself stays, and with it the lock of whoever runs on it
        this.#lockFile(path);
      }
    } catch (error) {
      this.close();
      if (sqliteCode(error) === "SQLITE_BUSY") throw new DataDirectoryError(`another ringboxd is running on ${this.path}`);
      throw this.#explain(error);
    }
  }

  #lockFile(path: string): void {
    this.#lock = openDatabase(path);
    this.#lock.pragma("journal_mode = MEMORY"); // a crash leaves nothing beside the file
    this.#lock.exec("BEGIN EXCLUSIVE");
  }

  #read(name: string): string | undefined {
    const path = join(this.path, name);
    return existsSync(path) ? this.#explained(() => readFileSync(path, "utf8")) : undefined;
  }

  #readBytes(name: string): Uint8Array | undefined {
    const path = join(this.path, name);
    return existsSync(path) ? this.#explained(() => readFileSync(path)) : undefined;
  }

  #setAside(name: string, why: string): void {
    let number = 1;
    while (existsSync(join(this.path, `${name}.damaged-${number}`))) number++;
    this.#explained(() => renameSync(join(this.path, name), join(this.path, `${name}.damaged-${number}`)));
    this.#onReport("warning", `${name} ${why} (the old one is ${name}.damaged-${number})`);
  }

  #explained<Value>(act: () => Value): Value {
    try {
      return act();
    } catch (error) {
      throw this.#explain(error);
    }
  }

  #explain(error: unknown): DataDirectoryError {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    const reason = REASONS[code] ?? (error instanceof Error ? error.message : String(error));
    return new DataDirectoryError(`the data directory ${this.path} cannot be used: ${reason}`);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: "this user may not write there",
  EPERM: "this user may not write there",
  EROFS: "the file system is read-only",
  SQLITE_READONLY: "the file system is read-only",
  ENOTDIR: "part of the path is a file, not a directory",
  EEXIST: "it is a file, not a directory",
  ENOSPC: "the disk is full",
  SQLITE_FULL: "the disk is full",
  EDQUOT: "the disk quota is used up",
};

/** Node's own recursive form never returns where a file system (as /proc) says that what is there is not there. */
function makeDirectories(path: string): void {
  if (existsSync(path)) return;
  if (dirname(path) !== path) makeDirectories(dirname(path));
  mkdirSync(path, { mode: 0o700 });
}

function isPrivateKey(pem: string): boolean {
  try {
    return createPrivateKey(pem).asymmetricKeyDetails?.namedCurve === "prime256v1";
  } catch {
    return false;
  }
}

/** Whether everything in it can be read and fits together: what is not whole now would end the box later, at each start. */
function isWhole({ rootCertificate, overlayName, enrolled }: FleetMembership, privateKeyPem: string): boolean {
  const { certificate, issuing, nodeId } = enrolled;
  try {
    const trust = new CertificateTrust({ root: rootCertificate, issuing: [issuing.certificate], overlayName, wall: () => wallTime(0) });
    const inspected = trust.inspect(certificate);
    return (
      "nodeId" in inspected &&
      inspected.nodeId === nodeId &&
      new X509Certificate(certificate).publicKey.equals(createPublicKey(privateKeyPem)) &&
      new X509Certificate(issuing.certificate).checkPrivateKey(createPrivateKey(issuing.privateKeyPem))
    );
  } catch {
    return false;
  }
}
