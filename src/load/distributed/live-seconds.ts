import { mergeSecond } from '../aggregate.ts';
import type { SecondSample } from '../result.ts';

/** Merges the seconds of several machines: reports one when all running machines have sent it. */
export class LiveSeconds {
  readonly #onSecond: (sample: SecondSample) => void;
  /** The last second of each running machine. */
  readonly #last = new Map<number, number>();
  readonly #open = new Map<number, SecondSample[]>();

  constructor(machines: number, onSecond: (sample: SecondSample) => void) {
    this.#onSecond = onSecond;
    for (let machine = 0; machine < machines; machine++) this.#last.set(machine, -1);
  }

  add(machine: number, sample: SecondSample): void {
    this.#last.set(machine, sample.second);
    this.#open.set(sample.second, [...(this.#open.get(sample.second) ?? []), sample]);
    this.#report();
  }

  /** This machine sends no more seconds. */
  end(machine: number): void {
    this.#last.delete(machine);
    this.#report();
  }

  #report(): void {
    const complete = Math.min(...this.#last.values());
    for (const second of [...this.#open.keys()].sort((a, b) => a - b)) {
      if (second > complete) return;
      const [first, ...others] = this.#open.get(second) ?? [];
      this.#open.delete(second);
      if (first !== undefined) this.#onSecond(mergeSecond([first, ...others]));
    }
  }
}
