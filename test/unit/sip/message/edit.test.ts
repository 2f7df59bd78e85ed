import assert from "node:assert/strict";
import { test } from "node:test";
import { RequestEdit, ResponseEdit } from "../../../../src/sip/message/edit.ts";
import { responseTo } from "../../../../src/sip/message/build.ts";
import type { SipRequest } from "../../../../src/sip/message/message.ts";
import { parseMessage } from "../../../../src/sip/message/parse.ts";
import { inviteMessage } from "../../../support/sip-messages.ts";

function request(octets: string): SipRequest {
  const parsed = parseMessage(octets);
  assert(parsed.ok && parsed.value.type === "request");
  return parsed.value;
}

const ODD = ["x-ODD  :   value \r\n  folded\t", "Route: <sip:p1;lr>, <sip:p2;lr>", "Route: <sip:p3;lr>", "Subject: é"];

test("forwarding changes what it names; all else stays byte for byte and in order", () => {
  const octets = inviteMessage(ODD, "body");
  const forwarded = new RequestEdit(request(octets))
    .setUri("sip:bob@10.99.0.9:5062;ob")
    .setMaxForwards(69)
    .removeFirstRoute()
    .pushRecordRoute("<sip:box;lr>")
    .pushVia("SIP/2.0/UDP box;branch=z9hG4bKnew")
    .request();
  assert.equal(
    forwarded.octets,
    octets
      .replace("sip:bob@example.test SIP", "sip:bob@10.99.0.9:5062;ob SIP")
      .replace("Via:", "Via: SIP/2.0/UDP box;branch=z9hG4bKnew\r\nVia:")
      .replace("Max-Forwards: 70", "Record-Route: <sip:box;lr>\r\nMax-Forwards: 69")
      .replace("Route: <sip:p1;lr>, <sip:p2;lr>", "Route: <sip:p2;lr>"),
  );
});

test("the request edited is not changed", () => {
  const original = request(inviteMessage(ODD));
  new RequestEdit(original).remove("route").setMaxForwards(1).request();
  assert.equal(original.octets, inviteMessage(ODD));
});

test("one edit can make several requests that differ", () => {
  const edit = new RequestEdit(request(inviteMessage()));
  const one = edit.setUri("sip:one").request();
  const two = edit.setUri("sip:two").append("X", "y").request();
  assert.deepEqual([one.uriText, one.has("X"), two.uriText, two.has("X")], ["sip:one", false, "sip:two", true]);
});

test("Max-Forwards is added where it was missing", () => {
  const without = request(inviteMessage().replace("Max-Forwards: 70\r\n", ""));
  assert.equal(new RequestEdit(without).setMaxForwards(70).request().maxForwards, 70);
});

const routes = (edited: RequestEdit): readonly string[] | undefined => edited.request().routes?.map((route) => route.uriText);

test("routes are added and removed at both ends", () => {
  const edit = (): RequestEdit => new RequestEdit(request(inviteMessage(ODD)));
  assert.deepEqual(routes(edit().removeFirstRoute()), ["sip:p2;lr", "sip:p3;lr"]);
  assert.deepEqual(routes(edit().removeFirstRoute().removeFirstRoute().removeFirstRoute()), []);
  assert.deepEqual(routes(edit().removeLastRoute()), ["sip:p1;lr", "sip:p2;lr"]);
  assert.deepEqual(routes(edit().removeLastRoute().removeLastRoute()), ["sip:p1;lr"]);
  assert.deepEqual(routes(edit().pushRoute("<sip:p0;lr>")), ["sip:p0;lr", "sip:p1;lr", "sip:p2;lr", "sip:p3;lr"]);
  assert.deepEqual(routes(edit().appendRoute("<sip:p4;lr>")), ["sip:p1;lr", "sip:p2;lr", "sip:p3;lr", "sip:p4;lr"]);
  assert.deepEqual(routes(new RequestEdit(request(inviteMessage())).appendRoute("<sip:p4;lr>")), ["sip:p4;lr"]);
  assert.deepEqual(routes(new RequestEdit(request(inviteMessage())).removeFirstRoute().removeLastRoute()), []);
});

test("set leaves one field, remove none, in whatever form they came", () => {
  const edited = new RequestEdit(request(inviteMessage(["s: one", "Subject: two", "k: path"]))).set("Subject", "three").remove("Supported").request();
  assert.deepEqual([edited.headers("s"), edited.has("k")], [["three"], false]);
});

test("Content-Length is added once", () => {
  const edited = new RequestEdit(request(inviteMessage([], "abc"))).setContentLength().setContentLength().request();
  assert.deepEqual(edited.headers("Content-Length"), ["3"]);
});

test("a response loses its first Via value, of however many in one field", () => {
  const response = responseTo(request(inviteMessage(["v: SIP/2.0/TCP c"]).replace("bKabc", "bKabc,SIP/2.0/UDP b")), 180);
  const one = new ResponseEdit(response).popVia().response();
  const two = new ResponseEdit(one).popVia().response();
  const three = new ResponseEdit(two).popVia().response();
  assert.deepEqual([response, one, two, three].map((message) => message.vias?.map((via) => via.host)), [["10.99.0.7", "b", "c"], ["b", "c"], ["c"], []]);
});
