// SIP messages that look like those of real telephones.

const lines = (...all: readonly string[]): string => `${all.join("\r\n")}\r\n\r\n`;

/** A REGISTER of 830 octets with credentials. */
export const registerMessage = (): string =>
  lines(
    "REGISTER sip:example.test SIP/2.0",
    "Via: SIP/2.0/UDP 10.99.0.7:5060;rport;branch=z9hG4bKPjNPWVlhcX1hG5C0dBbXS0pmYxvWXyc1Lh",
    "Max-Forwards: 70",
    'From: "Alice Liddell" <sip:alice@example.test>;tag=BqZ5dQ0PSeVGSpJMjkz9m2ZKFr7bhh4b',
    'To: "Alice Liddell" <sip:alice@example.test>',
    "Call-ID: 8bjHcX3WVvZGmDq2YHLcSDfTqYx1u7sz",
    "CSeq: 41262 REGISTER",
    "User-Agent: Telephone 3000/4.2.1",
    "Supported: path, gruu",
    'Contact: <sip:alice@10.99.0.7:5060;ob>;reg-id=1;+sip.instance="<urn:uuid:00000000-0000-1000-8000-0010499e1b3c>"',
    "Expires: 300",
    "Allow: INVITE, ACK, BYE, CANCEL, NOTIFY, REFER",
    'Authorization: Digest username="alice", realm="example.test", nonce="018d2f3a9c00f0e1d2c3b4a5968778695a4b3c2d1e0f", uri="sip:example.test", response="a2ea68c230e5fea1ca715740fb14db97", algorithm=MD5, cnonce="yq0Bq3vM", qop=auth, nc=00000001',
    "Content-Length: 0",
  );

/** Lines joined by CRLF with the empty line, then the body. */
export const message = (head: readonly string[], body = ""): string => lines(...head) + body;

/** An INVITE that nothing is wrong with; `fields` come after the six it must have. */
export const inviteMessage = (fields: readonly string[] = [], body = ""): string =>
  message(
    [
      "INVITE sip:bob@example.test SIP/2.0",
      "Via: SIP/2.0/UDP 10.99.0.7:5060;rport;branch=z9hG4bKabc",
      "Max-Forwards: 70",
      "From: <sip:alice@example.test>;tag=a1",
      "To: <sip:bob@example.test>",
      "Call-ID: call-1",
      "CSeq: 7 INVITE",
      ...fields,
    ],
    body,
  );
