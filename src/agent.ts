// The health agent: watches the box from outside the peer, and serves the page that says how it is. It needs no peer
// to run: a box whose peer is dead has a page that says so.

import { dirname, join, resolve } from "node:path";
import { formatAddress } from "./base/address.ts";
import { parseAgentOptions } from "./cli/agent-options.ts";
import { ANSWER_SCHEMAS } from "./cli/schemas.ts";
import { Actions } from "./io/agent/actions.ts";
import { BoxAgent } from "./io/agent/box-agent.ts";
import type { AnswerReader } from "./io/agent/control-link.ts";
import { Heralds } from "./io/agent/heralds.ts";
import { systemClock } from "./io/clock.ts";
import { journal } from "./io/journal.ts";
import { ListenError } from "./io/listen-error.ts";
import { ownAddress } from "./io/own-address.ts";
import { feedWhileServing } from "./io/agent/page-proof.ts";
import { ServiceManager } from "./io/service-manager.ts";
import { SlotHands } from "./io/updates/slot-hands.ts";
import { SOFTWARE } from "./peer/peer.ts";
import { parseHint } from "./provision/hint.ts";
import { actionRoutes } from "./web/server/action-routes.ts";
import { callRoutes } from "./web/server/call-routes.ts";
import { evidenceRoutes } from "./web/server/evidence.ts";
import { EventStream } from "./web/server/event-stream.ts";
import { fieldProgram } from "./web/server/field-program.ts";
import { fleetRoutes } from "./web/server/fleet-routes.ts";
import { operateRoutes } from "./web/server/operate-page.ts";
import { readingRoutes } from "./web/server/reading-routes.ts";
import { updateRoutes } from "./web/server/update-routes.ts";
import { WebFront } from "./web/server/web-front.ts";

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const manager = ServiceManager.fromEnvironment(process.env);
const complain = (line: string): void => void process.stderr.write(`${line}\n`);

const readAnswer: AnswerReader = (op, object) => {
  const answer = ANSWER_SCHEMAS[op].safeParse(object);
  return answer.success ? answer.data : undefined;
};

async function main(): Promise<void> {
  const parsed = await parseAgentOptions(process.argv.slice(2), { print: say, note: complain });
  if ("exitStatus" in parsed) {
    process.exitCode = parsed.exitStatus;
    return;
  }
  const { data, listen, httpPort, httpsPort, names, webhook, syslog, supervised, slots } = parsed.options;
  const page = `http://${formatAddress({ host: ownAddress(listen), port: httpPort })}/`;
  const report = journal(say, process.env["RINGBOX_DEBUG"] !== undefined);
  const heralds = new Heralds({ webhook, syslog: syslog === undefined ? undefined : parseHint(syslog), onReport: report });
  const hands = new SlotHands(slots, process.env["RUNTIME_DIRECTORY"] ?? data);
  const agent = new BoxAgent({ heralds, supervised, slots: hands, directory: data, readAnswer, software: SOFTWARE, page, onReport: report });
  const events = new EventStream(() => agent.report());
  const routes = [
    ...readingRoutes({ report: () => agent.report(), phones: (query) => agent.phones(query), series: (most) => agent.series(most), events }),
    ...operateRoutes(join(dirname(process.argv[1] ?? ""), "web")),
    ...actionRoutes(new Actions({
      report: () => agent.report(),
      ask: (request, patience) => agent.ask(request, patience),
      proveNow: () => agent.proveNow(),
      takeSlot: (length) => agent.takeSlot(length),
      giveSlotBack: () => agent.giveSlotBack(),
      record: (text) => agent.record(text),
    })),
    ...callRoutes({
      entries: () => agent.callEntries(), ladder: (name) => agent.ladder(name), answerCall: (envelope) => agent.answerCall(envelope), wall: () => systemClock.wall(),
    }),
    ...evidenceRoutes({
      directory: data, report: () => agent.report(), phones: () => agent.phones(""), series: () => agent.series(), entries: () => agent.callEntries(),
      ladder: (name) => agent.ladder(name), peerSays: () => agent.peerSays(), record: (text) => agent.record(text),
    }),
    ...updateRoutes(agent.updates, () => agent.proof(), (text) => agent.record(text)),
    ...fleetRoutes((envelope) => agent.answerAgent(envelope)),
  ];
  const front = new WebFront({
    directory: data, listen, httpPort, httpsPort, names, routes,
    terminal: fieldProgram(resolve(data), page),
    words: () => agent.report().box.words,
    onEvent: (text) => agent.record(text),
    onReport: report,
  });
  await front.open();
  agent.start();
  if (manager !== undefined) feedWhileServing(manager, { listen, httpPort });
  say(`How this box is: ${page}`);
  const stop = (): void => {
    manager?.tell({ STOPPING: "1" });
    agent.stop();
    events.close();
    front.close();
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, stop);
}

/** The world's fault is one plain line; our own fault is a stack trace, and the supervisor starts the agent afresh. */
function fail(error: unknown): void {
  complain(error instanceof ListenError ? `ringbox-agent: ${error.message}` : `ringbox-agent: internal fault: ${error instanceof Error ? error.stack : String(error)}`);
  process.exit(1);
}

// The page is served when nobody reads the log any more.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);

main().catch(fail);
