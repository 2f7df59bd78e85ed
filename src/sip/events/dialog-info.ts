// dialog-info documents (RFC 4235): what lights a busy lamp. The state of a dialog in the ring is its `dialog` element,
// ready to be put into a document; documents are always of the full state.

import { escapeXml, XML_HEAD } from "./xml.ts";

export const DIALOG_INFO = "application/dialog-info+xml";

export type DialogState = "early" | "confirmed" | "terminated";

/** A person at one end of a dialog. */
export interface Party {
  /** A URI. */
  readonly identity: string;
  readonly displayName: string;
  /** Where this dialog reaches it; "" if not known. */
  readonly target: string;
}

export interface DialogView {
  readonly id: string;
  readonly callId: string;
  readonly localTag: string;
  readonly remoteTag: string;
  readonly direction: "initiator" | "recipient";
  readonly state: DialogState;
  /** Why it ended, as RFC 4235 section 4.1.2 has it. */
  readonly event: "cancelled" | "rejected" | "replaced" | "local-bye" | "remote-bye" | "error" | "timeout" | "";
  /** Status of the answer that ended it; 0: none. */
  readonly code: number;
  readonly local: Party;
  readonly remote: Party;
}

export function dialogElement(view: DialogView): string {
  const attributes = [
    ["id", view.id], ["call-id", view.callId], ["local-tag", view.localTag], ["remote-tag", view.remoteTag], ["direction", view.direction],
  ] as const;
  const written = attributes.filter(([, value]) => value !== "").map(([name, value]) => ` ${name}="${escapeXml(value)}"`);
  const why = `${view.event === "" ? "" : ` event="${view.event}"`}${view.code === 0 ? "" : ` code="${view.code}"`}`;
  return `<dialog${written.join("")}><state${why}>${view.state}</state>${party("local", view.local)}${party("remote", view.remote)}</dialog>`;
}

/** A `dialog` element as it was stored, of a dialog that is over now. */
export function endedElement(element: string, event: DialogView["event"]): string {
  const [start, end] = [element.indexOf("<state"), element.indexOf("</state>")];
  if (start < 0 || end < start) return element;
  return `${element.slice(0, start)}<state event="${event}">terminated${element.slice(end)}`;
}

function party(side: "local" | "remote", { identity, displayName, target }: Party): string {
  const name = displayName === "" ? "" : ` display="${escapeXml(displayName)}"`;
  const where = target === "" ? "" : `<target uri="${escapeXml(target)}"/>`;
  return `<${side}><identity${name}>${escapeXml(identity)}</identity>${where}</${side}>`;
}

/** `version`: rises with each document of a subscription. */
export const dialogInfo = (aor: string, version: number, dialogs: readonly string[]): string =>
  `${XML_HEAD}<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="${version}" state="full" entity="sip:${escapeXml(aor)}">${dialogs.join("")}</dialog-info>\r\n`;
