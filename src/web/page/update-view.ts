// Another version for the whole ring: brings a bundle to this box piece by piece, and shows how far each box is.

import { type FleetUpdate, stageWords } from "../../provision/fleet-update.ts";
import type { SessionClient } from "./session-client.ts";

/** Octets sent at once. */
const PIECE_BYTES = 1 << 20;
const LOOKED_EVERY_MS = 2_000;

/** Sends a bundle to this box, which checks it and begins. What is to be said at the end. */
export async function sendBundle(file: File, client: SessionClient, say: (text: string) => void): Promise<string> {
  for (let at = 0; at < file.size; at += PIECE_BYTES) {
    const response = await client.send(`/api/update?at=${at}&of=${file.size}`, file.slice(at, at + PIECE_BYTES));
    if (!response.ok) return await response.text();
    const { version } = (await response.json()) as { readonly version: string | null };
    if (version !== null) return `All boxes are to have version ${version}. This box goes last.`;
    say(`Bringing ${file.name} to this box: ${Math.floor((at / file.size) * 100)} %`);
  }
  return "This file is empty.";
}

/** Keeps a list of what was wished for, and how far each box is. */
export function watchUpdates(list: HTMLElement): void {
  const look = async (): Promise<void> => {
    const response = await fetch("/api/update", { cache: "no-store" }).catch(() => undefined);
    if (response?.ok === true) show(list, (await response.json()) as readonly FleetUpdate[]);
  };
  void look();
  setInterval(() => void look(), LOOKED_EVERY_MS);
}

function show(list: HTMLElement, updates: readonly FleetUpdate[]): void {
  const lines = updates.flatMap(({ version, architecture, stopped, boxes }) => [
    `Version ${version} (${architecture})${stopped === null ? "" : `, stopped: ${stopped}`}`,
    ...boxes.map((box) => `${box.words} ${stageWords(box, version)}`),
  ]);
  if ([...list.children].map(({ textContent }) => textContent).join("\n") === lines.join("\n")) return;
  list.replaceChildren(
    ...lines.map((text) => {
      const row = document.createElement("li");
      row.textContent = text;
      return row;
    }),
  );
}
