// Two boxes from one image find each other; one dies for good; a fresh copy of the image takes its place. Nobody
// touches anything.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test } from "node:test";
import { atEnd, makeFleet } from "../support/built-ring.ts";
import { freePorts, openRegistration, stampedImage } from "./boxes.ts";
import { callGoesThrough } from "./tcp-phone.ts";
import { VirtualMachine, whyNoMachine } from "./machine.ts";
import { VirtualLan } from "./virtual-lan.ts";

/** Two machines share the processors of one. Seconds. */
const BOOT = 900;
const skip = process.env["RINGBOX_IMAGE_FULL"] === "1" ? (whyNoMachine("x86-64") ?? false) : "in full with npm run test:image";

/** The same image without a box's programs; a prompt on the serial line, which no box has, is lent to it from outside. */
const LOGIN = "[Unit]\nDefaultDependencies=no\nAfter=multi-user.target\n[Service]\nExecStart=/sbin/agetty --noclear ttyS0\nStandardInput=tty\nTTYPath=/dev/ttyS0\n";
const NOTHING_BUT_A_LOGIN = {
  kernelArguments: ["ringboxd", "ringbox-agent", "ringbox-console", "ringbox-report"].map((unit) => `systemd.mask=${unit}.service`).concat("systemd.wants=ringbox-login.service"),
  more: ["-smbios", `type=11,value=io.systemd.credential.binary:systemd.extra-unit.ringbox-login.service=${Buffer.from(LOGIN).toString("base64")}`],
};

suite("two machines from one image", { skip, timeout: 3_600_000 }, () => {
  test("are one ring; a blank one takes the place of one that was thrown away", async (t) => {
    const directory = mkdtempSync(join(tmpdir(), "ringbox-test-"));
    atEnd(t, () => rmSync(directory, { recursive: true, force: true }));
    const image = stampedImage("x86-64", directory, makeFleet(directory).ticket);
    openRegistration(image, directory);
    const lan = new VirtualLan();
    const sip = [freePorts().sip, freePorts().sip, freePorts().sip];
    await lan.start(sip);
    atEnd(t, () => lan.stop());
    const machine = async (name: string): Promise<VirtualMachine> => {
      const made = new VirtualMachine({ name, architecture: "x86-64", image, directory, network: await lan.cable(), memoryMib: 512 });
      atEnd(t, () => made.kill());
      return made;
    };

    const first = await machine("first");
    first.start();
    t.diagnostic(`first: ${await first.says(/ringbox: serving [0-9.]+ s after power-on/, BOOT)}`);
    const second = await machine("second");
    second.start();
    t.diagnostic(`second: ${await second.says(/ringbox: serving [0-9.]+ s after power-on/, BOOT)}`);
    for (const box of [first, second]) await box.says(/Serving acme\.example: 2 of 2 boxes/, 120);

    await callGoesThrough(t, sip[1] ?? 0, sip[0] ?? 0);

    await first.kill();
    rmSync(first.disk);
    await second.says(/Serving acme\.example: 1 of \d boxes/, 120);
    const replacement = await machine("replacement");
    replacement.start();
    const served = await replacement.says(/ringbox: serving [0-9.]+ s after power-on/, BOOT);
    t.diagnostic(`replacement: ${served}`);
    await replacement.says(/Serving acme\.example: 2 of \d boxes/, 120);
    await callGoesThrough(t, sip[1] ?? 0, sip[2] ?? 0);

    await replacement.kill();
    const bare = new VirtualMachine({ name: "bare", architecture: "x86-64", image, directory, network: await lan.cable(), memoryMib: 512, ...NOTHING_BUT_A_LOGIN });
    atEnd(t, () => bare.kill());
    bare.start();
    await bare.says(/ login:/, BOOT);
    t.diagnostic(`bare: a login prompt ${bare.seconds.toFixed(1)} s after power-on; the replacement served after ${(secondsOf(served) / bare.seconds).toFixed(2)} times that`);
  });
});

const secondsOf = (line: string): number => Number(/serving ([0-9.]+) s/.exec(line)?.[1]);
