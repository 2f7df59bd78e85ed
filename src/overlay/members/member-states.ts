// Where another box stands, as this box sees it.

export type MemberState =
  /** No link: dialed again and again, for ever. */
  | "gone"
  /** Linked; not in the ring as far as we were told. */
  | "linked"
  /** Linked; receives its share and gets every write that will be its own. */
  | "joining"
  /** Linked and in the ring. */
  | "serving"
  /** It was serving, its link is open, but nothing was heard over it: avoided, not yet given up. */
  | "silent"
  /** It said good-bye: not dialed until it comes by itself. */
  | "left";

export type MemberTrigger =
  | "link opened"
  /** A Join from it. */
  | "join"
  /** An Update from it: only peers in the ring send them. */
  | "ready"
  | "link silent"
  | "link heard"
  | "link closed"
  /** A Leave from it. */
  | "leave"
  /** A Leave from one that stays linked: it goes on serving phones, and holds nothing. */
  | "stand aside";

export type MemberCell = MemberState | "ignore";

export const MEMBER_TRANSITIONS = {
  gone: {
    "link opened": "linked",
    join: "ignore",
    ready: "ignore",
    "link silent": "ignore",
    "link heard": "ignore",
    "link closed": "ignore",
    leave: "left",
    "stand aside": "ignore",
  },
  linked: {
    "link opened": "ignore",
    join: "joining",
    ready: "serving",
    "link silent": "ignore",
    "link heard": "ignore",
    "link closed": "gone",
    leave: "left",
    "stand aside": "ignore",
  },
  joining: {
    "link opened": "ignore",
    join: "ignore",
    ready: "serving",
    "link silent": "ignore",
    "link heard": "ignore",
    "link closed": "gone",
    leave: "left",
    "stand aside": "linked",
  },
  serving: {
    "link opened": "ignore",
    // It started anew behind a link that never closed, or lost everybody else: it receives its share again.
    join: "joining",
    ready: "ignore",
    "link silent": "silent",
    "link heard": "ignore",
    "link closed": "gone",
    leave: "left",
    "stand aside": "linked",
  },
  silent: {
    "link opened": "ignore",
    join: "joining",
    ready: "serving",
    "link silent": "ignore",
    "link heard": "serving",
    "link closed": "gone",
    leave: "left",
    "stand aside": "linked",
  },
  left: {
    // It came back by itself.
    "link opened": "linked",
    join: "ignore",
    ready: "ignore",
    "link silent": "ignore",
    "link heard": "ignore",
    "link closed": "ignore",
    leave: "ignore",
    "stand aside": "ignore",
  },
} as const satisfies Record<MemberState, Record<MemberTrigger, MemberCell>>;
