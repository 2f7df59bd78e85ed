// `ringbox top` and `ringbox console`: the report live, in any terminal and on the box's own screen.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { encode } from "uqr";
import { seconds } from "../../base/time.ts";
import { systemClock } from "../../io/clock.ts";
import { localAddresses } from "../../io/local-addresses.ts";
import { makeWebCode, type WebCode } from "../web-commands.ts";
import { HeldKey } from "./held-key.ts";
import { type ReportSource, reportSource } from "./report-source.ts";
import { conditionLines, reportLines, type ScreenReport, wrapped } from "./report-view.ts";
import { readKeys, Screen } from "./screen.ts";

const DRAWN_EVERY = seconds(1);
/** A code is not left on the screen of a machine room for longer than it takes to type it. */
const SHOWN_FOR = seconds(90);
const STOP_KEYS = ["q", "\u0003", "\u0004"];

export interface LiveOptions {
  readonly page?: string;
}

/** Until `q` or Ctrl-C. */
export async function top(directory: string, { page }: LiveOptions): Promise<void> {
  const source = reportSource(directory, page);
  await live(async (screen) => {
    const report = await reportOr(source);
    return typeof report === "string" ? [report] : reportLines(report, screen.columns - 1, screen.rows - 2);
  });
}

/** Draws `lines` again and again; `onKey` before the usual keys. */
async function live(lines: (screen: Screen) => Promise<readonly string[]>, onKey: (key: string) => void = () => undefined): Promise<void> {
  const screen = new Screen(process.stdout, process.env["TERM"]);
  await new Promise<void>((ended) => {
    let busy = false;
    const draw = async (): Promise<void> => {
      if (busy) return;
      busy = true;
      screen.draw(await lines(screen));
      busy = false;
    };
    const timer = setInterval(() => void draw(), DRAWN_EVERY);
    const keys = readKeys(process.stdin, (key) => {
      if (!STOP_KEYS.includes(key)) {
        if (key === "\f") screen.forget();
        onKey(key);
        return void draw();
      }
      clearInterval(timer);
      keys.stop();
      screen.close();
      ended();
    });
    void draw();
  });
}

/** What there is to say where there is no report. */
async function reportOr(source: ReportSource): Promise<ScreenReport | string> {
  try {
    return await source.report();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

interface Notice {
  readonly lines: readonly string[];
  readonly until: number;
}

/**
 * The screen of the box itself. Whoever stands before it may do what cannot hurt, without signing in; and, on a box made
 * from the image, make it forget everything by holding a key: who can do that could also flash it anew.
 */
export async function boxConsole(directory: string, { page }: LiveOptions): Promise<void> {
  const source = reportSource(directory, page);
  let notice: Notice | undefined;
  let address = "";
  const show = (lines: readonly string[]): void => {
    notice = { lines, until: Date.now() + SHOWN_FOR };
  };
  const act = (name: string): void => {
    show(["One moment…"]);
    source.act(name, "", false).then((text) => show([text]), (error: unknown) => show([String(error instanceof Error ? error.message : error)]));
  };
  const actions: Readonly<Record<string, () => void>> = {
    c: () => {
      show(["One moment…"]);
      makeWebCode(directory, { for: "the console" }).then((code) => show(codeLines(code)), (error: unknown) => show([error instanceof Error ? error.message : String(error)]));
    },
    l: () => act("locate"),
    p: () => act("prove-now"),
    n: () => show(networkLines()),
  };
  const wish = resetWish();
  const resetKey = new HeldKey(RESET_KEY);
  const onKey = (key: string): void => {
    const left = wish === undefined ? undefined : resetKey.press(key, systemClock.now());
    if (left === undefined) return actions[key.toLowerCase()]?.();
    if (left > 0) return show([`Hold ${RESET_KEY} for ${Math.ceil(left / seconds(1))} s more, and this box forgets everything: its key, its place in the fleet, its phones.`]);
    show(wish === undefined ? [] : [beginReset(wish)]);
  };
  await live(
    async (screen) => {
      const report = await reportOr(source);
      address = (await addressOf(source)) ?? address;
      if (notice !== undefined && notice.until < Date.now()) notice = undefined;
      return consoleLines(report, address, notice?.lines ?? [], screen.columns - 1, screen.rows - 1, wish !== undefined);
    },
    onKey,
  );
}

const RESET_KEY = "r";
/** Only the unit of the box's own screen has a folder in which root looks for this file. */
function resetWish(): string | undefined {
  const folder = process.env["RUNTIME_DIRECTORY"];
  return folder === undefined || folder === "" ? undefined : join(folder, "factory-reset");
}

function beginReset(wish: string): string {
  try {
    writeFileSync(wish, "");
    return "Leaving the ring, then starting anew without what this box knew…";
  } catch (error) {
    return `The reset was not begun: ${(error as Error).message}`;
  }
}

async function addressOf(source: ReportSource): Promise<string | undefined> {
  try {
    const answer = await source.read("/api/address");
    return typeof answer === "object" && answer !== null && "page" in answer && typeof answer.page === "string" ? answer.page : undefined;
  } catch {
    return undefined; // the line above says that there is no agent
  }
}

/** 80 by 25 holds it all: words on the left, the code of the page's address on the right. */
export function consoleLines(report: ScreenReport | string, address: string, notice: readonly string[], width: number, height: number, mayReset = false): string[] {
  const picture = address === "" ? [] : qrLines(address);
  const left = width - (picture[0]?.length ?? 0) - 3;
  const isBeside = left >= 44 && picture.length <= height - 2;
  const words = [
    ...(typeof report === "string" ? wrapped(report, isBeside ? left : width) : [...wrapped(report.firstLine, isBeside ? left : width), ...(report.fleet === "" ? [] : ["", `Box ${report.box.words}, fleet ${report.fleet}`])]),
    ...(address === "" ? [] : ["", "Page of this box:", address]),
    ...(typeof report === "string" || report.peer.code === null ? [] : ["", `Waiting to be let in. Code: ${codeWithDash(report.peer.code)}`]),
    "",
    ...(notice.length > 0 ? notice.flatMap((line) => wrapped(line, isBeside ? left : width)) : typeof report === "string" ? [] : conditionLines(report, isBeside ? left : width)),
  ];
  const keys = `Keys: c code for the page  l locate  p prove now  n network${mayReset ? `  ${RESET_KEY} (held) reset` : ""}`;
  const body = Array.from({ length: Math.max(words.length, isBeside ? picture.length : 0) }, (_, row) =>
    isBeside && picture[row] !== undefined ? `${(words[row] ?? "").slice(0, left).padEnd(left + 2)}${picture[row]}` : (words[row] ?? ""),
  );
  return [...body.slice(0, height - 2), "", keys];
}

const codeWithDash = (code: string): string => (code.length === 8 ? `${code.slice(0, 4)}-${code.slice(4)}` : code);

const codeLines = ({ code, goodForSeconds, page, fingerprint }: WebCode): string[] => [
  `Code: ${code}`,
  `Type it on ${page} within ${Math.round(goodForSeconds / 60)} minutes; it is good once.`,
  `If the browser warns, its certificate's SHA-256 must begin with ${fingerprint.slice(0, 23)}`,
];

const networkLines = (): string[] => {
  const outward = localAddresses().filter(({ internal }) => !internal);
  return outward.length === 0 ? ["This box has no address. Is the cable in, and does somebody give out addresses?"] : outward.map(({ interface: name, address, netmask }) => `${name}: ${address} (${netmask})`);
};

/** Two rows of the picture in one line of half blocks, light on dark as a screen has it; with its quiet border. */
function qrLines(text: string): string[] {
  const { data } = encode(text, { border: 2, ecc: "L" });
  const lines: string[] = [];
  for (let row = 0; row < data.length; row += 2) {
    const upper = data[row] ?? [];
    const lower = data[row + 1] ?? upper.map(() => true);
    lines.push(upper.map((dark, column) => HALVES[(dark ? 0 : 2) + (lower[column] === true ? 0 : 1)] ?? " ").join(""));
  }
  return lines;
}
/** Light above and below: both dark, lower light, upper light, both light. */
const HALVES = [" ", "▄", "▀", "█"] as const;
