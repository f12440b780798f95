import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { UsageError } from '../../core/errors.ts';
import { hostOf, portOf } from '../../transport/address.ts';
import { listenersAt, readProcess } from './proc.ts';

interface Wanted {
  readonly url: string;
  /** As given; undefined: whoever listens at the port of the URL. */
  readonly pid?: number | undefined;
}

/**
 * The processes of the server, the one that is named in reports first; none when it is elsewhere,
 * cannot be read, or is this very process, whose share nobody can tell from the generator's.
 *
 * Throws `UsageError` WSK_ERR_INVALID_INPUT for a `pid` that is not there.
 */
export function findServer({ url, pid }: Wanted): number[] {
  if (pid !== undefined) {
    if (readProcess(pid) !== undefined) return [pid];
    throw new UsageError('WSK_ERR_INVALID_INPUT', `--pid is ${pid}, which can be read nowhere`, {
      hint:
        process.platform === 'linux'
          ? 'is it running, and on this machine?'
          : 'a server is only watched on Linux',
    });
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
