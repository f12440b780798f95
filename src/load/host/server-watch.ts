import type { SecondSample } from '../result.ts';
import { commandOf, countDescriptors, readProcess, withDescendants } from './proc.ts';
import type { ServerSecond, ServerUse } from './server-use.ts';

/** Samples between two searches for new server processes, which read every process. */
const FAMILY_SAMPLES = 5;

interface Reading {
  readonly at: number;
  /** CPU time since its start, by process. */
  readonly cpuMs: ReadonlyMap<number, number>;
  readonly rssBytes: number;
  readonly descriptors: number | null;
}

/** Reads what the processes of a server use, once a second while it is under load. */
export class ServerWatch {
  readonly #pids: readonly number[];
  readonly #command: string;
  readonly #start: Reading;
  #last: Reading;
  readonly #seconds: ServerSecond[] = [];
  #family: readonly number[] = [];
  #readings = 0;
  #measuredCpuMs = 0;
  #totalCpuMs = 0;
  #endedAtSecond: number | null = null;

  /** `pids` as `findServer` gives them, at least one; to be made before the first connection. */
  constructor(pids: readonly number[]) {
    this.#pids = pids;
    this.#command = commandOf(pids[0] ?? 0);
    this.#start = this.#read();
    this.#last = this.#start;
  }

  /** To be called at the end of each second of the run. */
  sample({ second, phase }: SecondSample): void {
    if (this.#endedAtSecond !== null) return;
    const now = this.#read();
    if (now.cpuMs.size === 0) {
      this.#endedAtSecond = second;
      return;
    }
    const before = this.#last;
    this.#last = now;
    const cpuMs = [...now.cpuMs].reduce(
      // A new process counts from its start.
      (sum, [pid, used]) => sum + Math.max(0, used - (before.cpuMs.get(pid) ?? 0)),
      0,
    );
    this.#totalCpuMs += cpuMs;
    if (phase === 'measure') this.#measuredCpuMs += cpuMs;
    this.#seconds.push({
      second,
      phase,
      cpu: cpuMs / Math.max(1, now.at - before.at),
      rssBytes: now.rssBytes,
      descriptors: now.descriptors,
    });
  }

  /** What was sampled so far. */
  use(): ServerUse {
    const seconds = this.#seconds;
    return {
      pid: this.#pids[0] ?? 0,
      command: this.#command,
      cpuMs: this.#measuredCpuMs,
      totalCpuMs: this.#totalCpuMs,
      startRssBytes: this.#start.rssBytes,
      peakRssBytes: Math.max(this.#start.rssBytes, ...seconds.map(({ rssBytes }) => rssBytes)),
      peakDescriptors: Math.max(
        this.#start.descriptors ?? 0,
        ...seconds.map(({ descriptors }) => descriptors ?? 0),
      ),
      seconds,
      endedAtSecond: this.#endedAtSecond,
    };
  }

  #read(): Reading {
    const cpuMs = new Map<number, number>();
    let rssBytes = 0;
    let descriptors: number | null = null;
    if (this.#readings % FAMILY_SAMPLES === 0) {
      // This process may be a descendant of the server's.
      this.#family = withDescendants(this.#pids, { except: process.pid });
    }
    this.#readings += 1;
    for (const pid of this.#family) {
      const reading = readProcess(pid);
      if (reading === undefined) continue;
      cpuMs.set(pid, reading.cpuMs);
      rssBytes += reading.rssBytes;
      const open = countDescriptors(pid);
      if (open !== null) descriptors = (descriptors ?? 0) + open;
    }
    return { at: performance.now(), cpuMs, rssBytes, descriptors };
  }
}
