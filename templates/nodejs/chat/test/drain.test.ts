import assert from 'node:assert/strict';
import { it } from 'node:test';
import { connect, refusalStatus, startServer } from './support.ts';

it('drains: not ready, nobody new, 1001 to everybody', async () => {
  const { port, server } = await startServer({ DRAIN_DELAY: '300' });
  const base = `http://localhost:${String(port)}`;
  assert.equal((await fetch(`${base}/readyz`)).status, 200);
  const client = await connect(port);
  const drained = server.drain();
  assert.equal((await fetch(`${base}/readyz`)).status, 503);
  assert.equal((await fetch(`${base}/healthz`)).status, 200);
  assert.equal(await refusalStatus(port), 503);
  assert.equal((await client.nextOf('draining')).type, 'draining');
  assert.equal(await client.closed, 1001);
  await drained;
});

it('cuts off a client that does not say goodbye', async () => {
  const { port, server } = await startServer({ DRAIN_TIMEOUT: '100' });
  const client = await connect(port);
  client.socket.pause();
  await server.drain();
  client.socket.resume();
  await client.closed;
});
