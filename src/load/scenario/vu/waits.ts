/** The run is over for a client that has nothing left to wait for. */
export class Stopped extends Error {}

/** What the clients of one thread wait for, so that the end of the run reaches all of them. */
export class Waits {
  /** Rejects what clients wait for. */
  readonly #cancels = new Set<() => void>();
  readonly #isOver: () => boolean;

  /** Where `isOver` says so already, a wait ends before it begins. */
  constructor(isOver: () => boolean) {
    this.#isOver = isOver;
  }

  /** A wait that the end of the run ends with `Stopped`. */
  begin(start: (done: () => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = (): void => {
        this.#cancels.delete(cancel);
        reject(new Stopped());
      };
      if (this.#isOver()) {
        cancel();
        return;
      }
      this.#cancels.add(cancel);
      start(() => {
        this.#cancels.delete(cancel);
        resolve();
      });
    });
  }

  cancelAll(): void {
    for (const cancel of this.#cancels) cancel();
  }
}
