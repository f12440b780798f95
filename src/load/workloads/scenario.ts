import type { MessagePort } from 'node:worker_threads';
import { now } from '../measure/clock.ts';
import type { Failure } from '../measure/errors.ts';
import { DueQueue } from '../pacing/due-queue.ts';
import { MOST_OPENING, RampUp } from '../pacing/ramp-up.ts';
import { leastSleepMs } from '../pacing/timers.ts';
import { createRandom } from '../random.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { assignKinds } from '../scenario/vu/assign.ts';
import { CompiledKind } from '../scenario/vu/compiled.ts';
import type { VuEvents } from '../scenario/vu/exchange.ts';
import { Pacing } from '../scenario/vu/pacing.ts';
import type { Pace } from '../scenario/vu/pacing.ts';
import { Semaphore } from '../scenario/vu/semaphore.ts';
import { VuTracker } from '../scenario/vu/tracker.ts';
import { Draw, VuVariables } from '../scenario/vu/variables.ts';
import { VU } from '../scenario/vu/vu.ts';
import type { VuHost } from '../scenario/vu/vu.ts';
import { Stopped, Waits } from '../scenario/vu/waits.ts';
import type { Connection } from '../socket/connection.ts';
import type { RequestChanges } from '../socket/dialer.ts';
import type { TrafficTimes, WorkerResult, WorkerStart } from './protocol.ts';
import { NO_REPLY, WorkerBase } from './worker-base.ts';

/** After so many failed connects in a row a virtual user counts as without a server. */
const MOST_FAILURES = 3;

/** A connection and the virtual user that opened it. */
interface Session {
  readonly vu: VU;
  readonly events: VuEvents;
  readonly resolve: () => void;
  readonly reject: (reason: Error) => void;
}

/** One worker of a scenario: its part of the virtual users. */
export class ScenarioWorker extends WorkerBase implements VuHost {
  override readonly tracker: VuTracker;
  readonly random: () => number;
  readonly pacesIterations: boolean;
  readonly #queue: DueQueue;
  readonly #pacing: Pacing;
  readonly #vus: VU[];
  readonly #rampUp: RampUp;
  readonly #handshakes = new Semaphore(MOST_OPENING);
  readonly #sessions = new Map<Connection, Session>();
  readonly #waits = new Waits(() => this.#stopped);
  /** Virtual users that have neither opened a connection yet nor failed to. */
  readonly #unsettled: Set<VU>;
  readonly #failures = new Map<VU, number>();
  readonly #begun: Promise<void>;
  #begin: () => void = () => undefined;
  #hasBegun = false;
  #running = 0;
  #endMs = Infinity;
  #stopped = false;
  #stopTimer: NodeJS.Timeout | undefined;

  constructor(start: WorkerStart, port: MessagePort, scenario: Scenario) {
    super(start, port);
    const { plan, index, pacer } = start;
    const { index: part, of } = plan.segment ?? { index: 0, of: 1 };
    this.#queue = new DueQueue(pacer, plan.precise, {
      noteThread: this.noteThread,
      ...(plan.load.model === 'open'
        ? { leastMs: leastSleepMs(plan.load.rate / plan.workers) }
        : {}),
    });
    const threads = plan.workers * of;
    const thread = part * plan.workers + index;
    this.random = createRandom(plan.load.seed + 0x5bd1 * (thread + 1));
    const draw = new Draw({ random: this.random, thread, threads });
    const variables = new Map(scenario.variables.map((variable) => [variable.name, variable]));
    const kinds = scenario.clients.map((kind) => new CompiledKind(kind));
    // One list for all machines, of which this one takes every `of`-th.
    const all = assignKinds(kinds, plan.connections * of).filter((_, i) => i % of === part);
    this.#pacing = new Pacing(plan, all);
    this.pacesIterations = this.#pacing.pacesIterations;
    this.tracker = new VuTracker({
      scenario,
      counters: this.counters,
      errors: this.errors,
      scheduled: this.#pacing.scheduled,
    });
    this.#vus = all.flatMap((compiled, i) => {
      if (i % plan.workers !== index) return [];
      const own = new VuVariables(i * of + part + 1, variables, draw);
      return [new VU(this, { compiled, index: i, variables: own })];
    });
    this.#unsettled = new Set(this.#vus);
    this.#begun = new Promise((resolve) => {
      this.#begin = resolve;
    });
    const { rampMs, connectTimeoutMs } = plan.phases;
    this.#rampUp = new RampUp({
      count: this.#vus.length,
      rampMs,
      begin: (position) => this.#run(this.#vus[position] as VU),
      done: () => this.connected(this.#rampUp.startMs),
    });
    void this.#queue.ready.then(() => {
      this.#rampUp.start();
      // The steps of a virtual user may take long before it connects.
      setTimeout(() => {
        for (const vu of this.#unsettled) this.#settle(vu);
      }, rampMs + connectTimeoutMs).unref();
    });
  }

  get stopping(): boolean {
    return this.#stopped || now() >= this.#endMs;
  }

  get targetUrl(): string {
    return this.plan.target.url;
  }

  get endMs(): number {
    return this.#endMs;
  }

  async connect(vu: VU, changes: RequestChanges, events: VuEvents): Promise<void> {
    await this.#waits.begin((done) => this.#handshakes.enter(done));
    try {
      if (this.stopping) throw new Stopped();
      await new Promise<void>((resolve, reject) => {
        const time = now();
        const at = { index: vu.index, intendedMs: time, startedMs: time };
        this.#sessions.set(this.dial(at, changes), { vu, events, resolve, reject });
      });
    } finally {
      this.#handshakes.leave();
      this.#settle(vu);
    }
  }

  async pace(vu: VU): Promise<Pace | undefined> {
    if (!this.#hasBegun) {
      await Promise.race([this.#begun, this.#waits.begin(() => undefined)]);
    }
    return this.#pacing.of(vu);
  }

  until(dueMs: number): Promise<void> {
    return this.#waits.begin((done) => {
      // What is due after the end of the traffic is never called; the wait is cancelled there.
      if (dueMs < this.#endMs) this.#queue.add(dueMs, done);
    });
  }

  sleep(ms: number): Promise<void> {
    return this.#waits.begin((done) => {
      if (ms > 0) setTimeout(done, ms);
      else setImmediate(done);
    });
  }

  override opened(connection: Connection): void {
    super.opened(connection);
    const session = this.#sessions.get(connection);
    if (session === undefined) return;
    this.#failures.delete(session.vu);
    session.vu.attach(connection);
    session.resolve();
  }

  override message(
    connection: Connection,
    bytes: Buffer,
    from: number,
    to: number,
    opcode: number,
  ): void {
    if (this.finished) return;
    const data = bytes.subarray(from, to);
    this.#sessions.get(connection)?.events.message(opcode === 1 ? 1 : 2, data, this.tracker.nowMs);
  }

  override dropped(connection: Connection, failure: Failure): void {
    super.dropped(connection, failure);
    this.#sessions.get(connection)?.events.dropped(failure);
  }

  override ended(connection: Connection): void {
    this.#sessions.get(connection)?.reject(new Stopped());
    this.#sessions.delete(connection);
    super.ended(connection);
  }

  protected override notOpened(connection: Connection, failure: Failure): void {
    const session = this.#sessions.get(connection);
    if (session === undefined) return;
    session.reject(new Error(failure.text));
    this.#failures.set(session.vu, (this.#failures.get(session.vu) ?? 0) + 1);
    const dead = [...this.#failures.values()].filter((count) => count >= MOST_FAILURES);
    if (dead.length === this.#vus.length) this.gone();
  }

  protected override startTraffic({ startMs, measureMs, endMs }: TrafficTimes): void {
    this.tracker.measureMs = measureMs;
    this.tracker.endMs = endMs;
    this.#endMs = endMs;
    this.#pacing.begin(startMs);
    this.#hasBegun = true;
    this.#begin();
    this.#stopTimer = setTimeout(() => this.#stop(), Math.ceil(endMs - now()));
  }

  protected override get drained(): boolean {
    return this.#running === 0;
  }

  protected override stopTraffic(
    interrupted: boolean,
  ): Pick<WorkerResult, 'replies' | 'notes' | 'scenario'> {
    this.#stopped = true;
    clearTimeout(this.#stopTimer);
    this.#rampUp.stop();
    this.#queue.stop();
    this.#waits.cancelAll();
    for (const vu of this.#vus) {
      if (!interrupted) vu.lose(NO_REPLY);
      vu.account();
      vu.stop(true);
    }
    this.#pacing.end(Math.min(now(), this.#endMs), this.tracker);
    return {
      replies: this.#replies(),
      notes: this.#pacing.notes(),
      scenario: this.tracker.scenario(),
    };
  }

  #run(vu: VU): void {
    this.#running += 1;
    void vu.run().then(() => {
      this.#running -= 1;
      this.#settle(vu);
    });
  }

  #settle(vu: VU): void {
    if (this.#unsettled.delete(vu)) this.#rampUp.settled();
  }

  /** Ends the traffic; virtual users that wait for a reply go on waiting. */
  #stop(): void {
    this.#queue.callUntil(this.#endMs);
    // Later: those that were called just now still begin their pass.
    setImmediate(() => {
      this.#stopped = true;
      this.#waits.cancelAll();
      for (const vu of this.#vus) vu.stop(false);
    });
  }

  /** Of the virtual users whose messages make up the traffic. */
  #replies(): number[] {
    const senders = this.#vus.filter(({ compiled }) => compiled.sendsInLoops);
    return (senders.length === 0 ? this.#vus : senders).map(({ replies }) => replies);
  }
}
