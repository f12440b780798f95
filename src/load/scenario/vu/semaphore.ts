/** Lets so many in at a time; the others wait in the order in which they came. */
export class Semaphore {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(room: number) {
    this.#free = room;
  }

  /** Calls back, at once or later; whoever was let in has to leave. */
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
