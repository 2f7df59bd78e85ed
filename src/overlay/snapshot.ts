import type { CoreContext } from "./core-context.ts";
import type { Doubles } from "./members/doubles.ts";
import type { Membership } from "./members/membership.ts";
import type { Instant } from "../base/time.ts";
import type { DiskStatus, OverlaySnapshot, Phase } from "./ports.ts";
import { COPIES, shareOf } from "./ring/ring.ts";
import { digestHex } from "./storage/digest.ts";
import type { Holdings } from "./storage/holdings.ts";
import { conflictsIn } from "./storage/siblings.ts";

/** What to show of a box. */
export function pictureOf(parts: {
  readonly phase: Phase;
  readonly context: CoreContext;
  readonly membership: Membership;
  readonly holdings: Holdings;
  readonly doubles: Doubles;
  readonly inSync: boolean;
  readonly comparedAt: Instant | undefined;
  readonly disk: DiskStatus;
  readonly receiving: OverlaySnapshot["receiving"];
}): OverlaySnapshot {
  const { context, membership, holdings } = parts;
  const { view } = membership;
  const { self } = context;
  const share = (id: typeof self): number => (view.has(id) ? shareOf(view.arcOf(id)) : 0);
  const arc = view.has(self) ? view.arcOf(self) : undefined;
  const own = arc === undefined ? undefined : holdings.store.digest(arc);
  return {
    phase: parts.phase,
    self: context.settings.self,
    share: share(self),
    copies: parts.inSync || view.size <= 1 ? Math.min(COPIES, Math.max(1, view.size)) : Math.min(COPIES - 1, Math.max(1, view.size)),
    members: [...membership.members]
      .flatMap(({ nodeId, info, state, links, roundTrip }) =>
        info === undefined ? [] : [{ info, state, share: share(nodeId), roundTrip: links.length > 0 ? roundTrip : undefined }],
      )
      .sort((a, b) => (a.info.nodeId < b.info.nodeId ? -1 : 1)),
    owned: own?.count ?? 0,
    held: holdings.store.size,
    arc: arc === undefined || own === undefined ? undefined : { owner: self, replicas: view.holders(self).slice(1), entries: own.count, inSync: parts.inSync, comparedAt: parts.comparedAt },
    disk: parts.disk,
    conflicts: conflictsIn(holdings.store),
    clockError: context.clock.wallError,
    receiving: parts.receiving,
    doubles: { self: parts.doubles.isDouble, others: parts.doubles.others },
    digest: own === undefined ? "" : digestHex(own),
    counters: Object.fromEntries(context.counters),
    rules: {
      sequence: context.rules.sequence,
      document: context.rules.document,
      configuration: context.rules.configuration,
      epoch: context.rules.epoch,
      revoked: context.rules.revokedNodes().map((nodeId) => ({ nodeId, revokedAt: context.rules.revokedAt(nodeId) })),
    },
  };
}
