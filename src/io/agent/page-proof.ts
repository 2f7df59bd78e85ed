// What feeds the agent's watchdog: the page itself, asked for as a browser does. How the box is does not matter here:
// the page that says it must be there.

import { get } from "node:http";
import { isIP } from "node:net";
import { seconds } from "../../base/time.ts";
import { intervalOf } from "../watchdog.ts";
import type { ServiceManager } from "../service-manager.ts";

const PATIENCE = seconds(8);

export interface PageAddress {
  readonly listen: string | undefined;
  readonly httpPort: number;
}

/** Ready at the first answer; without an answer there is no feeding, and systemd starts the agent afresh. */
export function feedWhileServing({ tell, watchdog }: ServiceManager, page: PageAddress): void {
  const prove = (): void => {
    void answers(page).then((answered) => tell(answered ? { READY: "1", WATCHDOG: "1", STATUS: "The page is served." } : { STATUS: "The page does not answer." }));
  };
  prove();
  setInterval(prove, intervalOf(watchdog)).unref();
}

function answers({ listen, httpPort }: PageAddress): Promise<boolean> {
  const everywhere = listen === undefined || listen === "0.0.0.0" || listen === "::";
  const host = everywhere ? "127.0.0.1" : listen;
  return new Promise((resolve) => {
    const asked = get({ host, port: httpPort, path: "/", timeout: PATIENCE, agent: false, ...(isIP(host) === 6 ? { family: 6 } : {}) }, (response) => {
      response.destroy();
      resolve(true);
    });
    asked.on("timeout", () => asked.destroy());
    asked.on("error", () => resolve(false));
    asked.on("close", () => resolve(false));
  });
}
