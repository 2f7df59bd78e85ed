import assert from "node:assert/strict";
import { test } from "node:test";
import {
  digestHa1, digestResponse, equalSecrets, formatChallenge, isRightResponse, parseDigestCredentials,
} from "../../../../src/sip/message/digest.ts";
import { nodeCrypto } from "../../../support/node-crypto.ts";

const crypto = nodeCrypto();

/** RFC 7616 3.9.1. */
const RFC_7616 = {
  username: "Mufasa",
  realm: "http-auth@example.org",
  nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
  uri: "/dir/index.html",
  qop: "auth",
  nc: "00000001",
  cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
  opaque: undefined,
} as const;
const PASSWORD = "Circle of Life";
const WANTED = {
  MD5: "8ca523f5e9506fed4657c9700eebdbec",
  "SHA-256": "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
} as const;

for (const algorithm of ["MD5", "SHA-256"] as const) {
  const ha1 = digestHa1(crypto, algorithm, RFC_7616.username, RFC_7616.realm, PASSWORD);
  const credentials = { ...RFC_7616, algorithm, response: WANTED[algorithm] };

  test(`the ${algorithm} example of RFC 7616`, () => {
    assert.equal(digestResponse(crypto, credentials, "GET", ha1), WANTED[algorithm]);
    assert(isRightResponse(crypto, credentials, "GET", ha1));
  });

  test(`${algorithm}: another method, nonce count, nonce or password is wrong`, () => {
    assert(!isRightResponse(crypto, credentials, "PUT", ha1));
    assert(!isRightResponse(crypto, { ...credentials, nc: "00000002" }, "GET", ha1));
    assert(!isRightResponse(crypto, { ...credentials, nonce: "other" }, "GET", ha1));
    assert(!isRightResponse(crypto, credentials, "GET", digestHa1(crypto, algorithm, "Mufasa", RFC_7616.realm, "x")));
  });
}

test("without qop the older response counts", () => {
  const ha1 = digestHa1(crypto, "MD5", "Mufasa", "testrealm@host.com", "Circle Of Life");
  const credentials = {
    ...RFC_7616, realm: "testrealm@host.com", nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093", algorithm: "MD5",
    qop: undefined, nc: undefined, cnonce: undefined, response: "670fd8c2df070c60b045671b8b24ff02",
  } as const;
  assert(isRightResponse(crypto, credentials, "GET", ha1));
});

test("qop without cnonce, an unknown qop and an unknown algorithm are wrong", () => {
  const ha1 = digestHa1(crypto, "MD5", RFC_7616.username, RFC_7616.realm, PASSWORD);
  const right = { ...RFC_7616, algorithm: "MD5", response: WANTED.MD5 } as const;
  assert(!isRightResponse(crypto, { ...right, cnonce: undefined }, "GET", ha1));
  assert(!isRightResponse(crypto, { ...right, qop: "auth-int" }, "GET", ha1));
  assert(!isRightResponse(crypto, { ...right, algorithm: undefined }, "GET", ha1));
});

test("credentials are read in any order and case", () => {
  const credentials = parseDigestCredentials(
    'DIGEST  Response="ABCDEF",uri="sip:b, c" , NONCE="n\\"n", realm="r",username="u", algorithm=sha-256, qop=auth, nc=00000001, cnonce="c"',
  );
  assert.deepEqual(credentials, {
    username: "u", realm: "r", nonce: 'n"n', uri: "sip:b, c", response: "abcdef", algorithm: "SHA-256",
    qop: "auth", nc: "00000001", cnonce: "c", opaque: undefined,
  });
});

test("no algorithm means MD5", () => {
  assert.equal(parseDigestCredentials('Digest username="u", realm="r", nonce="n", uri="x", response="y"')?.algorithm, "MD5");
});

for (const text of [
  "", "Digest", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Digestive a=b", "NoOneKnowsThisScheme opaque-data=here",
  'Digest username="u", realm="r", nonce="n", uri="x"', 'Digest username="u", username="v", realm="r", nonce="n", uri="x", response="y"',
  'Digest username="u, realm="r", nonce="n", uri="x", response="y"', "Digest username",
]) {
  test(`${JSON.stringify(text)} are no digest credentials`, () => {
    assert.equal(parseDigestCredentials(text), undefined);
  });
}

test("a challenge quotes what must be quoted", () => {
  assert.equal(
    formatChallenge({ realm: 'a"b', nonce: "n", algorithm: "SHA-256", stale: true }),
    'Digest realm="a\\"b", nonce="n", qop="auth", algorithm=SHA-256, stale=true',
  );
});

test("secrets are equal only if they are", () => {
  assert(equalSecrets("abc", "abc"));
  for (const other of ["abd", "ab", "abcd", ""]) assert(!equalSecrets("abc", other) && !equalSecrets(other, "abc"));
});
