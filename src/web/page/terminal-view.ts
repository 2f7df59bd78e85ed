// A terminal in the page. It and what it needs are loaded when somebody opens one.

import { FitAddon } from "@xterm/addon-fit";
import { Terminal } from "@xterm/xterm";
import type { SessionClient } from "./session-client.ts";

export interface TerminalView {
  readonly close: () => void;
}

export async function openTerminal(place: HTMLElement, client: SessionClient, onClosed: (reason: string) => void): Promise<TerminalView> {
  const terminal = new Terminal({ convertEol: false, cursorBlink: true, fontSize: 14, scrollback: 2_000, screenReaderMode: true });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  terminal.open(place);
  fit.fit();
  const address = await client.terminalAddress(terminal.cols, terminal.rows);
  if (address === undefined) {
    terminal.dispose();
    onClosed("The box gives no terminal; sign in again.");
    return { close: () => undefined };
  }
  // Tab belongs to the program in the terminal: without a key of its own nobody without a mouse came out again.
  terminal.attachCustomKeyEventHandler((event) => {
    if (event.key !== "F6") return true;
    event.preventDefault();
    if (event.type === "keydown") document.getElementById("sign-out")?.focus();
    return false;
  });
  const socket = new WebSocket(address);
  socket.binaryType = "arraybuffer";
  const encoder = new TextEncoder();
  // What the program writes waits in the socket until the screen has drawn what came before.
  socket.addEventListener("message", ({ data }: MessageEvent<ArrayBuffer>) => terminal.write(new Uint8Array(data)));
  socket.addEventListener("close", ({ reason }) => {
    terminal.dispose();
    onClosed(reason === "" ? "The terminal is closed." : `The terminal is closed: ${reason}.`);
  });
  terminal.onData((typed) => socket.readyState === WebSocket.OPEN && socket.send(encoder.encode(typed)));
  terminal.onResize(({ cols, rows }) => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify({ columns: cols, rows })));
  const refit = (): void => fit.fit();
  addEventListener("resize", refit);
  socket.addEventListener("close", () => removeEventListener("resize", refit));
  terminal.focus();
  return { close: () => socket.close() };
}
