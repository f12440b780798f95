import { cpus } from 'node:os';

/** CPU time of all cores since the machine started, in milliseconds. */
export interface CpuTimes {
  readonly busyMs: number;
  readonly allMs: number;
}

/** Reads the CPU times of all cores; neither idle nor waiting for a disk is busy. */
export function readCpuTimes(): CpuTimes {
  const times = cpus().map(({ times: each }) => each);
  const busyMs = times.reduce((sum, t) => sum + t.user + t.nice + t.sys + t.irq, 0);
  return { busyMs, allMs: times.reduce((sum, t) => sum + t.idle, busyMs) };
}

/**
 * The share of all cores that others used between two readings, 0 to 1: neither this process nor
 * the server, whose time is `ownMs`. Null without any time between the readings.
 */
export function otherShare(before: CpuTimes, after: CpuTimes, ownMs: number): number | null {
  const allMs = after.allMs - before.allMs;
  if (allMs <= 0) return null;
  const share = (after.busyMs - before.busyMs - ownMs) / allMs;
  return Math.min(1, Math.max(0, share));
}
