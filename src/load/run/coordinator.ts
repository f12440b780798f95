import type { LoadPlan } from '../plan.ts';
import type { LoadControl, LoadResult } from '../result.ts';
import { aggregateScenario } from '../scenario/vu/results.ts';
import { resolveAddresses } from '../socket/resolve.ts';
import { allocatePublished } from '../measure/published.ts';
import { now } from '../measure/clock.ts';
import { Counter, Gauge, WorkerCounters } from '../measure/counters.ts';
import { Collector } from './collect.ts';
import type { TrafficTimes, Workload } from '../workloads/protocol.ts';
import { attempt, noConnectionError } from './no-connection.ts';
import { Sampler, processCpuMs, residentBytes } from './sampler.ts';
import { threadSources } from './thread-sources.ts';
import { WorkerHandle } from './worker-handle.ts';

/** Time from telling the workers to the first message. */
const LEAD_MS = 20;
/** The same in the mode fanout, where the server first has to let all join. */
const JOIN_MS = 500;
/** How long the workers may take to send their results at the end. */
const RESULT_MS = 5000;

/** Runs `plan` with worker threads for `workload`. */
export function runWorkers(
  plan: LoadPlan,
  control: LoadControl,
  workload: Workload,
): Promise<LoadResult> {
  return new LoadRun(plan, control, workload).run();
}

class LoadRun {
  readonly #plan: LoadPlan;
  readonly #control: LoadControl;
  readonly #workload: Workload;
  readonly #startedAt = new Date().toISOString();
  readonly #phases = { startMs: Infinity, measureMs: Infinity, endMs: Infinity };
  readonly #notes: string[] = [];
  #workers: readonly WorkerHandle[] = [];
  /** Resolves the present wait for the workers. */
  #wake: () => void = () => undefined;
  readonly #timers: NodeJS.Timeout[] = [];
  /** CPU time of the process at the bounds of the measured phase. */
  readonly #cpuMs = { start: 0, end: 0 };
  #measured = false;

  constructor(plan: LoadPlan, control: LoadControl, workload: Workload) {
    this.#plan = plan;
    this.#control = control;
    this.#workload = workload;
  }

  async run(): Promise<LoadResult> {
    const { signal, onSecond } = this.#control;
    const { connectTimeoutMs } = this.#plan.phases;
    const addresses = await resolveAddresses(new URL(this.#plan.target.url), connectTimeoutMs);
    if (addresses.length === 0) throw await noConnectionError(this.#plan, []);
    if (this.#plan.mode === 'connect') {
      const error = await attempt(this.#plan);
      if (error !== undefined) throw error;
    }
    const changed = (): void => this.#wake();
    signal.addEventListener('abort', changed);
    this.#workers = this.#startWorkers(addresses, changed);
    const sampler = new Sampler({
      counters: this.#workers.map(({ counters }) => counters),
      phases: this.#phases,
      onSecond,
    });
    try {
      const collected = new Collector(this.#plan, this.#workers);
      await this.#until(() => this.#every((worker) => worker.connected !== undefined));
      const isReady = this.#plan.mode === 'connect' || collected.gauge(Gauge.opened) > 0;
      if (isReady && !signal.aborted) this.#begin();
      await this.#until(() => this.#every((worker) => worker.gone || worker.result !== undefined));
      this.#finish();
      await this.#settled();
      const finishedMs = now();
      sampler.stop();
      if (collected.gauge(Gauge.opened) === 0 && !signal.aborted) {
        throw await noConnectionError(this.#plan, collected.errors(false));
      }
      return this.#result(collected, sampler, finishedMs);
    } finally {
      sampler.stop();
      for (const timer of this.#timers) clearTimeout(timer);
      signal.removeEventListener('abort', changed);
      await Promise.all(this.#workers.map((worker) => worker.end()));
    }
  }

  #startWorkers(addresses: readonly string[], changed: () => void): WorkerHandle[] {
    const { worker: entry, pacer } = threadSources();
    const [plan, workload] = [this.#plan, this.#workload];
    const counters = Array.from({ length: plan.workers }, () => new WorkerCounters());
    const cells = counters.map(({ buffers }) => buffers.cells);
    const published = plan.mode === 'fanout' ? allocatePublished(plan, cells) : null;
    const shared = { entry, plan, workload, addresses, published, pacer, changed };
    return counters.map((counters, index) => new WorkerHandle({ ...shared, counters, index }));
  }

  #every(test: (worker: WorkerHandle) => boolean): boolean {
    return this.#workers.every((worker) => worker.crash !== undefined || test(worker));
  }

  /** Waits until `test` holds, or the run is aborted. */
  async #until(test: () => boolean): Promise<void> {
    while (!test() && !this.#control.signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Waits for the results; a worker that sends none in time counts as crashed. */
  async #settled(): Promise<void> {
    const deadline = now() + RESULT_MS;
    while (!this.#workers.every((worker) => worker.settled) && now() < deadline) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        this.#timers.push(setTimeout(resolve, deadline - now()));
      });
    }
  }

  /** Tells the workers when the traffic is due. */
  #begin(): void {
    const { warmupMs, durationMs, drainMs } = this.#plan.phases;
    const { startAt } = this.#control;
    const isFanout = this.#plan.mode === 'fanout';
    const earliest = now() + (isFanout ? JOIN_MS : LEAD_MS);
    const wanted = startAt === null ? earliest : now() + startAt - Date.now() - warmupMs;
    if (wanted < earliest) {
      const late = Math.round(earliest - wanted);
      this.#notes.push(`started ${late} ms after the common start, as connecting took that long`);
    }
    const startMs = Math.max(earliest, wanted);
    const measureMs = startMs + warmupMs;
    const endMs = measureMs + durationMs;
    Object.assign(this.#phases, { startMs, measureMs, endMs });
    const times: TrafficTimes = { startMs, measureMs, endMs, drainMs: endMs + drainMs };
    for (const worker of this.#workers) worker.send({ type: 'start', times });
    this.#at(measureMs, () => {
      this.#cpuMs.start = processCpuMs();
      this.#cpuMs.end = this.#cpuMs.start;
    });
    this.#at(endMs, () => {
      this.#measured = true;
      this.#cpuMs.end = processCpuMs();
    });
  }

  #at(ms: number, action: () => void): void {
    this.#timers.push(setTimeout(action, Math.ceil(ms - now())));
  }

  /** Ends the run early: it was aborted, or no connection is left. */
  #finish(): void {
    if (!this.#measured && now() >= this.#phases.measureMs) this.#cpuMs.end = processCpuMs();
    const interrupted = this.#control.signal.aborted;
    for (const worker of this.#workers) {
      if (!worker.settled) worker.send({ type: 'finish', interrupted });
    }
  }

  #result(collected: Collector, sampler: Sampler, finishedMs: number): LoadResult {
    const { startMs, measureMs, endMs } = this.#phases;
    const connected = this.#workers.flatMap((worker) => worker.connected ?? []);
    const connectStartMs = Math.min(...connected.map((entry) => entry.startMs));
    const connectEndMs = Math.max(...connected.map((entry) => entry.endMs));
    const span = (from: number, to: number): number =>
      Math.max(0, Math.min(finishedMs, to) - Math.min(finishedMs, from));
    const phases = {
      connectMs: connected.length === 0 ? 0 : connectEndMs - connectStartMs,
      warmupMs: span(startMs, measureMs),
      measureMs: span(measureMs, endMs),
      drainMs: span(endMs, Infinity),
    };
    const interrupted = this.#control.signal.aborted;
    const cpuMs = this.#cpuMs.end - this.#cpuMs.start;
    return {
      startedAt: this.#startedAt,
      engine: this.#workload.engine,
      phases,
      connections: collected.connections(),
      messages: collected.messages(interrupted),
      bytes: {
        sent: collected.count(Counter.bytesSent),
        received: collected.count(Counter.bytesReceived),
      },
      latency: collected.latency(),
      errors: collected.errors(interrupted),
      seconds: sampler.samples,
      generator: {
        cpuMs,
        peakRssBytes: Math.max(residentBytes(), ...sampler.samples.map((row) => row.rssBytes)),
        workers: collected.use(cpuMs, phases.measureMs),
      },
      fairness: collected.fairness(),
      interrupted,
      notes: [...this.#notes, ...this.#endNotes(phases), ...collected.notes()],
      ...this.#scenario(),
    };
  }

  #scenario(): Pick<LoadResult, 'scenario'> {
    if (this.#workload.engine !== 'scenario') return {};
    const shares = this.#workers.flatMap(({ result }) => result?.scenario ?? []);
    return { scenario: aggregateScenario(this.#workload.scenario.name, shares) };
  }

  #endNotes({ measureMs }: LoadResult['phases']): string[] {
    const early = this.#plan.phases.durationMs - measureMs;
    if (this.#control.signal.aborted || early <= 1) return [];
    const seconds = (measureMs / 1000).toFixed(1);
    return [`no connection was left after ${seconds} s of measuring, which ended the run`];
  }
}
