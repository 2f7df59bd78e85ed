// How the four transaction machines are written down.

/** One cell of a transition table: where to go and what to do on the way, in order. */
export interface Transition<State, Action> {
  readonly next: State;
  readonly actions: readonly Action[];
}

export type Cell<State, Action> = Transition<State, Action> | "ignore";

export const go = <State extends string, Action extends string>(
  next: State,
  ...actions: readonly Action[]
): Transition<State, Action> => ({ next, actions });

/** The triggers by which a final or provisional response enters a machine. */
export function inviteResponseClass(status: number): "1xx" | "2xx" | "300-699" {
  return status < 200 ? "1xx" : status < 300 ? "2xx" : "300-699";
}
