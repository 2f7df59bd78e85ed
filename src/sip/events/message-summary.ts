// Message waiting (RFC 3842): what the voice mail server published last of a mailbox.

import { newestOf, type PackageDefinition } from "./package-definition.ts";

export const MESSAGE_SUMMARY: PackageDefinition = {
  name: "message-summary",
  contentType: "application/simple-message-summary",
  isPrivate: true,
  publisher: "voice mail",
  parts: (scene) => [{ key: "summary", content: newestOf(scene)?.content ?? nothing(scene.aor), isFinal: false }],
  document: (_aor, _version, [content = ""]) => content,
};

const nothing = (aor: string): string => `Messages-Waiting: no\r\nMessage-Account: sip:${aor}\r\n`;
