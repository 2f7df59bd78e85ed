import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { parseCsv } from "../../../src/cli/csv.ts";

suite("CSV", () => {
  test("fields are split at commas, lines may end either way, empty lines and comments are left out", () => {
    const { rows, faults } = parseCsv("100,secret\r\n\n# a comment\n101,other,Ann\n");
    assert.deepEqual(faults, []);
    assert.deepEqual(rows, [
      { line: 1, fields: ["100", "secret"] },
      { line: 4, fields: ["101", "other", "Ann"] },
    ]);
  });

  test("quotes keep commas, quotes and line ends, and lines go on being counted", () => {
    const { rows } = parseCsv('100,"a,""b""\nc"\n101,d');
    assert.deepEqual(rows, [
      { line: 1, fields: ["100", 'a,"b"\nc'] },
      { line: 3, fields: ["101", "d"] },
    ]);
  });

  test("a quote that is not closed, or followed by something, is a fault of its line", () => {
    assert.deepEqual(parseCsv('100,"a\n').faults.map(({ line }) => line), [1]);
    const { rows, faults } = parseCsv('100,"a"b\n101,c');
    assert.deepEqual(faults.map(({ line }) => line), [1]);
    assert.deepEqual(rows, [{ line: 2, fields: ["101", "c"] }]);
  });

  test("what is quoted comes back as it was", () => {
    const quoted = (field: string): string => `"${field.replaceAll('"', '""')}"`;
    fc.assert(
      fc.property(fc.array(fc.array(fc.string(), { minLength: 1, maxLength: 4 }), { maxLength: 5 }), (table) => {
        const text = table.map((fields) => fields.map(quoted).join(",")).join("\n");
        assert.deepEqual(parseCsv(text).rows.map(({ fields }) => fields), table);
      }),
    );
  });

  test("any text is read to its end", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom("a", '"', ",", "\n", "\r", "#") }), (text) => {
        const { rows, faults } = parseCsv(text);
        assert.ok(rows.length + faults.length <= text.length);
      }),
    );
  });
});
