import type { ExpectStep, SendStep } from '../scenario.ts';

/** A send before it is known whether a reply to it is waited for. */
export type Draft = { -readonly [Key in keyof SendStep]: SendStep[Key] };

/** Finds for each expectation the send that it is the reply to, within one list of steps. */
export class Replies {
  readonly #unanswered: Draft[] = [];
  #latest: Draft | undefined;

  send(step: Draft): void {
    this.#unanswered.push(step);
  }

  expect(): Pick<ExpectStep, 'replyTo' | 'completes'> {
    const next = this.#unanswered.shift();
    if (next !== undefined) {
      next.awaited = true;
      this.#latest = next;
      return { replyTo: next.id, completes: true };
    }
    // What comes after the reply, such as a broadcast, is measured from the same send.
    return { replyTo: this.#latest?.id ?? null, completes: false };
  }
}
