import type { Failure } from '../../measure/errors.ts';
import type { IncomingMessage } from './message.ts';
import type { Predicate } from './matching.ts';

export interface Wanted {
  readonly matches: Predicate;
  /** Earlier messages do not match; milliseconds on the common clock. */
  readonly sinceMs: number;
  readonly timeoutMs: number;
}

/** The message, or why there is none. */
export type Outcome =
  IncomingMessage | 'stopped' | { readonly kind: 'timeout' | 'dropped'; readonly text: string };

interface Waiter extends Wanted {
  readonly settle: (outcome: Outcome) => void;
  /** The latest message that did not match. */
  other: IncomingMessage | undefined;
}

/** Most messages that are kept for later expectations. */
const MOST_KEPT = 64;

/** The messages of one connection that no handler took, and the expectation that waits for one. */
export class Inbox {
  #kept: IncomingMessage[] = [];
  #waiter: Waiter | undefined;
  #dropped: Failure | undefined;

  /** Waits for a message, unless one that is kept already matches. */
  next(wanted: Wanted): Promise<Outcome> {
    const at = this.#kept.findIndex((message) => fits(wanted, message));
    const [found] = at < 0 ? [] : this.#kept.splice(at, 1);
    if (found !== undefined) return Promise.resolve(found);
    if (this.#dropped !== undefined) return Promise.resolve(droppedOutcome(this.#dropped));
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#expire(), wanted.timeoutMs);
      const settle = (outcome: Outcome): void => {
        clearTimeout(timer);
        this.#waiter = undefined;
        resolve(outcome);
      };
      this.#waiter = { ...wanted, settle, other: undefined };
    });
  }

  /** Whether the message ends the present wait. */
  offer(message: IncomingMessage): boolean {
    const waiter = this.#waiter;
    if (waiter === undefined) return false;
    if (!fits(waiter, message)) {
      waiter.other = message;
      return false;
    }
    waiter.settle(message);
    return true;
  }

  /** Keeps a message for later; returns the oldest if there are too many. */
  keep(message: IncomingMessage): IncomingMessage | undefined {
    this.#kept.push(message);
    return this.#kept.length > MOST_KEPT ? this.#kept.shift() : undefined;
  }

  /** The connection is gone. */
  drop(failure: Failure): void {
    this.#dropped = failure;
    this.#waiter?.settle(droppedOutcome(failure));
  }

  stop(): void {
    this.#waiter?.settle('stopped');
  }

  /** Hands over the messages that nothing expected. */
  end(unexpected: (message: IncomingMessage) => void): void {
    for (const message of this.#kept.splice(0)) unexpected(message);
  }

  #expire(): void {
    const waiter = this.#waiter;
    const last =
      waiter?.other === undefined ? '' : `, the latest other message: ${waiter.other.words}`;
    waiter?.settle({ kind: 'timeout', text: `nothing in ${waiter.timeoutMs} ms${last}` });
  }
}

function fits({ matches, sinceMs }: Wanted, message: IncomingMessage): boolean {
  return message.atMs >= sinceMs && matches(message);
}

function droppedOutcome({ text }: Failure): Outcome {
  return { kind: 'dropped', text: `the connection was gone: ${text}` };
}
