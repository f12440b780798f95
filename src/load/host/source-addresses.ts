import { isIP, isIPv4 } from 'node:net';
import { invalidInput } from '../../core/errors.ts';
import type { UsageError } from '../../core/errors.ts';
import { hostOf, portOf } from '../../transport/address.ts';
import type { Machine } from './machine.ts';
import { countTimeWait } from './machine.ts';

interface Reach {
  readonly url: string;
  readonly connections: number;
  /** As given: addresses, or `auto`; empty for the system's choice. */
  readonly sourceIps: readonly string[];
  readonly machine: Machine;
  readonly proc?: string;
}

/**
 * The local addresses to connect from; empty: the system's choice.
 *
 * Throws `UsageError` WSK_ERR_INVALID_INPUT for an address that this machine does not have, and for
 * more connections than ports: only local address and port distinguish connections to one server.
 */
export function sourceAddressesOf(reach: Reach): string[] {
  const { sourceIps, connections } = reach;
  const perAddress = portsPerAddress(reach);
  if (sourceIps.includes('auto')) {
    if (sourceIps.length > 1)
      throw invalidInput('--source-ip is auto and addresses, expected one of the two');
    return automatic(reach, perAddress);
  }
  for (const address of sourceIps) checkAddress(address, reach);
  const capacity = perAddress * Math.max(1, sourceIps.length);
  if (connections > capacity) throw tooMany(reach, { capacity, perAddress });
  return [...sourceIps];
}

/** Whether the host of `url` is a loopback address. */
export function isLoopback(url: string): boolean {
  const host = hostOf(new URL(url));
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}

function portsPerAddress({ url, machine, proc }: Reach): number {
  if (machine.ports === null) return Infinity;
  const remote = portOf(new URL(url));
  const options = { loopback: isLoopback(url), ...(proc !== undefined && { proc }) };
  const all = machine.ports.high - machine.ports.low + 1;
  return Math.max(0, all - countTimeWait(remote, options));
}

/**
 * On Linux all of 127.0.0.0/8 are local addresses without configuration; for a server elsewhere
 * there are only the addresses of this machine.
 */
function automatic(reach: Reach, perAddress: number): string[] {
  const { url, connections, machine } = reach;
  const count = Math.ceil(connections / perAddress);
  if (count <= 1) return [];
  if (isLoopback(url) && hostOf(new URL(url)) !== '::1' && machine.platform === 'linux') {
    // 127.0.0.1 stays free for the server.
    return Array.from({ length: count }, (_, at) => `127.1.${at >> 8}.${(at & 255) + 1}`);
  }
  const host = hostOf(new URL(url));
  const family = isIP(host) === 6 ? 6 : 4;
  const own = machine.addresses.filter((address) => isIP(address) === family);
  if (own.length < count) {
    throw tooMany(reach, { capacity: perAddress * Math.max(1, own.length), perAddress });
  }
  return own.slice(0, count);
}

function checkAddress(address: string, { url, machine }: Reach): void {
  const family = isIP(address);
  const described = `--source-ip holds ${JSON.stringify(address)}`;
  if (family === 0) throw invalidInput(`${described}, expected addresses of this machine, or auto`);
  const target = isIP(hostOf(new URL(url)));
  if (target !== 0 && target !== family) {
    throw invalidInput(`${described}, which is IPv${family}; the server's address is IPv${target}`);
  }
  const local = address === '::1' || address.startsWith('127.');
  if (local || machine.addresses.includes(address)) return;
  const known = machine.addresses.slice(0, 4).join(', ');
  throw invalidInput(
    `${described}, which is not an address of this machine`,
    known === '' ? undefined : `this machine has ${known}`,
  );
}

function tooMany(
  { connections, sourceIps, url }: Reach,
  { capacity, perAddress }: { capacity: number; perAddress: number },
): UsageError {
  const from = Math.max(1, sourceIps.includes('auto') ? 1 : sourceIps.length);
  return invalidInput(
    `--connections is ${connections}, expected at most ${capacity}: ${perAddress} free ports ` +
      `(net.ipv4.ip_local_port_range) on ${from === 1 ? 'one local address' : `${from} addresses`}`,
    isLoopback(url)
      ? '--source-ip auto uses as many addresses of 127.0.0.0/8 as needed'
      : 'give this machine more addresses and name them in --source-ip, or split the load with --distributed',
  );
}
