/** Lets a number of callers in at a time; the others wait in order. */
export class Semaphore {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(room: number) {
    this.#free = room;
  }

  /** Calls back at once or later; the caller has to leave after that. */
  enter(call: () => void): void {
    if (this.#free === 0) {
      this.#waiting.push(call);
      return;
    }
    this.#free -= 1;
    call();
  }

  leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }
}
