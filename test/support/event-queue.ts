/**
 * What happens when, on the virtual clock: a binary heap in flat arrays. Events of one instant
 * happen in the order in which they were asked for, so that a run has one order only.
 * BOUNDED: at `LIMIT` events, which is a run that feeds itself; it throws.
 */
export class EventQueue {
  static readonly LIMIT = 4_000_000;
  readonly #times: number[] = [];
  readonly #orders: number[] = [];
  readonly #actions: (() => void)[] = [];
  #order = 0;
  #now = 0;

  /** Milliseconds since the world began. */
  get now(): number {
    return this.#now;
  }
  get size(): number {
    return this.#times.length;
  }

  /** Never in the past: what is late happens now. */
  at(time: number, action: () => void): void {
    if (this.#times.length >= EventQueue.LIMIT) throw new RangeError("too many events are waiting");
    const order = this.#order++;
    const when = time > this.#now ? time : this.#now;
    let hole = this.#times.length;
    this.#times.push(when);
    this.#orders.push(order);
    this.#actions.push(action);
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      const parentTime = this.#times[parent] as number;
      if (parentTime < when || (parentTime === when && (this.#orders[parent] as number) < order)) break;
      this.#move(parent, hole);
      hole = parent;
    }
    this.#place(hole, when, order, action);
  }

  after(delay: number, action: () => void): void {
    this.at(this.#now + delay, action);
  }

  /** Lets the next event happen if it is due by `end`; false, with the clock at `end`, if there is none. */
  runNext(end: number): boolean {
    const time = this.#times[0];
    if (time === undefined || time > end) {
      if (end > this.#now) this.#now = end;
      return false;
    }
    const action = this.#actions[0] as () => void;
    this.#removeFirst();
    this.#now = time;
    action();
    return true;
  }

  #removeFirst(): void {
    const time = this.#times.pop() as number;
    const order = this.#orders.pop() as number;
    const action = this.#actions.pop() as () => void;
    const length = this.#times.length;
    if (length === 0) return;
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= length) break;
      if (child + 1 < length && this.#isBefore(child + 1, child)) child++;
      const childTime = this.#times[child] as number;
      if (time < childTime || (time === childTime && order < (this.#orders[child] as number))) break;
      this.#move(child, hole);
      hole = child;
    }
    this.#place(hole, time, order, action);
  }

  #isBefore(a: number, b: number): boolean {
    const timeA = this.#times[a] as number;
    const timeB = this.#times[b] as number;
    return timeA < timeB || (timeA === timeB && (this.#orders[a] as number) < (this.#orders[b] as number));
  }
  #move(from: number, to: number): void {
    this.#place(to, this.#times[from] as number, this.#orders[from] as number, this.#actions[from] as () => void);
  }
  #place(at: number, time: number, order: number, action: () => void): void {
    this.#times[at] = time;
    this.#orders[at] = order;
    this.#actions[at] = action;
  }
}
