// npm run routing: makes the tables and the plot of docs/routing.md anew, up to a million boxes.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { routeLine, type RouteRow, routeRow, shareLine, SIZES, shareRow } from "./figures.ts";
import { plotOf } from "./plot.ts";

const DOCS = join(import.meta.dirname, "../../docs");

/** The rows of the table under a header that begins so. */
function replaceRows(page: string, header: string, rows: readonly string[]): string {
  const lines = page.split("\n");
  const at = lines.findIndex((line) => line.startsWith(header));
  if (at < 0) throw new Error(`docs/routing.md has no table that begins with ${header}`);
  let end = at + 2;
  while (lines[end]?.startsWith("|") === true) end++;
  return [...lines.slice(0, at + 2), ...rows, ...lines.slice(end)].join("\n");
}

const shown = <Row>(row: Row, line: string): Row => {
  process.stdout.write(`${line}\n`);
  return row;
};
const routeRows = SIZES.map((size): RouteRow => {
  const row = routeRow(size);
  return shown(row, routeLine(row));
});
const shareRows = SIZES.map((size) => {
  const row = shareRow(size);
  return shown(row, shareLine(row));
});

const page = readFileSync(join(DOCS, "routing.md"), "utf8");
const withRoutes = replaceRows(page, "| boxes | log", routeRows.map(routeLine));
writeFileSync(join(DOCS, "routing.md"), replaceRows(withRoutes, "| boxes | rings", shareRows.map(shareLine)));
writeFileSync(join(DOCS, "routing.svg"), plotOf(routeRows));
