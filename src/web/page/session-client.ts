// The browser's side of signing in: asks the box, and sends with each POST the token that only its own page has.

export interface SignedIn {
  readonly who: string;
  readonly right: "actions" | "shell";
  readonly token: string;
}

export interface Done {
  readonly ok: boolean;
  readonly text: string;
}

export class SessionClient {
  #session: SignedIn | undefined;

  get session(): SignedIn | undefined {
    return this.#session;
  }

  /** Who this browser is signed in as already. */
  async look(): Promise<SignedIn | undefined> {
    const response = await fetch("/api/session", { cache: "no-store" });
    this.#session = response.ok ? ((await response.json()) as SignedIn) : undefined;
    return this.#session;
  }

  /** Why not, in the box's words; `undefined`: signed in. */
  async signIn(code: string): Promise<string | undefined> {
    const response = await this.#post("/api/sign-in", { code });
    if (!response.ok) return await response.text();
    this.#session = (await response.json()) as SignedIn;
    return undefined;
  }

  async signOut(): Promise<void> {
    await this.#post("/api/sign-out", {});
    this.#session = undefined;
  }

  /** `action`: as in `/api/actions/ACTION`. */
  async act(action: string, target = "", confirm = false): Promise<Done> {
    const response = await this.#post(`/api/actions/${action}`, { target, confirm });
    return response.ok ? ((await response.json()) as Done) : { ok: false, text: await response.text() };
  }

  /** Has the browser keep what the box makes; what is to be said of it. */
  async download(path: string): Promise<string> {
    const response = await this.#post(path, {});
    if (!response.ok) return await response.text();
    const link = document.createElement("a");
    link.download = /filename="([^"]+)"/.exec(response.headers.get("content-disposition") ?? "")?.[1] ?? "evidence.tar.gz";
    link.href = URL.createObjectURL(await response.blob());
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    return `${link.download}: without passwords and keys. It says who called whom; README.txt in it lists what it holds.`;
  }

  /** The address of a WebSocket that is good for one terminal. */
  async terminalAddress(columns: number, rows: number): Promise<string | undefined> {
    const response = await this.#post("/api/terminal", {});
    if (!response.ok) return undefined;
    const { path } = (await response.json()) as { readonly path: string };
    return `wss://${location.host}${path}&columns=${columns}&rows=${rows}`;
  }

  /** Octets as they are. */
  send(path: string, octets: Blob): Promise<Response> {
    return fetch(path, { method: "POST", headers: { "content-type": "application/octet-stream", "x-ringbox-token": this.#session?.token ?? "" }, body: octets });
  }

  /** A button that is no action of this box alone. */
  async ask(path: string): Promise<boolean> {
    return (await this.#post(path, {})).ok;
  }

  #post(path: string, body: object): Promise<Response> {
    return fetch(path, { method: "POST", headers: { "content-type": "application/json", "x-ringbox-token": this.#session?.token ?? "" }, body: JSON.stringify(body) });
  }
}
