/** Bounds of one SIP message. They are checked before anything is read; above them: 513, or the connection ends. */
export const LIMITS = {
  /** Start line and header fields with the empty line, in octets. */
  headerSection: 65_536,
  body: 1_048_576,
  /** Header fields in all; a comma-separated list counts once. */
  fields: 300,
  /** Header fields of one name. */
  fieldsOfOneName: 100,
  /** Via values (RFC 3261 16.6 starts Max-Forwards at 70). */
  vias: 70,
  /** Values of one comma-separated list. */
  listValues: 300,
  /** Parameters of one value. */
  parameters: 100,
} as const;
