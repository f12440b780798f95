import { readFileSync } from 'node:fs';
import { availableParallelism, networkInterfaces } from 'node:os';
import { join } from 'node:path';

/** Limits of this machine for one process; null where unknown. */
export interface Machine {
  readonly cores: number;
  /** Node raises the soft limit to the hard one as it starts. */
  readonly descriptors: number | null;
  /** Range of local ports for outgoing connections, both included. */
  readonly ports: { readonly low: number; readonly high: number } | null;
  /** Addresses of this machine, without loopback. */
  readonly addresses: readonly string[];
  readonly platform: NodeJS.Platform;
}

/** Reads the limits of this process and machine; `proc` is where Linux lists them. */
export function readMachine(proc = '/proc'): Machine {
  return {
    cores: availableParallelism(),
    descriptors: descriptorLimit(proc),
    ports: portRange(proc),
    addresses: Object.values(networkInterfaces())
      .flatMap((list) => list ?? [])
      .filter(({ internal, address }) => !internal && !address.startsWith('fe80:'))
      .map(({ address }) => address),
    platform: process.platform,
  };
}

function descriptorLimit(proc: string): number | null {
  const soft = /^Max open files\s+(\d+)/m.exec(readOrEmpty(join(proc, 'self/limits')))?.[1];
  return soft === undefined ? null : Number(soft);
}

function portRange(proc: string): Machine['ports'] {
  const text = readOrEmpty(join(proc, 'sys/net/ipv4/ip_local_port_range'));
  const range = /^(\d+)\s+(\d+)/.exec(text);
  return range === null ? null : { low: Number(range[1]), high: Number(range[2]) };
}

/**
 * Local ports still reserved by closed connections to `port` (TIME_WAIT); 0 where the system may
 * reuse them (`tcp_tw_reuse`: 1 always, 2 on the loopback).
 */
export function countTimeWait(
  port: number,
  { loopback, proc = '/proc' }: { loopback: boolean; proc?: string },
): number {
  const reuse = readOrEmpty(join(proc, 'sys/net/ipv4/tcp_tw_reuse')).trim();
  if (reuse === '1' || (reuse === '2' && loopback)) return 0;
  const remote = port.toString(16).toUpperCase().padStart(4, '0');
  // Local address, remote address, state: 06 is TIME_WAIT.
  const row = new RegExp(`^\\s*\\d+: \\S+ [0-9A-F]+:${remote} 06 `, 'gm');
  return ['net/tcp', 'net/tcp6']
    .map((file) => readOrEmpty(join(proc, file)).match(row)?.length ?? 0)
    .reduce((sum, count) => sum + count, 0);
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}
