import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { wallTime } from "../../../src/base/time.ts";
import { DataDirectory, DataDirectoryError } from "../../../src/io/data-directory.ts";
import type { FleetMembership } from "../../../src/io/identity-files.ts";
import { issueBoxCertificate, makeIssuingAuthority, makeRootAuthority, publicKeyOf } from "../../../src/io/pki.ts";
import type { NodeId, PeerInfo } from "../../../src/overlay/ports.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

function openDirectory(t: TestContext, path: string): { readonly directory: DataDirectory; readonly reports: string[] } {
  const reports: string[] = [];
  const directory = new DataDirectory(path, (_, text) => reports.push(text));
  directory.open();
  t.after(() => directory.close());
  return { directory, reports };
}
const refuses = (path: string, reason: RegExp): void => {
  assert.throws(() => new DataDirectory(path, () => {}).open(), (error) => error instanceof DataDirectoryError && reason.test(error.message));
};

async function membershipOf(directory: DataDirectory): Promise<FleetMembership> {
  const root = await makeRootAuthority("Test");
  const issuing = await makeIssuingAuthority(root, "Test");
  const nodeId = "0123456789abcdef0123456789abcdef" as NodeId;
  const publicKey = await publicKeyOf(directory.identityKey());
  const certificate = await issueBoxCertificate(issuing, { publicKey, nodeId, overlayName: "test" });
  return {
    fleetName: "Test", overlayName: "test", domain: "example.org", zone: "z", rootCertificate: root.certificate,
    enrolled: { nodeId, certificate, issuing },
  };
}
const MEMBER: PeerInfo = {
  nodeId: "f".repeat(32) as NodeId, overlay: { host: "10.0.0.1", port: 6084 }, sip: { host: "10.0.0.1", port: 5060 },
  zone: "", incarnation: 7, software: "ringbox/0.1.0",
};

describe("the data directory", { timeout: 300_000 }, () => {
  test("is made for its owner alone, with its parents", (t) => {
    const path = join(temporaryDirectory(t), "a/b");
    openDirectory(t, path);
    assert.equal(statSync(path).mode & 0o777, 0o700);
  });

  test("keeps its key, readable by its owner alone, over a start", (t) => {
    const path = temporaryDirectory(t);
    const first = openDirectory(t, path).directory;
    const key = first.identityKey();
    first.close();
    assert.equal(openDirectory(t, path).directory.identityKey(), key);
    assert.equal(statSync(join(path, "identity.key")).mode & 0o777, 0o600);
  });

  test("remembers its fleet and its members", async (t) => {
    const path = temporaryDirectory(t);
    const first = openDirectory(t, path).directory;
    assert.equal(first.membership(), undefined);
    assert.deepEqual(first.members(), []);
    const membership = await membershipOf(first);
    first.saveMembership(membership);
    first.saveMembers([MEMBER]);
    first.close();
    const { directory, reports } = openDirectory(t, path);
    assert.deepEqual(directory.membership(), membership);
    assert.deepEqual(directory.members(), [MEMBER]);
    assert.deepEqual(Buffer.from(directory.lastCertificate() ?? []), Buffer.from(membership.enrolled.certificate));
    assert.deepEqual(reports, []);
    assert.equal(statSync(join(path, "fleet.json")).mode & 0o777, 0o600);
  });

  test("sets damaged files aside and begins as a blank box, at every length to which they are cut", async (t) => {
    const path = temporaryDirectory(t);
    const { directory, reports } = openDirectory(t, path);
    const membership = await membershipOf(directory);
    for (const share of [0, 0.3, 0.9]) {
      directory.saveMembership(membership);
      truncateSync(join(path, "fleet.json"), Math.floor(statSync(join(path, "fleet.json")).size * share));
      assert.equal(directory.membership(), undefined);
    }
    writeFileSync(join(path, "members.json"), '[{"nodeId":"zz"}]');
    assert.deepEqual(directory.members(), []);
    assert.match(reports.join("\n"), /fleet.json is damaged.*fleet.json.damaged-3.*members.json is damaged/s);
  });

  test("takes no membership of another key", async (t) => {
    const path = temporaryDirectory(t);
    const { directory } = openDirectory(t, path);
    directory.saveMembership(await membershipOf(directory));
    rmSync(join(path, "identity.key"));
    assert.equal(directory.membership(), undefined);
  });

  test("replaces a damaged key", (t) => {
    const path = temporaryDirectory(t);
    const { directory, reports } = openDirectory(t, path);
    writeFileSync(join(path, "identity.key"), "-----BEGIN PRIVATE KEY-----\nMIG");
    assert.match(directory.identityKey(), /PRIVATE KEY/);
    assert.match(reports.join(), /identity.key holds no key/);
  });

  test("counts its starts upwards, also without its file and with a damaged one", (t) => {
    const path = temporaryDirectory(t);
    const { directory } = openDirectory(t, path);
    const first = directory.nextIncarnation();
    assert.equal(directory.nextIncarnation(), first + 1);
    writeFileSync(join(path, "incarnation"), "rubbish");
    assert.ok(directory.nextIncarnation() >= first);
  });

  test("replaces a file whole and leaves nothing beside it", (t) => {
    const path = temporaryDirectory(t);
    const { directory } = openDirectory(t, path);
    writeFileSync(join(path, "thing.new"), "left by a crash");
    directory.replaceFile("thing", "content");
    assert.equal(readFileSync(join(path, "thing"), "utf8"), "content");
    assert.ok(!existsSync(join(path, "thing.new")));
  });

  test("refuses a second process while the first lives, and takes a directory over from a dead one", async (t) => {
    const path = temporaryDirectory(t);
    const source = `import { DataDirectory } from ${JSON.stringify(join(import.meta.dirname, "../../../src/io/data-directory.ts"))};
      new DataDirectory(process.argv[1], () => {}).open(); console.log("open"); setInterval(() => {}, 1000);`;
    const other = spawn(process.execPath, ["--input-type=module-typescript", "-e", source, path], { stdio: ["ignore", "pipe", "inherit"] });
    t.after(() => other.kill("SIGKILL"));
    await once(other.stdout, "data");
    refuses(path, /another ringboxd is running on/);
    other.kill("SIGKILL");
    await once(other, "exit");
    openDirectory(t, path);
    assert.deepEqual(readdirSync(path).sort(), ["README", "lock"]);
  });

  test("refuses a second time within one process too", (t) => {
    const path = temporaryDirectory(t);
    openDirectory(t, path);
    refuses(path, /another ringboxd is running on/);
  });

  test("that is a file, or below a file, is refused in plain words", (t) => {
    const path = join(temporaryDirectory(t), "file");
    writeFileSync(path, "");
    refuses(path, /is not a directory/);
    refuses(join(path, "below"), /part of the path is a file/);
  });

  test("that may not be written is refused in plain words", (t) => {
    if (process.getuid?.() === 0) refuses("/proc/ringbox", /cannot be used/);
    else {
      const path = temporaryDirectory(t);
      chmodSync(path, 0o500);
      refuses(path, /this user may not write there/);
    }
  });
});

test("the time that the boxes agreed on is read back, and with a flipped digit is none", (t) => {
  const path = join(temporaryDirectory(t), "box");
  const { directory } = openDirectory(t, path);
  assert.equal(directory.agreedTime(), undefined);
  directory.saveAgreedTime(wallTime(1_800_000_000_000));
  assert.equal(directory.agreedTime(), 1_800_000_000_000);
  for (const damaged of ["1900000000000 1800000000000\n", "1800000000000", "", "x x\n"]) {
    writeFileSync(join(path, "agreed-time"), damaged);
    assert.equal(directory.agreedTime(), undefined, damaged);
  }
});
