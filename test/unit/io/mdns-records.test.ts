import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type DnsRecord, type DnsResponse, readResponse, textOf } from "../../../src/io/mdns-records.ts";

const TEXT = { f: "f1ee7", s: "serving", i: "0a1b", v: "0.1.0" };
const NAME = "0a1b-1._ringbox._tcp.local";

function records(text: Readonly<Record<string, string>> = TEXT, ttl = 120): readonly DnsRecord[] {
  return [
    { type: "PTR", name: "_ringbox._tcp.local", ttl, data: NAME },
    { type: "SRV", name: NAME, ttl, data: { target: "0a1b.local", port: 6084 } },
    { type: "TXT", name: NAME, ttl, data: Object.entries(text).map(([key, value]) => Buffer.from(`${key}=${value}`)) },
    { type: "A", name: "0a1b.local", ttl, data: "10.77.0.2" },
  ];
}
const response = (answers: readonly DnsRecord[], additionals: readonly DnsRecord[] = []): DnsResponse => ({ answers, additionals });
const read = (text: Readonly<Record<string, string>>) => readResponse(response(records(text)));
const HERE = {
  type: "here", name: NAME, addresses: [{ host: "10.77.0.2", port: 6084 }],
  announcement: { fleetHash: "f1ee7", state: "serving", instance: "0a1b" },
};

test("a box is read from its announcement", () => {
  assert.deepEqual(readResponse(response(records())), [HERE]);
});

test("a box is read from an answer with its particulars in the additional records, in whatever case", () => {
  const [pointer, ...others] = records().map((record) => ({ ...record, name: record.name.toUpperCase() }));
  assert.deepEqual(readResponse(response(pointer === undefined ? [] : [pointer], others)), [HERE]);
});

test("what this box writes is what others read", () => {
  const announcement = { fleetHash: "", state: "blank", instance: "ff" } as const;
  const [saying] = read(textOf(announcement, "0.1.0"));
  assert.deepEqual(saying?.type === "here" ? saying.announcement : saying, announcement);
});

test("records without time to live are a goodbye", () => {
  assert.deepEqual(readResponse(response(records(TEXT, 0))), [{ type: "goodbye", name: NAME }]);
});

test("other services, and a box without its particulars, are nothing", () => {
  assert.deepEqual(readResponse(response([{ type: "PTR", name: "_ipp._tcp.local", ttl: 120, data: "printer._ipp._tcp.local" }])), []);
  assert.deepEqual(readResponse(response(records().slice(0, 1))), []);
  assert.deepEqual(readResponse(response(records().slice(1))), []);
});

test("a text that is not understood is malformed", () => {
  const wrong = [
    {}, { ...TEXT, s: "asleep" }, { ...TEXT, i: "" }, { ...TEXT, i: "0A1B" }, { ...TEXT, i: "a".repeat(41) },
    { ...TEXT, f: "x" }, { ...TEXT, f: "a".repeat(65) }, { s: "blank", i: "1" }, { f: "", i: "1" }, { f: "", s: "blank" },
  ];
  for (const text of wrong) assert.deepEqual(read(text), [{ type: "malformed", name: NAME }], JSON.stringify(text));
});

test("a port of zero is malformed", () => {
  const answers = records().map((record) => (record.type === "SRV" ? { ...record, data: { target: "0a1b.local", port: 0 } } : record));
  assert.deepEqual(readResponse(response(answers)), [{ type: "malformed", name: NAME }]);
});

test("the first value of a key counts, and unknown keys do not matter", () => {
  const items = ["", "=x", "later", "f=f1ee7", "S=serving", "s=blank", "i=0a1b", "z=9"].map((item) => Buffer.from(item));
  const answers = records().map((record) => (record.type === "TXT" ? { ...record, data: items } : record));
  assert.deepEqual(readResponse(response(answers)), [HERE]);
});

test("no response, whatever is in it, makes it throw", () => {
  const name = fc.constantFrom("_ringbox._tcp.local", NAME, "0a1b.local", "");
  const data = fc.oneof(name, fc.anything(), fc.record({ target: fc.anything(), port: fc.anything() }), fc.array(fc.uint8Array()));
  const record = fc.record(
    { type: fc.constantFrom("PTR", "SRV", "TXT", "A", "OPT"), name, ttl: fc.constantFrom(0, 120), data },
    { requiredKeys: ["type", "name"] },
  );
  fc.assert(fc.property(fc.array(record, { maxLength: 12 }), fc.array(record, { maxLength: 12 }), (answers, additionals) => {
    for (const saying of readResponse({ answers, additionals })) assert.ok(["here", "goodbye", "malformed"].includes(saying.type));
  }));
});
