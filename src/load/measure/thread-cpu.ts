import { readFileSync, readlinkSync } from 'node:fs';

/** The thread that calls, as a path of the system; null outside Linux. */
export function currentThread(): string | null {
  try {
    return `/proc/${readlinkSync('/proc/thread-self')}`;
  } catch {
    return null;
  }
}

/** CPU time of a thread in milliseconds; null where the system does not tell. */
export function threadCpuMs(thread: string | null): number | null {
  if (thread === null) return null;
  try {
    // Its first number is the time on a CPU in nanoseconds; `stat` counts hundredths of a second.
    return Number(readFileSync(`${thread}/schedstat`, 'utf8').split(' ')[0]) / 1e6;
  } catch {
    return null;
  }
}
