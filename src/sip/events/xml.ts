// What goes into the XML bodies that we write. Nothing that came in is copied without passing here.

/** Text or attribute value: octets as they are, but for what XML would take for its own and for control characters. */
export function escapeXml(text: string): string {
  let escaped = "";
  for (const character of text) {
    const replacement = REPLACED[character];
    if (replacement !== undefined) escaped += replacement;
    else if (character >= " ") escaped += character;
  }
  return escaped;
}

const REPLACED: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;" };

export const XML_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\r\n';
