// What anybody on the LAN may read: the page and the documents behind it.

import type { HealthReport, Phone } from "../../health/report.ts";
import { pageOf } from "../page/views.ts";
import { send, sendJson, sendText } from "./answers.ts";
import type { EventStream } from "./event-stream.ts";
import { METRICS_TYPE, metricsText } from "./metrics.ts";
import type { Route } from "./routes.ts";

export interface Readings {
  readonly report: () => HealthReport;
  readonly phones: (query: string) => readonly Phone[];
  readonly events: EventStream;
}

export function readingRoutes({ report, phones, events }: Readings): readonly Route[] {
  return [
    reading("/", ({ response, url }) => {
      const query = (url.searchParams.get("q") ?? "").slice(0, 100);
      const now = report();
      send(response, 200, "text/html; charset=utf-8", pageOf(now, query, query === "" ? now.phones.list : phones(query)));
    }),
    reading("/api/report", ({ response }) => sendJson(response, 200, report())),
    reading("/api/phones", ({ response, url }) => sendJson(response, 200, phones((url.searchParams.get("q") ?? "").slice(0, 100)))),
    reading("/api/events", ({ response }) => {
      if (!events.add(response)) sendText(response, 503, "Too many pages are open.");
    }),
    reading("/metrics", async ({ response }) => send(response, 200, METRICS_TYPE, await metricsText(report()))),
    // The agent itself is there.
    reading("/healthz", ({ response }) => sendText(response, 200, "ok")),
    // The box serves phones, as far as it is known: for load balancers.
    reading("/readyz", ({ response }) => {
      const { verdict, firstLine } = report();
      sendText(response, verdict === "works" || verdict === "impaired" ? 200 : 503, firstLine);
    }),
  ];
}

const reading = (path: string, answer: Route["answer"]): Route => ({ method: "GET", path, access: "reading", answer });
