// RFC 4475 and RFC 5118 to a whole SIP core that serves example.com: the outcomes of expected.json.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parseMessage } from "../../../src/sip/message/parse.ts";
import { readOctets } from "../../support/octets.ts";
import { sharedPath } from "../../support/shared.ts";
import { SipWorld } from "../../support/sip-harness.ts";

interface Case {
  readonly name: string;
  readonly file: string;
  readonly udp: readonly (number | string)[];
}

const expectedPath = sharedPath("corpora/expected.json");

/** What came back to the sender, or was sent anywhere. */
function outcome(octets: string): { readonly statuses: readonly number[]; readonly world: SipWorld; readonly forwarded: number } {
  const world = new SipWorld();
  const box = world.box("10.0.0.1", { domain: "example.com" });
  const tester = world.phone("tester", "192.0.2.66", box, "udp", 40_000);
  const outside = world.phone("outside", "192.0.2.99", box);
  for (const name of ["example.net", "biloxi.example.com", "services.example.com"]) {
    world.names.set(name, [{ transport: "udp", address: outside.address }]);
  }
  tester.send(octets);
  world.run(500);
  return { statuses: tester.responses.map(({ status }) => status), world, forwarded: outside.requests.length };
}

function verdict({ statuses, forwarded }: ReturnType<typeof outcome>): number | "drop" | "process" {
  const final = statuses.find((status) => status >= 200);
  if (final !== undefined) return final;
  return forwarded > 0 || statuses.length > 0 ? "process" : "drop";
}

const fits = (wanted: readonly (number | string)[], got: number | "drop" | "process"): boolean =>
  wanted.includes(got) || (wanted.includes("process") && got !== "drop" && ![400, 500, 505, 513].includes(Number(got)));

if (expectedPath === undefined) {
  test("torture messages to a SIP core", (t) => t.skip("needs ../shared/corpora"));
} else {
  const expected = JSON.parse(readFileSync(expectedPath, "utf8")) as Record<"rfc4475" | "rfc5118", readonly Case[]>;
  for (const { name, file, udp } of [...expected.rfc4475, ...expected.rfc5118]) {
    test(`${name}: ${udp.join(" or ")}`, () => {
      const path = sharedPath(`corpora/${file}`);
      assert.ok(path);
      const octets = readOctets(path);
      const seen = outcome(octets);
      assert.ok(fits(udp, verdict(seen)), `got ${verdict(seen)} (${seen.statuses.join(", ")})`);
      const parsed = parseMessage(octets);
      if (parsed.ok && parsed.value.type === "response") assert.equal(seen.world.phones.every(({ heard }) => heard.length === 0), true);
      const box = seen.world.boxes[0];
      assert.ok(box);
      const after = seen.world.phone("after", "192.0.2.67", box);
      assert.equal(after.exchange(after.request("OPTIONS", "sip:example.com", { from: "<sip:x@y.example>" })).status, 200);
    });
  }
}
