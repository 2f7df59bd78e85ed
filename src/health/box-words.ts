// A box as people name it: two words and a number, made of its Node-ID. The same on page, console and in the host
// name, and easier to shout across a room than 32 hex digits. Two boxes of a hundred share a name once in a hundred
// fleets: it is for people, and decides nothing.

import type { BoxName } from "./report.ts";

const COLORS = (
  "amber ashen azure beige black blond blue bold brave brick bright bronze brown calm clear cobalt cool copper coral " +
  "crimson cyan dark deep dusky early fair fast fine fresh frosty gentle gold grand gray green happy hazel indigo iron " +
  "ivory jade kind large late lemon light lilac lime lucky mellow mint misty olive opal orange pearl pink plain polar " +
  "proud quick quiet rapid"
).split(" ");
const ANIMALS = (
  "adder ant ape badger bat bear beaver bee bison boar camel cat cobra cod crab crane crow deer dingo dodo dove duck " +
  "eagle eel elk emu falcon ferret finch fox frog gecko goat goose gull hare hawk heron horse ibis jay koala lark lion " +
  "llama lynx magpie mole moose mouse newt otter owl panda perch pike puffin puma quail rabbit raven robin seal"
).split(" ");

/** `amber-otter-42` */
export function boxWords(nodeId: string): string {
  const hash = fnv1a(nodeId);
  const color = COLORS[hash % COLORS.length] ?? "";
  const animal = ANIMALS[Math.floor(hash / COLORS.length) % ANIMALS.length] ?? "";
  const number = Math.floor(hash / (COLORS.length * ANIMALS.length)) % 100;
  return `${color}-${animal}-${String(number).padStart(2, "0")}`;
}

export const boxName = (nodeId: string | null): BoxName => ({ nodeId, words: nodeId === null ? "this box" : boxWords(nodeId) });

/** Boxes are placed at even distances: no digit of a Node-ID alone tells them apart. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
