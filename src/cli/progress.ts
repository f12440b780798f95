import type { Progress } from '../operation.ts';

const QUIET_MS = 1000;

/** Where progress is written; a terminal gets one line that changes, anything else plain lines. */
interface Sink {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** Prints progress once an operation has run for a second, at most once a second. */
export class ProgressPrinter {
  readonly #sink: Sink;
  readonly #now: () => number;
  #last: number;
  #lineOpen = false;

  constructor(sink: Sink, now: () => number) {
    this.#sink = sink;
    this.#now = now;
    this.#last = now();
  }

  readonly emit = (progress: Progress): void => {
    if (this.#now() - this.#last < QUIET_MS) return;
    this.#last = this.#now();
    const { stage, done, total } = progress;
    const text =
      done === undefined ? stage : `${stage} ${done}${total === undefined ? '' : `/${total}`}`;
    if (this.#sink.isTTY === true) {
      this.#sink.write(`\r\u001b[2K… ${text}`);
      this.#lineOpen = true;
    } else {
      this.#sink.write(`… ${text}\n`);
    }
  };

  /** Removes the changing line before the report is printed. */
  end(): void {
    if (this.#lineOpen) this.#sink.write('\r\u001b[2K');
    this.#lineOpen = false;
  }
}
