import { type Duration, hours } from "../../src/base/time.ts";

export const days = (count: number): Duration => hours(24 * count);
