import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { escapeXml, MAX_DOCUMENT, parseXml, type XmlElement } from "../../../../src/overlay/configuration/xml.ts";

const parsed = (source: string): XmlElement => {
  const result = parseXml(source);
  assert.ok(result.ok, result.ok ? "" : result.fault);
  return result.value;
};

test("elements, attributes, text, comments and where each element stands", () => {
  const source = `<?xml version="1.0"?>\n<a b="1" c='&lt;&#65;'>x<!-- no --><d:e/>y<f g = "2" ></f></a>\n`;
  const root = parsed(source);
  assert.equal(root.name, "a");
  assert.deepEqual([...root.attributes], [["b", "1"], ["c", "<A"]]);
  assert.equal(root.text, "xy");
  assert.deepEqual(root.children.map(({ name, start, end }) => [name, source.slice(start, end)]), [["d:e", "<d:e/>"], ["f", `<f g = "2" ></f>`]]);
});

test("what is escaped reads back as it was", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const clean = text.toWellFormed().replaceAll("\0", "");
      assert.equal(parsed(`<a b="${escapeXml(clean)}">${escapeXml(clean)}</a>`).text, clean);
    }),
  );
});

for (const [what, source] of [
  ["a DTD", `<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`],
  ["an entity that it did not define", "<a>&b;</a>"],
  ["a processing instruction", "<a><?php b?></a>"],
  ["CDATA", "<a><![CDATA[b]]></a>"],
  ["an element that is not closed", "<a><b></a>"],
  ["two roots", "<a/><b/>"],
  ["an attribute twice", `<a b="1" b="2"/>`],
  ["an attribute without quotes", "<a b=1/>"],
  ["attributes that touch", `<a b="1"c="2"/>`],
  ["bytes above 7F", "<a>\u00e4</a>"],
  ["control characters", "<a>\u0001</a>"],
  ["nesting without end", "<a>".repeat(5_000)],
  ["nothing", ""],
  ["text alone", "a"],
  ["too much", `<a>${" ".repeat(MAX_DOCUMENT)}</a>`],
] as const) {
  test(`${what} is refused`, () => assert.equal(parseXml(source).ok, false));
}

test("no octets make it throw", () => {
  const pieces = fc.constantFrom("<", ">", "/", "<a", "</a>", "<a>", "=", '"', "'", "&", ";", "&#", "<!--", "-->", "<?xml ", "?>", " ", "a", "\u00ff");
  fc.assert(fc.property(fc.array(pieces, { maxLength: 30 }), (parts) => void parseXml(parts.join(""))), { numRuns: 3_000 });
});
