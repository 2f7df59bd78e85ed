// Wishes and standings as they come from elsewhere: from other agents, and from the disk.

import * as z from "zod/mini";
import type { BoxUpdate, RollOutRecord, Wish } from "../../provision/roll-out.ts";
import { STAGES } from "../../provision/roll-out-stages.ts";
import { ARCHITECTURES, PART_LIMITS } from "../../provision/update-bundle.ts";
import { isVersion } from "../../provision/version.ts";

const nodeId = z.string().check(z.regex(/^[0-9a-f]{32}$/));
const words = z.string().check(z.maxLength(300));
const version = z.string().check(z.refine(isVersion));
const architecture = z.enum(ARCHITECTURES);
/** All parts at their largest, and a head. */
const BYTES_MAX = Object.values(PART_LIMITS).reduce((sum, bytes) => sum + bytes, 1 << 20);

const wish: z.ZodMiniType<Wish> = z.object({
  id: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
  version, architecture,
  bytes: z.int().check(z.gte(1), z.lte(BYTES_MAX)),
  by: nodeId,
  at: z.int().check(z.gte(0)),
  stopped: z.nullable(z.object({ by: z.string().check(z.maxLength(32)), reason: words })),
});

export const BoxUpdateWords: z.ZodMiniType<BoxUpdate> = z.object({
  wish: z.nullable(wish),
  stage: z.enum(STAGES),
  running: z.nullable(z.object({ version, architecture })),
  percent: z.number().check(z.gte(0), z.lte(100)),
  detail: words,
  has: z.boolean(),
});

const record: z.ZodMiniType<RollOutRecord> = z.object({ wish: z.nullable(wish), stage: z.enum(STAGES), detail: words, boot: z.string(), has: z.boolean() });

/** A fleet may have boxes of both architectures. */
export const KeptRollOuts = z.object({ "x86-64": z.optional(record), arm64: z.optional(record) });
export type KeptRollOuts = z.infer<typeof KeptRollOuts>;
