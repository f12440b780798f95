import { Histogram } from '../measure/histogram.ts';
import type { LoadPlan } from '../plan.ts';
import type { ErrorRow, Failure } from '../measure/errors.ts';
import type { Latencies, LoadResult, MessageCounts, WorkerUse } from '../result.ts';
import { ErrorTable } from '../measure/errors.ts';
import { Count, Gauge } from '../measure/counters.ts';
import type { PhaseMemory } from '../measure/counters.ts';
import type { WorkerHandle } from './worker-handle.ts';

const UNDELIVERED: Failure = {
  kind: 'lost',
  detail: 'not delivered',
  text: 'a receiver did not get a message before the drain was over',
};

/** Adds up what the workers measured. */
export class Merger {
  readonly #plan: LoadPlan;
  readonly #workers: readonly WorkerHandle[];

  constructor(plan: LoadPlan, workers: readonly WorkerHandle[]) {
    this.#plan = plan;
    this.#workers = workers;
  }

  gauge(index: number): number {
    return this.#workers.reduce((sum, { memory }) => sum + (memory.gauges[index] as number), 0);
  }

  count(index: number): number {
    return this.#workers.reduce(
      (sum, { memory }) => sum + (memory.measure.counts[index] as number),
      0,
    );
  }

  connections(): LoadResult['connections'] {
    // Those of a thread that ended on its own are gone with it.
    const lost = this.#crashed().map(({ memory }) => memory.gauges[Gauge.open] as number);
    const opened = this.gauge(Gauge.opened);
    const isStorm = this.#plan.mode === 'connect';
    // What a thread that ended on its own had not opened yet is not opened any more.
    const failed =
      lost.length === 0 || isStorm ? this.gauge(Gauge.failed) : this.#plan.connections - opened;
    return {
      // A storm opens as many as it can.
      requested: isStorm ? opened + failed : this.#plan.connections,
      opened,
      failed,
      dropped: this.gauge(Gauge.dropped) + lost.reduce((sum, open) => sum + open, 0),
    };
  }

  messages(interrupted: boolean): MessageCounts {
    const sent = this.count(Count.sent);
    const received = this.count(Count.received);
    const lost = this.#isFanout
      ? this.#undelivered(interrupted)
      : this.count(Count.lost) + this.#lostByCrash();
    return {
      intended: this.count(Count.intended),
      sent,
      received,
      lost,
      inFlight: sent - received - lost,
      unsent: this.count(Count.unsent),
      duplicated: this.count(Count.duplicated),
      outOfOrder: this.count(Count.outOfOrder),
      wrong: this.count(Count.wrong),
    };
  }

  latency(): Latencies {
    const merged = (of: (phase: PhaseMemory) => Histogram): Histogram =>
      merge(this.#workers.map(({ memory }) => of(memory.measure)));
    const service = merged((phase) => phase.service);
    const response = merged((phase) => phase.response);
    // Scenarios may have schedules of their own in the closed model.
    const { load, mode } = this.#plan;
    const isOpen = load.model === 'open' && (mode !== 'connect' || load.rate > 0);
    const scheduled = isOpen || response.count > 0;
    const lateness = merged((phase) => phase.lateness);
    const connect = merge(this.#workers.map(({ memory }) => memory.connect));
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

  /** Of threads that are not told apart, each gets an equal part of the process. */
  use(processCpuMs: number, measureMs: number): WorkerUse[] {
    return this.#workers.map(({ name, result }) => ({
      name,
      cpuMs: result?.cpuMs ?? processCpuMs / this.#workers.length,
      measureMs: result?.measureMs ?? measureMs,
      eventLoopUtilization: result?.eventLoopUtilization ?? 0,
      gcMs: result?.gcMs ?? 0,
    }));
  }

  fairness(): LoadResult['fairness'] {
    const replies = this.#workers.flatMap(({ result }) => result?.replies ?? []);
    if (this.count(Count.received) === 0 || replies.length === 0) return null;
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
      const { counts } = worker.memory.measure;
      notes.push(
        `${worker.name} of ${this.#workers.length} ended early: until then it had sent ` +
          `${counts[Count.sent] ?? 0} messages over ${worker.memory.gauges[Gauge.opened] ?? 0} ` +
          'connections, which are part of the figures',
      );
    }
    return notes;
  }

  get #isFanout(): boolean {
    return this.#plan.mode === 'fanout';
  }

  /** Which worker's connection misses a delivery is not told apart: the sums alone tell. */
  #undelivered(interrupted: boolean): number {
    return interrupted ? 0 : this.count(Count.sent) - this.count(Count.received);
  }

  #crashed(): WorkerHandle[] {
    return this.#workers.filter(({ result }) => result === undefined);
  }

  #lostByCrash(): number {
    return this.#crashed().reduce((sum, worker) => sum + missing(worker), 0);
  }
}

/** What a thread that is gone had sent and not yet accounted for. */
function missing({ memory }: WorkerHandle): number {
  const { counts } = memory.measure;
  return (
    (counts[Count.sent] as number) -
    (counts[Count.received] as number) -
    (counts[Count.lost] as number)
  );
}

function merge(histograms: readonly Histogram[]): Histogram {
  const sum = new Histogram();
  for (const histogram of histograms) sum.add(histogram);
  return sum;
}
