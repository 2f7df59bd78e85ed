// `;name=value` lists: header parameters, URI parameters.

import { LIMITS } from "./limits.ts";
import {
  BARE_VALUE, EQUALS, equalIgnoringCase, QUOTE, SEMICOLON, skipBlank, skipClass, skipQuoted, TOKEN, unquote,
} from "./scan.ts";

export interface Parameter {
  /** As written. */
  readonly name: string;
  /** As written, with quotes if it has them; `undefined` if there is no `=`. */
  readonly value: string | undefined;
}

const NONE: readonly Parameter[] = [];

/** Header parameters from `at` to the end of the text: `*(SEMI generic-param)`. `undefined` if malformed. */
export function parseParameters(text: string, at: number): readonly Parameter[] | undefined {
  let position = skipBlank(text, at);
  if (position === text.length) return NONE;
  const parameters: Parameter[] = [];
  while (position < text.length) {
    if (text.charCodeAt(position) !== SEMICOLON || parameters.length === LIMITS.parameters) return undefined;
    const nameStart = skipBlank(text, position + 1);
    const nameEnd = skipClass(text, nameStart, text.length, TOKEN);
    if (nameEnd === nameStart) return undefined;
    const name = text.slice(nameStart, nameEnd);
    position = skipBlank(text, nameEnd);
    let value: string | undefined;
    if (text.charCodeAt(position) === EQUALS) {
      const valueStart = skipBlank(text, position + 1);
      const valueEnd = endOfValue(text, valueStart);
      if (valueEnd < 0) return undefined;
      value = text.slice(valueStart, valueEnd);
      position = skipBlank(text, valueEnd);
    }
    parameters.push({ name, value });
  }
  return parameters;
}

function endOfValue(text: string, at: number): number {
  if (text.charCodeAt(at) === QUOTE) return skipQuoted(text, at);
  const end = skipClass(text, at, text.length, BARE_VALUE);
  return end === at ? -1 : end;
}

/** The value of a parameter ("" if it has none, quotes removed), by name in any case; `undefined` if absent. */
export function parameterValue(parameters: readonly Parameter[], name: string): string | undefined {
  for (const parameter of parameters) {
    if (equalIgnoringCase(parameter.name, name)) return parameter.value === undefined ? "" : unquote(parameter.value);
  }
  return undefined;
}

/** `;name=value;name`, or "". */
export function serializeParameters(parameters: readonly Parameter[]): string {
  let text = "";
  for (const { name, value } of parameters) text += value === undefined ? `;${name}` : `;${name}=${value}`;
  return text;
}
