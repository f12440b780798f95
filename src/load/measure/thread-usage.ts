import { readFileSync, readlinkSync } from 'node:fs';
import { PerformanceObserver, performance } from 'node:perf_hooks';
import type { EventLoopUtilization, PerformanceEntry } from 'node:perf_hooks';
import { now } from './clock.ts';

/** What the present thread used between `start` and `stop`. */
export interface Usage {
  /** Null where the system does not tell threads apart. */
  readonly cpuMs: number | null;
  /** Time that the thread could have run and got no core, as others had them; null as above. */
  readonly waitMs: number | null;
  readonly eventLoopUtilization: number;
  readonly gcMs: number;
  readonly measureMs: number;
}

/** Watches CPU, event loop and garbage collection of a worker thread over the measured phase. */
export class UsageMeter {
  readonly #threads: (string | null)[] = [currentThread()];
  #startMs = 0;
  #cpu: ThreadTimes | null = null;
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
    if (this.#cpu === null) return;
    const times = threadTimes(thread) ?? NO_TIMES;
    this.#cpu = { cpuMs: this.#cpu.cpuMs + times.cpuMs, waitMs: this.#cpu.waitMs + times.waitMs };
  }

  start(): void {
    this.#startMs = now();
    this.#cpu = this.#times();
    this.#loop = performance.eventLoopUtilization();
    this.#gcMs = 0;
  }

  stop(): Usage {
    this.#count(this.#observer.takeRecords());
    this.#observer.disconnect();
    const cpu = this.#times();
    return {
      cpuMs: cpu === null || this.#cpu === null ? null : cpu.cpuMs - this.#cpu.cpuMs,
      waitMs: cpu === null || this.#cpu === null ? null : cpu.waitMs - this.#cpu.waitMs,
      eventLoopUtilization: performance.eventLoopUtilization(this.#loop).utilization,
      gcMs: this.#gcMs,
      measureMs: now() - this.#startMs,
    };
  }

  #count(entries: readonly PerformanceEntry[]): void {
    for (const { duration } of entries) this.#gcMs += duration;
  }

  #times(): ThreadTimes | null {
    const sum = { cpuMs: 0, waitMs: 0 };
    for (const thread of this.#threads) {
      const times = threadTimes(thread);
      if (times === null) return null;
      sum.cpuMs += times.cpuMs;
      sum.waitMs += times.waitMs;
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

/** What a thread has had since it began. */
interface ThreadTimes {
  readonly cpuMs: number;
  readonly waitMs: number;
}

const NO_TIMES: ThreadTimes = { cpuMs: 0, waitMs: 0 };

/** Null where the system does not tell. */
function threadTimes(thread: string | null): ThreadTimes | null {
  if (thread === null) return null;
  try {
    // Nanoseconds on a CPU, then ready to run without one; `stat` has hundredths of a second only.
    const [cpu, wait] = readFileSync(`${thread}/schedstat`, 'utf8').split(' ');
    return { cpuMs: Number(cpu) / 1e6, waitMs: Number(wait) / 1e6 };
  } catch {
    return null;
  }
}
