import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { instant } from "../../../../src/base/time.ts";
import { ByteWriter, toHex } from "../../../../src/base/bytes.ts";
import { rewriteForForwarding } from "../../../../src/overlay/wire/forwarding.ts";
import { decodeHeader, type DecodedHeader, endMessage, unsupportedOption, writeHeader } from "../../../../src/overlay/wire/forwarding-header.ts";
import { FRAGMENT_LIFETIME, FragmentCollector } from "../../../../src/overlay/wire/fragments.ts";
import { decodeMessage, encodeMessage, encodeSignedMessage, verifyMessage } from "../../../../src/overlay/wire/message.ts";
import { decodeIntroduction, encodeIntroduction } from "../../../../src/overlay/wire/peer-info.ts";
import { nodeCrypto } from "../../../support/node-crypto.ts";
import { destination, header, peerInfo } from "../../../support/reload-arbitraries.ts";
import { A, ALICE, B, bindingStore, header as headerTo, OVERLAY, PUBLIC_KEY, signerWith } from "../../../conformance/overlay-wire/own-messages.ts";

function headerOf(message: Uint8Array): DecodedHeader {
  const decoded = decodeHeader(message, OVERLAY);
  assert.ok(decoded.ok, decoded.ok ? "" : decoded.fault.reason);
  return decoded.value;
}

test("forwarding lowers the ttl and changes the lists, and nothing else", () => {
  fc.assert(
    fc.property(header, destination, (wanted, hop) => {
      const message = encodeMessage({ header: wanted, body: bindingStore, extensions: [] });
      const before = headerOf(message);
      const forwarded = rewriteForForwarding(message, before, { dropDestinations: 1, prependDestinations: [hop], appendVia: hop });
      const after = headerOf(forwarded);
      const { headerLength, ...rest } = after;
      assert.deepEqual(rest, {
        ...wanted,
        ttl: wanted.ttl - 1,
        via: [...wanted.via, hop],
        destinations: [hop, ...wanted.destinations.slice(1)],
      });
      assert.equal(toHex(forwarded.subarray(headerLength)), toHex(message.subarray(before.headerLength)));
    }),
  );
});

test("a signature survives forwarding", () => {
  const signed = encodeSignedMessage(
    { header: headerTo([{ type: "node", nodeId: B }, { type: "resource", resource: ALICE }]), body: bindingStore, extensions: [] },
    signerWith(PUBLIC_KEY),
  );
  const forwarded = rewriteForForwarding(signed, headerOf(signed), { dropDestinations: 1, appendVia: { type: "node", nodeId: A } });
  const decoded = decodeMessage(forwarded, OVERLAY);
  assert.ok(decoded.ok && verifyMessage(decoded.value, nodeCrypto()).ok);
});

test("an option is unsupported only where it is critical for our part", () => {
  const critical = { type: 200, flags: 1, value: new Uint8Array(0) };
  const wanted = { ...headerTo([]), options: [critical] };
  assert.equal(unsupportedOption(wanted, "forwarder"), critical);
  assert.equal(unsupportedOption(wanted, "destination"), undefined);
});

/** `message` cut behind its header at `cuts`. */
function fragmentsOf(message: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const whole = headerOf(message);
  const body = message.subarray(whole.headerLength);
  const starts = [...new Set([0, ...cuts.map((cut) => cut % body.length)])].sort((a, b) => a - b);
  return starts.map((offset, i) => {
    const end = starts[i + 1] ?? body.length;
    const writer = new ByteWriter();
    writeHeader(writer, { ...whole, fragment: { offset, last: end === body.length } });
    writer.bytes(body.subarray(offset, end));
    endMessage(writer, 0);
    return writer.finish();
  });
}

const storeMessage = encodeMessage({ header: headerTo([{ type: "node", nodeId: B }]), body: bindingStore, extensions: [] });

test("fragments in any order, and twice, make the whole message once", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(), { maxLength: 6 }), fc.infiniteStream(fc.nat()), (cuts, luck) => {
      const pieces = fragmentsOf(storeMessage, cuts);
      const order = pieces.map((piece) => ({ piece, key: luck.next().value })).sort((a, b) => a.key - b.key);
      const collector = new FragmentCollector(65_536);
      const whole: string[] = [];
      for (const { piece } of order) {
        for (let i = 0; i < (piece === order.at(-1)?.piece ? 1 : 2); i++) {
          const result = collector.add(instant(0), piece, headerOf(piece));
          if (result !== undefined) whole.push(toHex(result));
        }
      }
      assert.deepEqual(new Set(whole), new Set([toHex(storeMessage)]));
    }),
    { numRuns: 50 },
  );
});

test("a fragment is not decoded as a message", () => {
  const [piece] = fragmentsOf(storeMessage, [60]);
  assert.ok(piece !== undefined);
  assert.ok(!decodeMessage(piece, OVERLAY).ok);
});

test("an incomplete message is forgotten after its time", () => {
  const [first, second] = fragmentsOf(storeMessage, [60]);
  assert.ok(first !== undefined && second !== undefined);
  const collector = new FragmentCollector(65_536);
  assert.equal(collector.add(instant(0), first, headerOf(first)), undefined);
  assert.equal(collector.add(instant(FRAGMENT_LIFETIME), second, headerOf(second)), undefined);
  assert.notEqual(collector.add(instant(FRAGMENT_LIFETIME + 1), first, headerOf(first)), undefined);
});

test("fragments of more than the limit are forgotten", () => {
  const [first, second] = fragmentsOf(storeMessage, [60]);
  assert.ok(first !== undefined && second !== undefined);
  const collector = new FragmentCollector(100);
  assert.equal(collector.add(instant(0), first, headerOf(first)), undefined);
  assert.equal(collector.add(instant(0), second, headerOf(second)), undefined);
});

test("a piece in the place of another is not held: pieces cannot grow uncounted", () => {
  const [first, second] = fragmentsOf(storeMessage, [60]);
  const [longer] = fragmentsOf(storeMessage, [90]);
  assert.ok(first !== undefined && second !== undefined && longer !== undefined);
  const collector = new FragmentCollector(65_536);
  assert.equal(collector.add(instant(0), first, headerOf(first)), undefined);
  assert.equal(collector.add(instant(0), longer, headerOf(longer)), undefined);
  assert.deepEqual(collector.add(instant(0), second, headerOf(second)), storeMessage);
});

test("an introduction decodes to what was encoded, and bytes of a later version are skipped", () => {
  fc.assert(
    fc.property(peerInfo, fc.boolean(), fc.maxSafeNat(), fc.maxSafeNat(), fc.boolean(), fc.uint8Array({ maxLength: 4 }), (info, inRing, time, ringAge, aside, later) => {
      const introduction = { info, inRing, time, ringAge, aside };
      const longer = new Uint8Array([...encodeIntroduction(introduction), ...later]);
      assert.deepEqual(decodeIntroduction(longer), { ok: true, value: introduction });
    }),
  );
});
