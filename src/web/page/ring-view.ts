// The ring as a picture: each box at its place, its share as the arc that ends there, what this box keeps for whom.
// The same stands in a table, for those who see no picture and for fifty boxes.

import { backing, placeOf } from "../../health/backing.ts";
import type { BoxHealth, HealthReport } from "../../health/report.ts";
import { html, type Markup } from "./markup.ts";

/** Of the drawing, in its own units. */
const SIZE = { width: 356, height: 200 };
const MIDDLE = { x: SIZE.width / 2, y: SIZE.height / 2 };
const RADIUS = 70;
/** With more boxes their names have no room: the table has them. */
const NAMED_BOXES = 12;
const NAME_HEIGHT = 13;
/** Arcs do not touch, as a part of the ring. */
const ARC_GAP = 0.006;

const isThere = ({ state }: BoxHealth): boolean => state === "serving" || state === "withdrawing";
/** It was there, and may come back: drawn as a ghost for as long as the ring remembers it. */
const isGhost = ({ state }: BoxHealth): boolean => state === "gone" || state === "silent" || state === "left" || state === "revoked";

interface Seat {
  readonly box: BoxHealth;
  /** 0 to 1, clockwise from the top. */
  readonly place: number;
}

export function ringView({ ring, boxes }: HealthReport): Markup {
  const seats = boxes.flatMap((box): Seat[] => (box.nodeId === null ? [] : [{ box, place: placeOf(box.nodeId) }])).sort((a, b) => a.place - b.place);
  const backed = backing(boxes.flatMap(({ nodeId, zone, ...box }) => (nodeId !== null && isThere({ nodeId, zone, ...box }) ? [{ nodeId, zone }] : [])));
  const words = new Map(boxes.map((box) => [box.nodeId, box.words]));
  const named = (ids: readonly string[]): string => ids.map((nodeId) => words.get(nodeId) ?? "?").join(" and ");
  const own = boxes.find(({ self }) => self)?.nodeId ?? "";
  const keepers = backed.get(own) ?? [];
  const keptFor = [...backed].filter(([, holders]) => holders.includes(own)).map(([nodeId]) => nodeId);
  const picture = html`<svg class="ring" viewBox="0 0 ${SIZE.width} ${SIZE.height}" aria-hidden="true"><circle cx="${MIDDLE.x}" cy="${MIDDLE.y}" r="${RADIUS}" fill="none" stroke="var(--line)" stroke-width="3"/>${seats.filter(({ box }) => isThere(box) || box.state === "joining").map((seat) => arcView(seat, ring.moving !== null))}${keepers.map((nodeId) => cord(placeOf(own), placeOf(nodeId)))}${seats.map((seat) => seatView(seat, seats.length))}${seats.length > NAMED_BOXES ? null : namesView(seats)}<text class="many" x="${MIDDLE.x}" y="${MIDDLE.y}">${count(seats.filter(({ box }) => isThere(box)).length)}</text></svg>`;
  const copies = html`<p>${ring.copies} of ${ring.copiesWanted} copies of everything, ${ring.inSync ? "all equal" : "not yet compared as equal"}${ring.comparedAt === null ? "" : " when last compared"}. ${ring.canLose > 0 ? `You can lose ${ring.canLose}.` : "You can lose none."}</p>`;
  const kept = keepers.length === 0 ? null : html`<p class="soft">What this box holds is also on ${named(keepers)}; it keeps copies for ${named(keptFor)}.</p>`;
  return html`<section aria-labelledby="ring"><h2 id="ring">The ring</h2>${picture}${copies}${movingView(ring, boxes)}${kept}${tableView(seats, backed, named)}</section>`;
}

/** What is on its way now. */
function movingView({ moving, inSync, copies }: HealthReport["ring"], boxes: readonly BoxHealth[]): Markup {
  const comes = boxes.filter(({ state }) => state === "joining").map(({ words }) => html`<p>${words} is receiving its share.</p>`);
  const goes = boxes.filter(({ state }) => state === "leaving" || state === "withdrawing").map(({ words }) => html`<p>${words} hands over what it holds.</p>`);
  const own = moving === null ? null : html`<p>Receiving its share: ${moving.received} of ${moving.expected} entries. <progress aria-label="This box's share" max="${Math.max(1, moving.expected)}" value="${moving.received}"></progress></p>`;
  const repair = !inSync && copies > 1 ? html`<p>Copies are being compared and brought up to date.</p>` : null;
  return html`${own}${comes}${goes}${repair}`;
}

const count = (boxes: number): string => (boxes === 1 ? "1 box" : `${boxes} boxes`);

const point = (place: number, radius: number): { readonly x: number; readonly y: number } => {
  const angle = 2 * Math.PI * place;
  return { x: MIDDLE.x + radius * Math.sin(angle), y: MIDDLE.y - radius * Math.cos(angle) };
};
const at = ({ x, y }: { readonly x: number; readonly y: number }): string => `${x.toFixed(1)} ${y.toFixed(1)}`;

/** A box answers for what lies before it on the ring, up to its own place. */
function arcView({ box: { share, verdict, self, state }, place }: Seat, isMoving: boolean): Markup {
  const length = Math.max(0.002, share - ARC_GAP);
  const dashes = (self && isMoving) || state === "joining" ? " moving" : "";
  if (length > 0.99) return html`<circle class="arc ${verdict}${dashes}" cx="${MIDDLE.x}" cy="${MIDDLE.y}" r="${RADIUS}"/>`;
  const [from, to] = [point(place - length, RADIUS), point(place, RADIUS)];
  return html`<path class="arc ${verdict}${dashes}" d="M${at(from)}A${RADIUS} ${RADIUS} 0 ${length > 0.5 ? 1 : 0} 1 ${at(to)}"/>`;
}

/** From the box to one that keeps its copies. */
const cord = (from: number, to: number): Markup => html`<path class="cord" d="M${at(point(from, RADIUS - 8))}Q${at(point((from + to) / 2, Math.abs(from - to) > 0.5 ? -12 : 12))} ${at(point(to, RADIUS - 8))}"/>`;

function seatView({ box, place }: Seat, all: number): Markup {
  const { x, y } = point(place, RADIUS);
  const size = all > 24 ? 3.5 : box.self ? 8 : 6.5;
  return html`<circle class="seat ${box.verdict}${isGhost(box) ? " ghost" : ""}${box.self ? " self" : ""}" cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="${size}"/>`;
}

/** Names outside the circle, left and right, none over another. */
function namesView(seats: readonly Seat[]): Markup {
  const right = seats.filter(({ place }) => place < 0.5);
  const left = seats.filter(({ place }) => place >= 0.5).toReversed();
  return html`${spread(right).map(([seat, y]) => nameView(seat, y, true))}${spread(left).map(([seat, y]) => nameView(seat, y, false))}`;
}

/** From top to bottom, each below the one before it, and none below the edge. */
function spread(seats: readonly Seat[]): (readonly [Seat, number])[] {
  let last = Number.NEGATIVE_INFINITY;
  const heights = seats.map(({ place }) => (last = Math.max(point(place, RADIUS + 10).y, last + NAME_HEIGHT, NAME_HEIGHT)));
  let below = SIZE.height;
  for (let index = heights.length - 1; index >= 0; index -= 1) below = heights[index] = Math.min(heights[index] ?? 0, below - NAME_HEIGHT / 2, SIZE.height - 4 - (heights.length - 1 - index) * NAME_HEIGHT);
  return seats.map((seat, index) => [seat, heights[index] ?? 0]);
}

function nameView({ box, place }: Seat, y: number, isRight: boolean): Markup {
  const offset = Math.abs(y - MIDDLE.y) < RADIUS ? Math.sqrt(RADIUS ** 2 - (y - MIDDLE.y) ** 2) : 0;
  const near = Math.abs(point(place, RADIUS).x - MIDDLE.x);
  const x = MIDDLE.x + (isRight ? 1 : -1) * (Math.max(offset, near) + 13);
  return html`<text class="name${isGhost(box) ? " ghost" : ""}${box.self ? " self" : ""}" x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${isRight ? "start" : "end"}">${box.words}</text>`;
}

const SAYS: Readonly<Record<BoxHealth["verdict"], string>> = { works: "works", impaired: "impaired", broken: "does not work", "not-known": "not known" };

function tableView(seats: readonly Seat[], backed: ReadonlyMap<string, readonly string[]>, named: (ids: readonly string[]) => string): Markup | null {
  if (seats.length === 0) return null;
  const rows = seats.map(({ box, place }) => html`<tr data-key="${box.nodeId}"><th scope="row">${box.words}${box.self ? " (this box)" : ""}</th><td>${Math.round(place * 360)}°</td><td>${(box.share * 100).toFixed(1)} %</td><td>${box.state}, ${SAYS[box.verdict]}</td><td>${named(backed.get(box.nodeId ?? "") ?? []) || "nobody"}</td></tr>`);
  return html`<details><summary>The ring as a table</summary><div class="table" role="region" aria-label="The ring as a table" tabindex="0"><table><thead><tr><th scope="col">Box</th><th scope="col">Place</th><th scope="col">Share</th><th scope="col">Is</th><th scope="col">Also kept by</th></tr></thead><tbody>${rows}</tbody></table></div></details>`;
}
