// The event packages: how each is named, what its documents are, and who may watch whom.

import type { WallTime } from "../../base/time.ts";
import { parameterValue, parseParameters } from "../message/parameters.ts";
import { lowerCase } from "../message/scan.ts";
import type { EventPackage, FoundBinding, FoundEventState } from "../ports.ts";
import { DIALOG_INFO, dialogInfo } from "./dialog-info.ts";

/** What is known of an AoR at a moment. */
export interface Scene {
  readonly aor: string;
  readonly wall: WallTime;
  /** Of the package that is asked for, the living ones. */
  readonly states: readonly FoundEventState[];
  readonly bindings: readonly FoundBinding[];
}

/** A piece of a document. What differs from the last document by a piece that is new or gone is worth a NOTIFY. */
export interface Part {
  readonly key: string;
  readonly content: string;
  /** It is over: those who knew of it are told once. */
  readonly isFinal: boolean;
}

interface PackageDefinition {
  readonly name: EventPackage;
  readonly contentType: string;
  /** Only the user itself may watch. */
  readonly isPrivate: boolean;
  parts(scene: Scene): readonly Part[];
  /** `version`: rises with each document of a subscription, from 0. */
  document(aor: string, version: number, contents: readonly string[]): string;
}

const PACKAGES: Readonly<Record<string, PackageDefinition>> = {
  dialog: { name: "dialog", contentType: DIALOG_INFO, isPrivate: false, parts: ({ states }) => states, document: dialogInfo },
};

export const ALLOW_EVENTS = Object.keys(PACKAGES).join(", ");

export interface Event {
  readonly definition: PackageDefinition;
  /** The `id` parameter; "" if there is none. */
  readonly id: string;
}

export const definitionOf = (name: EventPackage): PackageDefinition | undefined => PACKAGES[name];

/** The value of an Event header: `package;id=…`. `undefined`: absent, malformed, or a package that is not served. */
export function readEvent(value = ""): Event | undefined {
  const semicolon = value.indexOf(";");
  const end = semicolon < 0 ? value.length : semicolon;
  const name = lowerCase(value.slice(0, end).trim());
  const definition = Object.hasOwn(PACKAGES, name) ? PACKAGES[name] : undefined;
  const parameters = parseParameters(value, end);
  return definition === undefined || parameters === undefined ? undefined : { definition, id: parameterValue(parameters, "id") ?? "" };
}

/** Whether a subscriber takes this type; one that says nothing takes what the package has. */
export function accepts(values: readonly string[], contentType: string): boolean {
  if (values.length === 0) return true;
  const family = `${contentType.slice(0, contentType.indexOf("/"))}/*`;
  return values.some((value) => {
    const semicolon = value.indexOf(";");
    const type = lowerCase((semicolon < 0 ? value : value.slice(0, semicolon)).trim());
    return type === contentType || type === family || type === "*/*";
  });
}
