import type { SecondSample } from '../result.ts';

/** What the server used in one second of a run. */
export interface ServerSecond {
  /** As in `SecondSample`. */
  readonly second: number;
  readonly phase: SecondSample['phase'];
  /** Share of one core, 0 to the number of cores. */
  readonly cpu: number;
  readonly rssBytes: number;
  /** Null where they may not be counted, as those of another user. */
  readonly descriptors: number | null;
}

/** What the server's processes on this machine used during a run, all of them together. */
export interface ServerUse {
  /** The process that listens; the others are its descendants or share its socket. */
  readonly pid: number;
  /** Its command line, cut to 200 characters. */
  readonly command: string;
  /** CPU time over the measured phase. */
  readonly cpuMs: number;
  /** CPU time over all that was sampled. */
  readonly totalCpuMs: number;
  /** Resident before the first connection. */
  readonly startRssBytes: number;
  readonly peakRssBytes: number;
  readonly peakDescriptors: number;
  /** One for each second of the run that was sampled. */
  readonly seconds: readonly ServerSecond[];
  /** The second in which the process was seen to be gone; null if it outlived the run. */
  readonly endedAtSecond: number | null;
}
