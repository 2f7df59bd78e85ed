// What people call a box: two words that can be said over a telephone, made from the beginning of its Node-ID.
// Consonant, vowel, consonant, vowel, consonant carry four, two, four, two and four bits ("proquints").

const CONSONANTS = "bdfghjklmnprstvz";
const VOWELS = "aiou";

/** Two words of five letters with a dash between: 32 of the 128 bits, so that two boxes of a fleet do not share one. */
export const boxName = (nodeId: string): string => `${word(nodeId.slice(0, 4))}-${word(nodeId.slice(4, 8))}`;

function word(digits: string): string {
  const bits = Number.parseInt(digits, 16);
  const consonant = (shift: number): string => CONSONANTS.charAt((bits >> shift) & 15);
  const vowel = (shift: number): string => VOWELS.charAt((bits >> shift) & 3);
  return `${consonant(12)}${vowel(10)}${consonant(6)}${vowel(4)}${consonant(0)}`;
}
