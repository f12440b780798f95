import { now } from '../../measure/clock.ts';
import type { Failure } from '../../measure/errors.ts';
import type { Connection } from '../../socket/connection.ts';
import type { ExpectStep, SendStep, Step, Template } from '../scenario.ts';
import { UnsetVariable, render } from '../template.ts';
import type { CompiledKind } from './compiled.ts';
import { Inbox } from './inbox.ts';
import { captured } from './matching.ts';
import { IncomingMessage } from './message.ts';
import type { PassSchedule } from './schedule.ts';
import type { Trip, VuTracker } from './tracker.ts';
import type { VuVariables } from './variables.ts';
import { Stopped } from './waits.ts';

/** What a connection reports to its virtual user; its worker takes the rest. */
export interface VuEvents {
  /** `atMs` is when the last bytes of the message came. */
  message(opcode: 1 | 2, data: Buffer, atMs: number): void;
  dropped(failure: Failure): void;
}

/** A pass, or the iteration around it, cannot go on; the reason is counted already. */
export class Abandoned extends Error {}

export interface ExchangeOptions {
  readonly tracker: VuTracker;
  readonly compiled: CompiledKind;
  readonly variables: VuVariables;
  readonly schedule: PassSchedule;
  /** The steps that are still to come in this pass. */
  readonly stepsAhead: () => Iterable<Step>;
}

const ABANDONED: Failure = {
  kind: 'lost',
  detail: 'abandoned',
  text: 'the pass that waited for the reply was given up',
};

/** The messages that one virtual user exchanges with the server. */
export class Exchange {
  /** Replies in the measured phase. */
  replies = 0;
  readonly #options: ExchangeOptions;
  readonly #tracker: VuTracker;
  /** Messages with a reply, by the number of their step. */
  readonly #trips = new Map<number, Trip>();
  #connection: Connection | undefined;
  #inbox: Inbox | undefined;
  #expecting: ExpectStep | undefined;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.#tracker = options.tracker;
  }

  get isOpen(): boolean {
    return this.#connection?.isOpen === true;
  }

  /** Whether a message waits for its reply. */
  get isWaiting(): boolean {
    return [...this.#trips.values()].some(({ open }) => open);
  }

  /** Prepares for a new connection; returns what its events are to call. */
  begin(): VuEvents {
    const inbox = new Inbox();
    this.#inbox = inbox;
    return {
      message: (opcode, data, atMs) => {
        this.#tracker.total.received += 1;
        this.#receive(inbox, new IncomingMessage(opcode, data, atMs));
      },
      dropped: (failure) => inbox.drop(failure),
    };
  }

  /** Takes the connection as soon as it is open: its first messages may have come with it. */
  attach(connection: Connection): void {
    this.#connection = connection;
  }

  /** Closes the connection. */
  close(code?: number): void {
    this.account();
    this.#inbox = undefined;
    this.#connection?.close(code);
    this.#connection = undefined;
  }

  /** Counts messages that nothing expected, before the figures are closed. */
  account(): void {
    this.#inbox?.end(this.#unexpected);
  }

  /** Counts messages without a reply as lost. */
  lose(failure: Failure): void {
    for (const trip of this.#trips.values()) {
      if (trip.open) this.#tracker.loseTrip(trip, failure);
    }
    this.#trips.clear();
  }

  /** As `lose`, because the pass was given up. */
  abandon(): void {
    this.lose(ABANDONED);
  }

  /** Ends the wait for a message: of any kind, or only for one that is no reply. */
  stop(all: boolean): void {
    if (all || this.#expecting?.replyTo === null) this.#inbox?.stop();
  }

  send(step: SendStep): void {
    const payload = this.render(step.payload, step);
    const before = this.#trips.get(step.id);
    if (before?.open === true) this.#tracker.loseTrip(before, ABANDONED);
    if (!this.isOpen) throw new Abandoned();
    const { schedule } = this.#options;
    const { lateMs, delayMs } = schedule.timing;
    if (step.awaited) {
      this.#trips.set(step.id, this.#tracker.send(now(), lateMs, delayMs));
      schedule.sent();
    } else {
      this.#trips.set(step.id, { sentMs: now(), lateMs, open: false });
    }
    this.#write(step.opcode, payload);
  }

  async expect(step: ExpectStep): Promise<void> {
    const trip = step.replyTo === null ? undefined : this.#trips.get(step.replyTo);
    const from = trip ?? { sentMs: now(), lateMs: 0 };
    const { compiled, variables } = this.#options;
    const matches = this.#guard(step, () => compiled.matcherOf(step)(variables.lookup));
    this.#expecting = step;
    const outcome = await (this.#inbox ?? new Inbox()).next({
      matches,
      // A message that came before the request was sent is not its reply.
      sinceMs: trip?.sentMs ?? 0,
      timeoutMs: step.timeoutMs,
    });
    this.#expecting = undefined;
    if (outcome === 'stopped') throw new Stopped();
    if (!(outcome instanceof IncomingMessage)) {
      const isDropped = outcome.kind === 'dropped';
      const detail = isDropped ? 'connection gone' : 'no reply';
      if (step.completes && trip?.open === true) {
        this.#tracker.loseTrip(trip, { kind: 'lost', detail, text: outcome.text });
      }
      // A dropped connection is counted as an error of its own.
      const text = `expected ${step.match.words}: ${outcome.text}`;
      this.#tracker.failed(step, from, isDropped ? null : this.#failure(step, text));
      throw new Abandoned();
    }
    if (step.completes && trip?.open === true && this.#tracker.answer(trip, outcome.atMs)) {
      this.replies += 1;
    }
    this.#check(step, from, outcome);
  }

  /** Fills in a template; a variable without a value is the step's failure. */
  render(template: Template, step: { readonly at: string; readonly kind: string }): string {
    return this.#guard(step, () => render(template, this.#options.variables.lookup));
  }

  /** Checks the message that was expected and captures values from it. */
  #check(step: ExpectStep, from: Pick<Trip, 'sentMs' | 'lateMs'>, message: IncomingMessage): void {
    const { compiled, variables } = this.#options;
    const check = compiled.checkOf(step);
    const holds = this.#guard(step, () => check?.(variables.lookup)(message) ?? true);
    if (!holds) {
      const text = `expected ${step.check?.words ?? ''}, got ${message.words}`;
      this.#tracker.failed(step, from, this.#failure(step, text));
      if (this.#tracker.isMeasured(message.atMs)) this.#tracker.wrongReply();
    } else {
      this.#tracker.met(step, from, message.atMs);
    }
    for (const capture of step.captures) {
      const value = captured(capture, message);
      variables.capture(capture.name, value);
      if (value !== undefined || !holds) continue;
      const text = `nothing to capture as ${capture.name} in ${message.words}`;
      this.#tracker.failed(step, from, this.#failure(step, text));
      throw new Abandoned();
    }
    // Later steps need the right reply; replies that are on their way are still taken.
    if (!holds && !this.isWaiting) throw new Abandoned();
  }

  #write(opcode: 1 | 2, text: string): void {
    const connection = this.#connection;
    if (connection?.isOpen !== true) return;
    const payload = opcode === 2 ? Buffer.from(text, 'base64') : text;
    this.#tracker.total.sent += 1;
    this.#tracker.bytes(connection.send(opcode, [payload]));
  }

  #receive(inbox: Inbox, message: IncomingMessage): void {
    if (inbox !== this.#inbox) return;
    if (inbox.offer(message)) return;
    message.isWanted = this.#isWantedLater(message);
    if (!message.isWanted && this.#handle(message)) return;
    const pushedOut = inbox.keep(message);
    if (pushedOut !== undefined) this.#unexpected(pushedOut);
  }

  /**
   * Whether an expectation later in this pass would take the message: handlers leave it alone, as
   * replies may come together, or in another order than their steps.
   */
  #isWantedLater(message: IncomingMessage): boolean {
    for (const step of this.#options.stepsAhead()) {
      if (step.kind === 'expect' && this.#fits(step, message)) return true;
    }
    return false;
  }

  #fits(step: ExpectStep, message: IncomingMessage): boolean {
    const sentMs = step.replyTo === null ? 0 : this.#trips.get(step.replyTo)?.sentMs;
    if (sentMs === undefined || message.atMs < sentMs) return false;
    const { compiled, variables } = this.#options;
    try {
      return compiled.matcherOf(step)(variables.lookup)(message);
    } catch (error) {
      // It uses a variable that a step before it is still to capture.
      if (error instanceof UnsetVariable) return false;
      throw error;
    }
  }

  readonly #unexpected = (message: IncomingMessage): void => {
    // The step that expects it was not reached, which is not the server's fault.
    if (message.isWanted) return;
    const { name } = this.#options.compiled.kind;
    const text = `${name} got a message that nothing expects: ${message.words}`;
    const detail = `${name}: unexpected message`;
    this.#tracker.wrong({ kind: 'scenario', detail, text }, message.atMs);
  };

  /** Lets the first handler that matches take a message that no step expects. */
  #handle(message: IncomingMessage): boolean {
    const { compiled, variables } = this.#options;
    for (const { handler, match } of compiled.handlers) {
      const own = new Map<string, unknown>();
      const lookup = (name: string): unknown => own.get(name) ?? variables.lookup(name);
      if (!match(lookup)(message)) continue;
      this.#tracker.take(handler.name);
      for (const capture of handler.captures) own.set(capture.name, captured(capture, message));
      if (handler.answer === null) return true;
      try {
        this.#write(handler.answer.opcode, render(handler.answer.payload, lookup));
      } catch (error) {
        if (!(error instanceof UnsetVariable)) throw error;
        this.#tracker.error(this.#failure({ ...handler, kind: 'on' }, error.message));
      }
      return true;
    }
    return false;
  }

  /** Counts a variable without a value as the step's failure. */
  #guard<T>(step: { readonly at: string; readonly kind: string }, work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof UnsetVariable)) throw error;
      this.#tracker.error(this.#failure(step, error.message));
      throw new Abandoned();
    }
  }

  #failure(
    step: { readonly at: string; readonly kind: string; readonly label?: string | null },
    text: string,
  ): Failure {
    const words = this.#options.compiled.wordsOf(step);
    return { kind: 'scenario', detail: words, text: `${words}: ${text}` };
  }
}
