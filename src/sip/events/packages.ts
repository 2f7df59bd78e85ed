// The event packages: how each is named, what its documents are, and who may watch whom.

import { parameterValue, parseParameters } from "../message/parameters.ts";
import { lowerCase } from "../message/scan.ts";
import type { EventPackage } from "../ports.ts";
import { DIALOG_INFO, dialogInfo } from "./dialog-info.ts";
import { MESSAGE_SUMMARY } from "./message-summary.ts";
import type { PackageDefinition } from "./package-definition.ts";
import { PRESENCE } from "./presence.ts";
import { REG_INFO } from "./reg-info.ts";

const DIALOG: PackageDefinition = {
  name: "dialog", contentType: DIALOG_INFO, isPrivate: false, publisher: "nobody", parts: ({ states }) => states, document: dialogInfo,
};

const PACKAGES: Readonly<Record<EventPackage, PackageDefinition>> = {
  dialog: DIALOG,
  presence: PRESENCE,
  "message-summary": MESSAGE_SUMMARY,
  reg: REG_INFO,
};

export const ALLOW_EVENTS = Object.keys(PACKAGES).join(", ");

export interface Event {
  readonly definition: PackageDefinition;
  /** The `id` parameter; "" if there is none. */
  readonly id: string;
}

export const definitionOf = (name: EventPackage): PackageDefinition => PACKAGES[name];

/** The value of an Event header: `package;id=…`. `undefined`: absent, malformed, or a package that is not served. */
export function readEvent(value = ""): Event | undefined {
  const semicolon = value.indexOf(";");
  const end = semicolon < 0 ? value.length : semicolon;
  const name = lowerCase(value.slice(0, end).trim());
  const definition = Object.values(PACKAGES).find((one) => one.name === name);
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
