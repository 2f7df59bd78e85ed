// From Debian's files and ours to the tree that becomes the read-only root of a box.

import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { kernelVersion } from "./debian.ts";
import { place, projectVersion } from "./programs.ts";
import { run, sourceDate } from "./steps.ts";

const ENABLED = [
  "ringboxd.service", "ringbox-agent.service", "ringbox-provision.service", "ringbox-report.service", "ringbox-console.service", "ringbox-name.path", "ringbox-factory-reset.path", "ringbox-proof.service",
  "ringbox-slot.service", "ringbox-update.path", "ringbox-kept.service",
  "systemd-networkd.service", "systemd-resolved.service", "systemd-timesyncd.service",
];
/** What writes to the root, what nobody needs here, what would ask for a password, what wears the flash. */
const MASKED = [
  "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer",
  "systemd-firstboot.service", "systemd-update-done.service", "ldconfig.service", "systemd-hwdb-update.service", "systemd-journal-catalog-update.service",
  "systemd-boot-update.service", "systemd-boot-random-seed.service", "systemd-networkd-wait-online.service", "systemd-pcrlock.socket",
  "getty@tty1.service", "serial-getty@ttyS0.service", "serial-getty@ttyAMA0.service", "console-getty.service", "getty-static.service",
];
/** Programs that systemd would run at each start to find what is never there. */
const GENERATORS = ["ssh", "sysv", "rc-local", "hibernate-resume", "tpm2", "cryptsetup", "integritysetup", "getty", "run", "system-update"].map(
  (name) => `systemd-${name}-generator`,
);
const PRUNED = [
  "sound", "drivers/media", "drivers/staging", "drivers/infiniband", "drivers/isdn", "drivers/net/wireless", "drivers/iio", "drivers/comedi",
  "drivers/bluetooth", "net/bluetooth", "net/mac80211", "net/wireless", "net/nfc", "drivers/nfc", "drivers/input/joystick", "drivers/video/fbdev",
  ...["amd", "nouveau", "radeon", "i915", "xe", "gma500", "vmwgfx"].map((name) => `drivers/gpu/drm/${name}`),
];
/** Ethernet and the processor itself; what Debian ships for wireless and sound stays out. */
const FIRMWARE = new Set(["rtl_nic", "bnx2", "bnx2x", "intel-ucode", "amd-ucode"]);

/** Fills `tree`, which holds a copy of Debian's root, with what makes it a box. */
export function makeBox(tree: string, programs: string): void {
  cpSync(programs, tree, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
  cpSync(join(import.meta.dirname, "tree"), tree, { recursive: true, verbatimSymlinks: true });
  for (const name of readdirSync(join(tree, "usr/lib/ringbox-image"))) chmodSync(join(tree, "usr/lib/ringbox-image", name), 0o755);
  nameSystem(tree);
  run("systemd-sysusers", [`--root=${tree}`, "ringbox.conf"]);
  for (const name of ["passwd-", "group-", "shadow-", "gshadow-"]) rmSync(join(tree, "etc", name), { force: true });
  run("systemctl", [`--root=${tree}`, "--quiet", "enable", ...ENABLED]);
  for (const unit of MASKED) {
    rmSync(join(tree, "etc/systemd/system", unit), { force: true });
    symlinkSync("/dev/null", join(tree, "etc/systemd/system", unit));
  }
  mkdirSync(join(tree, "etc/systemd/system-generators"), { recursive: true });
  for (const name of GENERATORS) symlinkSync("/dev/null", join(tree, "etc/systemd/system-generators", name));
  mkdirSync(join(tree, "usr/lib/dracut/modules.d/90ringbox"), { recursive: true });
  cpSync(join(import.meta.dirname, "initrd"), join(tree, "usr/lib/dracut/modules.d/90ringbox"), { recursive: true });
}

function nameSystem(tree: string): void {
  const release = readFileSync(join(tree, "usr/lib/os-release"), "utf8").split("\n").filter((line) => !/^(IMAGE_|PRETTY_NAME=)/.test(line));
  place(tree, "usr/lib/os-release", `${release.join("\n").trimEnd()}\nPRETTY_NAME="Ringbox ${projectVersion()}"\nIMAGE_ID=ringbox\nIMAGE_VERSION=${projectVersion()}\n`);
  place(tree, "etc/hostname", "ringbox\n");
  place(tree, "etc/machine-id", "");
  rmSync(join(tree, "var/lib/dbus/machine-id"), { force: true });
  place(tree, "etc/fstab", "PARTLABEL=ringbox-data /var ext4 x-initrd.mount,noatime,nosuid,nodev,commit=30 0 2\n");
  rmSync(join(tree, "etc/resolv.conf"), { force: true });
  symlinkSync("../run/systemd/resolve/stub-resolv.conf", join(tree, "etc/resolv.conf"));
  // A machine without a clock battery begins here and not in 1970: systemd raises the clock to the time of this file.
  place(tree, "usr/lib/clock-epoch", "");
  run("touch", [`--date=@${sourceDate()}`, join(tree, "usr/lib/clock-epoch")]);
  // No one logs in here; the status page is the way in.
  writeFileSync(join(tree, "etc/issue"), "");
}

/** What a box does not need once its initial RAM disk is made. */
export function prune(tree: string): void {
  const version = kernelVersion(tree);
  for (const path of PRUNED) rmSync(join(tree, `usr/lib/modules/${version}/kernel/${path}`), { recursive: true, force: true });
  run("depmod", ["-b", join(tree, "usr"), version]);
  for (const name of readdirSync(join(tree, "usr/lib/firmware"))) if (!FIRMWARE.has(name)) rmSync(join(tree, "usr/lib/firmware", name), { recursive: true, force: true });
  const gone = [
    ...["boot", "vmlinuz", "vmlinuz.old", "initrd.img", "initrd.img.old", "usr/lib/dracut", "usr/share/locale", "usr/share/info", "usr/share/i18n", "usr/src"],
    ...["usr/share/bash-completion", "usr/share/zsh", "usr/lib/systemd/boot", "etc/ssl/private", "var/log", "var/cache", "var/lib/apt", "var/lib/systemd"],
  ];
  for (const path of gone) rmSync(join(tree, path), { recursive: true, force: true });
  for (const folder of ["dev", "proc", "sys", "run", "tmp", "var"]) {
    // The list of packages is kept where the data partition does not cover it.
    if (folder === "var") copyFileSync(join(tree, "var/lib/dpkg/status"), join(tree, "usr/share/doc/ringbox/debian-packages"));
    rmSync(join(tree, folder), { recursive: true, force: true });
    mkdirSync(join(tree, folder));
  }
  mkdirSync(join(tree, "boot"));
  if (!existsSync(join(tree, "efi"))) mkdirSync(join(tree, "efi"));
  chmodSync(join(tree, "tmp"), 0o1777);
}
