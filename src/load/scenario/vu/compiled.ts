import { messagesOf } from '../messages-of.ts';
import type { ClientKind, ExpectStep, Handler, LoopStep } from '../scenario.ts';
import { allSteps, scheduledLoop } from './assign.ts';
import { compileMatcher } from './matching.ts';
import type { CompiledMatcher } from './matching.ts';

/** A kind of client, prepared for its virtual users. */
export class CompiledKind {
  readonly kind: ClientKind;
  /** The loop that has a schedule; undefined for none. */
  readonly scheduled: LoopStep | undefined;
  /** Messages with a reply in one pass of that loop, or else in one iteration; at least 1. */
  readonly messages: number;
  /** Whether it sends messages in loops. */
  readonly sendsInLoops: boolean;
  readonly handlers: readonly { readonly handler: Handler; readonly match: CompiledMatcher }[];
  readonly #matchers = new Map<ExpectStep, CompiledMatcher>();
  readonly #checks = new Map<ExpectStep, CompiledMatcher>();

  constructor(kind: ClientKind) {
    this.kind = kind;
    this.scheduled = scheduledLoop(kind.steps);
    this.messages = Math.max(1, this.scheduled?.messages ?? messagesOf(kind.steps));
    this.sendsInLoops = kind.steps.some((step) => step.kind === 'loop' && step.messages > 0);
    this.handlers = kind.on.map((handler) => ({ handler, match: compileMatcher(handler.match) }));
    for (const step of allSteps(kind.steps)) {
      if (step.kind !== 'expect') continue;
      this.#matchers.set(step, compileMatcher(step.match));
      if (step.check !== null) this.#checks.set(step, compileMatcher(step.check));
    }
  }

  matcherOf(step: ExpectStep): CompiledMatcher {
    return this.#matchers.get(step) as CompiledMatcher;
  }

  checkOf(step: ExpectStep): CompiledMatcher | undefined {
    return this.#checks.get(step);
  }

  /** Describes a step: its kind of client, its label, its place in the file. */
  wordsOf(step: {
    readonly at: string;
    readonly label?: string | null;
    readonly kind: string;
  }): string {
    return `${this.kind.name}: ${step.label ?? step.kind} (${step.at})`;
  }
}
