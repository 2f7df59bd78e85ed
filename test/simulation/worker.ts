import { runRequest } from "./request.ts";
import type { Finished, Job } from "./worker-pool.ts";

process.on("message", (message) => {
  const { request, twice } = message as Job;
  const outcome = runRequest(request);
  const replayed = twice ? runRequest(request).hash : undefined;
  const finished: Finished = { request, outcome, replayed };
  process.send?.(finished);
});
