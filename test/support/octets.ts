import { readFileSync } from "node:fs";

/** A file as octet string: one character per byte. */
export const readOctets = (path: string): string => readFileSync(path, "latin1");
