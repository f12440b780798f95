import { GraphQLError } from 'graphql';

/** Values that wait for one who iterates; who has more is too slow. */
const MAX_WAITING = 1000;

/** Passes values on to everybody who iterates over those of a key at the time. */
export class Broadcast<Value> {
  readonly #listeners = new Map<string, Set<Listener<Value>>>();

  publish(key: string, value: Value): void {
    for (const listener of this.#listeners.get(key) ?? []) listener.push(value);
  }

  /** What is published under `key` from now on. */
  subscribe(key: string): AsyncIterableIterator<Value> {
    const others = this.#listeners.get(key) ?? new Set();
    const listener = new Listener<Value>(() => {
      others.delete(listener);
      if (others.size === 0) this.#listeners.delete(key);
    });
    this.#listeners.set(key, others.add(listener));
    return listener;
  }
}

interface Reader<Value> {
  readonly resolve: (result: IteratorResult<Value, undefined>) => void;
  readonly reject: (error: unknown) => void;
}

class Listener<Value> implements AsyncIterableIterator<Value> {
  readonly #onEnd: () => void;
  readonly #values: Value[] = [];
  readonly #readers: Reader<Value>[] = [];
  #error: GraphQLError | undefined;
  #isEnded = false;

  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  push(value: Value): void {
    const reader = this.#readers.shift();
    if (reader !== undefined) {
      reader.resolve({ value, done: false });
      return;
    }
    if (this.#values.length < MAX_WAITING) {
      this.#values.push(value);
      return;
    }
    // Who reads gets what waits, and then the error.
    this.#end();
    const extensions = { code: 'TOO_SLOW' };
    this.#error = new GraphQLError('what was published came faster than it was read', {
      extensions,
    });
  }

  next(): Promise<IteratorResult<Value, undefined>> {
    const [value] = this.#values;
    if (this.#values.length > 0) {
      this.#values.shift();
      return Promise.resolve({ value: value as Value, done: false });
    }
    const error = this.#error;
    this.#error = undefined;
    if (error !== undefined) return Promise.reject(error);
    if (this.#isEnded) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }));
  }

  return(): Promise<IteratorResult<Value, undefined>> {
    this.#end();
    this.#values.length = 0;
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#onEnd();
    for (const { resolve } of this.#readers.splice(0)) resolve({ value: undefined, done: true });
  }
}
