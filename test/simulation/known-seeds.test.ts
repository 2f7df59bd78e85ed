import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parseRequest } from "./request.ts";
import { requireRuns } from "./require-seeds.ts";

test("every seed that once broke something holds", () => {
  const lines = readFileSync(join(import.meta.dirname, "known-seeds.txt"), "utf8").split("\n");
  const requests = lines.map((line) => (line.split("#", 1)[0] ?? "").trim()).filter((line) => line !== "");
  return requireRuns(requests.map(parseRequest));
});
