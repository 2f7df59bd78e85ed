// The page for who may do something, over HTTPS, and the files that the browser loads for it.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { send, sendText, USUAL_HEADERS } from "./answers.ts";
import type { Route } from "./routes.ts";

const ASSETS = "/assets/";
const TYPES: Readonly<Record<string, string>> = { js: "text/javascript; charset=utf-8", css: "text/css; charset=utf-8" };

const button = (action: string, label: string, target = ""): string => `<button type="button" data-action="${action}"${target === "" ? "" : ` data-target="${target}"`}>${label}</button>`;
const field = (id: string, label: string): string => `<label for="${id}">${label}</label> <input id="${id}" autocomplete="off" maxlength="128">`;

const PAGE = `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Ringbox: sign in</title><link rel="icon" href="data:,"><link rel="stylesheet" href="/assets/operate.css"><script type="module" src="/assets/operate.js"></script></head>
<body><main><h1>This box</h1><p><a href="/">How it is</a></p>
<form id="sign-in" hidden><p>Type the code that the box's screen shows, or that <code>ringbox web-code</code> prints.</p>
<label for="code">Code</label> <input id="code" autocomplete="one-time-code" autocapitalize="characters" maxlength="16" required> <button>Sign in</button></form>
<p id="said" role="status" aria-live="polite"></p>
<section id="operate" tabindex="-1" aria-label="What may be done" hidden><p id="who"></p>
<p>${button("prove-now", "Prove now")} ${button("locate", "Locate this box")} ${button("drain", "Drain")} ${button("undrain", "Take calls again")} ${button("restart", "Safe restart")}</p>
<p><a href="/calls">Recent calls and their messages</a> <button type="button" id="evidence">Evidence pack</button></p>
<p>${field("phone", "Phone")} ${button("ring-phone", "Ring it", "phone")}</p>
<p>${field("waiting-code", "Code of a waiting box")} ${button("admit", "Admit", "waiting-code")}</p>
<p>${field("revoked-box", "Node-ID of a box")} ${button("revoke", "Revoke", "revoked-box")}</p>
<h2>Another version for all boxes</h2><p><label for="bundle">Bundle</label> <input type="file" id="bundle" accept=".bundle"> <button type="button" id="update">Bring all boxes to it</button> <button type="button" id="stop-update">Let no further box begin</button></p>
<ul id="updates"></ul>
<h2>Terminal</h2><p><button type="button" id="open-terminal">Terminal</button> <button type="button" id="sign-out">Sign out</button></p>
<p><small>In the terminal, F6 goes back to the buttons.</small></p><div id="terminal" hidden></div><h2>Recorded terminals</h2><ul id="recordings"></ul></section></main></body></html>`;

/** `folder`: where the build put what browsers load. It is read once: no path of a request reaches the disk. */
export function operateRoutes(folder: string): readonly Route[] {
  const assets = new Map(filesOf(folder).map((name) => [name, readFileSync(join(folder, name))])); // BOUNDED: by the build
  return [
    { method: "GET", path: "/operate", access: "sign-in", answer: ({ response }) => send(response, 200, "text/html; charset=utf-8", PAGE) },
    {
      method: "GET", path: `${ASSETS}*`, access: "reading",
      answer: ({ response, url }) => {
        const name = url.pathname.slice(ASSETS.length);
        const content = assets.get(name);
        const type = TYPES[name.slice(name.lastIndexOf(".") + 1)];
        if (content === undefined || type === undefined) return sendText(response, 404, "There is nothing here.");
        response.writeHead(200, { ...USUAL_HEADERS, "content-type": type, "content-length": content.length, "cache-control": "no-cache" });
        response.end(content);
      },
    },
  ];
}

function filesOf(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => /\.(?:js|css)$/.test(name));
  } catch {
    return []; // not built: the page is there without its buttons
  }
}
