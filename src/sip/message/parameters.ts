// `;name=value` lists: header parameters, URI parameters.
export interface Parameter {
  /** As written. */
  readonly name: string;
  /** As written, with quotes if it has them; `undefined` if there is no `=`. */
  readonly value: string | undefined;
}
/** The value of a parameter ("" if it has none, quotes removed), by name in any case; `undefined` if absent. */
export declare function parameterValue(parameters: readonly Parameter[], name: string): string | undefined;
/** `;name=value;name`, or "". */
export declare function serializeParameters(parameters: readonly Parameter[]): string;
