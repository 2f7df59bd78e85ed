// Registers a phone without credentials: `register-once.ts HOST PORT AOR PHONE-PORT`. Waits for the 200. The REGISTER
// leaves from the port on which the phone will be called, because a box calls a phone where it registered from.

import { createSocket } from "node:dgram";

const [host = "", port = "", aor = "", phonePort = ""] = process.argv.slice(2);
const domain = aor.slice(aor.indexOf("@") + 1);
const socket = createSocket("udp4");
const deadline = setTimeout(() => end(1), 5_000);

function end(code: number): void {
  clearTimeout(deadline);
  socket.close();
  process.exitCode = code;
}

socket.on("message", (message) => end(message.toString("latin1").startsWith("SIP/2.0 200") ? 0 : 1));
socket.bind(Number(phonePort), "127.0.0.1", () => {
  const own = socket.address().port;
  const lines = [
    `REGISTER sip:${domain} SIP/2.0`,
    `Via: SIP/2.0/UDP 127.0.0.1:${own};branch=z9hG4bKonce${own};rport`,
    "Max-Forwards: 70",
    `From: <sip:${aor}>;tag=once`,
    `To: <sip:${aor}>`,
    `Call-ID: once-${own}@127.0.0.1`,
    "CSeq: 1 REGISTER",
    `Contact: <sip:${aor.slice(0, aor.indexOf("@"))}@127.0.0.1:${own}>`,
    "Expires: 3600",
    "Content-Length: 0",
  ];
  socket.send(`${lines.join("\r\n")}\r\n\r\n`, Number(port), host);
});
