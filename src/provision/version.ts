// Versions as bundles name them: three numbers, `1.12.3`.

const DIGITS_MAX = 5;

export function isVersion(value: unknown): value is string {
  if (typeof value !== "string") return false;
  const numbers = value.split(".");
  return numbers.length === 3 && numbers.every(isNumber);
}

/** Below zero if `a` is the older one. Both must be versions. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a.split("."), b.split(".")];
  for (let index = 0; index < 3; index++) {
    const difference = Number(left[index]) - Number(right[index]);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Decimal, without a leading zero: each version is written in one way. */
const isNumber = (text: string): boolean =>
  text.length >= 1 && text.length <= DIGITS_MAX && [...text].every((digit) => digit >= "0" && digit <= "9") && (text === "0" || !text.startsWith("0"));
