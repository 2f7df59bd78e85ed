// A dialog outlives a connection: a phone whose connection broke, or whose box died, has registered over another one
// since. A request in the dialog still carries the token of the first; To names whose phone it was.

import type { GruuTarget } from "../gruu.ts";
import type { ValidRequest } from "../message/message.ts";
import { addressOfRecord, isSipUri, parseUri, type Uri } from "../message/uri.ts";
import type { LocalEnds } from "../transport/local-ends.ts";

/** `target`: the phone's Contact in the dialog. The port of it may be another one with each connection. */
export function movedPhone(request: ValidRequest, target: Uri, ends: LocalEnds, domain: string): GruuTarget | undefined {
  const { uri } = request.to;
  if (request.toTag === "" || !isSipUri(uri) || !isSipUri(target) || !ends.isOurs(uri.host, uri.port)) return undefined;
  const aor = addressOfRecord({ ...uri, host: domain });
  if (aor === undefined) return undefined;
  const { user, host } = target;
  return {
    aor,
    absent: 430,
    means: ({ contact }) => {
      const registered = parseUri(contact);
      return registered !== undefined && isSipUri(registered) && registered.user === user && registered.host === host;
    },
  };
}
