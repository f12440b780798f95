interface Timer {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** What a caller holds to take a timer back. */
export type TimerHandle = symbol;

/** Timers that somebody else has to wake up: pure, so that tests need no clock. */
export class Timers {
  readonly #timers = new Map<TimerHandle, Timer>();
  #order = 0;

  /** When the next timer is due; undefined without one. */
  get nextAt(): number | undefined {
    return this.#first()?.[1].at;
  }

  set(at: number, run: () => void): TimerHandle {
    const handle = Symbol();
    this.#timers.set(handle, { at, order: this.#order++, run });
    return handle;
  }

  clear(handle: TimerHandle | undefined): void {
    if (handle !== undefined) this.#timers.delete(handle);
  }

  clearAll(): void {
    this.#timers.clear();
  }

  /** Runs what is due at `now`, the earliest first; of two for the same time the older one. */
  expire(now: number): void {
    for (;;) {
      const first = this.#first();
      if (first === undefined || first[1].at > now) return;
      this.#timers.delete(first[0]);
      first[1].run();
    }
  }

  #first(): [TimerHandle, Timer] | undefined {
    let first: [TimerHandle, Timer] | undefined;
    for (const entry of this.#timers) {
      if (first === undefined || isEarlier(entry[1], first[1])) first = entry;
    }
    return first;
  }
}

function isEarlier(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
