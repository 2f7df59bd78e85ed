// Text into HTML. Whatever is shown came from a phone, a box or a person: it is escaped, and control characters go.

/** HTML that is ready; everything else is text. */
export class Markup {
  readonly html: string;
  constructor(html: string) {
    this.html = html;
  }
}

type Part = Markup | string | number | null | readonly Part[];

export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  return new Markup(strings.map((text, index) => text + (index < parts.length ? markupOf(parts[index] ?? null) : "")).join(""));
}

function markupOf(part: Part): string {
  if (part === null) return "";
  if (part instanceof Markup) return part.html;
  if (typeof part === "object") return part.map(markupOf).join("");
  return escapeText(String(part));
}

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

function escapeText(text: string): string {
  let escaped = "";
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    // C0, DEL and C1 controls, and what turns the direction of writing.
    const isControl = code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
    escaped += isControl ? " " : (ENTITIES[character] ?? character);
  }
  return escaped;
}
