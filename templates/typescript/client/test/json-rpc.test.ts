import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { JsonRpcClient, RpcError } from '../src/json-rpc.ts';
import type { JsonRpcOptions } from '../src/json-rpc.ts';
import { FAST, failure, Inbox, reach, settle, startServer } from './support.ts';
import type { Peer, TestServer } from './support.ts';

interface Server {
  add(params: { a: number; b: number }): number;
  list(): string[];
}
interface Own {
  name(params: [number]): string;
}

async function begin(
  t: TestContext,
  options: Partial<JsonRpcOptions> = {},
): Promise<{ server: TestServer; client: JsonRpcClient<Server, Own>; peer: Peer }> {
  const server = await startServer();
  const client = new JsonRpcClient<Server, Own>({ ...FAST, url: server.url, ...options });
  t.after(() => client.close());
  client.connect();
  const peer = await server.accept();
  return { server, client, peer };
}

/** The next message of the client. */
const heard = (peer: Peer): Promise<Record<string, unknown>> => peer.messages.take('a message');

describe('a JSON-RPC client', () => {
  it('calls, and gets results and errors, in whatever order they come', async (t) => {
    const { client, peer } = await begin(t);
    assert.equal(peer.socket.protocol, 'json-rpc');
    const sum = client.call('add', { a: 1, b: 2 });
    const list = client.call('list');
    const first = await heard(peer);
    const second = await heard(peer);
    assert.deepEqual(first, { jsonrpc: '2.0', id: 1, method: 'add', params: { a: 1, b: 2 } });
    assert.deepEqual(second, { jsonrpc: '2.0', id: 2, method: 'list' });
    const error = { code: 7, message: 'none left', data: [1] };
    peer.send({ jsonrpc: '2.0', id: 2, error }, { jsonrpc: '2.0', id: 1, result: 3 });
    assert.equal(await sum, 3);
    const refused = (await failure(list)) as unknown as RpcError;
    assert.ok(refused instanceof RpcError);
    assert.deepEqual([refused.code, refused.message, refused.data], [7, 'none left', [1]]);
  });

  it('is called and told, and answers', async (t) => {
    const { client, peer } = await begin(t);
    await reach(client, 'open');
    const faults: unknown[] = [];
    client.on('error', (error) => faults.push(error.code));
    const stop = client.handle('name', ([count]) => {
      if (count === 1) throw new RpcError(5, 'busy', 'later');
      if (count === 2) throw new Error('a bug');
      if (count === 4) throw new RpcError(6, 'no JSON', 4n);
      return `Ada ${count}`;
    });
    const call = async (id: number): Promise<unknown> => {
      peer.send({ jsonrpc: '2.0', method: 'name', params: [0] });
      peer.send({ jsonrpc: '2.0', id, method: 'name', params: [id] });
      return await heard(peer);
    };
    const error = (id: number, fault: object): object => ({ jsonrpc: '2.0', id, error: fault });
    assert.deepEqual(await call(0), { jsonrpc: '2.0', id: 0, result: 'Ada 0' });
    assert.deepEqual(await call(1), error(1, { code: 5, message: 'busy', data: 'later' }));
    assert.deepEqual(await call(2), error(2, { code: -32603, message: 'Internal error' }));
    assert.deepEqual(await call(4), error(4, { code: -32603, message: 'Internal error' }));
    assert.deepEqual(faults, ['handler', 'handler']);
    const batch = [0, 3].map((id) => ({ jsonrpc: '2.0', id, method: 'name', params: [id] }));
    peer.send(JSON.stringify(batch));
    assert.deepEqual(
      ((await heard(peer)) as unknown as { result: string }[]).map(({ result }) => result),
      ['Ada 0', 'Ada 3'],
    );
    stop();
    assert.deepEqual(await call(4), error(4, { code: -32601, message: 'Method not found' }));
  });

  it('never repeats what was sent, and sends later what was not', async (t) => {
    const { server, client, peer } = await begin(t);
    const sent = client.call('list');
    await heard(peer);
    peer.socket.terminate();
    assert.equal((await failure(sent)).code, 'unknown_outcome');
    assert.equal(client.notify('list'), false);
    const waiting = client.call('add', { a: 1, b: 2 });
    const next = await server.accept();
    assert.equal((await heard(next))['method'], 'add');
    next.send({ jsonrpc: '2.0', id: 2, result: 3 });
    assert.equal(await waiting, 3);
    assert.equal(client.notify('list'), true);
    assert.deepEqual(await heard(next), { jsonrpc: '2.0', method: 'list' });
    await settle();
    assert.deepEqual(next.messages.rest, []);
  });

  it('gives calls up: over time, a signal, too many, and the end', async (t) => {
    const { client, peer } = await begin(t, { maxCalls: 2 });
    await reach(client, 'open');
    assert.equal((await failure(client.call('list', undefined, { timeoutMs: 5 }))).code, 'timeout');
    const controller = new AbortController();
    const { signal } = controller;
    const aborted = failure(client.call('list', undefined, { signal }));
    controller.abort();
    assert.equal((await aborted).code, 'aborted');
    assert.equal((await failure(client.call('list', undefined, { signal }))).code, 'aborted');
    const open = [client.call('list'), client.call('list')].map((call) => failure(call));
    assert.equal((await failure(client.call('list'))).code, 'queue_full');
    client.close();
    for (const call of open) assert.equal((await call).code, 'unknown_outcome');
    assert.equal((await failure(client.call('list'))).code, 'closed');
    peer.socket.terminate();
    const idle = new JsonRpcClient<Server>({ ...FAST, url: 'ws://localhost:1' });
    const never = idle.call('list', undefined, { timeoutMs: 5 });
    assert.equal((await failure(never)).code, 'expired');
  });

  it('connects anew after a message that is no JSON', async (t) => {
    const { server, client, peer } = await begin(t);
    await reach(client, 'open');
    const states = new Inbox<string>();
    client.on('state', ({ name, reason }) => states.put(`${name} ${reason}`));
    peer.send('no JSON');
    await server.accept();
    assert.equal(await states.take('a state'), 'waiting malformed message');
  });
  // #if auth

  it('shows a token first, and a newer one when it is refused', async (t) => {
    const tokens = ['old', 'new'];
    const getToken = (): string => tokens.shift() ?? 'none';
    const { server, client, peer } = await begin(t, { getToken });
    const waiting = client.call('list');
    const shown = { jsonrpc: '2.0', id: 'auth', method: 'rpc.authenticate' };
    assert.deepEqual(await heard(peer), { ...shown, params: { token: 'old' } });
    assert.equal(client.state.name, 'authenticating');
    peer.send({ jsonrpc: '2.0', id: 'auth', error: { code: -32002, message: 'refused' } });
    peer.socket.close(4501);
    const next = await server.accept();
    assert.deepEqual(await heard(next), { ...shown, params: { token: 'new' } });
    const expiresAt = new Date(Date.now() + 60_000).toISOString();
    next.send({ jsonrpc: '2.0', id: 'auth', result: { user: 'ada', expiresAt } });
    assert.equal((await heard(next))['method'], 'list');
    next.send({ jsonrpc: '2.0', id: 1, result: [] });
    assert.deepEqual(await waiting, []);
  });

  it('goes on with a server that asks for no token', async (t) => {
    const { client, peer } = await begin(t, { getToken: () => 'a token' });
    await heard(peer);
    peer.send({ jsonrpc: '2.0', id: 'auth', error: { code: -32601, message: 'no such method' } });
    await reach(client, 'open');
  });
  // #endif
});
