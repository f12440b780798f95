import { now } from '../../measure/clock.ts';
import type { Failure } from '../../measure/errors.ts';
import type { ClientEvents, ClientConnection } from '../../socket/client-connection.ts';
import type {
  ConnectStep,
  ExpectStep,
  LoopStep,
  SendStep,
  Step,
  Template,
  ThinkStep,
} from '../scenario.ts';
import { UnsetVariable, render } from '../template.ts';
import type { CompiledKind } from './compiled.ts';
import { IncomingMessage } from './message.ts';
import { Inbox } from './inbox.ts';
import { captured } from './matching.ts';
import type { Opening } from './opening.ts';
import type { Pace } from './pace.ts';
import type { VuTracker, Trip } from './tracker.ts';
import { PassSchedule } from './schedule.ts';
import type { VuVariables } from './variables.ts';
import { Stopped } from './waits.ts';

/** What the clients of one thread have in common. */
export interface VuHost {
  readonly tracker: VuTracker;
  readonly random: () => number;
  /** No new message is to be sent. */
  readonly stopping: boolean;
  /** When that begins, on the common clock. */
  readonly endMs: number;
  /** Whether whole iterations are paced, for want of a loop that is. */
  readonly pacesIterations: boolean;
  /** Opens a connection, as soon as there is room for another handshake, and attaches it. */
  connect(client: VU, opening: Opening, events: ClientEvents): Promise<void>;
  /** Writes what is queued on `socket` and counts the bytes. */
  flush(socket: ClientConnection): void;
  /** The schedule of this client, once the traffic has begun; undefined: it has none. */
  pace(client: VU): Promise<Pace | undefined>;
  /** Resolves when it is time; rejects with `Stopped` when the run ends before. */
  until(dueMs: number): Promise<void>;
  sleep(ms: number): Promise<void>;
}

/** A pass, or the iteration around it, cannot go on; what was wrong is counted already. */
class Abandoned extends Error {}

/** Pauses after a pass or an iteration that failed: what fails at once must not go round and round. */
const PASS_PAUSE_MS = 100;
const ITERATION_PAUSE_MS = 1000;

/** After so many passes that may never have waited, others get their turn. */
const PASSES_IN_A_ROW = 64;

/** Where a client is in a list of steps. */
interface Frame {
  readonly steps: readonly Step[];
  at: number;
}

/** One client of a scenario: goes through its steps again and again until the run is over. */
export class VU {
  readonly compiled: CompiledKind;
  /** Number among the clients of this run, from 0. */
  readonly index: number;
  /** Replies in the measured phase. */
  replies = 0;
  readonly #host: VuHost;
  readonly #variables: VuVariables;
  readonly #trips = new Map<number, Trip>();
  #socket: ClientConnection | undefined;
  #inbox: Inbox | undefined;
  readonly #turns: PassSchedule;
  #isPaced = false;
  #expecting: ExpectStep | undefined;
  /** The lists of steps that it is in, the innermost last. */
  readonly #frames: Frame[] = [];

  constructor(
    host: VuHost,
    who: { compiled: CompiledKind; index: number; variables: VuVariables },
  ) {
    this.#host = host;
    this.compiled = who.compiled;
    this.index = who.index;
    this.#variables = who.variables;
    this.#turns = new PassSchedule({
      tracker: host.tracker,
      until: (dueMs) => host.until(dueMs),
      messages: who.compiled.messages,
    });
  }

  /** Runs until the host stops; never rejects. */
  async run(): Promise<void> {
    const { tracker } = this.#host;
    while (!this.#host.stopping) {
      tracker.iterations.started += 1;
      try {
        await this.#iterate();
        tracker.iterations.completed += 1;
      } catch (error) {
        if (error instanceof Stopped) return;
        if (!(error instanceof Abandoned)) throw error;
        tracker.iterations.failed += 1;
        if (!(await this.#pause(ITERATION_PAUSE_MS))) return;
      }
    }
  }

  /** Takes a connection at the very moment it opens: its first messages may have come with it. */
  attach(socket: ClientConnection): void {
    this.#socket = socket;
  }

  /** Gives up on what is outstanding. */
  lose(failure: Failure): void {
    for (const trip of this.#trips.values()) {
      if (trip.open) this.#host.tracker.lose(trip, failure);
    }
    this.#trips.clear();
  }

  /** Hands over what came and nobody wanted, before the figures are closed. */
  account(): void {
    this.#turns.end();
    this.#inbox?.end(this.#unexpected);
  }

  /** Ends a wait for a message; at the end of the traffic alone that for one nobody asked for. */
  stop(all: boolean): void {
    if (all || this.#expecting?.replyTo === null) this.#inbox?.stop();
  }

  get #isWaiting(): boolean {
    return [...this.#trips.values()].some(({ open }) => open);
  }

  async #pause(ms: number): Promise<boolean> {
    try {
      await this.#host.sleep(ms);
      return true;
    } catch {
      return false;
    }
  }

  async #iterate(): Promise<void> {
    this.#variables.beginIteration();
    this.#turns.leaveSchedule();
    this.#isPaced = false;
    try {
      await this.#run(this.compiled.kind.steps);
    } finally {
      this.#leave();
    }
  }

  /** Ends the iteration's connection, and what hangs on it. */
  #leave(code?: number): void {
    this.#turns.end();
    this.#inbox?.end(this.#unexpected);
    this.#inbox = undefined;
    // Nothing is lost by an end of the run: its main thread has that counted.
    if (!this.#host.stopping) this.lose(ABANDONED);
    this.#socket?.close(code);
    this.#socket = undefined;
  }

  async #run(steps: readonly Step[]): Promise<void> {
    const frame = { steps, at: 0 };
    this.#frames.push(frame);
    try {
      await this.#runFrame(frame);
    } finally {
      this.#frames.pop();
    }
  }

  async #runFrame(frame: Frame): Promise<void> {
    for (const [at, step] of frame.steps.entries()) {
      frame.at = at;
      if (this.#host.stopping && !this.#isWaiting && !this.#turns.isDue) throw new Stopped();
      this.#turns.begun();
      await this.#step(step);
    }
  }

  async #step(step: Step): Promise<void> {
    switch (step.kind) {
      case 'connect':
        await this.#connect(step);
        break;
      case 'send':
        this.#send(step);
        break;
      case 'expect':
        await this.#expect(step);
        break;
      case 'think':
        await this.#think(step);
        break;
      case 'loop':
        await this.#loop(step);
        break;
      case 'close':
        this.#leave(step.code);
        break;
    }
  }

  async #connect(step: ConnectStep): Promise<void> {
    const fill = (template: Template): string => this.#render(template, step);
    const opening: Opening = {
      path: step.path === null ? null : fill(step.path),
      query: step.query.map(([name, value]) => [name, fill(value)]),
      headers: step.headers.map(([name, value]) => [name, fill(value)]),
      subprotocols: step.subprotocols,
    };
    const inbox = new Inbox();
    this.#inbox = inbox;
    try {
      await this.#host.connect(this, opening, this.#events(inbox));
    } catch (error) {
      if (error instanceof Stopped) throw error;
      throw new Abandoned();
    }
    if (this.#host.pacesIterations && !this.#isPaced) {
      this.#isPaced = true;
      await this.#turns.wait(await this.#host.pace(this), now());
    }
  }

  /** What the socket tells while this connection is the client's; the host adds its own. */
  #events(inbox: Inbox): ClientEvents {
    return {
      opened: () => undefined,
      failed: () => undefined,
      received: () => undefined,
      pinged: () => undefined,
      ended: () => undefined,
      message: (opcode, data, atMs) => {
        this.#host.tracker.total.received += 1;
        this.#receive(inbox, new IncomingMessage(opcode, data, atMs));
      },
      dropped: (failure) => inbox.drop(failure),
    };
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
   * Whether an expectation further on in this pass would take the message: handlers leave it alone,
   * as replies may come together, or in another order than the steps have.
   */
  #isWantedLater(message: IncomingMessage): boolean {
    return this.#frames.some(({ steps, at }) =>
      steps.slice(at + 1).some((step) => step.kind === 'expect' && this.#fits(step, message)),
    );
  }

  #fits(step: ExpectStep, message: IncomingMessage): boolean {
    const sentMs = step.replyTo === null ? 0 : this.#trips.get(step.replyTo)?.sentMs;
    if (sentMs === undefined || message.atMs < sentMs) return false;
    try {
      return this.compiled.matcherOf(step)(this.#variables.lookup)(message);
    } catch (error) {
      // It uses what a step before it is still to capture.
      if (error instanceof UnsetVariable) return false;
      throw error;
    }
  }

  readonly #unexpected = (message: IncomingMessage): void => {
    // The step that expects it was not reached any more: that is not the server's fault.
    if (message.isWanted) return;
    const text = `${this.compiled.kind.name} got a message that nothing expects: ${message.words}`;
    const detail = `${this.compiled.kind.name}: unexpected message`;
    this.#host.tracker.wrong({ kind: 'scenario', detail, text }, message.atMs);
  };

  /** Lets the first handler that fits take a message that came unasked. */
  #handle(message: IncomingMessage): boolean {
    for (const { handler, match } of this.compiled.handlers) {
      const own = new Map<string, unknown>();
      const lookup = (name: string): unknown => own.get(name) ?? this.#variables.lookup(name);
      if (!match(lookup)(message)) continue;
      this.#host.tracker.take(handler.name);
      for (const capture of handler.captures) own.set(capture.name, captured(capture, message));
      if (handler.answer === null) return true;
      try {
        this.#write(handler.answer.opcode, render(handler.answer.payload, lookup));
      } catch (error) {
        if (!(error instanceof UnsetVariable)) throw error;
        this.#host.tracker.error(this.#failure({ ...handler, kind: 'on' }, error.message));
      }
      return true;
    }
    return false;
  }

  #send(step: SendStep): void {
    const payload = this.#render(step.payload, step);
    const before = this.#trips.get(step.id);
    if (before?.open === true) this.#host.tracker.lose(before, ABANDONED);
    // Nobody takes the reply on a connection that is gone.
    if (this.#socket?.isOpen !== true) throw new Abandoned();
    const { lateMs, delayMs } = this.#turns.timing;
    if (step.awaited) {
      this.#trips.set(step.id, this.#host.tracker.send(now(), lateMs, delayMs));
      this.#turns.sent();
    } else {
      this.#trips.set(step.id, { sentMs: now(), lateMs, open: false });
    }
    this.#write(step.opcode, payload);
  }

  #write(opcode: 1 | 2, text: string): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    const payload = opcode === 2 ? Buffer.from(text, 'base64') : text;
    if (!socket.send(opcode, payload)) return;
    this.#host.tracker.total.sent += 1;
    this.#host.flush(socket);
  }

  async #expect(step: ExpectStep): Promise<void> {
    const { tracker } = this.#host;
    const trip = step.replyTo === null ? undefined : this.#trips.get(step.replyTo);
    const from = trip ?? { sentMs: now(), lateMs: 0 };
    const matches = this.#guard(step, () => this.compiled.matcherOf(step)(this.#variables.lookup));
    this.#expecting = step;
    const outcome = await (this.#inbox ?? new Inbox()).next({
      matches,
      // What came before the message was sent is no reply to it.
      sinceMs: trip?.sentMs ?? 0,
      timeoutMs: step.timeoutMs,
    });
    this.#expecting = undefined;
    if (outcome === 'stopped') throw new Stopped();
    if (!(outcome instanceof IncomingMessage)) {
      const lost: Failure =
        outcome.kind === 'dropped'
          ? { kind: 'lost', detail: 'connection gone', text: outcome.text }
          : { kind: 'lost', detail: 'no reply', text: outcome.text };
      if (step.completes && trip?.open === true) tracker.lose(trip, lost);
      // A connection that is gone is an error of its own.
      const isOwn = outcome.kind === 'timeout';
      const text = `expected ${step.match.words}: ${outcome.text}`;
      tracker.failed(step, from, isOwn ? this.#failure(step, text) : null);
      throw new Abandoned();
    }
    if (step.completes && trip?.open === true && tracker.answer(trip, outcome.atMs))
      this.replies += 1;
    this.#judge(step, { from, message: outcome });
  }

  /** Checks a message that is the one that was expected, and takes out what is wanted of it. */
  #judge(
    step: ExpectStep,
    { from, message }: { from: Pick<Trip, 'sentMs' | 'lateMs'>; message: IncomingMessage },
  ): void {
    const { tracker } = this.#host;
    const check = this.compiled.checkOf(step);
    const holds = this.#guard(step, () => check?.(this.#variables.lookup)(message) ?? true);
    if (!holds) {
      const text = `expected ${step.check?.words ?? ''}, got ${message.words}`;
      tracker.failed(step, from, this.#failure(step, text));
      if (tracker.isMeasured(message.atMs)) tracker.wrongReply();
    } else {
      tracker.met(step, from, message.atMs);
    }
    for (const capture of step.captures) {
      const value = captured(capture, message);
      this.#variables.capture(capture.name, value);
      if (value !== undefined || !holds) continue;
      const text = `nothing to capture as ${capture.name} in ${message.words}`;
      tracker.failed(step, from, this.#failure(step, text));
      throw new Abandoned();
    }
    // What follows counts on the reply; only replies that are under way are still taken.
    if (!holds && !this.#isWaiting) throw new Abandoned();
  }

  async #think({ minMs, maxMs }: ThinkStep): Promise<void> {
    if (this.#host.stopping) return;
    try {
      await this.#host.sleep(minMs + this.#host.random() * (maxMs - minMs));
    } catch (error) {
      // At the end of the run, who has a reply coming goes on to wait for it.
      if (!this.#isWaiting) throw error;
    }
  }

  async #loop(step: LoopStep): Promise<void> {
    const outer = this.#variables.pass;
    const startMs = now();
    const { until } = step;
    const goesOn = (done: number): boolean =>
      until.kind === 'forever' ||
      (until.kind === 'times' ? done < until.times : now() - startMs < until.ms);
    const pace = step.everyMs === null ? undefined : await this.#host.pace(this);
    if (pace !== undefined) this.#turns.skip(pace);
    for (let done = 0; goesOn(done); done++) {
      const readyMs = now();
      // Its last pass was due in time: it is only the one before it that took too long.
      if (this.#host.stopping && !(pace?.isLast(this.#host.endMs) ?? false)) throw new Stopped();
      if (pace !== undefined) await this.#turns.wait(pace, readyMs);
      else if (done % PASSES_IN_A_ROW === PASSES_IN_A_ROW - 1) await this.#host.sleep(0);
      this.#variables.beginPass(done + 1);
      await this.#pass(step);
    }
    this.#variables.pass = outer;
    this.#turns.leaveSchedule();
  }

  async #pass(step: LoopStep): Promise<void> {
    try {
      await this.#run(step.steps);
    } catch (error) {
      if (!(error instanceof Abandoned) || this.#socket?.isOpen !== true) throw error;
      this.lose(ABANDONED);
      // A schedule has its own time for the next one.
      if (step.everyMs === null) await this.#host.sleep(PASS_PAUSE_MS);
    }
  }

  #render(template: Template, step: { readonly at: string; readonly kind: string }): string {
    return this.#guard(step, () => render(template, this.#variables.lookup));
  }

  /** Counts a variable without a value as the step's failure. */
  #guard<T>(step: { readonly at: string; readonly kind: string }, work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof UnsetVariable)) throw error;
      this.#host.tracker.error(this.#failure(step, error.message));
      throw new Abandoned();
    }
  }

  #failure(
    step: { readonly at: string; readonly kind: string; readonly label?: string | null },
    text: string,
  ): Failure {
    const words = this.compiled.wordsOf(step);
    return { kind: 'scenario', detail: words, text: `${words}: ${text}` };
  }
}

const ABANDONED: Failure = {
  kind: 'lost',
  detail: 'abandoned',
  text: 'the pass that waited for the reply was given up',
};
