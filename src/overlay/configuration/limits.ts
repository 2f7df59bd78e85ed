// What a configuration document limits: how far a message goes, how large it may be, and how much of a kind one
// place of the ring holds. The program has its own limits, which it was made and measured for; a document can be
// stricter with kinds, and never wider.

import type { AccessPolicy, KindDefinition, KindId } from "../ports.ts";
import { INITIAL_TTL } from "../wire/forwarding-header.ts";
import type { XmlElement } from "./xml.ts";

export interface KindLimits {
  readonly id: KindId;
  /** `max-count`: entries at one place. */
  readonly maxEntries: number;
  /** `max-size`: bytes of one value. */
  readonly maxValueBytes: number;
}

export interface FleetLimits {
  /** `max-message-size`, bytes. */
  readonly maxMessageSize: number;
  /** `initial-ttl`: links that a message may go over. */
  readonly initialTtl: number;
  readonly kinds: readonly KindLimits[];
}

/** Where no document says anything else (RFC 6940 section 11.1). */
const MESSAGE_SIZE = 5_000;
/** What a frame can say. */
const MESSAGE_SIZE_MAX = 0xffffff;
const TTL_MAX = 255;
const KINDS_MAX = 64;

/** `undefined`: one of the values is not of its kind. */
export function limitsIn(configuration: XmlElement): FleetLimits | undefined {
  const maxMessageSize = numberIn(configuration, "max-message-size", MESSAGE_SIZE, MESSAGE_SIZE_MAX);
  const initialTtl = numberIn(configuration, "initial-ttl", INITIAL_TTL, TTL_MAX);
  const elements = named(named([configuration], "required-kinds"), "kind-block");
  const kinds = named(elements, "kind").map(kindIn);
  if (maxMessageSize === undefined || initialTtl === undefined || kinds.length > KINDS_MAX) return undefined;
  const read = kinds.filter((kind) => kind !== undefined);
  return read.length === kinds.length ? { maxMessageSize, initialTtl, kinds: read } : undefined;
}

const named = (elements: readonly XmlElement[], name: string): readonly XmlElement[] =>
  elements.flatMap(({ children }) => children.filter((child) => child.name === name));

function kindIn(element: XmlElement): KindLimits | undefined {
  const id = wholeNumber(element.attributes.get("id"), 0xffffffff);
  const maxEntries = numberIn(element, "max-count", 1, 0xffffffff);
  const maxValueBytes = numberIn(element, "max-size", undefined, 0xffffffff);
  return id === undefined || maxEntries === undefined || maxValueBytes === undefined ? undefined : { id, maxEntries, maxValueBytes };
}

/** What a document says of a kind that anybody enrolled may write. */
export const NO_ACCESS_POLICY = "ENROLLED-PEER";
/** As RFC 6940 sections 7.2 and 7.3 name them. */
const DATA_MODELS: ReadonlySet<string> = new Set(["SINGLE", "ARRAY", "DICTIONARY"]);
const ACCESS_POLICIES: ReadonlySet<string> = new Set<AccessPolicy | typeof NO_ACCESS_POLICY>([
  "USER-MATCH", "NODE-MATCH", "USER-NODE-MATCH", "NODE-MULTIPLE", NO_ACCESS_POLICY,
]);

/**
 * A kind that is to be stored in a way this program does not know, as part of a sentence; `undefined`: there is none.
 * Each peer must support each required kind (section 11.1): under half of a rule it would store what the rule forbids.
 */
export function unknownStorage(configuration: XmlElement): string | undefined {
  for (const kind of named(named(named([configuration], "required-kinds"), "kind-block"), "kind")) {
    const unknown = unknownName(kind, "data-model", DATA_MODELS) ?? unknownName(kind, "access-control", ACCESS_POLICIES);
    if (unknown !== undefined) return `its kind ${kind.attributes.get("id") ?? "without a number"} has the ${unknown}, which this program does not know`;
  }
  return undefined;
}

function unknownName(kind: XmlElement, element: string, known: ReadonlySet<string>): string | undefined {
  const unknown = named([kind], element).find(({ text }) => !known.has(text.trim()));
  return unknown === undefined ? undefined : `${element} "${unknown.text.trim().slice(0, NAME_SHOWN)}"`;
}
/** Characters of an unknown name that are told. */
const NAME_SHOWN = 40;

/** The number in a child element, at least 1; `absent` if there is no such child. */
function numberIn(element: XmlElement, name: string, absent: number | undefined, most: number): number | undefined {
  const [child, ...others] = element.children.filter((one) => one.name === name);
  if (child === undefined) return absent;
  const value = others.length > 0 ? undefined : wholeNumber(child.text.trim(), most);
  return value === 0 ? undefined : value;
}

export function wholeNumber(text: string | undefined, most: number): number | undefined {
  const value = Number(text);
  return text !== undefined && String(value) === text && Number.isInteger(value) && value >= 0 && value <= most ? value : undefined;
}

/** A kind as a document limits it. */
export function limited(kind: KindDefinition, limits: FleetLimits | undefined): KindDefinition {
  const own = limits?.kinds.find(({ id }) => id === kind.id);
  if (own === undefined) return kind;
  return { ...kind, maxEntries: Math.min(kind.maxEntries, own.maxEntries), maxValueBytes: Math.min(kind.maxValueBytes, own.maxValueBytes) };
}

/** Messages go over fewer links than this only in rings that hardly are one; above the other bound a loop lives long. */
const TTL_RANGE = { least: 8, most: TTL_MAX };
const MESSAGE_SIZE_RANGE = { least: 256 * 1_024, most: 4 * 1_024 * 1_024 };

/** Why a fleet should not decide so, as a sentence; `undefined` if it may. */
export function limitsProblem({ initialTtl, maxMessageSize, kinds }: FleetLimits, program: readonly KindDefinition[]): string | undefined {
  if (initialTtl < TTL_RANGE.least || initialTtl > TTL_RANGE.most) return `the initial TTL is ${TTL_RANGE.least} to ${TTL_RANGE.most}`;
  if (maxMessageSize < MESSAGE_SIZE_RANGE.least || maxMessageSize > MESSAGE_SIZE_RANGE.most) {
    return `messages have ${MESSAGE_SIZE_RANGE.least} to ${MESSAGE_SIZE_RANGE.most} bytes at most`;
  }
  for (const { id, maxEntries, maxValueBytes } of kinds) {
    const kind = program.find((one) => one.id === id);
    if (kind === undefined) continue;
    if (maxEntries < 1 || maxEntries > kind.maxEntries) return `a place holds 1 to ${kind.maxEntries} values of ${kind.name}`;
    if (maxValueBytes < 1 || maxValueBytes > kind.maxValueBytes) return `a value of ${kind.name} has 1 to ${kind.maxValueBytes} bytes`;
  }
  return undefined;
}
