import { once } from 'node:events';
import { expect, it } from 'vitest';
import { openSocket } from '../../../src/transport/index.ts';
import { startWs } from '../../support/peers/servers.ts';

it('lets many connections share a signal without a warning', async () => {
  await using server = await startWs();
  const warnings: string[] = [];
  const note = ({ name }: Error): void => void warnings.push(name);
  process.on('warning', note);
  const stop = new AbortController();
  const open = (): ReturnType<typeof openSocket> =>
    openSocket(new URL(server.url), { signal: stop.signal });
  const wires = await Promise.all(Array.from({ length: 12 }, open));
  const closed = wires.map(({ socket }) => once(socket, 'close'));
  stop.abort();
  await Promise.all(closed);
  process.off('warning', note);
  expect(warnings).toEqual([]);
});
