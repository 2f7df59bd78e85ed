// The Debian underneath: trixie, by mmdebstrap, as a tree of files. For ARM64 on an x86-64 machine no foreign code
// runs: the packages are only unpacked, and what their scripts would have done is taken from a tree that was configured
// natively (users, links, certificates: nothing of it depends on the processor).

import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ARCHITECTURES, type Architecture } from "./programs.ts";
import { BuildError, cached, run } from "./steps.ts";

const PACKAGES = [
  "systemd", "systemd-sysv", "systemd-repart", "systemd-timesyncd", "systemd-resolved", "systemd-boot", "systemd-boot-efi",
  "systemd-cryptsetup", "cryptsetup-bin", "dracut", "udev", "dbus", "kmod", "iproute2", "iputils-ping", "iputils-arping", "ethtool", "e2fsprogs",
  "dosfstools", "util-linux", "procps", "libstdc++6", "ca-certificates", "tzdata", "firmware-realtek", "firmware-bnx2", "firmware-bnx2x",
];
const KERNEL: Readonly<Record<Architecture, readonly string[]>> = {
  "x86-64": ["linux-image-amd64", "amd64-microcode", "intel-microcode"],
  arm64: ["linux-image-arm64"],
};
/** Of Debian's files nothing depends on when we build. */
const DATE = "1761955200";

const OPTIONS = [
  "--quiet", "--mode=root", "--components=main,non-free-firmware", "--aptopt=Apt::Install-Recommends \"false\"",
  "--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-include=/usr/share/doc/*/copyright",
  "--dpkgopt=path-exclude=/usr/share/locale/*", "--dpkgopt=path-exclude=/usr/share/info/*",
];
/** The kernel package would have an initial RAM disk made that nobody wants. */
const NO_INITRD = [
  "--essential-hook=mkdir -p \"$1\"/etc/kernel/postinst.d \"$1\"/etc/dracut.conf.d; ln -sf /bin/true \"$1\"/etc/kernel/postinst.d/dracut; echo layout=other >\"$1\"/etc/kernel/install.conf",
];

/** The tree, as it must not be changed: whoever changes it copies it first. */
export function debianRoot(architecture: Architecture): string {
  const native = process.arch === "arm64" ? "arm64" : "x86-64";
  return architecture === native ? configured(architecture) : transplanted(native, architecture);
}

const environment = { SOURCE_DATE_EPOCH: DATE };

function configured(architecture: Architecture): string {
  const include = [...PACKAGES, ...KERNEL[architecture]].join(",");
  const kept = cached(`debian-${architecture}`, [include, ...OPTIONS, ...NO_INITRD], (scratch) => {
    const { debian } = ARCHITECTURES[architecture];
    run("mmdebstrap", [`--architectures=${debian}`, "--variant=essential", `--include=${include}`, ...OPTIONS, ...NO_INITRD, "trixie", join(scratch, "root")], { env: environment });
  });
  return join(kept, "root");
}

/** Unpacked and not configured: for one processor to be compared with, for the other to be built on. */
function unpacked(architecture: Architecture, packages: readonly string[]): string {
  const include = packages.join(",");
  const kept = cached(`unpacked-${architecture}`, [include, ...OPTIONS], (scratch) => {
    const { debian } = ARCHITECTURES[architecture];
    run("mmdebstrap", [`--architectures=${debian}`, "--variant=extract", `--include=${include}`, ...OPTIONS, "trixie", join(scratch, "root")], { env: environment });
  });
  return join(kept, "root");
}

function transplanted(from: Architecture, to: Architecture): string {
  const whole = configured(from);
  const names = packageNames(whole).filter((name) => !KERNEL[from].includes(name) && !/^linux-image-|-microcode$|^iucode-tool$/.test(name));
  const bare = unpacked(from, [...names, ...KERNEL[from]]);
  const target = unpacked(to, [...names, ...KERNEL[to]]);
  const kept = cached(`debian-${to}`, [whole, bare, target], (scratch) => {
    const root = join(scratch, "root");
    run("cp", ["-a", target, root]);
    const changed = changedPaths(bare, whole).filter((path) => !/^\.\/(boot|dev|proc|sys|run|tmp|vmlinuz|initrd\.img|usr\/lib\/modules|var\/lib\/dpkg|var\/cache|var\/log|etc\/ld\.so\.cache)/.test(path) && !path.includes(ARCHITECTURES[from].multiarch));
    const list = join(scratch, "changed");
    writeFileSync(list, changed.map((path) => `${path}\0`).join(""));
    run("sh", ["-c", `tar -C "$1" --null --no-recursion -T "$2" -cf - | tar -C "$3" --keep-directory-symlink -xpf -`, "sh", whole, list, root]);
    rmSync(list);
    // No foreign ldconfig runs: the list of libraries is made here, for the other tree.
    run("ldconfig", ["-r", root]);
    for (const version of readdirSync(join(root, "usr/lib/modules"))) run("depmod", ["-b", join(root, "usr"), version]);
  });
  return join(kept, "root");
}

/** Paths that are new or other in `whole` than in `bare`. */
function changedPaths(bare: string, whole: string): readonly string[] {
  const listing = (root: string): ReadonlyMap<string, string> => {
    const lines = run("find", [".", "-printf", "%p\\t%y %m %U %G %l %s\\n"], { cwd: root }).trimEnd().split("\n");
    const sums = run("sh", ["-c", "find . -type f -size -1024k -print0 | xargs -0 sha256sum"], { cwd: root }).trimEnd().split("\n");
    const byPath = new Map(lines.map((line) => line.split("\t") as [string, string]));
    for (const line of sums) byPath.set(line.slice(66), `${byPath.get(line.slice(66))} ${line.slice(0, 64)}`);
    for (const [path, facts] of byPath) if (facts.startsWith("d ")) byPath.set(path, facts.replace(/ \d+$/, ""));
    return byPath;
  };
  const before = listing(bare);
  return [...listing(whole)].filter(([path, facts]) => before.get(path) !== facts).map(([path]) => path);
}

/** Installed packages, in dpkg's own words. */
export function packageNames(root: string): readonly string[] {
  return packages(root).map(({ name }) => name);
}

export function packages(root: string): readonly { readonly name: string; readonly version: string; readonly source: string }[] {
  const status = readFileSync(join(root, "var/lib/dpkg/status"), "utf8");
  const field = (text: string, name: string): string => new RegExp(`^${name}: (.*)$`, "m").exec(text)?.[1] ?? "";
  return status
    .split("\n\n")
    .filter((text) => text.includes("Package: "))
    .map((text) => ({ name: field(text, "Package"), version: field(text, "Version"), source: field(text, "Source") || field(text, "Package") }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The one kernel in the tree. */
export function kernelVersion(root: string): string {
  const [version, ...others] = readdirSync(join(root, "usr/lib/modules"));
  if (version === undefined || others.length > 0) throw new BuildError(`One kernel was expected in ${root}.`);
  return version;
}

export function checkHost(): void {
  if (process.getuid?.() !== 0) throw new BuildError("Only root can make an image: the files in it belong to many users.");
  const wanted: Readonly<Record<string, string>> = {
    mmdebstrap: "mmdebstrap", mksquashfs: "squashfs-tools", veritysetup: "cryptsetup-bin", "mkfs.vfat": "dosfstools", mcopy: "mtools",
    sfdisk: "fdisk", strip: "binutils", depmod: "kmod", "systemd-sysusers": "systemd", cpio: "cpio", zstd: "zstd",
  };
  const places = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];
  const missing = Object.entries(wanted).filter(([program]) => !places.some((place) => existsSync(join(place, program))));
  if (missing.length > 0) throw new BuildError(`Missing: apt-get install ${missing.map(([, name]) => name).join(" ")}`);
}
