import { readFileSync, readlinkSync } from 'node:fs';
import { PerformanceObserver, performance } from 'node:perf_hooks';
import type { EventLoopUtilization, PerformanceEntry } from 'node:perf_hooks';
import { now } from './clock.ts';

/** What the present thread used between `start` and `stop`. */
export interface Usage {
  /** Null where the system does not tell threads apart. */
  readonly cpuMs: number | null;
  readonly eventLoopUtilization: number;
  readonly gcMs: number;
  readonly measureMs: number;
}

/** Watches CPU, event loop and garbage collection of a worker thread over the measured phase. */
export class UsageMeter {
  readonly #threads: (string | null)[] = [currentThread()];
  #startMs = 0;
  #cpu: number | null = null;
  #loop: EventLoopUtilization | undefined;
  #gcMs = 0;
  readonly #observer = new PerformanceObserver((list) => this.#count(list.getEntries()));

  constructor() {
    this.#observer.observe({ entryTypes: ['gc'] });
  }

  /** Counts another thread, such as the pacer, to this one. */
  add(thread: string | null): void {
    this.#threads.push(thread);
    // It ran before it was added.
    if (this.#cpu !== null) this.#cpu += threadCpuMs(thread) ?? 0;
  }

  start(): void {
    this.#startMs = now();
    this.#cpu = this.#cpuMs();
    this.#loop = performance.eventLoopUtilization();
    this.#gcMs = 0;
  }

  stop(): Usage {
    this.#count(this.#observer.takeRecords());
    this.#observer.disconnect();
    const cpu = this.#cpuMs();
    return {
      cpuMs: cpu === null || this.#cpu === null ? null : cpu - this.#cpu,
      eventLoopUtilization: performance.eventLoopUtilization(this.#loop).utilization,
      gcMs: this.#gcMs,
      measureMs: now() - this.#startMs,
    };
  }

  #count(entries: readonly PerformanceEntry[]): void {
    for (const { duration } of entries) this.#gcMs += duration;
  }

  #cpuMs(): number | null {
    let sum = 0;
    for (const thread of this.#threads) {
      const ms = threadCpuMs(thread);
      if (ms === null) return null;
      sum += ms;
    }
    return sum;
  }
}

/** The calling thread as a path in /proc; null outside Linux. */
export function currentThread(): string | null {
  try {
    return `/proc/${readlinkSync('/proc/thread-self')}`;
  } catch {
    return null;
  }
}

/** CPU time of a thread in milliseconds; null where the system does not tell. */
function threadCpuMs(thread: string | null): number | null {
  if (thread === null) return null;
  try {
    // The first number is nanoseconds on a CPU; `stat` has hundredths of a second only.
    return Number(readFileSync(`${thread}/schedstat`, 'utf8').split(' ')[0]) / 1e6;
  } catch {
    return null;
  }
}
