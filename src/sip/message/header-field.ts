// One header field: where it lies in the text that it came in, so that what nobody touches goes on byte for byte.
export interface HeaderField {
  /** Lower-case full form; compact forms resolved. */
  readonly name: string;
  readonly text: string;
  readonly start: number;
  readonly valueStart: number;
  /** After the line end. */
  readonly end: number;
}
/** A field of our own: `Name: value`. */
export declare function makeField(name: string, value: string): HeaderField;
