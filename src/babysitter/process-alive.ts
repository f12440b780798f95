import { readFileSync } from 'node:fs';

/** A process, told apart from a later one that the system gave the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** When it started, in the kernel's own words; absent where the system does not tell. */
  readonly startedAt?: string | undefined;
}

/** The identity of this process. */
export function thisProcess(): ProcessIdentity {
  return { pid: process.pid, startedAt: startOf(process.pid) };
}

/** Whether the process that wrote `identity` down still runs. */
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
 * Whether the process that has the number `pid` now began only after `time` (milliseconds since
 * the epoch), so that it cannot be the one that wrote `pid` down then. False where unknown.
 */
export function startedAfter(pid: number, time: number): boolean {
  const ticks = Number(startOf(pid)?.split(':')[1]);
  const boot = bootTimeMs();
  // Linux counts in hundredths of a second here (USER_HZ) and tells the boot in whole seconds.
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
 * Numbers are reused quickly in containers, where a killed runner and its successor are often both
 * process 7. Undefined outside Linux.
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
