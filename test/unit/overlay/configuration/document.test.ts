import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromOctets, toOctets } from "../../../../src/base/bytes.ts";
import { seconds } from "../../../../src/base/time.ts";
import { compareSequences, nextSequence, readDocument, registrationProblem } from "../../../../src/overlay/configuration/document.ts";
import { limited, limitsIn, limitsProblem } from "../../../../src/overlay/configuration/limits.ts";
import { parseXml, type XmlElement } from "../../../../src/overlay/configuration/xml.ts";
import type { AccessPolicy, KindDefinition, NodeId } from "../../../../src/overlay/ports.ts";
import { DURABLE, SOFT } from "../../../support/overlay-world.ts";
import { CONFIGURATION, CRYPTO, documentWith, FACTS, ISSUING, ROOT } from "../../../support/fleet-rules.ts";

const check = { rootCertificate: ROOT, overlayName: "test.ring", crypto: CRYPTO };
const refusal = (document: Uint8Array): string | undefined => {
  const read = readDocument(document, check);
  return read.ok ? undefined : read.fault;
};

test("a document says what was written into it", () => {
  const configuration = {
    ...CONFIGURATION,
    sequence: 65_534,
    bootstrapNodes: [{ host: "192.0.2.1", port: 6_084 }, { host: "2001:db8::1", port: 7_000 }],
    badNodes: ["0a".repeat(16) as NodeId],
    registration: { minimum: seconds(30), standard: seconds(600), maximum: seconds(1_800), open: true },
    retired: [ISSUING, ROOT],
    kept: [{ nodeId: "0b".repeat(16) as NodeId, key: "0c".repeat(32) }],
    refusedTickets: ["one", "two & <three>"],
    limits: { maxMessageSize: 300_000, initialTtl: 20, kinds: [{ id: SOFT.id, maxEntries: 3, maxValueBytes: 100 }, { id: DURABLE.id, maxEntries: 1, maxValueBytes: 7 }] },
  };
  assert.deepEqual(readDocument(documentWith(configuration), check), { ok: true, value: configuration });
});

test("limits are stricter than the program's or not at all, and what no fleet should decide is told", () => {
  assert.deepEqual(limited(SOFT, { maxMessageSize: 1, initialTtl: 1, kinds: [{ id: SOFT.id, maxEntries: 3, maxValueBytes: 1e9 }] }), { ...SOFT, maxEntries: 3 });
  assert.equal(limited(SOFT, undefined), SOFT);
  const sound = { maxMessageSize: 262_144, initialTtl: 100, kinds: [] };
  assert.equal(limitsProblem(sound, [SOFT]), undefined);
  for (const change of [{ initialTtl: 7 }, { initialTtl: 256 }, { maxMessageSize: 262_143 }, { maxMessageSize: 4_194_305 }]) {
    assert.equal(typeof limitsProblem({ ...sound, ...change }, [SOFT]), "string");
  }
  for (const [maxEntries, maxValueBytes] of [[0, 1], [11, 1], [1, 0], [1, 2_049]] as const) {
    assert.match(limitsProblem({ ...sound, kinds: [{ id: SOFT.id, maxEntries, maxValueBytes }] }, [SOFT]) ?? "", /EDGE-BINDING/);
  }
});

test("a limit that is no number makes the document unusable", () => {
  const document = toOctets(documentWith());
  for (const [from, to] of [["<initial-ttl>100<", "<initial-ttl>0<"], ["<initial-ttl>100<", "<initial-ttl>256<"], ["<max-size>2048<", "<max-size>x<"], ["<max-message-size>5000<", "<max-message-size>-1<"]] as const) {
    assert.ok(document.includes(from), from);
    const element = parseXml(document.replace(from, to));
    assert.ok(element.ok);
    assert.equal(limitsIn(element.value.children[0] as XmlElement), undefined, to);
  }
});

test("it has the elements of RFC 6940 section 11.1", () => {
  const text = toOctets(documentWith({ badNodes: ["0a".repeat(16) as NodeId] }));
  for (const element of [
    `<configuration instance-name="test.ring" sequence="1" expiration="2046-01-01T00:00:00Z">`, "<topology-plugin>CHORD-RELOAD</topology-plugin>",
    "<node-id-length>16</node-id-length>", "<root-cert>", "<clients-permitted>true</clients-permitted>", "<no-ice>true</no-ice>",
    "<max-message-size>5000</max-message-size>", "<initial-ttl>100</initial-ttl>", "<configuration-signer>", "<bad-node>0a0a",
    "<required-kinds>", `<kind-block><kind id="4026531841"><data-model>DICTIONARY</data-model>`, "<signature>",
  ]) assert.ok(text.includes(element), element);
});

test("one changed, missing or added octet anywhere makes it another document, and that is refused", () => {
  const document = documentWith();
  const signed = toOctets(document).indexOf("<configuration");
  const end = toOctets(document).indexOf("</signature>");
  fc.assert(
    fc.property(fc.integer({ min: signed, max: end - 1 }), fc.integer({ min: 1, max: 255 }), (at, mask) => {
      const flipped = document.slice();
      flipped[at] = (flipped[at] as number) ^ mask;
      const shorter = Uint8Array.from([...document.subarray(0, at), ...document.subarray(at + 1)]);
      for (const changed of [flipped, shorter]) {
        const said = refusal(changed);
        // White space around the signature and between the two elements is nobody's.
        const harmless = said === undefined && readDocument(changed, check).ok && sameSigned(changed, document);
        assert.ok(said !== undefined || harmless, `octet ${at}`);
      }
    }),
    { numRuns: 300 },
  );
});
const sameSigned = (a: Uint8Array, b: Uint8Array): boolean => signedPart(a) === signedPart(b);
const signedPart = (document: Uint8Array): string => toOctets(document).split("</configuration>")[0]?.split("<configuration ")[1] ?? "";

test("cut short at any octet it is refused", () => {
  const document = documentWith();
  for (let length = 0; length < document.length - 2; length += 7) assert.notEqual(refusal(document.subarray(0, length)), undefined, `${length} octets`);
});

test("another key's, another overlay's and another root's are refused, and say why", () => {
  assert.equal(refusal(documentWith({}, "somebody")), "it is not signed by the fleet's key");
  assert.equal(refusal(documentWith({ overlayName: "other.ring" })), "it is of the overlay other.ring");
  assert.match(refusal(documentWith({ rootCertificate: ISSUING }, "issuing 1")) ?? "", /not signed by the fleet's key/);
  assert.equal(refusal(fromOctets("<overlay><configuration/></overlay>")), "it is not signed");
  assert.match(refusal(fromOctets("<overlay/>")) ?? "", /not an overlay/);
});

test("values that cannot be in force are refused", () => {
  const registration = { minimum: seconds(600), standard: seconds(60), maximum: seconds(7_200), open: false };
  assert.match(refusal(documentWith({ registration })) ?? "", /not of its kind/);
  assert.notEqual(registrationProblem(registration), undefined);
  assert.notEqual(registrationProblem({ minimum: seconds(1), standard: seconds(60), maximum: seconds(60), open: false }), undefined);
  assert.notEqual(registrationProblem({ minimum: seconds(60), standard: seconds(60), maximum: seconds(86_400), open: false }), undefined);
});

test("a kind stored by a data model or an access policy of unknown name is refused, and the refusal names both", () => {
  const declared = (change: Partial<KindDefinition>): string | undefined => refusal(documentWith({}, "the fleet", { ...FACTS, kinds: [{ ...SOFT, ...change }] }));
  for (const access of ["USER-MATCH", "NODE-MATCH", "USER-NODE-MATCH", "NODE-MULTIPLE"] as const) assert.equal(declared({ access }), undefined);
  for (const model of ["single", "array", "dictionary"] as const) assert.equal(declared({ model }), undefined);
  assert.equal(declared({ access: "USER-PATTERN-MATCH" as AccessPolicy }), `its kind ${SOFT.id} has the access-control "USER-PATTERN-MATCH", which this program does not know`);
  assert.equal(declared({ model: "queue" as KindDefinition["model"] }), `its kind ${SOFT.id} has the data-model "QUEUE", which this program does not know`);
});

test("numbers are compared round the circle, and 65535 is none of them", () => {
  assert.equal(nextSequence(65_534), 0);
  for (const [a, b, order] of [[1, 1, 0], [2, 1, 1], [1, 2, -1], [0, 65_534, 1], [65_534, 0, -1], [32_768, 1, 1], [32_769, 1, -1]] as const) {
    assert.equal(compareSequences(a, b), order, `${a} and ${b}`);
  }
});
