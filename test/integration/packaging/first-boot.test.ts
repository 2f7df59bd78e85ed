// What an operator puts on the boot disk or a stick, as the image's scripts take it at a start, and how a box forgets itself.

import assert from "node:assert/strict";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { BoxRoot, skipWithoutRoot } from "../../support/box-root.ts";

const TICKET = "-----BEGIN RINGBOX TICKET-----\nabc\n-----END RINGBOX TICKET-----\n";
const TAKEN = "var/lib/ringbox/ringbox.ticket";
const EFI_VARIABLE = "sys/firmware/efi/efivars/FactoryReset-8cf2644b-4b0b-428f-9387-6d876050dc67";
const LENT = "run/systemd/system/ringboxd.service.d/service-address.conf";
const STAMP_AREA = 65_536;

suite("a start of the image takes", { skip: skipWithoutRoot }, () => {
  test("a stamped ticket once: it is the box's own file then, and the area is blank and as large as before", (t) => {
    const box = new BoxRoot(t);
    box.write("volumes/ringbox-config/ringbox.ticket", TICKET.padEnd(STAMP_AREA, "\n"));
    assert.match(box.run("provision"), /^ringbox: ticket found on \/dev\/disk\/by-partlabel\/ringbox-config$/m);
    assert.equal(box.read(TAKEN), TICKET);
    const { mode, uid } = statSync(join(box.path, TAKEN));
    assert.deepEqual([mode & 0o777, uid], [0o600, 990]);
    const area = box.read("volumes/ringbox-config/ringbox.ticket") ?? "";
    assert.equal(area.length, STAMP_AREA);
    assert.doesNotMatch(area, /RINGBOX TICKET-/);
    assert.equal(box.run("provision"), "", "a blank area is no mistake");
  });

  test("a plain ticket on the EFI partition, written by a Windows editor, and wipes it", (t) => {
    const box = new BoxRoot(t);
    box.write("volumes/ringbox-esp/ringbox.ticket", TICKET.replaceAll("\n", "\r\n"));
    assert.match(box.run("provision"), /ticket found on .*ringbox-esp/);
    assert.equal(box.read(TAKEN), TICKET);
    assert.deepEqual(readdirSync(join(box.path, "volumes/ringbox-esp")), []);
  });

  test("a ticket from a USB stick, where it is left", (t) => {
    const box = new BoxRoot(t);
    box.volume("by-id/usb-Any_Stick_0-part1");
    box.write("volumes/usb-Any_Stick_0-part1/ringbox.ticket", TICKET);
    assert.match(box.run("provision"), /ticket found on .*usb-Any_Stick/);
    assert.equal(box.read(TAKEN), TICKET);
    assert.equal(box.read("volumes/usb-Any_Stick_0-part1/ringbox.ticket"), TICKET);
  });

  test("no ticket where it is in a fleet already, says so, and wipes it", (t) => {
    const box = new BoxRoot(t);
    box.write("var/lib/ringbox/fleet.json", "{}");
    box.write("volumes/ringbox-esp/ringbox.ticket", TICKET);
    assert.match(box.run("provision"), /this box is in a fleet already; the ticket is not needed/);
    assert.equal(box.read(TAKEN), undefined);
    assert.deepEqual(readdirSync(join(box.path, "volumes/ringbox-esp")), []);
  });

  test("no half ticket, and says so", (t) => {
    const box = new BoxRoot(t);
    box.write("volumes/ringbox-esp/ringbox.ticket", TICKET.slice(0, 40));
    assert.match(box.run("provision"), /the file ringbox\.ticket on \S*ringbox-esp is not a whole ticket; copy it again/);
    assert.equal(box.read(TAKEN), undefined);
  });

  for (const [trouble, mark] of [["full", "var-full"], ["read-only", "var-read-only"]] as const) {
    test(`no ticket when its data partition is ${trouble}, says so, and leaves it for the next start`, (t) => {
      const box = new BoxRoot(t);
      box.write(mark, "");
      box.write("volumes/ringbox-esp/ringbox.ticket", TICKET);
      assert.match(box.run("provision"), /the ticket on \S*ringbox-esp was not taken: the data partition is full or cannot be written/);
      assert.equal(box.read("volumes/ringbox-esp/ringbox.ticket"), TICKET);
      assert.equal(box.read(TAKEN), undefined);
    });
  }

  test("a ticket from a card that cannot be written, and says that it is still there", (t) => {
    const box = new BoxRoot(t);
    box.write("volumes/ringbox-esp/ringbox.ticket", TICKET);
    box.write("volumes/ringbox-esp/.read-only", "");
    assert.match(box.run("provision"), /the ticket could not be wiped from \S*ringbox-esp, which cannot be written/);
    assert.equal(box.read(TAKEN), TICKET);
  });

  test("a fixed address, zone, hints and the prefix of its name from ringbox.conf on the EFI partition, and nothing that a shell would run", (t) => {
    const box = new BoxRoot(t);
    box.write("var/lib/ringbox/name", "amber-otter-42\n");
    box.write("volumes/ringbox-esp/ringbox.conf", "address = 192.0.2.7/24\r\ngateway=192.0.2.1\ndns=192.0.2.2\nzone=rack-2\nhint=198.51.100.1\noption=--no-mdns$(touch /bad)`touch /bad`\nhostname-prefix=Branch7\n");
    assert.match(box.run("provision"), /address 192\.0\.2\.7\/24, as ringbox\.conf says/);
    const network = box.read("run/systemd/network/70-ringbox-static.network") ?? "";
    for (const line of ["Address=192.0.2.7/24", "Gateway=192.0.2.1", "DNS=192.0.2.2"]) assert.ok(network.includes(`${line}\n`), network);
    assert.doesNotMatch(network, /DHCP/);
    assert.equal(box.read("run/ringbox-provision/options"), 'RINGBOX_OPTIONS="--zone rack-2 --hint 198.51.100.1 --no-mdnstouch /badtouch /bad"\n');
    assert.equal(box.read("proc/sys/kernel/hostname"), "branch7-amber-otter-42\n");
    assert.equal(box.read("bad"), undefined);
    assert.equal(box.read(LENT), undefined);
  });

  test("a service address, and lets ringboxd put addresses up", (t) => {
    const box = new BoxRoot(t);
    box.write("usr/share/ringbox/service-address.conf", "[Service]\n");
    box.write("volumes/ringbox-config/ringbox.conf", "service-address = 192.0.2.201\nservice-address = 2001:db8::201\n");
    assert.equal(box.run("provision"), "");
    assert.equal(box.read("run/ringbox-provision/options"), 'RINGBOX_OPTIONS="--service-address 192.0.2.201 --service-address 2001:db8::201"\n');
    assert.equal(box.read(LENT), "[Service]\n");
    assert.match(box.read("log") ?? "", /^systemctl daemon-reload$/m);
  });
});

suite("a factory reset", { skip: skipWithoutRoot }, () => {
  const member = (box: BoxRoot): void => {
    box.write("var/lib/ringbox/identity.key", "secret");
    box.write("var/lib/ringbox/fleet.json", "{}");
    box.write("var/lib/machine-id", "0123");
  };
  const rebooted = (box: BoxRoot): boolean => /^systemctl --no-block reboot$/m.test(box.read("log") ?? "");

  test("by command leaves the ring first, writes over the keys, and wishes for a new data partition", (t) => {
    const box = new BoxRoot(t);
    member(box);
    box.write("active", "");
    assert.match(box.run("factory-reset"), /leaving the ring first[\s\S]*starting anew/);
    assert.match(box.read("log") ?? "", /ringbox --data \/var\/lib\/ringbox leave\n[\s\S]*systemctl stop ringboxd\.service\n[\s\S]*reboot/);
    assert.equal(box.read("var/lib/ringbox/identity.key")?.replaceAll("\0", ""), "");
    assert.equal(box.read(EFI_VARIABLE), "\u0007\0\0\0t\0r\0u\0e\0\0\0");
  });

  test("goes on where the box cannot leave", (t) => {
    const box = new BoxRoot(t);
    member(box);
    box.write("active", "");
    box.write("no-leave", "");
    assert.match(box.run("factory-reset"), /could not leave; the others will notice/);
    assert.ok(rebooted(box));
  });

  test("by the file ringbox.reset on the EFI partition, once", (t) => {
    const box = new BoxRoot(t);
    member(box);
    box.write("volumes/ringbox-esp/ringbox.reset", "");
    assert.match(box.run("provision"), /factory reset\n[\s\S]*starting anew/);
    assert.ok(rebooted(box));
    assert.deepEqual(readdirSync(join(box.path, "volumes/ringbox-esp")), []);
  });

  test("where the firmware keeps no variable, empties the data partition by hand", (t) => {
    const box = new BoxRoot(t);
    member(box);
    firmwareWithoutVariables(box);
    box.run("factory-reset");
    assert.ok(rebooted(box));
    assert.deepEqual(readdirSync(join(box.path, "var/lib")), []);
  });

  test("whose partition came back as it was, empties it by hand at the next start, and is over then", (t) => {
    const box = new BoxRoot(t);
    member(box);
    box.run("factory-reset");
    box.powerOff();
    assert.match(box.run("provision"), /factory reset/);
    assert.ok(rebooted(box));
    assert.deepEqual(readdirSync(join(box.path, "var/lib")), []);
    box.powerOff();
    assert.equal(box.run("provision"), "");
    assert.ok(!rebooted(box));
  });

  test("that was cut off before its first write over a key goes on at the next start", (t) => {
    const box = new BoxRoot(t);
    member(box);
    box.write("var/lib/ringbox-reset", "");
    box.run("provision");
    assert.ok(rebooted(box));
    assert.equal(box.read("var/lib/ringbox/identity.key")?.replaceAll("\0", ""), "");
  });

  test("on a disk that cannot be written says so, and the box goes on as it is, with its settings", (t) => {
    const box = new BoxRoot(t);
    member(box);
    box.write("var-read-only", "");
    box.write("volumes/ringbox-esp/ringbox.reset", "");
    box.write("volumes/ringbox-esp/ringbox.conf", "zone=a\n");
    assert.match(box.run("provision"), /no factory reset: \S+ or the data partition cannot be written/);
    assert.ok(!rebooted(box));
    assert.ok(existsSync(join(box.path, "volumes/ringbox-esp/ringbox.reset")));
    assert.equal(box.read("run/ringbox-provision/options"), 'RINGBOX_OPTIONS="--zone a"\n');
    assert.match(box.run("factory-reset"), /the disk cannot be written: nothing was reset/);
    assert.equal(box.read("var/lib/ringbox/identity.key"), "secret");
  });
});

/** A folder that cannot hold the variable, as where the firmware has none. */
function firmwareWithoutVariables(box: BoxRoot): void {
  box.program("chattr", `mkdir -p "/${EFI_VARIABLE}"`);
}
