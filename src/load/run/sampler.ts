import { Histogram } from '../measure/histogram.ts';
import type { SecondSample } from '../result.ts';
import { now } from '../measure/clock.ts';
import { AllCounters, Counter, Gauge } from '../measure/counters.ts';
import type { WorkerCounters } from '../measure/counters.ts';

/** When each phase begins, in milliseconds on the common clock; Infinity where not known yet. */
export interface PhaseTimes {
  startMs: number;
  measureMs: number;
  endMs: number;
}

/** Sums over workers and phases; a sample is their growth in one second. */
interface Totals {
  readonly intended: number;
  readonly sent: number;
  readonly received: number;
  readonly errors: number;
  readonly opened: number;
  readonly cpuMs: number;
  readonly response: Histogram;
  readonly lateness: Histogram;
}

const SECOND_MS = 1000;

/** Reads the counters of all workers once per second. */
export class Sampler {
  readonly samples: SecondSample[] = [];
  readonly #counters: readonly WorkerCounters[];
  readonly #all: AllCounters;
  readonly #phases: PhaseTimes;
  readonly #onSecond: (sample: SecondSample) => void;
  readonly #startMs: number;
  #before: Totals;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: {
    readonly counters: readonly WorkerCounters[];
    readonly phases: PhaseTimes;
    readonly onSecond: (sample: SecondSample) => void;
  }) {
    this.#counters = options.counters;
    this.#all = new AllCounters(options.counters.map(({ buffers }) => buffers.cells));
    this.#phases = options.phases;
    this.#onSecond = options.onSecond;
    this.#startMs = now();
    this.#before = this.#totals();
    this.#wait();
  }

  /** Takes the last sample, of a part of a second. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#sample();
  }

  #wait(): void {
    // Counted from the start: the seconds of a long run must not drift.
    const dueMs = this.#startMs + (this.samples.length + 1) * SECOND_MS;
    this.#timer = setTimeout(() => {
      this.#sample();
      this.#wait();
    }, dueMs - now());
  }

  #sample(): void {
    const before = this.#before;
    const after = this.#totals();
    this.#before = after;
    const response = growth(after.response, before.response);
    const lateness = growth(after.lateness, before.lateness);
    const sample: SecondSample = {
      second: this.samples.length + 1,
      phase: this.#phaseAt(now() - SECOND_MS / 2),
      intended: after.intended - before.intended,
      sent: after.sent - before.sent,
      received: after.received - before.received,
      errors: after.errors - before.errors,
      connections: this.#all.gauge(Gauge.open),
      opened: after.opened - before.opened,
      response:
        response.count === 0
          ? null
          : { p50: response.percentile(50), p99: response.percentile(99), max: response.max },
      latenessP99: lateness.count === 0 ? null : lateness.percentile(99),
      cpuMs: after.cpuMs - before.cpuMs,
      rssBytes: residentBytes(),
    };
    this.samples.push(sample);
    this.#onSecond(sample);
  }

  #phaseAt(ms: number): SecondSample['phase'] {
    if (ms < this.#phases.startMs) return 'connect';
    if (ms < this.#phases.measureMs) return 'warmup';
    return ms < this.#phases.endMs ? 'measure' : 'drain';
  }

  #totals(): Totals {
    const all = this.#all;
    const response = new Histogram();
    const lateness = new Histogram();
    for (const { warmup, measure } of this.#counters) {
      for (const phase of [warmup, measure]) {
        // In the closed model a message is due when it is sent, so only service is recorded.
        response.add(phase.response.count === 0 ? phase.service : phase.response);
        lateness.add(phase.lateness);
      }
    }
    return {
      intended: all.count(Counter.intended),
      sent: all.count(Counter.sent),
      received: all.count(Counter.received),
      errors: all.gauge(Gauge.errors),
      opened: all.gauge(Gauge.opened),
      cpuMs: processCpuMs(),
      response,
      lateness,
    };
  }
}

function growth(after: Histogram, before: Histogram): Histogram {
  const copy = after.clone();
  copy.subtract(before);
  return copy;
}

/** CPU time of all threads of this process. */
export function processCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** 0 when it cannot be read, as when the process has no file descriptor left. */
export function residentBytes(): number {
  try {
    return process.memoryUsage.rss();
  } catch {
    return 0;
  }
}
