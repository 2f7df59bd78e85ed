/** Bounds of the event room. */
export const EVENT_LIMITS = {
  /** Subscriptions whose NOTIFYs this box sends: above it 503. */
  subscriptions: 20_000,
  /** Of one watcher at this box: above it 403. */
  subscriptionsOfWatcher: 250,
  /** Of one watched user, in the ring: above it 503. */
  watchersOfUser: 120,
  /** Octets of a subscription's dialog (addresses, tags, routes): above it 400. */
  dialogOctets: 1_200,
  /** Publications (RFC 3903) of one user and package: above it 503. */
  publicationsOfUser: 16,
  /** Octets of one: above it 413. */
  publicationOctets: 3_500,
  /** Users whose watchers are being told of a change: above it the oldest is not told, and seen at the next look. */
  tellings: 10_000,
  /** Calls that are watched over: above it the oldest is not followed any more. */
  calls: 20_000,
} as const;
