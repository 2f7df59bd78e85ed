import type { RouteRow } from "./figures.ts";

const WIDTH = 720;
const HEIGHT = 400;
const LEFT = 48;
const RIGHT = 150;
const TOP = 44;
const BOTTOM = 48;
const MOST_HOPS = 20;

interface Series {
  readonly name: string;
  readonly style: "reference" | "largest" | "mean" | "mesh";
  readonly at: (row: RouteRow) => number;
}
const SERIES: readonly Series[] = [
  { name: "log₂ N", style: "reference", at: ({ size }) => Math.log2(size) },
  { name: "fingers, largest", style: "largest", at: ({ ours }) => ours.largest },
  { name: "fingers, mean", style: "mean", at: ({ ours }) => ours.mean },
  { name: "full mesh, largest", style: "mesh", at: () => 1 },
];

/** Readable on a light page and on a dark one. */
const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #3d4451 }
  .title { font-size: 15px; font-weight: 600; fill: #1f2430 }
  .grid { stroke: #d9dde5; stroke-width: 1 }
  path { fill: none; stroke-width: 2.25; stroke-linejoin: round }
  .reference { stroke: #7a8294; stroke-dasharray: 5 5 } circle.reference { display: none }
  .largest { stroke: #c2571a } .mean { stroke: #1f66c1 } .mesh { stroke: #2a8a57 }
  circle { stroke-width: 2; fill: #ffffff }
  .paper { fill: #ffffff }
  @media (prefers-color-scheme: dark) {
    text { fill: #b9c0cf } .title { fill: #eef1f7 }
    .grid { stroke: #333a48 } .reference { stroke: #8d96a8 }
    .largest { stroke: #f19a5b } .mean { stroke: #6aa9f5 } .mesh { stroke: #5cc48f }
    circle, .paper { fill: #14181f }
  }`;

const x = (size: number): number => LEFT + ((Math.log10(size) - 1) / 5) * (WIDTH - LEFT - RIGHT);
const y = (hops: number): number => HEIGHT - BOTTOM - (hops / MOST_HOPS) * (HEIGHT - TOP - BOTTOM);
const round = (value: number): string => value.toFixed(1);

export function plotOf(rows: readonly RouteRow[]): string {
  const last = rows.at(-1);
  const grid = [0, 5, 10, 15, 20].map(
    (hops) => `<path class="grid" d="M${LEFT} ${round(y(hops))}H${WIDTH - RIGHT}"/><text x="${LEFT - 10}" y="${round(y(hops) + 4)}" text-anchor="end">${hops}</text>`,
  );
  const ticks = rows.map(
    ({ size }) => `<text x="${round(x(size))}" y="${HEIGHT - BOTTOM + 22}" text-anchor="middle">${size.toLocaleString("en-US")}</text>`,
  );
  const lines = SERIES.map(({ name, style, at }) => {
    const points = rows.map((row) => `${round(x(row.size))} ${round(y(at(row)))}`);
    const dots = rows.map((row) => `<circle class="${style}" cx="${round(x(row.size))}" cy="${round(y(at(row)))}" r="3.5"/>`).join("");
    const label = last === undefined ? "" : `<text x="${round(x(last.size) + 14)}" y="${round(y(at(last)) + 4)}">${name}</text>`;
    return `<path class="${style}" d="M${points.join("L")}"/>${dots}${label}`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Hops of a look-up by the number of boxes">`,
    `<style>${STYLE}\n</style>`,
    `<rect class="paper" width="${WIDTH}" height="${HEIGHT}"/>`,
    `<text class="title" x="${LEFT}" y="24">Hops of a look-up, by the number of boxes</text>`,
    ...grid, ...ticks, ...lines,
    "</svg>",
    "",
  ].join("\n");
}
