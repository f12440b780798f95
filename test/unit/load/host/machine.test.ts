import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { sourceAddressesOf } from '../../../../src/load/host/source-addresses.ts';
import { countTimeWait, readMachine } from '../../../../src/load/host/machine.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

function procFolder(files: Readonly<Record<string, string>>): string {
  const proc = temporaryFolder();
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(proc, name)), { recursive: true });
    writeFileSync(path.join(proc, name), text);
  }
  return proc;
}

/** Two connections to port 8080 (1F90) in TIME_WAIT, one that is open, one to another port. */
const TCP = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:8000 0100007F:1F90 06 00000000:00000000 03:00000A4B 00000000     0        0 0 3
   1: 0100007F:8001 0100007F:1F90 06 00000000:00000000 03:00000A4B 00000000     0        0 0 3
   2: 0100007F:8002 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 123 1
   3: 0100007F:8003 0100007F:1F91 06 00000000:00000000 03:00000A4B 00000000     0        0 0 3
`;

it('reads the soft limit of descriptors and the range of ports', () => {
  const proc = procFolder({
    'self/limits':
      'Limit                     Soft Limit           Hard Limit           Units     \n' +
      'Max open files            4096                 8192                 files     \n',
    'sys/net/ipv4/ip_local_port_range': '32768\t60999\n',
  });
  const { descriptors, ports } = readMachine(proc);
  expect(descriptors).toBe(4096);
  expect(ports).toEqual({ low: 32_768, high: 60_999 });
});

it('knows no limit where the system tells none', () => {
  const { descriptors, ports } = readMachine(procFolder({}));
  expect([descriptors, ports]).toEqual([null, null]);
});

it.each([
  ['0', true, 2],
  ['2', false, 2],
  ['2', true, 0],
  ['1', false, 0],
])('counts ports in TIME_WAIT if tcp_tw_reuse is %s and loopback %s', (reuse, loopback, count) => {
  const proc = procFolder({ 'net/tcp': TCP, 'sys/net/ipv4/tcp_tw_reuse': `${reuse}\n` });
  expect(countTimeWait(8080, { loopback, proc })).toBe(count);
});

it('takes ports in TIME_WAIT off what an address has', () => {
  const proc = procFolder({ 'net/tcp': TCP, 'sys/net/ipv4/tcp_tw_reuse': '0\n' });
  const machine = { ...readMachine(proc), ports: { low: 1001, high: 1010 } };
  const reach = { url: 'ws://127.0.0.1:8080/', sourceIps: [], machine, proc };
  expect(sourceAddressesOf({ ...reach, connections: 8 })).toEqual([]);
  expect(() => sourceAddressesOf({ ...reach, connections: 9 })).toThrow('expected at most 8');
});
