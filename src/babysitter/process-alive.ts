import { readFileSync } from 'node:fs';

/** A process, distinct from a later one with the same pid. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Boot id and start time as the kernel gives them; absent outside Linux. */
  readonly startedAt?: string | undefined;
}

/** The identity of this process. */
export function thisProcess(): ProcessIdentity {
  return { pid: process.pid, startedAt: startOf(process.pid) };
}

/** Whether the process with this identity still runs; without `startedAt`, any with this pid. */
export function isAlive({ pid, startedAt }: ProcessIdentity): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it exists, but belongs to another user.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
  const start = startOf(pid);
  return startedAt === undefined || start === undefined || start === startedAt;
}

/**
 * Whether the process that has `pid` now started after `time` (milliseconds since the epoch), so
 * that another one had the pid then. False where unknown.
 */
export function startedAfter(pid: number, time: number): boolean {
  const ticks = Number(startOf(pid)?.split(':')[1]);
  const boot = bootTimeMs();
  // Start times are in hundredths of a second (USER_HZ), the boot time in whole seconds.
  return boot !== undefined && boot + ticks * 10 > time + BOOT_TIME_ERROR_MS;
}

const BOOT_TIME_ERROR_MS = 2000;

function bootTimeMs(): number | undefined {
  try {
    const seconds = /^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'latin1'))?.[1];
    return seconds === undefined ? undefined : Number(seconds) * 1000;
  } catch {
    return undefined;
  }
}

/**
 * Field 22 of /proc/<pid>/stat (start time in clock ticks since boot) with the boot's own id.
 *
 * Containers reuse pids quickly: a killed runner and its successor are often both process 7.
 * Undefined outside Linux.
 */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    // The second field is the command in parentheses, which may hold spaces and parentheses.
    return `${boot}:${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''}`;
  } catch {
    return undefined;
  }
}
