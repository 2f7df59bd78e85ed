// What the box tells its operator, line by line: plain words, to standard output. Under systemd the journal adds
// the time; at a terminal the reader sees it happen.

export type Level = "debug" | "info" | "warning";
export type Report = (level: Level, text: string) => void;

/** `debug` lines only with RINGBOX_DEBUG set. */
export function journal(write: (line: string) => void, debug: boolean): Report {
  return (level, text) => {
    if (level === "debug" && !debug) return;
    write(level === "warning" ? `warning: ${printable(text)}` : printable(text));
  };
}

/** Control characters that came over the network do not reach a terminal. */
function printable(text: string): string {
  let clean = "";
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    clean += code < 32 || (code >= 127 && code < 160) ? "·" : character;
  }
  return clean;
}
