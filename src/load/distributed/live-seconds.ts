import { mergeSecond } from '../aggregate.ts';
import type { SecondSample } from '../result.ts';

/**
 * Puts the seconds of several machines together as they come: a second is told once all machines
 * that still run have told theirs.
 */
export class LiveSeconds {
  readonly #onSecond: (sample: SecondSample) => void;
  /** By machine: what it told last; those that are done wait for nobody. */
  readonly #last = new Map<number, number>();
  readonly #open = new Map<number, SecondSample[]>();

  constructor(machines: number, onSecond: (sample: SecondSample) => void) {
    this.#onSecond = onSecond;
    for (let machine = 0; machine < machines; machine++) this.#last.set(machine, -1);
  }

  add(machine: number, sample: SecondSample): void {
    this.#last.set(machine, sample.second);
    this.#open.set(sample.second, [...(this.#open.get(sample.second) ?? []), sample]);
    this.#tell();
  }

  /** This machine will tell nothing any more. */
  end(machine: number): void {
    this.#last.delete(machine);
    this.#tell();
  }

  #tell(): void {
    const complete = Math.min(...this.#last.values());
    for (const second of [...this.#open.keys()].sort((a, b) => a - b)) {
      if (second > complete) return;
      const [first, ...others] = this.#open.get(second) ?? [];
      this.#open.delete(second);
      if (first !== undefined) this.#onSecond(mergeSecond([first, ...others]));
    }
  }
}
