// A clean Debian to install into: made once, then kept beside the stages of the image.

import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { cached, run } from "../../image/steps.ts";

/** What Debian has anyway, and what the package asks for: it is then installed without a network. */
const PACKAGES = ["systemd", "init-system-helpers", "libstdc++6", "libgcc-s1", "perl-base"];

/** Why no clean Debian can be made here; `undefined` if it can. */
export function whyNoDebian(): string | undefined {
  if (process.getuid?.() !== 0) return "only root may make a clean Debian to install into";
  if (spawnSync("mmdebstrap", ["--version"]).error !== undefined) return "mmdebstrap is not installed";
  return undefined;
}

/** A fresh copy in `directory`, which must not exist. */
export function cleanDebian(directory: string): void {
  const kept = cached("debian-trixie", PACKAGES, (scratch) => {
    run("mmdebstrap", ["--quiet", "--variant=apt", `--include=${PACKAGES.join(",")}`, "--aptopt=Apt::Install-Recommends false", "trixie", join(scratch, "root")]);
    rmSync(join(scratch, "root/var/cache/apt"), { recursive: true, force: true });
  });
  run("cp", ["-a", join(kept, "root"), directory]);
}

export const inRoot = (root: string, ...command: readonly string[]) =>
  spawnSync("chroot", [root, ...command], { encoding: "utf8", env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C.UTF-8" } });

