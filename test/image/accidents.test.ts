// What goes wrong in front of a box: networks, clocks, disks and tickets that are not as they should be. The console says so in a
// sentence, and the box does what it can.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test, type TestContext } from "node:test";
import { projectVersion } from "../../image/programs.ts";
import { run, sourceDate } from "../../image/steps.ts";
import { hours } from "../../src/base/time.ts";
import { until } from "../lab/until.ts";
import { atEnd, joinTicket, makeFleet } from "../support/built-ring.ts";
import { dataPartition } from "../support/power-cut/data-partition.ts";
import { stampedImage } from "./boxes.ts";
import { type MachineSettings, VirtualMachine, whyNoMachine } from "./machine.ts";
import { readVolume, tableOf } from "./next-start.ts";

/** Seconds. */
const BOOT = 900;
const SERVING = /ringbox: serving [0-9.]+ s after power-on/;
const skip = process.env["RINGBOX_IMAGE_FULL"] === "1" ? (whyNoMachine("x86-64") ?? false) : "in full with npm run test:image";
const CARD = ["-device", "virtio-net-pci,netdev=lan,romfile="];
const NOBODY_ELSE = ["-netdev", "hubport,id=lan,hubid=0", ...CARD];
/** Each gives addresses of a network of its own, on one cable. */
const TWO_SERVERS = ["-netdev", "user,id=one,restrict=on", "-netdev", "user,id=two,restrict=on,net=10.0.3.0/24", "-netdev", "hubport,id=a,hubid=0,netdev=one", "-netdev", "hubport,id=b,hubid=0,netdev=two", ...NOBODY_ELSE];

suite("a box in front of which something is wrong", { skip, timeout: 7_200_000 }, () => {
  test("no DHCP, and a clock at 1970: it serves at an address of its own, and the clock is that of the image; its cable is pulled and put back", async (t) => {
    const { machine } = machineOf(t, { network: NOBODY_ELSE, more: ["-rtc", "base=1970-01-02T00:00:00"] });
    machine.start();
    await machine.says(/Nobody gives out addresses on this network \(no DHCP\): this box goes by 169\.254\.[0-9.]+\. .*Serving /, BOOT);
    t.diagnostic(await machine.says(SERVING, 60));
    await machine.plug("lan", false);
    await machine.says(/The network cable has no link: plug it in/, 60);
    const from = machine.lines.length;
    await machine.plug("lan", true);
    await until("it serves again", 120, () => assert(machine.lines.slice(from).some(({ text }) => /no DHCP.*Serving /.test(text)), machine.lastWords));
    await machine.kill();
    const founded = changedAt(machine.disk, "fleet.json");
    assert(founded >= sourceDate() && founded < sourceDate() + 3_600, `founded at ${founded}, the image is of ${sourceDate()}`);
  });

  test("two DHCP servers: it keeps to one address; `r` held at its keyboard makes it forget everything", async (t) => {
    const { machine } = machineOf(t, { network: TWO_SERVERS, more: ["-device", "qemu-xhci", "-device", "usb-kbd"] });
    machine.start();
    t.diagnostic(await machine.says(SERVING, BOOT));
    await machine.says(/ 1 of 1 boxes/, 60);
    const addresses = new Set(machine.lines.flatMap(({ text }) => text.match(/10\.0\.[23]\.\d+/) ?? []));
    assert.equal(addresses.size, 1, [...addresses].join(", "));
    await machine.hold("r", 8_000);
    await machine.says(/starting anew without what this box knew/, 120);
    // The ticket went with the first start.
    t.diagnostic(await machine.says(/ringbox admit [A-Z0-9]{4}-[A-Z0-9]{4}/, BOOT));
  });

  test("power that went while a boot was marked good: the loader takes the older name, and the mark is set again", async (t) => {
    const { machine } = machineOf(t, { network: ["-netdev", "user,id=lan,restrict=on", ...CARD] });
    const boot = `${machine.disk}@@${tableOf(machine.disk).partitions.find(({ name }) => name === "ringbox-esp")?.offset}`;
    const [good, counted] = [`ringbox_${projectVersion()}.efi`, `ringbox_${projectVersion()}+2-1.efi`];
    run("mren", ["-i", boot, `::EFI/Linux/${good}`, counted]);
    run("mcopy", ["-i", boot, "/dev/null", `::EFI/Linux/${good}`]);
    machine.start();
    t.diagnostic(await machine.says(/This version works: phones, ring and page were tried/, BOOT));
    await until("it is marked good", 120, () => {
      const names = run("mdir", ["-b", "-i", boot, "::EFI/Linux"]);
      assert.deepEqual(names.split("\n").filter((line) => /\.efi$/.test(line)), [`::/EFI/Linux/${good}`]);
    });
    assert(readVolume(boot, `EFI/Linux/${good}`).length > 1 << 20);
  });

  test("a ticket that is over, and no network card", async (t) => {
    const { machine } = machineOf(t, { network: [], ticketExpires: -1 });
    machine.start();
    t.diagnostic(await machine.says(/No network card was found that this image knows\. .*The ticket cannot be used/, BOOT));
  });

  test("a disk that cannot be written: it says so, and tries again", async (t) => {
    const { machine } = machineOf(t, { network: NOBODY_ELSE, drive: (disk) => `file=${disk},readonly=on` });
    machine.start();
    t.diagnostic(await machine.says(/this box cannot start from its disk, or did not find it in 3 minutes/, BOOT));
    await until("it starts again", BOOT, () => assert(machine.lines.filter(({ text }) => /BdsDxe: starting/.test(text)).length >= 2, machine.lastWords));
  });
});

interface Accident extends Pick<MachineSettings, "network" | "more"> {
  readonly drive?: (disk: string) => string;
  /** Hours from now; without it the ticket can found the fleet. */
  readonly ticketExpires?: number;
}

function machineOf(t: TestContext, { network, more = [], drive, ticketExpires }: Accident): { readonly machine: VirtualMachine } {
  const directory = mkdtempSync(join(tmpdir(), "ringbox-test-"));
  atEnd(t, () => rmSync(directory, { recursive: true, force: true }));
  const fleet = makeFleet(directory);
  const image = stampedImage("x86-64", directory, ticketExpires === undefined ? fleet.ticket : joinTicket(fleet, hours(ticketExpires)));
  const settings = { name: "box", architecture: "x86-64", image, directory, network, memoryMib: 512, more } as const;
  const machine = new VirtualMachine(drive === undefined ? settings : { ...settings, drive: drive(join(directory, "box.raw")) });
  atEnd(t, () => machine.kill());
  return { machine };
}

/** When a file of the box's data directory was last changed, seconds since 1970 by the machine's clock. */
function changedAt(disk: string, name: string): number {
  const data = tableOf(disk).partitions.find((partition) => partition.name === "ringbox-data");
  assert(data !== undefined);
  dataPartition(disk, data.offset);
  const { stdout } = spawnSync("debugfs", ["-R", `stat /lib/ringbox/${name}`, `${disk}.data`], { encoding: "utf8" });
  return Number.parseInt(/mtime: 0x([0-9a-f]+)/.exec(stdout)?.[1] ?? assert.fail(stdout), 16);
}
