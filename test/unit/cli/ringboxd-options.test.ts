import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parseRingboxdOptions, type RingboxdOptions } from "../../../src/cli/ringboxd-options.ts";
import { RecordedTerminal } from "../../support/recorded-terminal.ts";

async function parsed(...args: readonly string[]): Promise<RingboxdOptions> {
  const outcome = await parseRingboxdOptions(args, new RecordedTerminal());
  assert.ok("options" in outcome);
  return outcome.options;
}

async function refused(...args: readonly string[]): Promise<{ readonly exitStatus: number; readonly noted: readonly string[] }> {
  const terminal = new RecordedTerminal();
  const outcome = await parseRingboxdOptions(args, terminal);
  assert.ok("exitStatus" in outcome);
  return { exitStatus: outcome.exitStatus, noted: terminal.noted };
}

suite("options of ringboxd", () => {
  test("a data directory is enough", async () => {
    assert.deepEqual(await parsed("--data", "d"), {
      data: "d",
      ticket: undefined,
      listen: undefined,
      sipPort: 5_060,
      extraPorts: { tls: { port: 5_061, wanted: false }, ws: { port: 5_066, wanted: false }, wss: { port: 5_067, wanted: false } },
      certificateFiles: undefined,
      overlayPort: 6_084,
      hints: [],
      mediaRelay: undefined,
      turn: undefined,
      mdns: true,
      zone: undefined,
      followAddress: false,
      serviceAddresses: [],
      openRegistration: false,
      found: undefined,
    });
  });

  test("each option is read", async () => {
    const options = await parsed(
      ...["--data", "d", "--ticket", "t", "--listen", "[::1]", "--sip-port", "0", "--sips-port", "5071", "--ws-port", "0", "--sip-certificate", "c", "--sip-key", "k", "--overlay-port", "7000"],
      ...["--hint", "a:1", "--hint", "[::1]:2", "--media-relay", "r:2223", "--turn-server", "t:3478", "--turn-secret", "s", "--no-mdns", "--zone", "rack 2", "--follow-address", "--open-registration", "--found", "--domain", "Acme.Example", "--name", "Acme"],
    );
    assert.deepEqual(options, {
      data: "d",
      ticket: "t",
      listen: "::1",
      sipPort: 0,
      extraPorts: { tls: { port: 5_071, wanted: true }, ws: undefined, wss: undefined },
      certificateFiles: { certificate: "c", key: "k" },
      overlayPort: 7_000,
      hints: ["a:1", "[::1]:2"],
      mediaRelay: "r:2223",
      turn: { server: "t:3478", secretFile: "s" },
      mdns: false,
      zone: "rack 2",
      followAddress: true,
      serviceAddresses: [],
      openRegistration: true,
      found: { name: "Acme", domain: "acme.example" },
    });
  });

  test("service addresses are numeric, lead somewhere, and go with no --listen", async () => {
    assert.deepEqual((await parsed("--data", "d", "--service-address", "192.0.2.1", "--service-address", "[2001:DB8::1]")).serviceAddresses, ["192.0.2.1", "2001:db8::1"]);
    for (const args of [["--service-address", "box"], ["--service-address", "127.0.0.1"], ["--service-address", "192.0.2.1", "--listen", "192.0.2.2"]]) {
      assert.equal((await refused("--data", "d", ...args)).exitStatus, 2, args.join(" "));
    }
  });

  test("an option given twice counts as given last, so that `npm start -- --data X` works", async () => {
    assert.equal((await parsed("--data", "ringbox-data", "--data", "x")).data, "x");
  });

  test("a fleet founded without a name gets the usual one", async () => {
    assert.deepEqual((await parsed("--data", "d", "--found")).found, { name: "ringbox", domain: "ringbox.internal" });
  });

  test("what is wrong is told in one line, with exit status 2", async () => {
    const cases = [[], ["--data", "d", "--sip-port", "x"], ["--data", "d", "--hint", "x"], ["--data", "d", "extra"], ["--data", "d", "--bogus"], ["--data"], ["--data", "d", "--sip-key", "k"]];
    for (const args of cases) {
      const { exitStatus, noted } = await refused(...args);
      assert.equal(exitStatus, 2, args.join(" "));
      assert.match(noted.join("\n"), /^ringboxd: [^\n]+$/, args.join(" "));
    }
  });

  test("help is not a fault", async () => {
    assert.equal((await refused("--help")).exitStatus, 0);
  });
});
