// A box that does nothing but multicast DNS. Prints a line of JSON for each thing that happens;
// obeys the lines `announce STATE` and `close`.

import { createInterface } from "node:readline";
import { seconds } from "../../../src/base/time.ts";
import { Mdns } from "../../../src/io/mdns.ts";

const [instance = "", port = "", lifetime = "", listen] = process.argv.slice(2);
const print = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

const mdns = new Mdns({
  announcement: { fleetHash: "f1ee7", state: "blank", instance },
  port: Number(port),
  software: "0.1.0",
  listen,
  lifetime: seconds(Number(lifetime)),
  onHeard: ({ host, port: from }, announcement) => print({ type: "heard", at: `${host}:${from}`, ...announcement }),
  onUnheard: ({ host, port: from }, announcement) => print({ type: "unheard", at: `${host}:${from}`, ...announcement }),
  onReport: (level, text) => print({ type: "report", level, text }),
});
mdns.open();
print({ type: "open" });

for await (const line of createInterface({ input: process.stdin })) {
  const [command, state] = line.split(" ");
  if (command === "announce") mdns.announce({ fleetHash: "f1ee7", state: state === "serving" ? "serving" : "blank", instance });
  if (command === "close") break;
}
await mdns.close();
print({ type: "closed", malformed: mdns.malformed, cpuMilliseconds: Math.round((process.cpuUsage().user + process.cpuUsage().system) / 1000) });
