// The way of a fleet to another version: an operator brings a bundle to one box, piece by piece, and says that all are to have it.

import type { UpdateDesk } from "../../io/updates/update-desk.ts";
import { sendJson, sendText } from "./answers.ts";
import { readBytes } from "./read-body.ts";
import type { Route } from "./routes.ts";

/** One piece, octets. */
export const UPLOAD_PIECE_MAX = 4 << 20;

export function updateRoutes(desk: UpdateDesk, proof: () => { readonly proved: boolean; readonly why: string }, record: (text: string) => void): readonly Route[] {
  return [
    { method: "GET", path: "/api/update", access: "reading", answer: ({ response }) => sendJson(response, 200, desk.report) },
    { method: "GET", path: "/api/update/proof", access: "local", answer: ({ response }) => sendJson(response, 200, proof()) },
    {
      // `?at=` is where the piece belongs, `?of=` how many octets the bundle has. With the last piece it is checked, and the fleet begins.
      method: "POST", path: "/api/update", access: "signed-in",
      answer: async ({ request, response, url, visitor }) => {
        const [at, of] = [url.searchParams.get("at"), url.searchParams.get("of")].map(Number);
        const piece = await readBytes(request, UPLOAD_PIECE_MAX);
        if (piece === undefined || at === undefined || of === undefined || !Number.isSafeInteger(at) || !Number.isSafeInteger(of) || at < 0 || at + piece.length > of) {
          return sendText(response, 400, "This is not a piece of a bundle.");
        }
        const received = await desk.receive(at, of, piece);
        if (!received.ok) return sendText(response, 400, `The bundle is refused: ${received.fault}.`);
        const { bundle } = received.value;
        if (bundle !== undefined) {
          record(`${visitor?.session.who ?? ""}: bring all boxes (${bundle.manifest.architecture}) to version ${bundle.manifest.version}.`);
          desk.start(bundle);
        }
        sendJson(response, 200, { received: received.value.received, version: bundle?.manifest.version ?? null, architecture: bundle?.manifest.architecture ?? null });
      },
    },
    {
      method: "POST", path: "/api/update/stop", access: "signed-in",
      answer: ({ response, visitor }) => {
        const who = visitor?.session.who ?? "";
        const stopped = desk.stop(`stopped by ${who}`);
        if (stopped) record(`${who}: stop the update. Boxes that are out of service for it already go on.`);
        sendJson(response, 200, { stopped });
      },
    },
  ];
}
