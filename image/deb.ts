// npm run deb [-- --arch x86-64|arm64]: the programs and units as a Debian package in out/, byte for byte the same
// each time it is made from one commit.

import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ARCHITECTURES, type Architecture, place, programs, projectVersion, setTimes } from "./programs.ts";
import { BuildError, main, ROOT, run, say, sha256, stage } from "./steps.ts";

const SCRIPTS = ["postinst", "prerm", "postrm"];

function makeDeb(architecture: Architecture): string {
  const { debian } = ARCHITECTURES[architecture];
  const tree = mkdtempSync(join(tmpdir(), "ringbox-deb-"));
  try {
    cpSync(programs(architecture), tree, { recursive: true });
    place(tree, "etc/default/ringbox", DEFAULTS);
    const size = Number(run("du", ["-sk", "--apparent-size", tree]).split("\t")[0]);
    place(tree, "DEBIAN/control", control(debian, size));
    place(tree, "DEBIAN/conffiles", "/etc/default/ringbox\n");
    for (const name of SCRIPTS) place(tree, `DEBIAN/${name}`, readFileSync(join(import.meta.dirname, "debian", name), "utf8"), 0o755);
    setTimes(tree);
    mkdirSync(join(ROOT, "out"), { recursive: true });
    const file = join(ROOT, "out", `ringbox_${projectVersion()}_${debian}.deb`);
    // zstd: 36 MB in two seconds where xz takes half a minute for 28; Debian 12 reads it.
    stage("dpkg-deb", () => run("dpkg-deb", ["-Zzstd", "--threads-max=1", "--root-owner-group", "--build", tree, `${file}.new`]));
    renameSync(`${file}.new`, file);
    return file;
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}

const control = (architecture: string, size: number): string => `Package: ringbox
Version: ${projectVersion()}
Architecture: ${architecture}
Maintainer: The Ringbox project <ringbox@localhost>
Installed-Size: ${size}
Depends: libc6 (>= 2.34), libstdc++6, libgcc-s1, systemd | systemd-standalone-sysusers, init-system-helpers, perl-base
Recommends: iputils-arping
Section: comm
Priority: optional
Description: telephone exchange that nobody has to operate
 SIP registrar and proxy on a self-organising ring of boxes (RELOAD, RFC 6940).
 Any box registers any phone and reaches any phone; when a box dies, its
 neighbors answer for it. A machine with this package is a box: it joins its
 fleet with a ticket (/var/lib/ringbox/ringbox.ticket), or shows a code in
 "systemctl status ringboxd" by which a member lets it in.
`;

const DEFAULTS = `# Options of ringboxd on this machine (ringboxd --help), and of its health agent.
RINGBOX_OPTIONS=""
RINGBOX_AGENT_OPTIONS=""
`;

main(() => {
  const { values } = parseArgs({ options: { arch: { type: "string", default: process.arch === "arm64" ? "arm64" : "x86-64" } } });
  if (!(values.arch in ARCHITECTURES)) throw new BuildError(`--arch is one of ${Object.keys(ARCHITECTURES).join(", ")}.`);
  const architecture = values.arch as Architecture;
  say(`Making the Debian package for ${architecture}:`);
  const file = makeDeb(architecture);
  say(`\n${file}\n  ${(statSync(file).size / (1 << 20)).toFixed(1)} MiB, SHA-256 ${sha256(readFileSync(file))}\n  Install it on Debian 12 or 13: apt install ./${file.slice(file.lastIndexOf("/") + 1)}`);
});
