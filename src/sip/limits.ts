/** Bounds of the SIP core. Each is checked where the collection is declared; what happens there is said here. */
export const CORE_LIMITS = {
  /** Transactions alive: above it the oldest answered non-INVITE server transactions go, then 503 statelessly. */
  transactions: 60_000,
  /** Transactions of phones that have proved themselves, and of boxes, beyond that bound: strangers are turned away first. */
  knownTransactions: 6_000,
  /** Transactions of emergency calls beyond both. */
  emergencyTransactions: 1_000,
  /** Addresses whose messages are counted: above it the oldest begins anew. */
  sources: 50_000,
  /** TCP connections: above it a new one is closed. */
  connections: 20_000,
  /** Questions to the location service and the resolver under way: above it 503. */
  questions: 40_000,
  /** REGISTERs waiting for an earlier one of the same AoR: above it 503. */
  waitingRegisters: 16,
  /** Bindings of one AoR: above it 403. */
  bindings: 10,
  /** AoRs registered over one connection whose bindings go when it closes: above it they go when they are called. */
  registeredOverConnection: 1_000,
  /** Contact values in one REGISTER: above it 403. */
  contacts: 20,
  /** Branches of one response context at once: further targets wait their turn. */
  branches: 20,
  /** Targets tried one after another for one outside branch. */
  resolvedTargets: 8,
  /** Servers outside that did not answer lately: above it the oldest is forgotten, and waited for again. */
  silentServers: 1_000,
  /** Flows on which something changes SIP on its way: above it the oldest is forgotten, until its next REGISTER. */
  rewrittenFlows: 5_000,
  /** Calls whose sound goes through the media relay: above it the oldest is forgotten, and its next offer goes on as it is. */
  relayedCalls: 5_000,
  /** Phones that came back while they rang: above it the oldest is found again only once it has registered. */
  returnedPhones: 2_000,
  /** Nonces whose use is remembered: above it the oldest is forgotten. */
  nonces: 50_000,
  /** Flow tokens kept ready: above it the oldest is forgotten. */
  flowTokens: 10_000,
} as const;
