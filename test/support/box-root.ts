// The image's own scripts in a root of their own: this machine's programs and shell, but /var, /run, the volumes and what
// systemd would do are the test's. A kernel without FAT will do: a volume is a folder that is mounted read-only.

import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { ROOT } from "./source-tree.ts";
import { memoryDirectory } from "./temporary-directory.ts";

const SCRIPTS = join(ROOT, "image/tree/usr/lib/ringbox-image");

/** Why the scripts cannot be run here; `false` if they can. */
export const skipWithoutRoot: string | false =
  process.getuid?.() !== 0 || spawnSync("unshare", ["--mount", "true"]).status !== 0 ? "only root with mount namespaces can give the scripts a root of their own" : false;

/** In /usr/sbin, which the scripts look into first. */
const STAND_INS: Readonly<Record<string, string>> = {
  // -t vfat -o OPTIONS DEVICE FOLDER | -o remount,rw FOLDER | -t efivarfs efivarfs FOLDER
  mount: `case "$*" in
  "-t vfat "*) volume=/volumes/$(basename "$5"); [ -d "$volume" ] || exit 32; /usr/bin/mount --bind "$volume" "$6" && exec /usr/bin/mount -o remount,bind,ro "$6" ;;
  "-o remount,rw "*) [ ! -e "$3/.read-only" ] && exec /usr/bin/mount -o remount,bind,rw "$3" ;;
esac
exit 32`,
  systemctl: 'echo "systemctl $*" >>/log; case "$*" in *is-active*) [ -e /active ] ;; esac',
  runuser: 'echo "runuser $*" >>/log; [ ! -e /no-leave ]',
  udevadm: "exit 0",
  chattr: "exit 0",
  mountpoint: "exit 0",
};

/** What runs in the new root before the script: /var is a disk of its own, of the size in the file, and maybe read-only. */
const ENTER = `set -e; cd /
root=$1; shift
for folder in etc/alternatives usr/bin usr/lib/*-linux-gnu usr/lib64; do [ ! -d "/$folder" ] || { mkdir -p "$root/$folder"; mount --rbind "/$folder" "$root/$folder"; }; done
[ ! -e "$root/var-read-only" ] || { mount --bind "$root/var" "$root/var"; mount -o remount,bind,ro "$root/var"; }
[ ! -e "$root/var-full" ] || { mount -t tmpfs -o size=16k none "$root/var/lib/ringbox"; head -c 16384 /dev/zero >"$root/var/lib/ringbox/ballast" 2>/dev/null || :; }
exec chroot "$root" /bin/sh "$@"`;

export class BoxRoot {
  readonly path: string;

  constructor(t: TestContext) {
    this.path = memoryDirectory(t);
    for (const folder of ["var/lib/ringbox", "run/ringbox-provision", "dev/disk/by-partlabel", "dev/disk/by-id", "tmp", "proc/sys/kernel", "sys/firmware/efi/efivars", "volumes", "usr/sbin", "usr/lib", "etc"]) {
      mkdirSync(join(this.path, folder), { recursive: true });
    }
    for (const name of ["bin", "sbin", "lib", "lib64"]) spawnSync("ln", ["-s", `usr/${name}`, join(this.path, name)]);
    cpSync(SCRIPTS, join(this.path, "usr/lib/ringbox-image"), { recursive: true });
    for (const name of readdirSync(SCRIPTS)) chmodSync(join(this.path, "usr/lib/ringbox-image", name), 0o755);
    for (const [name, text] of Object.entries(STAND_INS)) this.program(name, text);
    this.write("etc/passwd", "root:x:0:0::/:/bin/sh\nringbox:x:990:990::/:/bin/sh\n");
    this.write("etc/group", "root:x:0:\nringbox:x:990:\n");
    this.write("etc/hostname", "ringbox\n");
    spawnSync("mknod", [join(this.path, "dev/null"), "c", "1", "3"]);
    spawnSync("mknod", [join(this.path, "dev/zero"), "c", "1", "5"]);
    this.volume("by-partlabel/ringbox-config");
    this.volume("by-partlabel/ringbox-esp");
  }

  program(name: string, text: string): void {
    this.write(`usr/sbin/${name}`, `#!/bin/sh\n${text}\n`);
    chmodSync(join(this.path, "usr/sbin", name), 0o755);
  }

  /** A disk with a FAT volume, at /dev/disk/`device`. */
  volume(device: string): void {
    const name = device.slice(device.indexOf("/") + 1);
    mkdirSync(join(this.path, "volumes", name), { recursive: true });
    spawnSync("mknod", [join(this.path, "dev/disk", device), "b", "7", "200"]);
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.path, path)), { recursive: true });
    writeFileSync(join(this.path, path), text, "latin1");
  }

  /** `undefined`: there is no such file. */
  read(path: string): string | undefined {
    return existsSync(join(this.path, path)) ? readFileSync(join(this.path, path), "latin1") : undefined;
  }

  /** One start: what the script says on the console. */
  run(script: string, ...args: readonly string[]): string {
    const { stdout, stderr } = spawnSync("unshare", ["--mount", "--propagation", "private", "sh", "-c", ENTER, "sh", this.path, `/usr/lib/ringbox-image/${script}`, ...args], { encoding: "utf8", timeout: 60_000 });
    return stdout + stderr;
  }

  /** The power is off: what was in memory is gone. */
  powerOff(): void {
    spawnSync("rm", ["-rf", join(this.path, "run"), join(this.path, "log")]);
    mkdirSync(join(this.path, "run/ringbox-provision"), { recursive: true });
  }
}
