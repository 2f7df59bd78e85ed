// The evidence pack: how the box is and was, for somebody who cannot come and look. One .tar.gz of plain text files;
// what is secret is left out where it arises, and searched for once more before anything leaves.

import { readFileSync } from "node:fs";
import { arch, hostname, release, version } from "node:os";
import type { CallEntry, CallLadder, HealthReport, Phone, Series } from "../../health/report.ts";
import { captureFiles } from "../../io/agent/evidence/captures.ts";
import { journalTail } from "../../io/agent/evidence/journal-tail.ts";
import { ownSecrets, SecretFilter } from "../../io/agent/evidence/secret-filter.ts";
import { type PackedFile, tarGz } from "../../io/agent/evidence/tar.ts";
import { ladderPage } from "../page/call-view.ts";
import { metricsText } from "./metrics.ts";
import { send, sendText } from "./answers.ts";
import type { Route } from "./routes.ts";

/** Calls and registrations whose messages are in a pack. */
const LADDERS_MAX = 60;
/** Of one file; what is longer is cut. */
const FILE_MAX_LENGTH = 8_388_608;

export interface EvidenceSources {
  readonly directory: string;
  readonly report: () => HealthReport;
  readonly phones: () => readonly Phone[];
  readonly series: () => readonly Series[];
  readonly entries: () => readonly CallEntry[];
  readonly ladder: (name: string) => Promise<CallLadder | undefined>;
  /** What the peer says of itself, by name; what it does not say is left out. */
  readonly peerSays: () => Promise<Readonly<Record<string, unknown>>>;
  /** For the journal and the time line. */
  readonly record: (text: string) => void;
}

/** As `SecretFilter`; a test puts nothing in its place to see what it holds back. */
export type Filter = Pick<SecretFilter, "document" | "freeText">;

export async function evidenceFiles(sources: EvidenceSources, filter: Filter, journal: () => Promise<string | undefined> = journalTail): Promise<readonly PackedFile[]> {
  const report = sources.report();
  const tail = await journal();
  const documents: PackedFile[] = [
    json("report.json", report),
    json("phones.json", sources.phones()),
    json("series.json", sources.series()),
    json("calls.json", sources.entries()),
    { name: "metrics.txt", content: await metricsText(report) },
    json("versions.json", versions(report)),
    ...Object.entries(await sources.peerSays()).map(([name, value]) => json(`peer-${name}.json`, value)),
    ...(await ladders(sources)),
    ...captureFiles(sources.directory),
  ].map(({ name, content }) => ({ name, content: filter.document(content).slice(0, FILE_MAX_LENGTH) }));
  if (tail !== undefined) documents.push({ name: "journal.txt", content: filter.freeText(tail).slice(0, FILE_MAX_LENGTH) });
  return [{ name: "README.txt", content: readme(report, documents) }, ...documents];
}

async function ladders({ entries, ladder }: EvidenceSources): Promise<PackedFile[]> {
  const files: PackedFile[] = []; // BOUNDED: by LADDERS_MAX
  for (const { kind, id } of entries().slice(0, LADDERS_MAX)) {
    const call = await ladder(id);
    if (call !== undefined) files.push(json(`calls/${kind}-${id}.json`, call), { name: `calls/${kind}-${id}.html`, content: ladderPage(call) });
  }
  return files;
}

const json = (name: string, value: unknown): PackedFile => ({ name, content: `${JSON.stringify(value, undefined, 2)}\n` });

const versions = ({ software }: HealthReport): object => ({
  software, node: process.version, libraries: process.versions, kernel: release(), kernelVersion: version(), architecture: arch(), hostname: hostname(), system: systemName(),
});

function systemName(): string {
  try {
    return readFileSync("/etc/os-release", "utf8");
  } catch {
    return ""; // not a system that says
  }
}

const readme = ({ box, fleet, domain, firstLine, at }: HealthReport, files: readonly PackedFile[]): string =>
  [
    `Evidence of the box ${box.words} (${box.nodeId ?? "not enrolled"}), fleet ${fleet}, domain ${domain}`,
    `Made at ${new Date(at).toISOString()}. ${firstLine}`,
    "",
    "Not in here: passwords and their hashes, keys, tickets, codes, nonces and answers of digest authentication, keys of media, what people",
    "wrote or typed, speech, recorded terminals, captured packets but for their SIP messages. In here: who called whom, when and from which address.",
    "",
    ...files.map(({ name, content }) => `${name}  ${content.length} characters`),
    "",
  ].join("\n");

/** One pack at a time: it reads everything there is. */
export function evidenceRoutes(sources: EvidenceSources): readonly Route[] {
  let underWay = false;
  return [
    {
      method: "POST", path: "/api/evidence", access: "signed-in",
      answer: async ({ response, visitor }) => {
        if (underWay) return sendText(response, 429, "A pack is being made; wait a moment.");
        underWay = true;
        try {
          const { box, at } = sources.report();
          const pack = tarGz(await evidenceFiles(sources, new SecretFilter(ownSecrets(sources.directory))), at);
          response.setHeader("content-disposition", `attachment; filename="ringbox-${box.words.replaceAll(" ", "-")}-${new Date(at).toISOString().slice(0, 19).replaceAll(/[-:]/g, "")}.tar.gz"`);
          send(response, 200, "application/gzip", pack);
          sources.record(`${visitor?.session.who ?? ""}: made an evidence pack of ${Math.ceil(pack.length / 1_024)} kB.`);
        } finally {
          underWay = false;
        }
      },
    },
  ];
}
