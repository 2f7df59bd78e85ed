// From the tree to the file that is flashed: squashfs with its verity hashes, the unified kernel image that names the
// root hash, two FAT volumes, and a GPT around them. No loop device, no mount, nothing that differs between two runs.

import { closeSync, mkdirSync, openSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Architecture } from "./programs.ts";
import { BuildError, run, sha256, sourceDate } from "./steps.ts";
import { unifiedKernelImage } from "./uki.ts";

interface Firmware {
  /** As file names in the ESP and of the loader have it. */
  readonly efi: string;
  readonly root: string;
  readonly verity: string;
  readonly consoles: string;
}
const FIRMWARE: Readonly<Record<Architecture, Firmware>> = {
  "x86-64": { efi: "x64", root: "4f68bce3-e8cd-4db1-96e7-fbcaf984b709", verity: "2c7357ed-ebd2-46d9-aec1-23d437ec2bf5", consoles: "console=tty0 console=ttyS0,115200" },
  arm64: { efi: "aa64", root: "b921b045-1df0-41c3-af44-4c6f280d3fae", verity: "df3300ce-d69f-4c92-978c-9bfb0f38d820", consoles: "console=tty0 console=ttyAMA0" },
};

const MIB = 1 << 20;
const ESP_MIB = 256;
const CONFIG_MIB = 32;
const VERITY_MIB = 16;
/** A slot can never grow: three quarters full is where the next version may not fit any more. */
const ROOT_MIB = 768;
const ROOT_FILLED = 0.75;

export const TICKET_BYTES = 65_536;
export const SETTINGS_BYTES = 4_096;

export interface DiskParts {
  readonly architecture: Architecture;
  readonly version: string;
  /** squashfs, its hashes, and the hash of those. */
  readonly root: string;
  readonly verity: string;
  readonly rootHash: string;
  readonly kernel: string;
  readonly initrd: string;
  readonly kernelVersion: string;
  readonly osRelease: string;
  /** The folder with systemd-boot and its stub. */
  readonly loaders: string;
}

/** `level`: of zstd; 3 is quick, 19 is for a release. */
export function packRoot(tree: string, directory: string, level: number): { readonly root: string; readonly verity: string; readonly rootHash: string } {
  const root = join(directory, "root.squashfs");
  const verity = join(directory, "root.verity");
  for (const file of [root, verity]) rmSync(file, { force: true });
  const date = String(sourceDate());
  run("mksquashfs", [tree, root, "-quiet", "-no-progress", "-noappend", "-no-xattrs", "-comp", "zstd", "-Xcompression-level", String(level), "-b", "131072", "-all-time", date, "-mkfs-time", date, "-processors", "2"], { env: { SOURCE_DATE_EPOCH: undefined } });
  truncateSync(root, Math.ceil(statSync(root).size / 4_096) * 4_096);
  if (statSync(root).size > ROOT_MIB * MIB * ROOT_FILLED) throw new BuildError(`The root has ${(statSync(root).size / MIB).toFixed(0)} MiB: too much for its slot of ${ROOT_MIB}.`);
  const salt = sha256(`ringbox ${date}`);
  const words = run("veritysetup", ["format", `--salt=${salt}`, "--uuid=72696e67-626f-4078-8000-000000000001", root, verity]);
  const rootHash = /^Root hash:\s+([0-9a-f]{64})$/m.exec(words)?.[1];
  if (rootHash === undefined) throw new BuildError("veritysetup named no root hash.");
  if (statSync(verity).size > VERITY_MIB * MIB) throw new BuildError("The verity hashes do not fit into their slot.");
  return { root, verity, rootHash };
}

/** The UKI, and the disk image with it in its ESP. */
export function makeDisk(parts: DiskParts, directory: string): string {
  const { architecture, version, rootHash } = parts;
  const { efi, root, verity } = FIRMWARE[architecture];
  const scratch = join(directory, "volumes");
  rmSync(scratch, { recursive: true, force: true });
  mkdirSync(scratch);
  const kernel = join(directory, "ringbox.efi");
  writeFileSync(kernel, bootImage(parts));
  const esp = espVolume(scratch, join(parts.loaders, `systemd-boot${efi}.efi`), `BOOT${efi.toUpperCase()}.EFI`, kernel, version);
  const config = configVolume(scratch);
  const disk = join(directory, "disk.raw");
  rmSync(disk, { force: true });
  const rootMib = Math.ceil(statSync(parts.root).size / MIB);
  const layout = [
    { name: "ringbox-esp", type: "c12a7328-f81f-11d2-ba4b-00a0c93ec93b", uuid: uuidOf(`esp ${rootHash}`), mib: ESP_MIB, content: esp },
    { name: "ringbox-config", type: "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7", uuid: uuidOf(`config ${rootHash}`), mib: CONFIG_MIB, content: config },
    { name: `ringbox_${version}_verity`, type: verity, uuid: uuid(rootHash.slice(32)), mib: VERITY_MIB, content: parts.verity },
    { name: `ringbox_${version}_root`, type: root, uuid: uuid(rootHash.slice(0, 32)), mib: rootMib, content: parts.root },
  ];
  const total = layout.reduce((sum, { mib }) => sum + mib, 2);
  writeFileSync(disk, "");
  truncateSync(disk, total * MIB);
  const table = ["label: gpt", `label-id: ${uuidOf(`disk ${rootHash}`)}`, "first-lba: 2048", ...layout.map(({ name, type, uuid, mib }) => `size=${mib}MiB, type=${type}, uuid=${uuid}, name=${name}`)];
  run("sfdisk", ["--quiet", disk], { input: `${table.join("\n")}\n` });
  let at = 1;
  for (const { mib, content } of layout) {
    copyInto(disk, at * MIB, content);
    at += mib;
  }
  rmSync(scratch, { recursive: true, force: true });
  return disk;
}

function bootImage({ architecture, rootHash, kernel, initrd, kernelVersion, osRelease, loaders }: DiskParts): Buffer {
  const { efi, consoles } = FIRMWARE[architecture];
  const commandLine = [
    `roothash=${rootHash}`, "ro", consoles, "quiet", "systemd.show_status=no", "rd.shell=0", "rd.emergency=reboot",
    // After a power cut in the first table of partitions the kernel takes the second one, at the end of the disk.
    "gpt",
    // A superblock of which a power cut left one sector is mended from its copy only by a check that need not ask.
    "fsck.repair=yes",
    // What fails starts again, and is counted; nothing waits for somebody who types. A disk has three minutes to appear: a slow
    // machine under emulation took more than one, and a version given up for that would be given up for nothing.
    "panic=10", "oops=panic", "systemd.crash_action=reboot", "systemd.verity_root_options=panic-on-corruption", "systemd.default_device_timeout_sec=180",
  ].join(" ");
  return unifiedKernelImage(readFileSync(join(loaders, `linux${efi}.efi.stub`)), [
    { name: ".osrel", content: readFileSync(osRelease) },
    { name: ".cmdline", content: Buffer.from(commandLine) },
    { name: ".uname", content: Buffer.from(kernelVersion) },
    { name: ".initrd", content: readFileSync(initrd) },
    { name: ".linux", content: readFileSync(kernel) },
  ]);
}

function espVolume(scratch: string, loader: string, loaderName: string, kernel: string, version: string): string {
  const volume = join(scratch, "esp.img");
  run("mkfs.vfat", ["--invariant", "-F", "32", "-n", "RINGBOX-ESP", "-i", "52494e47", "-C", volume, String(ESP_MIB * 1_024)]);
  for (const folder of ["EFI", "EFI/BOOT", "EFI/Linux", "EFI/systemd", "loader"]) run("mmd", ["-i", volume, `::${folder}`]);
  put(volume, scratch, `EFI/BOOT/${loaderName}`, readFileSync(loader));
  put(volume, scratch, "loader/loader.conf", "timeout 0\neditor no\n");
  // Without a counter of tries: there is no other version yet, and a name that is never changed survives every power cut.
  put(volume, scratch, `EFI/Linux/ringbox_${version}.efi`, readFileSync(kernel));
  return volume;
}

const README = `RINGBOX

ringbox.ticket   Put a ticket here and the box joins its fleet by itself. It is taken at the next start, and wiped.
ringbox.conf     Settings of this box; read at each start.
ringbox.reset    An empty file of this name makes the box forget everything at the next start.
`;

export const SETTINGS = `# Settings of this box, read at each start. Take the # away in front of those that you need.
#zone = rack-2
#hostname-prefix = ringbox
#address = 192.0.2.10/24
#gateway = 192.0.2.1
#dns = 192.0.2.1
#hint = 192.0.2.11:6084
#service-address = 192.0.2.201
`;
const NO_TICKET = "# Put a ticket here: replace this file, or stamp the image with: ringbox image stamp\n";

function configVolume(scratch: string): string {
  const volume = join(scratch, "config.img");
  run("mkfs.vfat", ["--invariant", "-F", "16", "-s", "4", "-n", "RINGBOX", "-i", "52494e48", "-C", volume, String(CONFIG_MIB * 1_024)]);
  put(volume, scratch, "README.txt", README.replaceAll("\n", "\r\n"));
  put(volume, scratch, "ringbox.ticket", padded(NO_TICKET, TICKET_BYTES));
  put(volume, scratch, "ringbox.conf", padded(SETTINGS, SETTINGS_BYTES));
  return volume;
}

const padded = (text: string, length: number): string => text.padEnd(length, "\n");

function put(volume: string, scratch: string, path: string, content: string | Uint8Array): void {
  const file = join(scratch, "file");
  writeFileSync(file, content);
  run("touch", [`--date=@${sourceDate()}`, file]);
  run("mcopy", ["-m", "-i", volume, file, `::${path}`]);
}

function copyInto(disk: string, offset: number, file: string): void {
  const content = readFileSync(file);
  const descriptor = openSync(disk, "r+");
  try {
    for (let at = 0; at < content.length; at += MIB) {
      const part = content.subarray(at, at + MIB);
      // A hole stays a hole: the file is sparse.
      if (part.some((octet) => octet !== 0)) writeSync(descriptor, part, 0, part.length, offset + at);
    }
  } finally {
    closeSync(descriptor);
  }
}

const uuid = (hex: string): string => [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join("-");
const uuidOf = (text: string): string => {
  const hex = sha256(text);
  return uuid(`${hex.slice(0, 12)}4${hex.slice(13, 16)}8${hex.slice(17, 32)}`);
};
