// Finds the header fields of a header section in one pass: no value is read.

import { fieldName, HeaderField } from "./header-field.ts";
import { LIMITS } from "./limits.ts";
import { COLON, CR, isBlank, LF, skipBlank, skipClass, TOKEN } from "./scan.ts";

export interface LocatedFields {
  readonly fields: readonly HeaderField[];
  /** Where the body begins; the end of the text if there is no empty line. */
  readonly bodyStart: number;
  /** What is wrong, the first of it. Sound fields after it are located all the same, so that an answer can copy them. */
  readonly fault: "malformed-field" | "bare-cr" | "unterminated" | "too-many" | "too-large" | undefined;
}

/** The fields from `start`, the beginning of the first line after the start line. */
export function locateFields(text: string, start: number): LocatedFields {
  const fields: HeaderField[] = [];
  const limit = start + LIMITS.headerSection;
  let fault: LocatedFields["fault"];
  let at = start;
  let cr = -1;
  while (at < text.length) {
    const first = text.charCodeAt(at);
    if (first === LF) return located(fields, at + 1, fault);
    if (first === CR && text.charCodeAt(at + 1) === LF) return located(fields, at + 2, fault);
    let lf = text.indexOf("\n", at);
    while (lf >= 0 && isBlank(text.charCodeAt(lf + 1))) lf = text.indexOf("\n", lf + 1);
    const end = lf < 0 ? text.length : lf + 1;
    if (end > limit) return located(fields, text.length, "too-large");
    if (lf < 0) return located(fields, text.length, fault ?? "unterminated");
    if (fields.length === LIMITS.fields) return located(fields, text.length, "too-many");
    cr = firstBareCr(text, at, end, cr);
    const nameEnd = skipClass(text, at, end, TOKEN);
    const colon = skipBlank(text, nameEnd);
    if (cr < end) fault ??= "bare-cr";
    else if (nameEnd === at || text.charCodeAt(colon) !== COLON) fault ??= "malformed-field";
    else fields.push(new HeaderField(fieldName(text, at, nameEnd), text, at, colon + 1, end));
    at = end;
  }
  return located(fields, at, fault);
}

function located(fields: readonly HeaderField[], bodyStart: number, fault: LocatedFields["fault"]): LocatedFields {
  return { fields, bodyStart, fault: fault ?? (hasTooManyOfOneName(fields) ? "too-many" : undefined) };
}

/**
 * The first CR from `at` on that no LF follows if it lies before `end`, else the first CR not before `end`.
 * `known` is what the line before gave: what was looked through is not looked through again.
 */
function firstBareCr(text: string, at: number, end: number, known: number): number {
  let cr = known < at ? nextCr(text, at) : known;
  while (cr < end && text.charCodeAt(cr + 1) === LF) cr = nextCr(text, cr + 1);
  return cr;
}

function nextCr(text: string, at: number): number {
  const cr = text.indexOf("\r", at);
  return cr < 0 ? Number.POSITIVE_INFINITY : cr;
}

function hasTooManyOfOneName(fields: readonly HeaderField[]): boolean {
  if (fields.length <= LIMITS.fieldsOfOneName) return false;
  // BOUNDED: by LIMITS.fields.
  const counts = new Map<string, number>();
  for (const { name } of fields) {
    const count = (counts.get(name) ?? 0) + 1;
    if (count > LIMITS.fieldsOfOneName) return true;
    counts.set(name, count);
  }
  return false;
}
