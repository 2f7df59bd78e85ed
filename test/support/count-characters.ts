type Method = (this: string, ...rest: never[]) => unknown;

/**
 * How many characters the string methods looked at while `run` ran: a measure of work without a clock.
 * Single characters count one; searches what they pass; whole-string methods the length.
 */
export function countCharacters(run: () => void): number {
  let count = 0;
  const prototype = String.prototype as unknown as Record<string, Method>;
  const originals = new Map<string, Method>();
  const wrap = (name: string, cost: (text: string, args: readonly unknown[], result: unknown) => number): void => {
    const original = prototype[name] as Method;
    originals.set(name, original);
    prototype[name] = function (this: string, ...args: never[]) {
      const result = original.apply(this, args);
      count += cost(String(this), args, result);
      return result;
    };
  };
  const searched = (text: string, args: readonly unknown[], result: unknown): number =>
    (Number(result) < 0 ? text.length : Number(result)) - Number(args[1] ?? 0) + 1;
  wrap("charCodeAt", () => 1);
  wrap("charAt", () => 1);
  wrap("indexOf", searched);
  for (const name of ["includes", "split", "toLowerCase", "toUpperCase", "lastIndexOf"]) wrap(name, (text) => text.length);
  wrap("slice", () => 1);
  try {
    run();
  } finally {
    for (const [name, original] of originals) prototype[name] = original;
  }
  return count;
}
