// Multipart bodies (RFC 2046 section 5.1), as enrollment uses them: a few small parts, all in memory.

export interface Part {
  /** `name` of the Content-Disposition, empty if it has none. */
  readonly name: string;
  readonly contentType: string;
  readonly body: Uint8Array;
}

const MAX_PARTS = 16;
const MAX_PART_HEADER_BYTES = 1_024;
const BLANK_LINE = "\r\n\r\n";

export function formatMultipart(parts: readonly Part[], boundary: string): Buffer {
  const pieces = parts.flatMap(({ name, contentType, body }) => {
    const disposition = name === "" ? "" : `Content-Disposition: form-data; name="${name}"\r\n`;
    return [Buffer.from(`--${boundary}\r\n${disposition}Content-Type: ${contentType}${BLANK_LINE}`), Buffer.from(body), Buffer.from("\r\n")];
  });
  return Buffer.concat([...pieces, Buffer.from(`--${boundary}--\r\n`)]);
}

/** `undefined` if the body is not whole. `contentType` is the header's value, with the boundary. */
export function parseMultipart(body: Buffer, contentType: string): readonly Part[] | undefined {
  const boundary = parameter(contentType, "boundary");
  if (boundary === undefined || boundary.length === 0 || boundary.length > 70) return undefined;
  const delimiter = Buffer.from(`--${boundary}`);
  const parts: Part[] = [];
  let at = body.indexOf(delimiter);
  while (at >= 0) {
    at += delimiter.length;
    if (body.subarray(at, at + 2).equals(Buffer.from("--"))) return parts;
    const end = body.indexOf(Buffer.concat([Buffer.from("\r\n"), delimiter]), at);
    if (end < 0 || parts.length === MAX_PARTS) return undefined;
    const part = parsePart(body.subarray(at, end));
    if (part === undefined) return undefined;
    parts.push(part);
    at = end + 2;
  }
  return undefined;
}

function parsePart(bytes: Buffer): Part | undefined {
  const headerEnd = bytes.subarray(0, MAX_PART_HEADER_BYTES).indexOf(BLANK_LINE);
  if (headerEnd < 0) return undefined;
  const headers = new Map<string, string>();
  for (const line of bytes.subarray(0, headerEnd).toString("latin1").split("\r\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  return {
    name: parameter(headers.get("content-disposition") ?? "", "name") ?? "",
    contentType: (headers.get("content-type") ?? "text/plain").split(";", 1)[0]?.trim().toLowerCase() ?? "",
    body: bytes.subarray(headerEnd + BLANK_LINE.length),
  };
}

/** A parameter of a header value; quotes around it are taken off. */
function parameter(value: string, name: string): string | undefined {
  for (const piece of value.split(";").slice(1)) {
    const equals = piece.indexOf("=");
    if (equals < 0 || piece.slice(0, equals).trim().toLowerCase() !== name) continue;
    const text = piece.slice(equals + 1).trim();
    return text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text;
  }
  return undefined;
}
