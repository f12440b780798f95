import { Histogram } from '../measure/histogram.ts';
import type { LoadPlan } from '../plan.ts';
import type { Latencies, LoadResult, MessageCounts, WorkerUse } from '../result.ts';
import { ErrorTable } from '../measure/errors.ts';
import type { ErrorRow, Failure } from '../measure/errors.ts';
import { AllCounters, Counter, Gauge } from '../measure/counters.ts';
import type { PhaseCounters } from '../measure/counters.ts';
import type { WorkerHandle } from './worker-handle.ts';

const UNDELIVERED: Failure = {
  kind: 'lost',
  detail: 'not delivered',
  text: 'a receiver did not get a message before the drain was over',
};

/** Adds up what the workers measured. */
export class Collector {
  readonly #plan: LoadPlan;
  readonly #workers: readonly WorkerHandle[];
  readonly #all: AllCounters;

  constructor(plan: LoadPlan, workers: readonly WorkerHandle[]) {
    this.#plan = plan;
    this.#workers = workers;
    this.#all = new AllCounters(workers.map(({ counters }) => counters.buffers.cells));
  }

  gauge(index: number): number {
    return this.#all.gauge(index);
  }

  /** In the measured phase. */
  count(index: number): number {
    return this.#all.measured(index);
  }

  connections(): LoadResult['connections'] {
    // The connections of a thread that crashed are gone.
    const lost = this.#crashed().map(({ counters }) => counters.gauges[Gauge.open] as number);
    const opened = this.gauge(Gauge.opened);
    const isConnect = this.#plan.mode === 'connect';
    // Connections that a crashed thread had not opened yet count as failed.
    const failed =
      lost.length === 0 || isConnect ? this.gauge(Gauge.failed) : this.#plan.connections - opened;
    return {
      // The mode connect opens as many as it can.
      requested: isConnect ? opened + failed : this.#plan.connections,
      opened,
      failed,
      dropped: this.gauge(Gauge.dropped) + lost.reduce((sum, open) => sum + open, 0),
    };
  }

  messages(interrupted: boolean): MessageCounts {
    const sent = this.count(Counter.sent);
    const received = this.count(Counter.received);
    const lost = this.#isFanout
      ? this.#undelivered(interrupted)
      : this.count(Counter.lost) + this.#lostByCrash();
    return {
      intended: this.count(Counter.intended),
      sent,
      received,
      inWindow: this.count(Counter.inWindow),
      lost,
      inFlight: sent - received - lost,
      unsent: this.count(Counter.unsent),
      duplicated: this.count(Counter.duplicated),
      outOfOrder: this.count(Counter.outOfOrder),
      wrong: this.count(Counter.wrong),
    };
  }

  latency(): Latencies {
    const merged = (of: (phase: PhaseCounters) => Histogram): Histogram =>
      merge(this.#workers.map(({ counters }) => of(counters.measure)));
    const service = merged((phase) => phase.service);
    const response = merged((phase) => phase.response);
    // Scenarios may have schedules of their own in the closed model.
    const { load, mode } = this.#plan;
    const isOpen = load.model === 'open' && (mode !== 'connect' || load.rate > 0);
    const scheduled = isOpen || response.count > 0;
    const lateness = merged((phase) => phase.lateness);
    const connect = merge(this.#workers.map(({ counters }) => counters.connect));
    if (mode === 'idle') {
      return { connect, response: null, service: null, lateness: null, lastDelivery: null };
    }
    return {
      connect,
      // In the closed model a message is due when it is sent.
      response: scheduled ? response : service.clone(),
      service,
      lateness: scheduled ? lateness : null,
      lastDelivery: this.#isFanout ? merged((phase) => phase.lastDelivery) : null,
    };
  }

  errors(interrupted: boolean): ErrorRow[] {
    const table = new ErrorTable();
    if (this.#isFanout) table.add(UNDELIVERED, this.#undelivered(interrupted));
    for (const { result } of this.#workers) if (result !== undefined) table.merge(result.errors);
    for (const worker of this.#crashed()) {
      const text = `${worker.name} ended: ${worker.crash ?? ''}`;
      table.add({ kind: 'worker', detail: worker.name, text });
      const detail = 'worker gone';
      const lost = this.#isFanout ? 0 : missing(worker);
      table.add({ kind: 'lost', detail, text: `${worker.name} was gone` }, lost);
    }
    return table.rows();
  }

  /** Where the system has no CPU time of threads, each gets an equal part of the process's. */
  use(processCpuMs: number, measureMs: number): WorkerUse[] {
    return this.#workers.map(({ name, result }) => ({
      name,
      cpuMs: result?.cpuMs ?? processCpuMs / this.#workers.length,
      measureMs: result?.measureMs ?? measureMs,
      eventLoopUtilization: result?.eventLoopUtilization ?? 0,
      gcMs: result?.gcMs ?? 0,
      waitMs: result?.waitMs ?? null,
    }));
  }

  fairness(): LoadResult['fairness'] {
    const replies = this.#workers.flatMap(({ result }) => result?.replies ?? []);
    if (this.count(Counter.received) === 0 || replies.length === 0) return null;
    replies.sort((a, b) => a - b);
    return {
      min: replies[0] as number,
      median: replies[replies.length >> 1] as number,
      max: replies[replies.length - 1] as number,
    };
  }

  notes(): string[] {
    const heartbeats = this.gauge(Gauge.heartbeats);
    const notes = heartbeats === 0 ? [] : [`answered ${heartbeats} pings of the server`];
    notes.push(...new Set(this.#workers.flatMap(({ result }) => result?.notes ?? [])));
    for (const worker of this.#crashed()) {
      const { counts } = worker.counters.measure;
      notes.push(
        `${worker.name} of ${this.#workers.length} ended early: until then it had sent ` +
          `${counts[Counter.sent] ?? 0} messages over ${worker.counters.gauges[Gauge.opened] ?? 0} ` +
          'connections, which are part of the figures',
      );
    }
    return notes;
  }

  get #isFanout(): boolean {
    return this.#plan.mode === 'fanout';
  }

  /** Only the sums tell: which connection missed a delivery is not known. */
  #undelivered(interrupted: boolean): number {
    return interrupted ? 0 : this.count(Counter.sent) - this.count(Counter.received);
  }

  #crashed(): WorkerHandle[] {
    return this.#workers.filter(({ result }) => result === undefined);
  }

  #lostByCrash(): number {
    return this.#crashed().reduce((sum, worker) => sum + missing(worker), 0);
  }
}

/** Messages that were in flight when a thread crashed. */
function missing({ counters }: WorkerHandle): number {
  const { counts } = counters.measure;
  return (
    (counts[Counter.sent] as number) -
    (counts[Counter.received] as number) -
    (counts[Counter.lost] as number)
  );
}

function merge(histograms: readonly Histogram[]): Histogram {
  const sum = new Histogram();
  for (const histogram of histograms) sum.add(histogram);
  return sum;
}
