// Bundles that are not what an update key of the fleet signed for this box are refused before anything is written.

import assert from "node:assert/strict";
import { createHash, createPublicKey, sign } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import fc from "fast-check";
import { checkBundle, createBundle, type PartSink, type Source, type UpdatingBox, writeParts } from "../../../src/io/update-bundle.ts";
import { createUpdateKey, readUpdateKey, signManifest, type UpdateKey } from "../../../src/io/update-key.ts";
import {
  type BundlePart, keySignatureInput, parseHead, parseManifest, parsePrefix, PREFIX_BYTES, PARTS, type PartName, serializeHead, serializeKeyStatement, type UpdateManifest,
} from "../../../src/provision/update-bundle.ts";
import { makeFleet, type TestFleet } from "../../support/test-fleet.ts";

const CONTENTS: Readonly<Record<PartName, Buffer>> = {
  verity: Buffer.from("hashes ".repeat(300)),
  root: Buffer.alloc(2_500_000, "the root, longer than one piece that is read at once; "),
  kernel: Buffer.from("kernel ".repeat(300)),
};
const ROOT_HASH = "0123456789abcdef".repeat(4);

let directory = "";
let fleet: TestFleet;
let key: UpdateKey;
let bundle: Buffer;
let box: UpdatingBox;

const MADE = 1_790_000_000;
const updateKeyOf = ({ rootKeyPem, text }: TestFleet, made = MADE): UpdateKey => readUpdateKey(createUpdateKey({ rootKeyPem, fleetTicket: text, made }));
const boxIn = ({ ticket }: TestFleet): UpdatingBox => ({ fleet: ticket.overlayName, rootCertificate: ticket.rootCertificate, architecture: "x86-64", floor: "0.9.0", keysFrom: MADE });

before(async () => {
  directory = mkdtempSync(join(tmpdir(), "ringbox-bundle-"));
  fleet = await makeFleet("Acme");
  [key, box] = [updateKeyOf(fleet), boxIn(fleet)];
  for (const part of PARTS) writeFileSync(join(directory, part), CONTENTS[part]);
  bundle = built({});
});
after(() => rmSync(directory, { recursive: true, force: true }));

interface Wanted {
  readonly key?: UpdateKey;
  readonly version?: string;
  readonly architecture?: "x86-64" | "arm64";
  readonly floor?: string;
}

function built({ key: by = key, version = "1.0.0", architecture = "x86-64", floor = "0.9.0" }: Wanted): Buffer {
  const out = join(directory, "bundle");
  const files = { verity: join(directory, "verity"), root: join(directory, "root"), kernel: join(directory, "kernel") };
  const made = createBundle({ key: by, version, architecture, floor, rootHash: ROOT_HASH, files }, out);
  assert.ok(made.ok);
  return readFileSync(out);
}

/** A manifest as it would be made by somebody who has the key and gets it wrong; no parts behind it. */
const signedHead = (manifest: UpdateManifest): Buffer => Buffer.from(serializeHead(key.statement, signManifest(manifest, key)));

function sourceOf(bytes: Uint8Array): Source {
  return {
    bytes: bytes.length,
    read: (into, position) => {
      const piece = bytes.subarray(position, position + into.length);
      into.set(piece);
      return piece.length;
    },
  };
}

class RecordedWrites implements PartSink {
  readonly parts = new Map<PartName, Buffer>();
  writes = 0;
  finished: UpdateManifest | undefined;

  write(part: PartName, bytes: Uint8Array, position: number): void {
    this.writes += 1;
    const before = this.parts.get(part) ?? Buffer.alloc(0);
    assert.equal(position, before.length);
    this.parts.set(part, Buffer.concat([before, bytes]));
  }
  finish(manifest: UpdateManifest): void {
    this.finished = manifest;
  }
}

/** What a box does with a bundle: checked whole, then written. */
function install(source: Source, by: UpdatingBox = box): { readonly sink: RecordedWrites; readonly fault: string | undefined } {
  const sink = new RecordedWrites();
  const checked = checkBundle(source, by);
  if (!checked.ok) return { sink, fault: checked.fault };
  const written = writeParts(source, checked.value, sink);
  return { sink, fault: written.ok ? undefined : written.fault };
}

function changed(at: number): Buffer {
  const copy = Buffer.from(bundle);
  copy.writeUInt8(copy.readUInt8(at) ^ 1, at);
  return copy;
}

function headOf(bytes: Buffer): { readonly manifest: UpdateManifest; readonly partsAt: number } {
  const length = parsePrefix(bytes.subarray(0, PREFIX_BYTES));
  assert.ok(length.ok);
  const head = parseHead(bytes.subarray(PREFIX_BYTES, PREFIX_BYTES + length.value));
  assert.ok(head.ok);
  const manifest = parseManifest(head.value.manifest.content);
  assert.ok(manifest.ok);
  return { manifest: manifest.value, partsAt: head.value.partsAt };
}

/** The parts of the good bundle in another order, behind its own head. */
const inOrder = (...parts: readonly PartName[]): Buffer =>
  Buffer.concat([bundle.subarray(0, headOf(bundle).partsAt), ...parts.map((part) => CONTENTS[part])]);

suite("an update bundle", () => {
  test("that is whole is written part by part, each as it was signed", () => {
    const { sink, fault } = install(sourceOf(bundle));
    assert.equal(fault, undefined);
    assert.deepEqual([...sink.parts.keys()], [...PARTS]);
    for (const part of PARTS) assert.ok(sink.parts.get(part)?.equals(CONTENTS[part]), part);
    assert.equal(sink.finished?.version, "1.0.0");
    assert.equal(sink.finished?.rootHash, ROOT_HASH);
  });

  const TAMPERED: Readonly<Record<string, readonly [make: () => Buffer, sentence: RegExp]>> = {
    "with one bit of the manifest changed": [() => changed(bundle.indexOf("rootHash") + 20), /manifest is not what the update key signed/],
    "with one bit of the root changed": [() => changed(bundle.length - CONTENTS.kernel.length - 1_000_000), /damaged: its root is not what was signed/],
    "that was cut short": [() => bundle.subarray(0, bundle.length - 1), /cut short: 1 of its \d+ octets are missing/],
    "with something behind its end": [() => Buffer.concat([bundle, Buffer.from("x")]), /1 octets behind its end/],
    "for the other architecture": [() => built({ architecture: "arm64" }), /for arm64, and this box is x86-64/],
    "below the floor of the box": [() => built({ version: "0.8.99", floor: "0.0.0" }), /version 0\.8\.99, and this box goes back to 0\.9\.0 at most/],
    "whose parts have changed places": [() => inOrder("kernel", "root", "verity"), /damaged: its verity is not what was signed/],
    "that names sizes beyond any slot": [() => {
      const { manifest } = headOf(bundle);
      const parts = manifest.parts.map((part): BundlePart => (part.name === "root" ? { ...part, bytes: 2 ** 40 } : part));
      return signedHead({ ...manifest, parts });
    }, /the bundle's root does not fit into its place/],
    "whose floor is above itself": [() => signedHead({ ...headOf(bundle).manifest, floor: "1.0.1" }), /floor is above its own version/],
    "without its kernel": [() => {
      const { manifest } = headOf(bundle);
      return signedHead({ ...manifest, parts: manifest.parts.slice(0, 2) });
    }, /does not hold verity, root, kernel/],
    "with a head of four gigabytes": [() => Buffer.concat([bundle.subarray(0, PREFIX_BYTES - 4), Buffer.alloc(4, 0xff)]), /head is longer than any of ours/],
    "that is something else": [() => Buffer.from("-----BEGIN RINGBOX TICKET-----\n"), /no Ringbox bundle/],
    "of no length at all": [() => Buffer.alloc(0), /no Ringbox bundle/],
  };
  for (const [name, [make, sentence]] of Object.entries(TAMPERED)) {
    test(`${name} is refused with a sentence before the first write`, () => {
      const { sink, fault } = install(sourceOf(make()));
      assert.match(fault ?? "taken", sentence);
      assert.equal(sink.writes, 0);
    });
  }

  test("of another fleet's update key is refused before the first write", async () => {
    const other = await makeFleet("Acme");
    const { sink, fault } = install(sourceOf(built({ key: updateKeyOf(other) })));
    assert.match(fault ?? "taken", /not signed by an update key of this fleet/);
    assert.equal(sink.writes, 0);
  });

  test("of an update key that was replaced is refused before the first write; of a newer one it is taken", () => {
    const { sink, fault } = install(sourceOf(built({ key: updateKeyOf(fleet, MADE - 1) })));
    assert.match(fault ?? "taken", /signed by an update key that was replaced by a newer one/);
    assert.equal(sink.writes, 0);
    assert.equal(install(sourceOf(built({ key: updateKeyOf(fleet, MADE + 1) }))).fault, undefined);
  });

  test("of a key whose statement does not say when it was made is taken until another key was kept", () => {
    const undated = serializeKeyStatement({ fleet: fleet.ticket.overlayName, made: 0, publicKey: createPublicKey(key.privateKey).export({ type: "spki", format: "der" }) });
    const content = Buffer.from(Buffer.from(undated).toString("utf8").replace('"made":0,', ""));
    const statement = { content, signature: sign("sha256", keySignatureInput(content), fleet.rootKeyPem) };
    const bytes = built({ key: { ...key, statement } });
    assert.equal(install(sourceOf(bytes), { ...box, keysFrom: 0 }).fault, undefined);
    assert.match(install(sourceOf(bytes)).fault ?? "taken", /replaced by a newer one/);
  });

  test("signed by a stranger's key under the statement of the fleet's own is refused before the first write", async () => {
    const { privateKey } = updateKeyOf(await makeFleet("Stranger"));
    const { sink, fault } = install(sourceOf(built({ key: { ...key, privateKey } })));
    assert.match(fault ?? "taken", /manifest is not what the update key signed/);
    assert.equal(sink.writes, 0);
  });

  test("is refused whichever bit of its head is changed", () => {
    const { partsAt } = headOf(bundle);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: partsAt - 1 }), fc.integer({ min: 0, max: 7 }), (at, bit) => {
        const copy = Buffer.from(bundle);
        copy.writeUInt8(copy.readUInt8(at) ^ (1 << bit), at);
        const { sink, fault } = install(sourceOf(copy));
        assert.notEqual(fault, undefined);
        assert.equal(sink.writes, 0);
      }),
      { numRuns: 300 },
    );
  });

  test("that changes between the check and the copy is not finished", () => {
    const good = sourceOf(bundle);
    let afterCheck = false;
    const swapped: Source = { bytes: bundle.length, read: (into, position) => (afterCheck ? sourceOf(changed(bundle.length - 1)) : good).read(into, position) };
    const checked = checkBundle(swapped, box);
    assert.ok(checked.ok);
    afterCheck = true;
    const sink = new RecordedWrites();
    const written = writeParts(swapped, checked.value, sink);
    assert.ok(!written.ok);
    assert.match(written.fault, /its kernel is not what was signed/);
    assert.equal(sink.finished, undefined);
  });

  test("made twice of the same parts has the same content but for its signature", () => {
    const sum = (bytes: Buffer): string => createHash("sha256").update(bytes.subarray(headOf(bytes).partsAt)).digest("hex");
    assert.equal(sum(built({})), sum(bundle));
    assert.deepEqual(headOf(built({})).manifest, headOf(bundle).manifest);
  });
});
