// Presence documents (RFC 3856, PIDF of RFC 3863). What a user published last is what watchers see; of a user who
// published nothing they see whether a phone of his is registered.

import { escapeXml, XML_HEAD } from "./xml.ts";
import { newestOf, type PackageDefinition, type Part, type Scene } from "./package-definition.ts";

function parts(scene: Scene): readonly Part[] {
  const published = newestOf(scene);
  const content = published?.content ?? registered(scene);
  return [{ key: "presence", content, isFinal: false }];
}

function registered({ aor, bindings, wall }: Scene): string {
  const basic = bindings.some(({ expiresAt }) => expiresAt > wall) ? "open" : "closed";
  return `${XML_HEAD}<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:${escapeXml(aor)}"><tuple id="registration"><status><basic>${basic}</basic></status></tuple></presence>\r\n`;
}

export const PRESENCE: PackageDefinition = {
  name: "presence",
  contentType: "application/pidf+xml",
  isPrivate: false,
  publisher: "the user",
  parts,
  document: (_aor, _version, [content = ""]) => content,
};
