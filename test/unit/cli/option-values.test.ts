import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { domainOption, durationOption, hintOption, listenOption, nameOption, portOption } from "../../../src/cli/option-values.ts";

const accepts = (parse: (text: string) => unknown, cases: Readonly<Record<string, unknown>>): void => {
  for (const [text, value] of Object.entries(cases)) assert.deepEqual(parse(text), value, text);
};
const refuses = (parse: (text: string) => unknown, texts: readonly string[]): void => {
  for (const text of texts) assert.throws(() => parse(text), { code: "commander.invalidArgument" }, text);
};

suite("values of options", () => {
  test("a length of time is hours, days or weeks, at most a year", () => {
    accepts(durationOption, { "1h": 3_600_000, "7d": 604_800_000, "2w": 1_209_600_000, "366d": 31_622_400_000 });
    refuses(durationOption, ["", "7", "d", "0d", "-1d", "7 d", "1.5d", "7y", "367d", "99999999999h"]);
  });

  test("a port is a number from 0 to 65535", () => {
    accepts(portOption, { "0": 0, "5060": 5_060, "65535": 65_535 });
    refuses(portOption, ["", "-1", "65536", "5060x", "1e3", " 5060"]);
  });

  test("an address to listen on is numeric, and loses its brackets", () => {
    accepts(listenOption, { "192.0.2.1": "192.0.2.1", "[2001:DB8::1]": "2001:db8::1", "::": "::" });
    refuses(listenOption, ["", "localhost", "192.0.2", "192.0.2.1:5060", "[192.0.2.1"]);
  });

  test("a hint is a name or an address, and a port", () => {
    const good = ["box1:6084", "box1.example.com:1", "192.0.2.1:6084", "[2001:db8::1]:6084"];
    accepts(hintOption, Object.fromEntries(good.map((text) => [text, text])));
    refuses(hintOption, ["", "box1", "box1:", ":6084", "box1:0", "box1:65536", "2001:db8::1:6084", "[box]:6084", "-x:1", "a b:1", "192.0.2.300:1"]);
  });

  test("a domain is a host name or an address, in lower case", () => {
    accepts(domainOption, { "Acme.Example": "acme.example", "ringbox.internal": "ringbox.internal", "192.0.2.1": "192.0.2.1" });
    refuses(domainOption, ["", "a..b", "-a.example", "sip:acme.example", "acme.example:5060", "a@b", `${"a".repeat(64)}.example`, "1.2.3"]);
  });

  test("a name is short and has no control characters", () => {
    accepts(nameOption, { " Acme Ltd ": "Acme Ltd", "Müller": "Müller" });
    refuses(nameOption, ["", "  ", "a\nb", "a".repeat(65)]);
  });
});
