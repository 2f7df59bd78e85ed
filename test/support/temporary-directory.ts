import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

/** A directory that is gone after the test. */
export const temporaryDirectory = (t: TestContext): string => directoryIn(tmpdir(), t);

/** One where files cost no disk: for hundreds of them that are made, looked at and thrown away. */
export const memoryDirectory = (t: TestContext): string => directoryIn(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), t);

function directoryIn(parent: string, t: TestContext): string {
  const path = mkdtempSync(join(parent, "ringbox-test-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}
