// The line on the serial console, in each of a box's troubles, by the image's own script.

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { suite, test } from "node:test";
import { BoxRoot, skipWithoutRoot } from "../../support/box-root.ts";

interface Machine {
  /** Whether the one card has a link; `undefined`: there is no card. */
  readonly link?: boolean;
  /** As `ip -brief address show` writes them. */
  readonly given?: string;
  readonly linkLocal?: string;
  readonly subState?: string;
  readonly status?: string;
  readonly journal?: string;
}

function lineOf(t: TestContext, machine: Machine): string {
  const { link, given = "", linkLocal = "", subState = "running", status = "", journal = "" } = machine;
  const box = new BoxRoot(t);
  if (link !== undefined) {
    box.write("sys/class/net/enp1s0/device/vendor", "");
    box.write("sys/class/net/enp1s0/carrier", link ? "1\n" : "0\n");
  }
  box.write("sys/class/net/lo/carrier", "1\n");
  const brief = (found: string): string => (found === "" ? "" : `enp1s0           UP             ${found}`);
  box.program("ip", `case "$*" in *"scope global") echo "${brief(given)}" ;; *"-4"*"scope link") echo "${brief(linkLocal)}" ;; esac`);
  box.write("status", Buffer.from(status).toString("latin1"));
  box.write("journal", journal);
  box.program("systemctl", `case "$*" in *SubState*) echo ${subState} ;; *StatusText*) cat /status ;; esac`);
  box.program("journalctl", "cat /journal");
  box.program("hostname", "echo ringbox-amber-otter-42");
  return box.run("report", "once").trimEnd();
}

suite("the console's line", { skip: skipWithoutRoot }, () => {
  test("says name, address and what the box says of itself", (t) => {
    assert.equal(lineOf(t, { link: true, given: "192.0.2.7/24 2001:db8::7/64", status: "Serving 3 phones…" }), "ringbox-amber-otter-42 [192.0.2.7, 2001:db8::7] Serving 3 phones...");
  });

  test("says that the cable has no link", (t) => {
    assert.match(lineOf(t, { link: false, status: "Looking for other boxes" }), /\[\] The network cable has no link: plug it in, .*\. Looking for/);
  });

  test("says that nobody gives out addresses, and which one the box goes by", (t) => {
    assert.match(lineOf(t, { link: true, linkLocal: "169.254.7.9/16 fe80::1/64", status: "Serving" }), /\[\] Nobody gives out addresses on this network \(no DHCP\): this box goes by 169\.254\.7\.9\. A fixed one is set in ringbox\.conf\. Serving/);
  });

  test("says that it waits for an address", (t) => {
    assert.match(lineOf(t, { link: true, status: "Looking" }), /Waiting for an address: nobody gave one yet\. Looking/);
  });

  test("says that there is no card", (t) => {
    assert.match(lineOf(t, {}), /No network card was found that this image knows\. Starting\./);
  });

  for (const subState of ["auto-restart", "failed", "dead"]) {
    test(`says the last words of a box that is ${subState}, without what would move the cursor`, (t) => {
      const line = lineOf(t, { link: true, given: "192.0.2.7/24", subState, status: "Serving", journal: "The ticket cannot be used: it was good until 2026-01-02.\u001b[2J\n" });
      assert.equal(line, "ringbox-amber-otter-42 [192.0.2.7] Not running. Its last words: The ticket cannot be used: it was good until 2026-01-02.[2J");
    });
  }
});
