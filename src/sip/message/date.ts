// SIP-date (RFC 3261 20.17): `Sat, 13 Nov 2010 23:29:00 GMT`, by arithmetic on days.

import type { WallTime } from "../../base/time.ts";

const DAYS = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"] as const;
const MONTHS = ["Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Jan", "Feb"] as const;

const DAYS_IN_400_YEARS = 146_097;
/** From 0000-03-01 to 1970-01-01: years that begin in March end with the leap day. */
const DAYS_BEFORE_1970 = 719_468;

export function formatDate(wall: WallTime): string {
  const totalSeconds = Math.floor(Math.max(0, wall) / 1_000);
  const days = Math.floor(totalSeconds / 86_400);
  const secondOfDay = totalSeconds % 86_400;
  const { year, month, day } = civilDate(days);
  const time = [secondOfDay / 3_600, (secondOfDay / 60) % 60, secondOfDay % 60].map(twoDigits).join(":");
  return `${DAYS[days % 7]}, ${twoDigits(day)} ${month} ${String(year).padStart(4, "0")} ${time} GMT`;
}

const twoDigits = (value: number): string => String(Math.floor(value)).padStart(2, "0");

function civilDate(daysSince1970: number): { year: number; month: string; day: number } {
  const days = daysSince1970 + DAYS_BEFORE_1970;
  const era = Math.floor(days / DAYS_IN_400_YEARS);
  const dayOfEra = days - era * DAYS_IN_400_YEARS;
  const leapDays = Math.floor(dayOfEra / 1_460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096);
  const yearOfEra = Math.floor((dayOfEra - leapDays) / 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1;
  const year = era * 400 + yearOfEra + (monthFromMarch >= 10 ? 1 : 0);
  return { year, month: MONTHS[monthFromMarch] ?? "Jan", day };
}
