// A program that writes as a box does, and prints each acknowledgement: `store-writer.ts DIRECTORY WRITES how`.
// `how`: `store`, the real store with its thread; `FULL` or `NORMAL`, a database alone with that setting.

import { writeSync } from "node:fs";
import { join } from "node:path";
import { type PersistCommand, Store } from "../../../src/io/store.ts";
import { type Change, StoredRows } from "../../../src/io/stored-rows.ts";
import { SeededRandom } from "../seeded-random.ts";
import { rowOf } from "./written-rows.ts";

const [directory = "", count = "0", how = "store"] = process.argv.slice(2);
const WRITES = Number(count);
/** The store is closed and opened again so often: each time the log goes into the database. */
const LIVES = 3;
const NAMES = 40;
const REMOVED = 0.1;

const luck = new SeededRandom(11);

/** Nobody may be reading as fast as this writes; a line that was not taken was not said. */
function tell(line: string): void {
  for (;;) {
    try {
      return void writeSync(1, `${line}\n`);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EAGAIN")) throw error;
    }
  }
}

function nextChange(ticket: number): { readonly change: Change; readonly name: number } {
  const name = luck.below(NAMES);
  const row = rowOf(name, ticket);
  if (!luck.chance(REMOVED)) return { change: { put: row }, name };
  const { stored: _, ...remove } = row;
  return { change: { remove }, name };
}

async function writeWithStore(): Promise<void> {
  let ticket = 0;
  for (let life = 0; life < LIVES; life++) {
    let waiting: (() => void) | undefined;
    let open = 0;
    const store = new Store({
      directory,
      onInput: (event) => {
        if (event.type !== "persisted") throw new Error(event.type);
        tell(`acknowledged ${event.ticket}`);
        if (--open === 0) waiting?.();
      },
      onReport: (_, text) => tell(text),
    });
    await store.open();
    while (ticket < (WRITES * (life + 1)) / LIVES) {
      const burst: PersistCommand[] = Array.from({ length: 1 + luck.below(4) }, () => {
        const { change, name } = nextChange(++ticket);
        tell(`asked ${ticket} ${"put" in change ? "put" : "remove"} ${name}`);
        return { type: "persist", ticket, durability: "durable", puts: "put" in change ? [change.put] : [], removals: "remove" in change ? [change.remove] : [] };
      });
      open += burst.length;
      store.persist(burst);
      if (luck.chance(0.7)) await new Promise<void>((resolve) => (waiting = resolve));
    }
    await store.close();
  }
}

function writeAlone(synchronous: "FULL" | "NORMAL"): void {
  const rows = new StoredRows(join(directory, "durable.db"), synchronous);
  rows.open();
  for (let ticket = 1; ticket <= WRITES; ticket++) {
    const { change, name } = nextChange(ticket);
    tell(`asked ${ticket} ${"put" in change ? "put" : "remove"} ${name}`);
    rows.commit([change]);
    tell(`acknowledged ${ticket}`);
  }
  rows.close();
}

if (how === "store") await writeWithStore();
else writeAlone(how === "NORMAL" ? "NORMAL" : "FULL");
