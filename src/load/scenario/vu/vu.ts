import { now } from '../../measure/clock.ts';
import type { Failure } from '../../measure/errors.ts';
import type { Connection } from '../../socket/connection.ts';
import type { RequestChanges } from '../../socket/dialer.ts';
import type { ConnectStep, LoopStep, Step, Template, ThinkStep } from '../scenario.ts';
import type { CompiledKind } from './compiled.ts';
import { Abandoned, Exchange } from './exchange.ts';
import type { VuEvents } from './exchange.ts';
import type { Pace } from './pacing.ts';
import { PassSchedule } from './schedule.ts';
import type { VuTracker } from './tracker.ts';
import type { VuVariables } from './variables.ts';
import { Stopped } from './waits.ts';

/** What the virtual users of one worker have in common. */
export interface VuHost {
  readonly targetUrl: string;
  readonly tracker: VuTracker;
  readonly random: () => number;
  /** No new message is to be sent. */
  readonly stopping: boolean;
  /** When that begins, on the common clock. */
  readonly endMs: number;
  /** Whether whole iterations are paced, because no loop is. */
  readonly pacesIterations: boolean;
  /** Opens a connection as soon as another handshake may begin, and attaches it. */
  connect(vu: VU, changes: RequestChanges, events: VuEvents): Promise<void>;
  /** When the passes of `vu` are due, once the traffic has begun; undefined without a schedule. */
  pace(vu: VU): Promise<Pace | undefined>;
  /** Resolves when it is time; rejects with `Stopped` when the run ends before. */
  until(dueMs: number): Promise<void>;
  sleep(ms: number): Promise<void>;
}

/** Pauses after a failed pass or iteration: one that fails at once must not repeat without end. */
const PASS_PAUSE_MS = 100;
const ITERATION_PAUSE_MS = 1000;

/** After so many passes that may never have waited, other virtual users get their turn. */
const PASSES_IN_A_ROW = 64;

/** Where a virtual user is in a list of steps. */
interface Frame {
  readonly steps: readonly Step[];
  at: number;
}

/** A virtual user: goes through the steps of its kind again and again until the run is over. */
export class VU {
  readonly compiled: CompiledKind;
  /** Number among the virtual users of this run, from 0. */
  readonly index: number;
  readonly #host: VuHost;
  readonly #variables: VuVariables;
  readonly #schedule: PassSchedule;
  readonly #exchange: Exchange;
  #isPaced = false;
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
    this.#schedule = new PassSchedule({
      tracker: host.tracker,
      until: (dueMs) => host.until(dueMs),
      messages: who.compiled.messages,
    });
    this.#exchange = new Exchange({
      tracker: host.tracker,
      compiled: who.compiled,
      variables: who.variables,
      schedule: this.#schedule,
      stepsAhead: () => this.#frames.flatMap(({ steps, at }) => steps.slice(at + 1)),
    });
  }

  /** Replies in the measured phase. */
  get replies(): number {
    return this.#exchange.replies;
  }

  /** Runs until the host stops; never rejects. */
  async run(): Promise<void> {
    const { iterations } = this.#host.tracker;
    while (!this.#host.stopping) {
      iterations.started += 1;
      try {
        await this.#iterate();
        iterations.completed += 1;
      } catch (error) {
        if (error instanceof Stopped) return;
        if (!(error instanceof Abandoned)) throw error;
        iterations.failed += 1;
        if (!(await this.#pause(ITERATION_PAUSE_MS))) return;
      }
    }
  }

  attach(connection: Connection): void {
    this.#exchange.attach(connection);
  }

  /** Counts messages without a reply as lost. */
  lose(failure: Failure): void {
    this.#exchange.lose(failure);
  }

  /** Counts what was not sent and what nothing expected, before the figures are closed. */
  account(): void {
    this.#schedule.end();
    this.#exchange.account();
  }

  /** Ends the wait for a message: of any kind, or only for one that is no reply. */
  stop(all: boolean): void {
    this.#exchange.stop(all);
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
    this.#schedule.leaveSchedule();
    this.#isPaced = false;
    try {
      await this.#run(this.compiled.kind.steps);
    } finally {
      this.#close();
    }
  }

  /** Ends the connection of the iteration. */
  #close(code?: number): void {
    this.#schedule.end();
    // At the end of the run the worker counts what is lost.
    if (!this.#host.stopping) this.#exchange.abandon();
    this.#exchange.close(code);
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
      const isOver = this.#host.stopping && !this.#exchange.isWaiting && !this.#schedule.isDue;
      if (isOver) throw new Stopped();
      this.#schedule.begun();
      await this.#step(step);
    }
  }

  async #step(step: Step): Promise<void> {
    switch (step.kind) {
      case 'connect':
        await this.#connect(step);
        break;
      case 'send':
        this.#exchange.send(step);
        break;
      case 'expect':
        await this.#exchange.expect(step);
        break;
      case 'think':
        await this.#think(step);
        break;
      case 'loop':
        await this.#loop(step);
        break;
      case 'close':
        this.#close(step.code);
        break;
    }
  }

  async #connect(step: ConnectStep): Promise<void> {
    const fill = (template: Template): string => this.#exchange.render(template, step);
    const { targetUrl } = this.#host;
    const url = new URL(step.path === null ? targetUrl : fill(step.path), targetUrl);
    for (const [name, value] of step.query) url.searchParams.append(name, fill(value));
    const changes: RequestChanges = {
      url,
      headers: step.headers.map(([name, value]) => [name, fill(value)]),
      subprotocols: step.subprotocols,
    };
    try {
      await this.#host.connect(this, changes, this.#exchange.begin());
    } catch (error) {
      if (error instanceof Stopped) throw error;
      throw new Abandoned();
    }
    if (this.#host.pacesIterations && !this.#isPaced) {
      this.#isPaced = true;
      await this.#schedule.wait(await this.#host.pace(this), now());
    }
  }

  async #think({ minMs, maxMs }: ThinkStep): Promise<void> {
    if (this.#host.stopping) return;
    try {
      await this.#host.sleep(minMs + this.#host.random() * (maxMs - minMs));
    } catch (error) {
      // At the end of the run, a virtual user still waits for its replies.
      if (!this.#exchange.isWaiting) throw error;
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
    if (pace !== undefined) this.#schedule.skip(pace);
    for (let done = 0; goesOn(done); done++) {
      const readyMs = now();
      // The last pass was due in time; only the one before it took too long.
      if (this.#host.stopping && !(pace?.isLast(this.#host.endMs) ?? false)) throw new Stopped();
      if (pace !== undefined) await this.#schedule.wait(pace, readyMs);
      else if (done % PASSES_IN_A_ROW === PASSES_IN_A_ROW - 1) await this.#host.sleep(0);
      this.#variables.beginPass(done + 1);
      await this.#pass(step);
    }
    this.#variables.pass = outer;
    this.#schedule.leaveSchedule();
  }

  async #pass(step: LoopStep): Promise<void> {
    try {
      await this.#run(step.steps);
    } catch (error) {
      if (!(error instanceof Abandoned) || !this.#exchange.isOpen) throw error;
      this.#exchange.abandon();
      // A schedule has its own time for the next pass.
      if (step.everyMs === null) await this.#host.sleep(PASS_PAUSE_MS);
    }
  }
}
