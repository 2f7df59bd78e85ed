// Which of the final responses goes back (RFC 3261 16.7 step 6).

/** A final failure of one branch. */
export interface Failure<Response> {
  readonly status: number;
  /** `undefined`: made here (timeout, transport error, dead flow). */
  readonly response: Response | undefined;
}

/** The better one first. 6xx before all; then the lowest class; within a class what tells the caller most. */
export function bestFailure<Response>(failures: readonly Failure<Response>[]): Failure<Response> | undefined {
  let best: Failure<Response> | undefined;
  for (const failure of failures) {
    if (best === undefined || rank(failure) < rank(best)) best = failure;
  }
  return best;
}

function rank({ status, response }: Failure<unknown>): number {
  const byClass = status >= 600 ? 0 : Math.floor(status / 100);
  return 100 * byClass + (byClass === 4 ? rankOf4xx(status) : status === 503 ? 20 : 10) + (response === undefined ? 1 : 0);
}

/** A challenge or a fault that the caller can mend says more than "busy", that more than "nobody there". */
function rankOf4xx(status: number): number {
  if (status === 401 || status === 407) return 0;
  if (status === 415 || status === 420 || status === 484) return 10;
  if (status === 408 || status === 430) return 80;
  if (status === 480) return 60;
  if (status === 404 || status === 410) return 50;
  if (status === 487) return 40;
  return 20;
}

/**
 * The status to send for one that came from a branch: a 503 means only that branch (16.7), and a flow
 * that failed (RFC 5626) is to the caller somebody who cannot be reached now.
 */
export function outwardStatus(status: number, towardsBinding: boolean): number {
  if (status === 503) return 500;
  if (status === 430 && towardsBinding) return 480;
  return status;
}
