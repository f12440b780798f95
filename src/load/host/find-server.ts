import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { invalidInput } from '../../core/errors.ts';
import { hostOf, portOf } from '../../transport/address.ts';
import { listenersAt, readProcess } from './proc.ts';

interface Wanted {
  readonly url: string;
  /** Given with `--pid`; undefined: the process that listens at the port of the URL. */
  readonly pid?: number | undefined;
}

/**
 * The processes of the server, first the one that reports name. None when the server is on another
 * machine, cannot be read, or is this process, whose use includes that of the load generator.
 *
 * Throws `UsageError` WSK_ERR_INVALID_INPUT for a `pid` that cannot be read.
 */
export function findServer({ url, pid }: Wanted): number[] {
  if (pid !== undefined) {
    if (readProcess(pid) !== undefined) return [pid];
    throw invalidInput(
      `--pid is ${pid}, a process that cannot be read`,
      process.platform === 'linux'
        ? 'check that it runs, and on this machine'
        : 'a server process is only watched on Linux',
    );
  }
  const parsed = new URL(url);
  if (!isThisMachine(hostOf(parsed))) return [];
  const pids = listenersAt(portOf(parsed));
  return pids.includes(process.pid) ? [] : pids;
}

function isThisMachine(host: string): boolean {
  if (host === 'localhost' || host === '::1' || host.startsWith('127.')) return true;
  if (isIP(host) === 0) return false;
  return Object.values(networkInterfaces()).some((list) =>
    list?.some(({ address }) => address === host),
  );
}
