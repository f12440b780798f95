import type { MessagePort } from 'node:worker_threads';
import { ClientDialer } from '../socket/client-dialer.ts';
import { ClientConnection } from '../socket/client-connection.ts';
import type { ClientEvents } from '../socket/client-connection.ts';
import { WorkerShell } from './worker-shell.ts';
import type { WorkerDriver } from './worker-shell.ts';
import { now } from '../measure/clock.ts';
import type { Failure } from '../measure/errors.ts';
import { Counter, Gauge, add } from '../measure/counters.ts';
import type { TrafficTimes, WorkerResult, WorkerStart } from './protocol.ts';
import { createRandom } from '../random.ts';
import { leastSleepMs } from '../pacing/timers.ts';
import type { LoadPlan } from '../plan.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { CompiledKind } from '../scenario/vu/compiled.ts';
import { DueQueue } from '../pacing/due-queue.ts';
import { Semaphore } from '../scenario/vu/semaphore.ts';
import { assignKinds } from '../scenario/vu/assign.ts';
import type { Opening } from '../scenario/vu/opening.ts';
import { urlOf } from '../scenario/vu/opening.ts';
import type { Pace } from '../scenario/vu/pace.ts';
import { Pacing } from '../scenario/vu/pacing.ts';
import { VuTracker } from '../scenario/vu/tracker.ts';
import { VuVariables, Draw } from '../scenario/vu/variables.ts';
import { VU } from '../scenario/vu/vu.ts';
import type { VuHost } from '../scenario/vu/vu.ts';
import { Stopped, Waits } from '../scenario/vu/waits.ts';

/** Handshakes under way in one worker: more only fill the queue of the server. */
const MOST_OPENING = 256;

/** After so many failures in a row to connect a client counts as one without a server. */
const MOST_FAILURES = 3;

const NO_REPLY: Failure = {
  kind: 'lost',
  detail: 'no reply',
  text: 'no reply came before the drain was over',
};

/** One worker of a scenario: its share of the virtual clients. */
export class ScenarioWorker implements VuHost, WorkerDriver {
  readonly tracker: VuTracker;
  readonly random: () => number;
  readonly pacesIterations: boolean;
  readonly #shell: WorkerShell;
  readonly #plan: LoadPlan;
  readonly #dialer: ClientDialer;
  readonly #queue: DueQueue;
  readonly #paces: Pacing;
  readonly #clients: VU[];
  readonly #opening = new Semaphore(MOST_OPENING);
  readonly #sockets = new Set<ClientConnection>();
  /** What was counted of the bytes that a socket has sent. */
  readonly #counted = new WeakMap<ClientConnection, number>();
  readonly #waits = new Waits(() => this.#stopped);
  /** Clients that have not yet opened a connection or failed to. */
  readonly #unsettled: Set<VU>;
  readonly #failures = new Map<VU, number>();
  readonly #begun: Promise<void>;
  #begin: () => void = () => undefined;
  #hasBegun = false;
  #running = 0;
  #endMs = Infinity;
  #stopped = false;
  #closing = false;
  #compressed = 0;
  #stopTimer: NodeJS.Timeout | undefined;

  constructor(start: WorkerStart, port: MessagePort, scenario: Scenario) {
    const { plan, index, addresses, pacer } = start;
    const { index: part, of } = plan.share ?? { index: 0, of: 1 };
    this.#plan = plan;
    this.#shell = new WorkerShell(start, port);
    this.#dialer = new ClientDialer(plan.target, addresses);
    this.#queue = new DueQueue(pacer, plan.precise, {
      noteThread: this.#shell.noteThread,
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
    this.#paces = new Pacing(plan, all);
    this.pacesIterations = this.#paces.pacesIterations;
    this.tracker = new VuTracker({
      scenario,
      counters: this.#shell.counters,
      errors: this.#shell.errors,
      scheduled: this.#paces.scheduled,
    });
    this.#clients = all.flatMap((compiled, i) => {
      if (i % plan.workers !== index) return [];
      const own = new VuVariables(i * of + part + 1, variables, draw);
      return [new VU(this, { compiled, index: i, variables: own })];
    });
    this.#unsettled = new Set(this.#clients);
    this.#begun = new Promise((resolve) => {
      this.#begin = resolve;
    });
    this.#shell.run(this);
    this.#ramp();
  }

  get stopping(): boolean {
    return this.#stopped || now() >= this.#endMs;
  }

  get endMs(): number {
    return this.#endMs;
  }

  get inFlight(): number {
    return this.tracker.inFlight;
  }

  get drained(): boolean {
    return this.#running === 0;
  }

  begin({ startMs, measureMs, endMs }: TrafficTimes): void {
    this.tracker.measureMs = measureMs;
    this.#endMs = endMs;
    this.#paces.begin(startMs);
    this.#hasBegun = true;
    this.#begin();
    this.#stopTimer = setTimeout(() => this.#stop(), Math.ceil(endMs - now()));
  }

  finish(interrupted: boolean): Pick<WorkerResult, 'replies' | 'notes' | 'scenario'> {
    this.#stopped = true;
    clearTimeout(this.#stopTimer);
    this.#queue.stop();
    this.#waits.cancelAll();
    for (const client of this.#clients) {
      if (!interrupted) client.lose(NO_REPLY);
      client.account();
      client.stop(true);
    }
    this.#paces.end(Math.min(now(), this.#endMs), this.tracker);
    const { iterations, total, unasked } = this.tracker;
    return {
      replies: this.#replies(),
      notes: this.#notes(),
      scenario: {
        iterations,
        total,
        labels: this.tracker.labels(),
        unasked: [...unasked].map(([name, count]) => ({ name, count })),
      },
    };
  }

  close(): void {
    this.#closing = true;
    for (const socket of this.#sockets) socket.close();
    if (this.#sockets.size === 0) this.#shell.end();
  }

  async connect(client: VU, opening: Opening, events: ClientEvents): Promise<void> {
    await this.#waits.begin((done) => this.#opening.enter(done));
    if (this.stopping) {
      this.#opening.leave();
      throw new Stopped();
    }
    try {
      await this.#dial(client, opening, events);
    } finally {
      this.#opening.leave();
      this.#settle(client);
    }
  }

  flush(socket: ClientConnection): void {
    socket.flush();
    const before = this.#counted.get(socket) ?? 0;
    this.#counted.set(socket, socket.bytesSent);
    this.#countBytes(Counter.bytesSent, socket.bytesSent - before);
  }

  async pace(client: VU): Promise<Pace | undefined> {
    if (!this.#hasBegun) {
      await Promise.race([this.#begun, this.#waits.begin(() => undefined)]);
    }
    return this.#paces.of(client);
  }

  until(dueMs: number): Promise<void> {
    return this.#waits.begin((done) => {
      // What is due later than the traffic goes is never called, and cancelled at its end.
      if (dueMs < this.#endMs) this.#queue.add(dueMs, done);
    });
  }

  sleep(ms: number): Promise<void> {
    return this.#waits.begin((done) => {
      if (ms > 0) setTimeout(done, ms);
      else setImmediate(done);
    });
  }

  /** Starts the clients along the ramp. */
  #ramp(): void {
    const { rampMs } = this.#plan.phases;
    const startMs = now();
    const step = (from: number): void => {
      for (let i = from; i < this.#clients.length; i++) {
        if (this.#stopped) return;
        const wait = startMs + (rampMs * i) / this.#clients.length - now();
        if (wait > 0) {
          setTimeout(() => step(i), wait);
          return;
        }
        this.#run(this.#clients[i] as VU);
      }
    };
    step(0);
    // A client may have steps to go before it connects.
    const { connectTimeoutMs } = this.#plan.phases;
    setTimeout(() => this.#settleAll(), rampMs + connectTimeoutMs).unref();
  }

  #run(client: VU): void {
    this.#running += 1;
    void client.run().then(() => {
      this.#running -= 1;
      this.#settle(client);
    });
  }

  #settle(client: VU): void {
    if (this.#unsettled.delete(client) && this.#unsettled.size === 0) this.#shell.connected();
  }

  #settleAll(): void {
    for (const client of this.#unsettled) this.#settle(client);
  }

  #dial(client: VU, opening: Opening, events: ClientEvents): Promise<void> {
    const { target, phases } = this.#plan;
    return new Promise((resolve, reject) => {
      const own: ClientEvents = {
        opened: () => {
          this.#opened(socket);
          this.#failures.delete(client);
          client.attach(socket);
          resolve();
        },
        failed: (failure) => {
          this.#failed(client, failure);
          reject(new Error(failure.text));
        },
        message: (opcode, data, atMs) => {
          if (!this.#shell.finished) events.message(opcode, data, atMs);
        },
        received: (bytes) => this.#countBytes(Counter.bytesReceived, bytes),
        pinged: () => add(this.#shell.counters.gauges, Gauge.heartbeats, 1),
        dropped: (failure) => {
          this.#dropped(failure);
          events.dropped(failure);
        },
        ended: () => {
          this.#sockets.delete(socket);
          this.#countOpen();
          reject(new Stopped());
          if (this.#closing && this.#sockets.size === 0) this.#shell.end();
        },
      };
      const socket: ClientConnection = new ClientConnection({
        dialer: this.#dialer,
        index: client.index,
        url: urlOf(target.url, opening),
        headers: opening.headers,
        subprotocols: opening.subprotocols.length > 0 ? opening.subprotocols : target.subprotocols,
        timeoutMs: phases.connectTimeoutMs,
        events: own,
      });
      this.#sockets.add(socket);
    });
  }

  #opened(socket: ClientConnection): void {
    const { counters } = this.#shell;
    counters.connect.record((now() - socket.startedMs) * 1e6);
    add(counters.gauges, Gauge.opened, 1);
    if (socket.deflate !== undefined) this.#compressed += 1;
    this.#countOpen();
  }

  #failed(client: VU, failure: Failure): void {
    if (this.#shell.finished) return;
    add(this.#shell.counters.gauges, Gauge.failed, 1);
    this.#shell.errors.add(failure);
    this.#failures.set(client, (this.#failures.get(client) ?? 0) + 1);
    const dead = [...this.#failures.values()].filter((count) => count >= MOST_FAILURES);
    if (dead.length === this.#clients.length) this.#shell.gone();
  }

  #dropped(failure: Failure): void {
    this.#countOpen();
    if (this.#shell.finished) return;
    add(this.#shell.counters.gauges, Gauge.dropped, 1);
    this.#shell.errors.add(failure);
  }

  #countOpen(): void {
    const open = [...this.#sockets].filter((socket) => socket.isOpen).length;
    this.#shell.counters.gauges[Gauge.open] = open;
  }

  #countBytes(index: number, bytes: number): void {
    add(this.tracker.phaseOf(now()).counts, index, bytes);
  }

  /** The traffic is over: who waits for a reply goes on to do so. */
  #stop(): void {
    this.#queue.callUntil(this.#endMs);
    // Those that were called just now still begin their pass.
    setImmediate(() => {
      this.#stopped = true;
      this.#waits.cancelAll();
      for (const client of this.#clients) client.stop(false);
    });
  }

  /** Of the clients whose messages make up the traffic. */
  #replies(): number[] {
    const senders = this.#clients.filter(({ compiled }) => compiled.sendsInLoops);
    return (senders.length === 0 ? this.#clients : senders).map(({ replies }) => replies);
  }

  #notes(): string[] {
    const notes = this.#paces.notes();
    if (!this.#plan.target.compression) return notes;
    const none = this.#compressed === 0;
    const what = none
      ? 'the server declined permessage-deflate'
      : 'permessage-deflate was in force';
    return [...notes, what];
  }
}
