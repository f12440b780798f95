import { now } from '../measure/clock.ts';
import { Pacer, Spinner } from './timers.ts';
import type { PacerOptions, Timer } from './timers.ts';

interface Entry {
  readonly dueMs: number;
  readonly call: () => void;
}

/** Calls back when something is due, as exactly as the timer can: a heap of times. */
export class DueQueue {
  readonly #timer: Timer;
  readonly #heap: Entry[] = [];

  /** `pacer` is the entry of the pacer's thread; `precise` spins in place of it. */
  constructor(pacer: string, precise: boolean, options: PacerOptions) {
    const tick = (): void => this.#tick();
    this.#timer = precise ? new Spinner(tick) : new Pacer(pacer, tick, options);
  }

  get ready(): Promise<void> {
    return this.#timer.ready;
  }

  add(dueMs: number, call: () => void): void {
    const heap = this.#heap;
    const entry = { dueMs, call };
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#dueAt(parent) <= dueMs) break;
      heap[at] = heap[parent] as Entry;
      at = parent;
    }
    heap[at] = entry;
    if (at === 0) this.#timer.schedule(dueMs);
  }

  stop(): void {
    this.#heap.length = 0;
    this.#timer.stop();
  }

  #dueAt(at: number): number {
    return this.#heap[at]?.dueMs ?? Infinity;
  }

  /** Calls at once all that is due before `ms`. */
  callUntil(ms: number): void {
    while (this.#dueAt(0) < ms) this.#shift()?.call();
  }

  #tick(): void {
    const nowMs = now();
    while (this.#dueAt(0) <= nowMs) this.#shift()?.call();
    if (this.#heap.length > 0) this.#timer.schedule(this.#dueAt(0));
  }

  #shift(): Entry | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      const child = this.#dueAt(left + 1) < this.#dueAt(left) ? left + 1 : left;
      if (this.#dueAt(child) >= last.dueMs) break;
      heap[at] = heap[child] as Entry;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}
