// What SQLite's log says of itself (https://www.sqlite.org/fileformat2.html, section 4). SQLite ends a log at the
// first frame whose checksum is wrong and says nothing: after a power cut that is right, there may be one commit that
// was never acknowledged. More than one behind the end means that the log was damaged after it was written.

import { existsSync, readFileSync } from "node:fs";

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const SUMMED_BYTES = 24;
/** The lowest bit tells the order of bytes in which the checksums were made. */
const MAGIC = 0x377f0682;

/** Numbers, from 1, of the frames that end a commit, as far as they are of one generation of the log; whether their checksums are right is not looked at. */
export function commitFrames(path: string): readonly number[] {
  if (!existsSync(path)) return [];
  const log = readFileSync(path);
  if (log.length < HEADER_BYTES + FRAME_HEADER_BYTES) return [];
  const pageSize = pageSizeOf(log);
  if (pageSize === undefined) return [];
  // The salts of a damaged header are as doubtful as the rest of it; those of the first frame are not.
  const salts = isWholeHeader(log) ? log.subarray(16, 24) : log.subarray(HEADER_BYTES + 8, HEADER_BYTES + 16);
  const commits: number[] = [];
  for (let number = 1, at = HEADER_BYTES; at + FRAME_HEADER_BYTES + pageSize <= log.length; number++, at += FRAME_HEADER_BYTES + pageSize) {
    const isOfThisLog = log.subarray(at + 8, at + 16).equals(salts);
    if (isOfThisLog && log.readUInt32BE(at + 4) !== 0) commits.push(number);
  }
  return commits;
}

/** All databases of ours have SQLite's usual pages; a header that says something else is damaged. */
const pageSizeOf = (log: Buffer): number | undefined => {
  const said = log.readUInt32BE(8);
  if (said === USUAL_PAGE) return said;
  return isWholeHeader(log) ? undefined : USUAL_PAGE;
};
const USUAL_PAGE = 4_096;

function isWholeHeader(log: Buffer): boolean {
  const magic = log.readUInt32BE(0);
  if ((magic & ~1) >>> 0 !== MAGIC) return false;
  const word = (at: number): number => ((magic & 1) === 1 ? log.readUInt32BE(at) : log.readUInt32LE(at));
  let [first, second] = [0, 0];
  for (let at = 0; at < SUMMED_BYTES; at += 8) {
    first = (first + word(at) + second) >>> 0;
    second = (second + word(at + 4) + first) >>> 0;
  }
  return first === log.readUInt32BE(24) && second === log.readUInt32BE(28);
}
