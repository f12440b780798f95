/** The run is over. */
export class Stopped extends Error {}

/** The waits of the virtual users of one worker, which the end of the run cancels. */
export class Waits {
  /** Rejects the waits. */
  readonly #cancels = new Set<() => void>();
  readonly #isOver: () => boolean;

  /** Once `isOver`, a wait is cancelled before it begins. */
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
