import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import fc from "fast-check";
import { days } from "../../support/days.ts";
import { wallTime } from "../../../src/base/time.ts";
import { NodeCrypto } from "../../../src/io/crypto.ts";
import { createFleet, createJoinTicket, FleetError } from "../../../src/io/fleet.ts";
import { checkToken, foreignTicket, parseTicket } from "../../../src/provision/ticket.ts";

const crypto = new NodeCrypto(undefined);
const now = wallTime(Date.now());

function faultOf(text: string, wall = now): string {
  const parsed = parseTicket(text, { crypto, wall });
  assert.ok(!parsed.ok, "the ticket was taken");
  return parsed.fault;
}

function ticketIn(text: string) {
  const parsed = parseTicket(text, { crypto, wall: now });
  assert.ok(parsed.ok, parsed.ok ? "" : parsed.fault);
  return parsed.value;
}

/** The ticket with its JSON changed and packed again. */
function withClaims(text: string, change: (claims: Record<string, unknown>) => void): string {
  const packed = text.split("\n").slice(1, -2).join("");
  const envelope = JSON.parse(Buffer.from(packed, "base64").toString()) as { claims: string; signature: string };
  const claims = JSON.parse(Buffer.from(envelope.claims, "base64").toString()) as Record<string, unknown>;
  change(claims);
  envelope.claims = Buffer.from(JSON.stringify(claims)).toString("base64");
  const again = Buffer.from(JSON.stringify(envelope)).toString("base64");
  return `-----BEGIN RINGBOX TICKET-----\n${again}\n-----END RINGBOX TICKET-----\n`;
}

describe("a ticket", () => {
  let fleet: Awaited<ReturnType<typeof createFleet>>;
  let join: string;
  before(async () => {
    fleet = await createFleet({ name: "Zürich Office", domain: "Example.ORG" });
    join = createJoinTicket({ ...fleet, expires: days(7), uses: 1, hints: ["10.0.0.1:6084", "[2001:db8::1]:7000"], zone: "rack 2" });
  });

  test("of a fleet holds what founding needs", () => {
    const ticket = ticketIn(fleet.fleetTicket);
    assert.equal(ticket.kind, "fleet");
    assert.equal(ticket.fleetName, "Zürich Office");
    assert.equal(ticket.domain, "example.org");
    assert.match(ticket.overlayName, /^z-rich-office-[0-9a-f]{8}\.ringbox\.internal$/);
    assert.match(ticket.issuingKeyPem, /BEGIN PRIVATE KEY/);
  });

  test("for joining holds hints, zone and an end, and no issuing key", () => {
    const ticket = ticketIn(join);
    assert.equal(ticket.kind, "join");
    assert.deepEqual(ticket.hints, [{ host: "10.0.0.1", port: 6084 }, { host: "2001:db8::1", port: 7000 }]);
    assert.equal(ticket.zone, "rack 2");
    assert.ok(!("issuingKeyPem" in ticket));
  });

  test("may have other text around it, and other line ends", () => {
    ticketIn(`Ticket for Anna:\r\n\r\n${join.replaceAll("\n", "\r\n")}\r\nregards`);
  });

  test("that is cut short says so, wherever it was cut", () => {
    for (let length = 40; length < join.length - 5; length += 97) {
      assert.match(faultOf(join.slice(0, length)), /cut short/);
    }
  });

  test("with a line missing in the middle is damaged", () => {
    const lines = join.split("\n");
    assert.match(faultOf([...lines.slice(0, 5), ...lines.slice(6)].join("\n")), /damaged|changed after signing/);
  });

  test("that is something else is called that", () => {
    assert.match(faultOf("hello"), /not a Ringbox ticket/);
    assert.match(faultOf(""), /not a Ringbox ticket/);
    assert.match(faultOf("x".repeat(70_000)), /far too long/);
  });

  test("with a changed claim was changed after signing", () => {
    const moved = withClaims(join, (claims) => { claims["hints"] = ["10.0.0.66:6084"]; });
    assert.equal(faultOf(moved), "the ticket was changed after signing");
    const longer = withClaims(join, (claims) => { claims["expires"] = now + 1e12; });
    assert.equal(faultOf(longer), "the ticket was changed after signing");
  });

  test("of a newer format says that a newer Ringbox made it", () => {
    assert.match(faultOf(withClaims(join, (claims) => { claims["format"] = 2; })), /newer Ringbox/);
  });

  test("names a field that is missing", () => {
    assert.match(faultOf(withClaims(join, (claims) => { delete claims["domain"]; })), /"domain" is missing/);
    assert.match(faultOf(withClaims(join, (claims) => { claims["hints"] = [1]; })), /"hints" is missing/);
  });

  test("says on which day it expired", () => {
    const ticket = ticketIn(join);
    assert.equal(ticket.kind, "join");
    const day = new Date(ticket.expiresAt).toISOString().slice(0, 10);
    assert.equal(faultOf(join, wallTime(ticket.expiresAt)), `the ticket expired on ${day}`);
  });

  test("is never taken when any of its bits is flipped", () => {
    const [first, ...rest] = join.split("\n");
    const packed = Buffer.from(rest.slice(0, -2).join(""), "base64");
    fc.assert(
      fc.property(fc.nat(packed.length - 1), fc.nat(7), (at, bit) => {
        const flipped = Buffer.from(packed);
        flipped[at] = (flipped[at] as number) ^ (1 << bit);
        const text = [first, flipped.toString("base64"), ...rest.slice(-2)].join("\n");
        assert.equal(parseTicket(text, { crypto, wall: now }).ok, false);
      }),
      { numRuns: 200 },
    );
  });

  test("of another fleet of another name is told apart by name, of the same name by overlay", async () => {
    const box = ticketIn(join);
    const other = ticketIn((await createFleet({ name: "Bern", domain: "example.org" })).fleetTicket);
    const twin = ticketIn((await createFleet({ name: "Zürich Office", domain: "example.org" })).fleetTicket);
    assert.equal(foreignTicket(box, box), undefined);
    assert.equal(foreignTicket(other, box), "the ticket belongs to fleet Bern, this box to fleet Zürich Office");
    assert.equal(foreignTicket(twin, box), `the ticket belongs to fleet ${twin.overlayName}, this box to fleet ${box.overlayName}`);
  });

  test("cannot be made with the key of another fleet", async () => {
    const other = await createFleet({ name: "Bern", domain: "example.org" });
    assert.throws(
      () => createJoinTicket({ rootKeyPem: other.rootKeyPem, fleetTicket: fleet.fleetTicket, expires: days(1), uses: 1, hints: [], zone: "" }),
      (error) => error instanceof FleetError && /not the key of this fleet/.test(error.message),
    );
    assert.throws(
      () => createJoinTicket({ rootKeyPem: "nonsense", fleetTicket: fleet.fleetTicket, expires: days(1), uses: 1, hints: [], zone: "" }),
      /does not hold a private key/,
    );
  });

  test("cannot be made with a wrong hint, domain or name", async () => {
    assert.throws(() => createJoinTicket({ ...fleet, expires: days(1), uses: 1, hints: ["a:b:c"], zone: "" }), /not HOST:PORT/);
    await assert.rejects(createFleet({ name: "x", domain: "not a domain" }), /not a domain name/);
    await assert.rejects(createFleet({ name: " ", domain: "example.org" }), /1 to 64 characters/);
  });

  describe("'s token", () => {
    const check = (token: string, change: { overlayName?: string; rootCertificate?: Uint8Array; wall?: typeof now } = {}) => {
      const { overlayName, rootCertificate } = ticketIn(join);
      const checked = checkToken(token, { crypto, rootCertificate, overlayName, wall: now, ...change });
      return checked.ok ? checked.value : checked.fault;
    };

    test("is good at every member of the fleet until it expires", () => {
      const ticket = ticketIn(join);
      assert.equal(ticket.kind, "join");
      const claims = check(ticket.token);
      assert.equal(typeof claims === "object" && claims.zone, "rack 2");
      assert.match(String(check(ticket.token, { wall: ticket.expiresAt })), /expired on/);
    });

    test("of a fleet ticket has no end", () => {
      assert.equal(typeof check(ticketIn(fleet.fleetTicket).token, { wall: wallTime(now + 1e13) }), "object");
    });

    test("is refused at another fleet, and when another root signed it", async () => {
      const other = ticketIn((await createFleet({ name: "Bern", domain: "example.org" })).fleetTicket);
      const { token } = ticketIn(join);
      assert.match(String(check(token, { overlayName: other.overlayName })), /belongs to fleet zrich|belongs to fleet z-rich/);
      assert.match(String(check(token, { rootCertificate: other.rootCertificate })), /not signed by this fleet's root key/);
    });

    test("that is nonsense is refused", () => {
      for (const token of ["", ".", "a.b", "{}", "e30.e30", `${"A".repeat(3_000)}.`]) {
        assert.match(String(check(token)), /cannot be read|too long/);
      }
    });
  });
});
