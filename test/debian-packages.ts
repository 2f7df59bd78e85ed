/** A Debian package that the tests need, a program it brings, and what for. */
export interface DebianPackage {
  readonly name: string;
  /** Found in PATH if the package is there; empty if it brings none. */
  readonly program: string;
  readonly reason: string;
}

/** Everything the tests need from Debian beside Node and a C++ compiler. Install without recommended packages. */
export const DEBIAN_PACKAGES: readonly DebianPackage[] = [
  { name: "iproute2", program: "ip", reason: "network namespaces, veth pairs and bridges: the LAN of the lab" },
  { name: "iputils-arping", program: "arping", reason: "boxes that take a dead one's address ask the link for it" },
  { name: "sip-tester", program: "sipp", reason: "SIPp: thousands of registrations, hundreds of calls" },
  { name: "baresip-core", program: "baresip", reason: "a real phone with a SIP stack of its own (libre)" },
  { name: "linphone-cli", program: "linphonec", reason: "another real phone with another stack (belle-sip)" },
  { name: "twinkle-console", program: "twinkle-console", reason: "a real phone of the older kind, without instance-id and outbound (ccRTP)" },
  { name: "sipsak", program: "sipsak", reason: "a terse client that writes URIs without angle brackets" },
  { name: "libnet-sip-perl", program: "", reason: "a phone made with Net::SIP" },
  { name: "tshark", program: "tshark", reason: "an independent decoder of RELOAD and SIP, and dumpcap to capture them" },
  { name: "nftables", program: "nft", reason: "cuts between boxes of the lab" },
  { name: "chromium", program: "chromium", reason: "a browser that opens the page" },
  { name: "libnss3-tools", program: "certutil", reason: "tells that browser what a fleet's own authority is" },
  { name: "rtpengine-daemon", program: "rtpengine", reason: "a relay between browsers and telephones" },
  { name: "coturn", program: "turnserver", reason: "a TURN server for browsers" },
  { name: "curl", program: "curl", reason: "reads a box's page from inside its network" },
  { name: "openssl", program: "openssl", reason: "reads certificates and tickets, independently of our libraries" },
  { name: "strace", program: "strace", reason: "records what a program writes, for power cuts, and lets its disk fail" },
  { name: "faketime", program: "faketime", reason: "a box whose clock stands in 1970" },
  { name: "kamailio", program: "kamailio", reason: "the registrar and proxy that the benchmark stands beside" },
  { name: "chromium", program: "chromium", reason: "the page as a browser shows it" },
  { name: "systemd", program: "systemd-analyze", reason: "judges the units; nothing is started with it" },
  { name: "perl-base", program: "perl", reason: "listens as systemd does, and speaks to it for a box" },
  { name: "mmdebstrap", program: "mmdebstrap", reason: "a clean Debian to install into, and the root of the image" },
  { name: "squashfs-tools", program: "mksquashfs", reason: "the root of the image" },
  { name: "cryptsetup-bin", program: "veritysetup", reason: "its hashes" },
  { name: "dosfstools", program: "mkfs.vfat", reason: "the volumes that the firmware and an operator read" },
  { name: "e2fsprogs", program: "e2fsck", reason: "checks the data partition after a power cut, and takes out what is on it" },
  { name: "mtools", program: "mcopy", reason: "files onto them, without a mount" },
  { name: "fdisk", program: "sfdisk", reason: "the table of partitions" },
  { name: "kmod", program: "depmod", reason: "the list of drivers" },
  { name: "cpio", program: "cpio", reason: "looks into the initial RAM disk" },
  { name: "zstd", program: "zstd", reason: "unpacks it" },
  { name: "qemu-system-x86", program: "qemu-system-x86_64", reason: "the machine that starts the image" },
  { name: "ovmf", program: "", reason: "its firmware" },
  { name: "gcc", program: "gcc", reason: "compiles the benchmark's load generator" },
  { name: "libc6-dev", program: "", reason: "headers for it" },
];

/** What `npm run test:image` needs beside them. */
export const IMAGE_PACKAGES: readonly DebianPackage[] = [
  { name: "qemu-system-arm", program: "qemu-system-aarch64", reason: "the machine that starts the image for ARM64" },
  { name: "qemu-efi-aarch64", program: "", reason: "its firmware" },
  { name: "qemu-user-static", program: "qemu-aarch64-static", reason: "runs dracut for ARM64" },
  { name: "binutils-aarch64-linux-gnu", program: "aarch64-linux-gnu-strip", reason: "takes the symbols out of its runtime" },
];
