// What anybody on the LAN may read: the page and the documents behind it.

import type { HealthReport, Phone, Series } from "../../health/report.ts";
import { pageOf } from "../page/views.ts";
import { send, sendJson, sendText } from "./answers.ts";
import type { EventStream } from "./event-stream.ts";
import { METRICS_TYPE, metricsText } from "./metrics.ts";
import type { Route } from "./routes.ts";

export interface Readings {
  readonly report: () => HealthReport;
  readonly phones: (query: string) => readonly Phone[];
  readonly series: (most?: number) => readonly Series[];
  readonly events: EventStream;
}

export function readingRoutes({ report, phones, series, events }: Readings): readonly Route[] {
  return [
    reading("/", ({ response, url }) => {
      const query = (url.searchParams.get("q") ?? "").slice(0, 100);
      const now = report();
      send(response, 200, "text/html; charset=utf-8", pageOf(now, query, query === "" ? now.phones.list : phones(query), series()));
    }),
    reading("/api/report", ({ response }) => sendJson(response, 200, report())),
    reading("/api/phones", ({ response, url }) => sendJson(response, 200, phones((url.searchParams.get("q") ?? "").slice(0, 100)))),
    // `?points=600`: no more than the last of each.
    reading("/api/series", ({ response, url }) => {
      const asked = Number(url.searchParams.get("points") ?? Number.NaN);
      sendJson(response, 200, series(Number.isInteger(asked) && asked > 0 ? asked : undefined));
    }),
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
