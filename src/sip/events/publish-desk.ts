// PUBLISH (RFC 3903): what a user says of himself, and what a voice mail server says of a mailbox. Publications are
// states in the ring, so the box that takes a refresh need not be the one that took the first.

import { toHex } from "../../base/bytes.ts";
import { type Instant, seconds, wallAfter, wallTime } from "../../base/time.ts";
import type { CoreContext } from "../core-context.ts";
import type { NameAndValue } from "../message/build.ts";
import { lowerCase } from "../message/scan.ts";
import type { ValidRequest } from "../message/message.ts";
import type { EventState, Flow, FoundEventState } from "../ports.ts";
import type { Admitted, Door } from "./door.ts";
import { EVENT_LIMITS } from "./limits.ts";
import type { PackageDefinition } from "./package-definition.ts";
import { ALLOW_EVENTS, readEvent } from "./packages.ts";
import { EVENT_EXPIRES } from "./subscribe-desk.ts";
import type { Teller } from "./teller.ts";

/** The user that may publish the message summary of every mailbox. */
const VOICE_MAIL = "voicemail";

/** That a publication was taken back is remembered so long. */
const TAKEN_BACK_LIFE = seconds(90);

interface Publishing extends Admitted {
  readonly aor: string;
  readonly definition: PackageDefinition;
  readonly expires: number;
}

export class PublishDesk {
  readonly #core: CoreContext;
  readonly #door: Door;
  readonly #teller: Teller;

  constructor(core: CoreContext, door: Door, teller: Teller) {
    this.#core = core;
    this.#door = door;
    this.#teller = teller;
  }

  /** A PUBLISH to a user of our domain. */
  receive(now: Instant, request: ValidRequest, flow: Flow, aor: string): void {
    const definition = readEvent(request.header("event"))?.definition;
    if (definition === undefined || definition.publisher === "nobody") return this.#core.answer(request, flow, 489, "", [["Allow-Events", ALLOW_EVENTS]]);
    const refusal = refusalOf(request, definition);
    if (refusal !== undefined) return this.#core.answer(request, flow, ...refusal);
    const asked = request.has("expires") ? (request.expires ?? EVENT_EXPIRES.usual) : EVENT_EXPIRES.usual;
    const expires = Math.min(asked, EVENT_EXPIRES.maximum);
    this.#door.admit(now, request, flow, (at, admitted) => {
      const mayPublish = admitted.sender === aor || (definition.publisher === "voice mail" && admitted.sender === `${VOICE_MAIL}@${this.#core.settings.domain}`);
      if (!mayPublish) return this.#door.answer(at, admitted, 403, "Not Yours To Publish");
      this.#publish(at, { ...admitted, aor, definition, expires });
    });
  }

  #publish(now: Instant, publishing: Publishing): void {
    const { aor, definition, request } = publishing;
    this.#core.questions.readEvents(now, aor, (at, lookup) => {
      if (lookup.outcome === "unavailable") return this.#door.answer(at, publishing, 503, "", [this.#core.retryAfter()]);
      if (!lookup.isUser && this.#core.settings.registration !== "open") return this.#door.answer(at, publishing, 404);
      const etag = request.header("sip-if-match");
      const known = etag === undefined ? undefined : lookup.states.find((state) => state.package === definition.name && !state.isFinal && state.etag === etag);
      if (etag !== undefined && known === undefined) return this.#door.answer(at, publishing, 412);
      const publications = lookup.states.filter((state) => state.package === definition.name);
      if (known === undefined && publications.length >= EVENT_LIMITS.publicationsOfUser) {
        this.#core.outbox.count("publications-at-limit");
        return this.#door.answer(at, publishing, 503, "", [this.#core.retryAfter()]);
      }
      this.#write(at, publishing, known);
    });
  }

  #write(now: Instant, publishing: Publishing, known: FoundEventState | undefined): void {
    const { aor, expires } = publishing;
    const state = this.#stateOf(publishing, known);
    this.#core.questions.changeEvents(now, aor, { of: "states", upserts: [state], removals: [] }, (at, { outcome }) => {
      if (outcome === "unavailable") return this.#door.answer(at, publishing, 503, "", [this.#core.retryAfter()]);
      this.#core.outbox.count("published");
      this.#door.answer(at, publishing, 200, "", [["SIP-ETag", state.etag], ["Expires", String(expires)]]);
      // A refresh tells nobody anything.
      if (known === undefined || publishing.request.body !== "" || expires === 0) this.#teller.tell(at, aor);
    });
  }

  /** A new entity-tag each time (RFC 3903 section 6 step 7). */
  #stateOf({ request, definition, expires }: Publishing, known: FoundEventState | undefined): EventState {
    const key = known?.key ?? toHex(this.#core.random.bytes(12));
    const etag = `${key.slice(0, 8)}${toHex(this.#core.random.bytes(8))}`;
    const wall = this.#core.wallClock();
    const base = { key, package: definition.name, contentType: definition.contentType, etag };
    if (expires === 0) return { ...base, content: "", isFinal: true, expiresAt: wallAfter(wall, TAKEN_BACK_LIFE) };
    const content = request.body === "" ? (known?.content ?? "") : request.body;
    return { ...base, content, isFinal: false, expiresAt: wallTime(wall + expires * 1_000) };
  }
}

/** What is wrong with it whoever sends it. */
function refusalOf(request: ValidRequest, { contentType }: PackageDefinition): readonly [status: number, reason: string, fields?: readonly NameAndValue[]] | undefined {
  const { require, expires, body } = request;
  if (require.length > 0) return [420, "", [["Unsupported", require.join(", ")]]];
  if (expires !== undefined && expires > 0 && expires < EVENT_EXPIRES.minimum) return [423, "", [["Min-Expires", String(EVENT_EXPIRES.minimum)]]];
  if (body === "") return request.has("sip-if-match") ? undefined : [400, "Missing Body"];
  const type = request.header("content-type") ?? "";
  const semicolon = type.indexOf(";");
  if (lowerCase((semicolon < 0 ? type : type.slice(0, semicolon)).trim()) !== contentType) return [415, "", [["Accept", contentType]]];
  return body.length > EVENT_LIMITS.publicationOctets ? [413, ""] : undefined;
}
