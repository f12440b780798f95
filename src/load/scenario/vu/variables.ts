import { randomUUID } from 'node:crypto';
import type { Lookup } from '../template.ts';
import type { Source, Variable } from '../scenario.ts';

const LETTERS = 'abcdefghijklmnopqrstuvwxyz';

/**
 * Draws the values of one thread. Sequences and lists continue over all virtual users and take turns
 * with the other threads and machines, so that no value comes twice.
 */
export class Draw {
  readonly #random: () => number;
  readonly #thread: number;
  readonly #threads: number;
  readonly #counts = new Map<string, number>();

  constructor(options: { random: () => number; thread: number; threads: number }) {
    this.#random = options.random;
    this.#thread = options.thread;
    this.#threads = options.threads;
  }

  next({ name, source }: Variable): unknown {
    switch (source.kind) {
      case 'integer':
        return this.#between(source);
      case 'text':
        return Array.from({ length: this.#between(source) }, () => this.#letter()).join('');
      case 'uuid':
        return randomUUID();
      case 'sequence':
        return source.from + source.step * this.#turn(name);
      case 'values':
        return source.values[this.#position(name, source)];
    }
  }

  #position(name: string, { order, values }: Extract<Source, { kind: 'values' }>): number {
    if (order === 'random') return Math.floor(this.#random() * values.length);
    return this.#turn(name) % values.length;
  }

  #between({ min, max }: { readonly min: number; readonly max: number }): number {
    return min + Math.floor(this.#random() * (max - min + 1));
  }

  #letter(): string {
    return LETTERS[Math.floor(this.#random() * LETTERS.length)] as string;
  }

  #turn(name: string): number {
    const count = this.#counts.get(name) ?? 0;
    this.#counts.set(name, count + 1);
    return count * this.#threads + this.#thread;
  }
}

/** The variables of one virtual user: drawn when first used, kept as their `per` says. */
export class VuVariables {
  iteration = 0;
  /** Of the innermost loop; 0 outside of loops. */
  pass = 0;
  readonly #client: number;
  readonly #variables: ReadonlyMap<string, Variable>;
  readonly #draw: Draw;
  readonly #values = new Map<string, unknown>();
  readonly #captures = new Map<string, unknown>();

  /** `client` is the number of the virtual user among all of the run, from 1. */
  constructor(client: number, variables: ReadonlyMap<string, Variable>, draw: Draw) {
    this.#client = client;
    this.#variables = variables;
    this.#draw = draw;
  }

  readonly lookup: Lookup = (name) => {
    switch (name) {
      case 'client':
        return this.#client;
      case 'iteration':
        return this.iteration;
      case 'pass':
        return this.pass;
      case 'now':
        return Date.now();
      case 'uuid':
        return randomUUID();
      default:
        return this.#captures.has(name) ? this.#captures.get(name) : this.#drawn(name);
    }
  };

  capture(name: string, value: unknown): void {
    this.#captures.set(name, value);
  }

  beginIteration(): void {
    this.iteration += 1;
    this.pass = 0;
    this.#captures.clear();
    this.#forget('iteration');
    this.#forget('pass');
  }

  beginPass(pass: number): void {
    this.pass = pass;
    this.#forget('pass');
  }

  #drawn(name: string): unknown {
    const variable = this.#variables.get(name);
    if (variable === undefined) return undefined;
    let value = this.#values.get(name);
    if (value === undefined) {
      value = this.#draw.next(variable);
      this.#values.set(name, value);
    }
    return value;
  }

  #forget(per: Variable['per']): void {
    for (const [name, variable] of this.#variables) {
      if (variable.per === per) this.#values.delete(name);
    }
  }
}
