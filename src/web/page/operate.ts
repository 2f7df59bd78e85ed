// The page for who may do something: signing in, the buttons, the terminal.

import { SessionClient } from "./session-client.ts";
import type { TerminalView } from "./terminal-view.ts";
import { sendBundle, watchUpdates } from "./update-view.ts";

const client = new SessionClient();
let terminal: TerminalView | undefined;

function part<Kind extends HTMLElement>(id: string, kind: new () => Kind): Kind {
  const found = document.getElementById(id);
  if (found instanceof kind) return found;
  throw new Error(`the page has no ${id}`);
}

const signIn = part("sign-in", HTMLFormElement);
const code = part("code", HTMLInputElement);
const operate = part("operate", HTMLElement);
const who = part("who", HTMLElement);
const said = part("said", HTMLElement);
const place = part("terminal", HTMLElement);
const recordings = part("recordings", HTMLElement);

const say = (text: string): void => {
  said.textContent = text;
};

function show(): void {
  const { session } = client;
  signIn.hidden = session !== undefined;
  operate.hidden = session === undefined;
  who.textContent = session === undefined ? "" : `Signed in as ${session.who}${session.right === "shell" ? ", with a shell" : ""}.`;
  if (session === undefined) return code.focus();
  if (document.activeElement === document.body || document.activeElement === code || signIn.contains(document.activeElement)) operate.focus();
  void listRecordings();
}

signIn.addEventListener("submit", (event) => {
  event.preventDefault();
  void (async () => {
    const refused = await client.signIn(code.value);
    code.value = "";
    say(refused ?? "");
    show();
  })();
});

/** What the box answers first may be a warning: the same button again means that it was read. */
async function act(button: HTMLButtonElement, action: string): Promise<void> {
  // Not `disabled`: that takes the keyboard away from who has just pressed it.
  if (button.ariaDisabled === "true") return;
  button.ariaDisabled = "true";
  const target = button.dataset["target"] === undefined ? "" : part(button.dataset["target"], HTMLInputElement).value;
  const confirm = button.dataset["confirm"] === "yes";
  say(action === "restart" ? "One moment: the other boxes must be able to spare this one…" : "One moment…");
  const { ok, text } = await client.act(action, target, confirm).catch((error: unknown) => ({ ok: false, text: String(error) }));
  button.ariaDisabled = null;
  say(text);
  const asks = !ok && !confirm && text.includes("Confirm");
  button.dataset["confirm"] = asks ? "yes" : "";
  button.textContent = asks ? `Confirm: ${button.dataset["label"] ?? ""}` : (button.dataset["label"] ?? "");
}

for (const button of document.querySelectorAll<HTMLButtonElement>("button[data-action]")) {
  button.dataset["label"] = button.textContent ?? "";
  button.addEventListener("click", () => void act(button, button.dataset["action"] ?? ""));
}

part("open-terminal", HTMLButtonElement).addEventListener("click", () => {
  void (async () => {
    if (terminal !== undefined) return;
    place.hidden = false;
    const { openTerminal } = await import("./terminal-view.ts");
    terminal = await openTerminal(place, client, (reason) => {
      terminal = undefined;
      const hadKeyboard = place.contains(document.activeElement) || document.activeElement === document.body;
      place.hidden = true;
      say(reason);
      if (hadKeyboard) part("open-terminal", HTMLButtonElement).focus();
      void listRecordings();
    });
  })();
});

part("sign-out", HTMLButtonElement).addEventListener("click", () => {
  void (async () => {
    await client.signOut();
    say("Signed out.");
    show();
  })();
});

part("evidence", HTMLButtonElement).addEventListener("click", ({ currentTarget }) => {
  void (async () => {
    const button = currentTarget instanceof HTMLButtonElement ? currentTarget : undefined;
    if (button !== undefined) button.disabled = true;
    say("One moment…");
    say(await client.download("/api/evidence").catch((error: unknown) => String(error)));
    if (button !== undefined) button.disabled = false;
  })();
});

part("update", HTMLButtonElement).addEventListener("click", ({ currentTarget }) => {
  void (async () => {
    const button = currentTarget instanceof HTMLButtonElement ? currentTarget : undefined;
    const file = part("bundle", HTMLInputElement).files?.[0];
    if (file === undefined) return say("Choose a bundle first: a file that ends with .bundle.");
    if (button !== undefined) button.disabled = true;
    say("One moment…");
    say(await sendBundle(file, client, say).catch((error: unknown) => String(error)));
    if (button !== undefined) button.disabled = false;
  })();
});

part("stop-update", HTMLButtonElement).addEventListener("click", () => {
  void client.ask("/api/update/stop").then((isDone) => say(isDone ? "No further box begins. One that is out of service already goes on." : "This could not be done; sign in again."));
});

watchUpdates(part("updates", HTMLElement));

async function listRecordings(): Promise<void> {
  const response = await fetch("/api/terminals", { cache: "no-store" });
  if (!response.ok) return;
  const found = (await response.json()) as readonly { readonly name: string; readonly bytes: number }[];
  recordings.replaceChildren(
    ...found.map(({ name, bytes }) => {
      const link = document.createElement("a");
      link.href = `/api/terminals/${encodeURIComponent(name)}`;
      link.textContent = `${name} (${Math.ceil(bytes / 1_024)} kB)`;
      const row = document.createElement("li");
      row.append(link);
      return row;
    }),
  );
}

void client.look().then(show);
