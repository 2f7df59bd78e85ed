import type { BindingReport, BoxReference, ConflictReport, ConfigurationReport, PeerReport, StatusReport, WhereReport } from "../../src/peer/reports.ts";
import type { RecordedCall } from "../../src/sip/recorder/call-recorder.ts";

/** The n-th box of a made-up ring. */
export const sampleBox = (n: number): BoxReference => ({
  nodeId: String(n).repeat(32).slice(0, 32),
  sip: { host: `192.0.2.${n}`, port: 5060 },
  overlay: { host: `192.0.2.${n}`, port: 6084 },
});

export const SAMPLE_STATUS: StatusReport = {
  phase: "serving",
  fleet: "Acme",
  domain: "acme.example",
  nodeId: sampleBox(1).nodeId,
  zone: "rack 4",
  software: "Ringbox/0.1",
  sip: { host: "192.0.2.1", port: 5060 },
  serviceAddresses: [],
  transports: [{ transport: "udp", port: 5060 }, { transport: "tcp", port: 5060 }, { transport: "tls", port: 5061 }],
  overlay: { host: "192.0.2.1", port: 6084 },
  share: 0.198,
  copies: 3,
  copiesWanted: 3,
  inSync: true,
  comparedSecondsAgo: 12,
  receiving: null,
  boxes: { serving: 5, known: 5 },
  entries: { owned: 412, held: 1_230 },
  uptimeSeconds: 273_600,
  certificateEndsAt: 1_802_592_000_000,
  conditions: [],
  counters: { "sip-requests": 17 },
};

export const SAMPLE_PEERS: readonly PeerReport[] = [1, 2].map((n) => ({
  nodeId: sampleBox(n).nodeId,
  self: n === 1,
  state: "serving",
  overlay: { host: `192.0.2.${n}`, port: 6084 },
  sip: { host: `192.0.2.${n}`, port: 5060 },
  zone: "",
  software: "Ringbox/0.1",
  share: 0.5,
  roundTripMs: n === 1 ? null : 0.42,
}));

export const SAMPLE_BINDING: BindingReport = {
  contact: "sip:100@192.0.2.77:5062",
  transport: "udp",
  received: { host: "192.0.2.77", port: 5062 },
  flowOwner: sampleBox(2),
  preference: 1_000,
  expiresAt: 1_800_000_000_000,
  userAgent: "phone/1.0",
  nat: "none",
  instance: "",
  path: [],
};

export const SAMPLE_CALL: RecordedCall = {
  kind: "call", id: "0123456789abcdef", callId: "a84b4c76e66710", from: "100@acme.example", to: "204@acme.example", startedAt: 1_800_000_000_000,
  ringingAt: 1_800_000_000_200, answeredAt: 1_800_000_004_000, endedAt: 1_800_000_184_000, status: 200, reason: "OK", endedBy: "caller", leftOut: 0, revision: 1,
};

export const SAMPLE_CONFLICT: ConflictReport = {
  username: "100",
  aor: "100@acme.example",
  versions: [
    { version: "11", inForce: true, removed: false, displayName: "Anna", password: 1, writtenAt: 1_800_000_000_000, box: sampleBox(1) },
    { version: "22", inForce: false, removed: true, displayName: "", password: null, writtenAt: 1_799_999_000_000, box: sampleBox(2) },
  ],
};

export const SAMPLE_WHERE: WhereReport = {
  aor: "100@acme.example",
  resourceId: "00112233445566778899aabbccddeeff",
  subscriber: true,
  storageOwner: sampleBox(1),
  replicas: [
    { ...sampleBox(1), holds: "yes" },
    { ...sampleBox(2), holds: "yes" },
    { ...sampleBox(3), sip: null, overlay: null, holds: "unknown" },
  ],
  bindings: [SAMPLE_BINDING],
};

export const SAMPLE_CONFIGURATION: ConfigurationReport = {
  sequence: 3,
  signed: true,
  registration: { minimumSeconds: 60, standardSeconds: 3_600, maximumSeconds: 7_200, open: false },
  expiration: "2046-01-01T00:00:00Z",
  limits: { initialTtl: 100, maxMessageSize: 262_144, kinds: [{ name: "EDGE-BINDING", maxCount: 64, maxSize: 8_192 }] },
  revocationEpoch: 1,
  revoked: [{ nodeId: sampleBox(7).nodeId, revokedAt: 1_800_000_000_000 }],
  issuing: "ab".repeat(32),
  retired: [],
  refusedTickets: [],
  document: "<overlay/>",
};
