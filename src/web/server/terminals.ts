// Terminals in the page: each a pseudoterminal behind a WebSocket. Opened only by a token that was given to this very
// session a moment before; bounded in number, in what goes through, and in time; gone when the socket closes, when its
// session ends, and when the agent stops.

import { createReadStream } from "node:fs";
import { type WebSocket, WebSocketServer } from "ws";
import { milliseconds, seconds } from "../../base/time.ts";
import type { Session } from "../../health/access/sessions.ts";
import { systemClock } from "../../io/clock.ts";
import { parseJson } from "../../io/control-frames.ts";
import { Pty } from "../../io/terminal/pty.ts";
import { listRecordings, Recording, recordingFile } from "../../io/terminal/recording.ts";
import type { Upgrade } from "./agent-server.ts";
import { sendJson, sendText, USUAL_HEADERS } from "./answers.ts";
import type { Door, Refusal } from "./door.ts";
import type { Route } from "./routes.ts";

export const TERMINAL_PATH = "/terminal";
const RECORDINGS_PATH = "/api/terminals/";

const TERMINALS_MAX = 4;
/** What a browser has not read yet: above it the program waits, below the second it goes on. */
const UNREAD_MAX_BYTES = 256 * 1_024;
const UNREAD_LOW_BYTES = 64 * 1_024;
/** Through one terminal in each interval, out and in; what is above waits. */
const INTERVAL = milliseconds(50);
const OUTPUT_OF_INTERVAL_MAX_BYTES = 64 * 1_024;
const INPUT_OF_INTERVAL_MAX_BYTES = 8 * 1_024;
const MESSAGE_MAX_BYTES = 64 * 1_024;
const COLUMNS = { least: 20, most: 400, usual: 80 } as const;
const ROWS = { least: 5, most: 200, usual: 24 } as const;
const PING_EVERY = seconds(10);
/** Whoever has not read or answered for so long is not there. */
const GONE_AFTER = seconds(30);

export interface TerminalsSettings {
  /** The box's data directory, where recordings are kept. */
  readonly directory: string;
  /** What runs in a terminal: a command with its arguments. */
  readonly program: (right: Session["right"]) => { readonly file: string; readonly args: readonly string[]; readonly directory: string; readonly environment: Readonly<Record<string, string>> };
  readonly user: { readonly uid: number; readonly gid: number } | undefined;
  readonly onEvent: (text: string) => void;
}

export class Terminals {
  readonly #settings: TerminalsSettings;
  readonly #server = new WebSocketServer({ noServer: true, maxPayload: MESSAGE_MAX_BYTES, perMessageDeflate: false, clientTracking: false });
  /** BOUNDED: by TERMINALS_MAX. */
  readonly #open = new Set<Terminal>();

  constructor(settings: TerminalsSettings) {
    this.#settings = settings;
  }

  get size(): number {
    return this.#open.size;
  }

  /** The origin was looked at and the visitor is signed in; here its one-time token is. */
  upgrade({ request, socket, head, url, visitor }: Upgrade, door: Door): Refusal | undefined {
    const session = door.sessions.openTerminal(systemClock.now(), visitor.token, url.searchParams.get("token") ?? "");
    if (session === undefined) return { status: 403, text: "The terminal's token is missing, used or old." };
    if (this.#open.size >= TERMINALS_MAX) return { status: 503, text: `${TERMINALS_MAX} terminals are open; close one first.` };
    const size = sizeOf(Number(url.searchParams.get("columns")), Number(url.searchParams.get("rows")));
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      const terminal = new Terminal(webSocket, session, this.#settings, size, () => this.#closed(terminal));
      this.#open.add(terminal);
      this.#settings.onEvent(`${session.who} opened a terminal.`);
    });
    return undefined;
  }

  endOf(session: Session): void {
    for (const terminal of this.#open) if (terminal.session === session) terminal.close("signed out");
  }

  close(): void {
    for (const terminal of this.#open) terminal.close("the agent stops");
    this.#server.close();
  }

  #closed(terminal: Terminal): void {
    if (this.#open.delete(terminal)) this.#settings.onEvent(`The terminal of ${terminal.session.who} is closed: ${terminal.endedBy}.`);
  }
}

interface Size {
  readonly columns: number;
  readonly rows: number;
}

class Terminal {
  readonly session: Session;
  readonly #socket: WebSocket;
  readonly #recording: Recording;
  readonly #onClosed: () => void;
  readonly #timers: readonly NodeJS.Timeout[];
  /** Why it is closed; empty while it is open. */
  endedBy = "";
  #pty: Pty | undefined;
  #ended = false;
  #isPaused = false;
  #isReading = true;
  #outputInInterval = 0;
  #inputInInterval = 0;
  #heardAt = systemClock.now();
  readonly #decoder = new TextDecoder();

  constructor(socket: WebSocket, session: Session, settings: TerminalsSettings, size: Size, onClosed: () => void) {
    this.session = session;
    this.#socket = socket;
    this.#onClosed = onClosed;
    this.#recording = Recording.start(settings.directory, session.who, size.columns, size.rows);
    this.#timers = [setInterval(() => this.#nextInterval(), INTERVAL), setInterval(() => this.#ping(), PING_EVERY)];
    socket.on("message", (message: Buffer, isBinary: boolean) => this.#receive(message, isBinary));
    socket.on("pong", () => {
      this.#heardAt = systemClock.now();
    });
    socket.on("close", () => this.close("closed"));
    socket.on("error", () => this.close("the connection broke"));
    this.#start(settings, size).catch((error: unknown) => this.close(`cannot be started: ${error instanceof Error ? error.message : String(error)}`));
  }

  /** Once; what is in the pseudoterminal goes with it. */
  close(reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.endedBy = reason;
    for (const timer of this.#timers) clearInterval(timer);
    this.#pty?.close();
    this.#recording.end();
    if (this.#isReading === false) this.#socket.resume();
    this.#socket.close(1000, reason.slice(0, 100));
    setTimeout(() => this.#socket.terminate(), seconds(1));
    this.#onClosed();
  }

  async #start({ program, user }: TerminalsSettings, { columns, rows }: Size): Promise<void> {
    const { file, args, directory, environment } = program(this.session.right);
    const pty = await Pty.open({
      file, args, environment, user, columns, rows, directory,
      onOutput: (bytes) => this.#send(bytes),
      onExit: () => this.close("it has ended"),
    });
    this.#pty = pty;
    if (this.#ended) pty.close();
  }

  #send(bytes: Buffer): void {
    if (this.#ended) return;
    this.#recording.output(this.#decoder.decode(bytes, { stream: true }));
    this.#socket.send(bytes);
    this.#outputInInterval += bytes.length;
    if (this.#outputInInterval >= OUTPUT_OF_INTERVAL_MAX_BYTES || this.#socket.bufferedAmount > UNREAD_MAX_BYTES) this.#pause();
  }

  #pause(): void {
    this.#isPaused = true;
    this.#pty?.pause();
  }

  #nextInterval(): void {
    this.#outputInInterval = 0;
    this.#inputInInterval = 0;
    if (!this.#isReading) {
      this.#isReading = true;
      this.#socket.resume();
    }
    if (!this.#isPaused || this.#socket.bufferedAmount > UNREAD_LOW_BYTES) return;
    this.#isPaused = false;
    this.#pty?.resume();
  }

  /** A browser that does not read does not see the ping either, and does not answer. */
  #ping(): void {
    if (systemClock.now() - this.#heardAt > GONE_AFTER) this.close("nobody is there");
    else this.#socket.ping();
  }

  /** Binary: typed. Text: `{"columns":80,"rows":24}`. */
  #receive(message: Buffer, isBinary: boolean): void {
    if (this.#ended) return;
    this.#inputInInterval += message.length;
    if (this.#inputInInterval > INPUT_OF_INTERVAL_MAX_BYTES) {
      this.#isReading = false;
      this.#socket.pause();
    }
    if (isBinary) return this.#pty?.write(message);
    const asked = parseJson(message.toString("utf8"));
    if (typeof asked !== "object" || asked === null || !("columns" in asked) || !("rows" in asked)) return;
    const { columns, rows } = sizeOf(Number(asked.columns), Number(asked.rows));
    this.#pty?.resize(columns, rows);
    this.#recording.resized(columns, rows);
  }
}

const sizeOf = (columns: number, rows: number): Size => ({ columns: within(columns, COLUMNS), rows: within(rows, ROWS) });
const within = (value: number, { least, most, usual }: { readonly least: number; readonly most: number; readonly usual: number }): number =>
  Number.isFinite(value) && value > 0 ? Math.max(least, Math.min(most, Math.floor(value))) : usual;

/** The token that opens one, and what was shown in those before. */
export function terminalRoutes(door: Door, directory: string): readonly Route[] {
  return [
    {
      method: "POST", path: "/api/terminal", access: "signed-in",
      answer: ({ response, visitor }) => {
        const token = visitor === undefined ? undefined : door.sessions.terminalToken(systemClock.now(), visitor.token);
        if (token === undefined) sendText(response, 403, "Only who is signed in on the page has a terminal.");
        else sendJson(response, 200, { path: `${TERMINAL_PATH}?token=${token}` });
      },
    },
    { method: "GET", path: "/api/terminals", access: "signed-in", answer: ({ response }) => sendJson(response, 200, listRecordings(directory)) },
    {
      method: "GET", path: `${RECORDINGS_PATH}*`, access: "signed-in",
      answer: ({ response, url }) => {
        const name = url.pathname.slice(RECORDINGS_PATH.length);
        const file = recordingFile(directory, name);
        if (file === undefined) return sendText(response, 404, "There is no such recording.");
        response.writeHead(200, { ...USUAL_HEADERS, "content-type": "application/x-asciicast", "content-disposition": `attachment; filename="${name}"` });
        createReadStream(file).on("error", () => response.destroy()).pipe(response);
      },
    },
  ];
}
