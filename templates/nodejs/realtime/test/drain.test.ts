import assert from 'node:assert/strict';
import { it } from 'node:test';
import { connect, refusalStatus, startServer } from './support.ts';

it('is not ready from the first moment on, but serves until load balancers had time', async () => {
  const { port, stop } = await startServer({ DRAIN_DELAY: '1500' });
  const base = `http://localhost:${String(port)}`;
  assert.equal((await fetch(`${base}/readyz`)).status, 200);
  const drained = stop();
  assert.equal((await fetch(`${base}/readyz`)).status, 503);
  assert.equal((await fetch(`${base}/healthz`)).status, 200);
  const client = await connect(port);
  assert.equal((await client.nextOf('draining')).type, 'draining');
  assert.equal(await client.closed, 1001);
  await drained;
});

it('turns new clients away while it waits for the present ones', async () => {
  const { port, stop } = await startServer({ DRAIN_TIMEOUT: '500' });
  const stuck = await connect(port);
  stuck.socket.pause();
  const drained = stop();
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(await refusalStatus(port), 503);
  await drained;
  stuck.socket.resume();
  await stuck.closed;
});

it('disconnects a client that does not answer the close', async () => {
  const { port, stop } = await startServer({ DRAIN_TIMEOUT: '100' });
  const client = await connect(port);
  client.socket.pause();
  await stop();
  client.socket.resume();
  await client.closed;
});
