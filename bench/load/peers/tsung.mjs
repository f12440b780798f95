// tsung (GPL-2.0): as Debian packages it.
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { which } from '../../programs.mjs';
import { folder, scratch } from '../machine.mjs';

const DTD = '/usr/share/tsung/tsung-1.0.dtd';

export const tsung = {
  name: 'tsung',
  version: () => /\d[\d.]+/.exec(execFileSync('tsung', ['-v'], { encoding: 'utf8' }))?.[0] ?? '?',
  missing: () => (which('tsung') ? null : 'no tsung on the PATH (Debian: `apt-get install tsung`)'),
  can: ({ depth }) => depth === 1,
  command: ({ port, connections, bytes }) => {
    const script = path.join(scratch, 'tsung.xml');
    writeFileSync(script, scenario({ port, connections, bytes }));
    return ['tsung', '-f', script, '-l', folder('tsung'), '-I', '127.0.0.1', 'start'];
  },
  // Erlang takes what it is pinned to as one scheduler of two: told, it does not count them.
  env: { ERL_AFLAGS: '+S 1:1' },
  endless: true,
  // It leaves a daemon behind; with nodes of others it stays.
  after: () => spawnSync('epmd', ['-kill']),
  // Means alone, over ten seconds.
  read: () => ({}),
};

function scenario({ port, connections, bytes }) {
  const path_ = '<websocket type="connect" path="/"></websocket>';
  const message = `<websocket type="message" frame="binary">${'a'.repeat(bytes)}</websocket>`;
  return `<?xml version="1.0"?>
<!DOCTYPE tsung SYSTEM "${DTD}">
<tsung loglevel="critical">
  <clients><client host="localhost" use_controller_vm="true" maxusers="60000"/></clients>
  <servers><server host="127.0.0.1" port="${port}" type="tcp"/></servers>
  <load>
    <arrivalphase phase="1" duration="60" unit="second">
      <users maxnumber="${connections}" arrivalrate="500" unit="second"/>
    </arrivalphase>
  </load>
  <sessions>
    <session name="echo" probability="100" type="ts_websocket">
      <request>${path_}</request>
      <for from="1" to="10000000" var="i"><request>${message}</request></for>
    </session>
  </sessions>
</tsung>
`;
}
