import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test, type TestContext } from "node:test";
import { machineConditions } from "../../../../src/health/machine-conditions.ts";
import { readEndurance } from "../../../../src/io/agent/endurance.ts";

/** A sysfs of these files. */
function sysWith(t: TestContext, files: Readonly<Record<string, string>>): string {
  const sys = mkdtempSync(join(tmpdir(), "ringbox-sys-"));
  t.after(() => rmSync(sys, { recursive: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(sys, path)), { recursive: true });
    writeFileSync(join(sys, path), `${text}\n`);
  }
  return sys;
}

const conditions = (sys: string, device?: string): readonly string[] =>
  machineConditions({
    diskFree: undefined, diskReadOnly: false, linkDown: undefined, memoryFree: undefined, temperature: undefined, diskPredictsFailure: false, ...readEndurance(sys, device),
  }).map(([code]) => code);

test("the wear of an eMMC is that of the worse of its cells, also when the data lies in a partition of it", (t) => {
  const sys = sysWith(t, { "devices/mmc0/block/mmcblk0/device/life_time": "0x02 0x09", "devices/mmc0/block/mmcblk0/mmcblk0p7/partition": "7" });
  mkdirSync(join(sys, "dev/block"), { recursive: true });
  symlinkSync("../../devices/mmc0/block/mmcblk0/mmcblk0p7", join(sys, "dev/block/179:7"));
  symlinkSync("../../devices/mmc0/block/mmcblk0", join(sys, "dev/block/179:0"));
  for (const device of ["179:7", "179:0"]) assert.equal(readEndurance(sys, device).diskUsedUp, 90, device);
  assert.deepEqual(conditions(sys, "179:7"), ["disk-worn"]);
  assert.equal(readEndurance(sys, "8:1").diskUsedUp, undefined);
});

test("a life that is not told, or was never defined, is not known", (t) => {
  for (const text of ["0x00 0x00", "", "n/a", "0xff 0xff"]) {
    const sys = sysWith(t, { "dev/block/179:0/device/life_time": text });
    assert.equal(readEndurance(sys, "179:0").diskUsedUp, undefined, text);
  }
});

test("a Raspberry Pi whose voltage fell says so", (t) => {
  const voltage = (alarm: string): string => sysWith(t, { "class/hwmon/hwmon1/name": "rpi_volt", "class/hwmon/hwmon1/in0_lcrit_alarm": alarm, "class/hwmon/hwmon0/name": "cpu_thermal" });
  assert.deepEqual(conditions(voltage("1")), ["power-low"]);
  assert.deepEqual(conditions(voltage("0")), []);
});

test("a battery is told of while nothing else gives power, and one in a mouse never", (t) => {
  const battery = { "class/power_supply/BAT0/type": "Battery", "class/power_supply/BAT0/capacity": "42", "class/power_supply/AC/type": "Mains" };
  const mouse = { "class/power_supply/hid/type": "Battery", "class/power_supply/hid/scope": "Device", "class/power_supply/hid/capacity": "9" };
  assert.deepEqual(conditions(sysWith(t, { ...battery, "class/power_supply/AC/online": "0" })), ["on-battery"]);
  assert.deepEqual(conditions(sysWith(t, { ...battery, "class/power_supply/AC/online": "1" })), []);
  assert.deepEqual(conditions(sysWith(t, mouse)), []);
});
