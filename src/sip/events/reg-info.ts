// The registrations of a user as he himself may see them (RFC 3680): full state, one `contact` a binding. A box that
// goes says of the bindings that hang on it that they are deactivated: phones then register at once, elsewhere.

import type { FoundBinding } from "../ports.ts";
import type { PackageDefinition, Part, Scene } from "./package-definition.ts";
import { escapeXml, XML_HEAD } from "./xml.ts";

const parts = ({ bindings, wall, goingBox }: Scene): readonly Part[] =>
  bindings.filter(({ expiresAt }) => expiresAt > wall).map((binding) => ({ key: binding.key, content: contact(binding, binding.edge === goingBox), isFinal: false }));

function contact({ key, contact: uri, callId, preference, instance, regId }: FoundBinding, isGoing: boolean): string {
  const state = isGoing ? 'state="terminated" event="deactivated"' : 'state="active" event="registered"';
  const outbound = instance === "" ? "" : unknownParameter("+sip.instance", instance) + (regId === 0 ? "" : unknownParameter("reg-id", String(regId)));
  return `<contact id="${key}" ${state} callid="${escapeXml(callId)}" q="${(preference / 1_000).toFixed(3)}"><uri>${escapeXml(uri)}</uri>${outbound}</contact>`;
}

const unknownParameter = (name: string, value: string): string => `<unknown-param name="${name}">${escapeXml(value)}</unknown-param>`;

export const REG_INFO: PackageDefinition = {
  name: "reg",
  contentType: "application/reginfo+xml",
  isPrivate: true,
  publisher: "nobody",
  parts,
  document: (aor, version, contacts) =>
    `${XML_HEAD}<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="${version}" state="full"><registration aor="sip:${escapeXml(aor)}" id="a" state="${contacts.length === 0 ? "terminated" : "active"}">${contacts.join("")}</registration></reginfo>\r\n`,
};
