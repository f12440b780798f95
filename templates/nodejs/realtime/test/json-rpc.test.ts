import assert from 'node:assert/strict';
// #if auth
import { once } from 'node:events';
// #endif
import { after, before, describe, it } from 'node:test';
// #if auth
import { WebSocket } from 'ws';
// #endif
import { z } from 'zod';
import { CallFailed, method, RpcError } from '../src/json-rpc.ts';
import type { CallOptions, Methods } from '../src/json-rpc.ts';
// #if auth
import { TestClient, tokenFor } from './support.ts';
// #endif
import { converse, startServer } from './support.ts';
import type { TestServer } from './support.ts';

const NOTHING = z.strictObject({});

/** What a method was told, and what it waits for. */
const seen: unknown[] = [];
let letGo: () => void = () => undefined;

const METHODS: Methods = {
  subtract: method({
    params: z.strictObject({ minuend: z.number(), subtrahend: z.number().default(1) }),
    result: z.number(),
    handle: ({ minuend, subtrahend }) => minuend - subtrahend,
  }),
  note: method({
    params: z.strictObject({ text: z.string() }),
    result: z.null(),
    handle: ({ text }) => {
      seen.push(text);
      return null;
    },
  }),
  fail: method({
    params: NOTHING,
    result: z.null(),
    handle: () => {
      throw new Error('secret detail');
    },
  }),
  refuse: method({
    params: NOTHING,
    result: z.null(),
    handle: () => Promise.reject(new RpcError(7, 'Out of stock', { left: 0 })),
  }),
  unwritable: method({
    params: NOTHING,
    result: z.null(),
    handle: () => Promise.reject(new RpcError(7, 'Out of stock', 1n)),
  }),
  large: method({
    params: NOTHING,
    result: z.bigint(),
    handle: () => 1n,
  }),
  trim: method({
    params: NOTHING,
    result: z.object({ name: z.string() }),
    handle: () => ({ name: 'ada', password: 'hush' }),
  }),
  unfit: method({
    params: NOTHING,
    result: z.number(),
    handle: () => 'no number' as unknown as number,
  }),
  wait: method({
    params: NOTHING,
    result: z.string(),
    handle: async (_, { signal }) => {
      await new Promise<void>((resolve) => {
        letGo = resolve;
        signal.addEventListener('abort', () => {
          seen.push('aborted');
          resolve();
        });
      });
      return 'done';
    },
  }),
  ask: method({
    params: z.strictObject({ name: z.string(), timeoutMs: z.number().optional() }),
    result: z.unknown(),
    handle: async ({ name, timeoutMs }, { peer }) => {
      peer.notify('asking', { name });
      const options: CallOptions<z.ZodString> = {
        result: z.string(),
        ...(timeoutMs !== undefined && { timeoutMs }),
      };
      return await peer.call(name, [1], options).catch((error: unknown) => {
        seen.push(error);
        return String(error);
      });
    },
  }),
};

const request = (id: unknown, method: string, params?: unknown): object => ({
  jsonrpc: '2.0',
  id,
  method,
  params,
});
const result = (id: unknown, value: unknown): object => ({ jsonrpc: '2.0', id, result: value });
const error = (id: unknown, code: number, message: string, data?: unknown): object => ({
  jsonrpc: '2.0',
  id,
  error: { code, message, ...(data !== undefined && { data }) },
});
const INVALID = { code: -32600, message: 'Invalid Request' };

describe('JSON-RPC', () => {
  let host: TestServer;
  before(async () => {
    const env = { SUBPROTOCOLS: 'json-rpc', MAX_BATCH: '5', MAX_CALLS_PER_CLIENT: '2' };
    host = await startServer({ ...env, MAX_PAYLOAD: '1048576' }, { methods: METHODS });
  });
  after(() => host.stop());

  it('answers requests, whatever their ids are', async () => {
    const client = await converse(host.port, 'json-rpc');
    for (const [sent, received] of [
      [request(1, 'subtract', [42, 23]), result(1, 19)],
      [request('a', 'subtract', { subtrahend: 23, minuend: 42 }), result('a', 19)],
      [request(null, 'subtract', [2]), result(null, 1)],
      [request(1.5, 'trim'), result(1.5, { name: 'ada' })],
      [request(2, 'nothing'), error(2, -32601, 'Method not found')],
      [request(2, 'toString'), error(2, -32601, 'Method not found')],
      [request(2, 'rpc.discover'), error(2, -32601, 'Method not found')],
      [request(3, 'refuse'), error(3, 7, 'Out of stock', { left: 0 })],
      [request(4, 'fail'), error(4, -32603, 'Internal error')],
      [request(4, 'unfit'), error(4, -32603, 'Internal error')],
      [request(4, 'unwritable'), error(4, -32603, 'Internal error')],
      [request(4, 'large'), error(4, -32603, 'Internal error')],
    ] as const) {
      client.send(sent);
      assert.deepEqual(await client.next(), received);
    }
    // #if metrics
    const metrics = await (await fetch(`http://127.0.0.1:${String(host.port)}/metrics`)).text();
    assert.match(metrics, /_count\{type="large"\} 1\n/);
    // #endif
    client.socket.close();
  });

  it('names what is wrong with parameters', async () => {
    const client = await converse(host.port, 'json-rpc');
    for (const [params, path] of [
      [['x'], ['minuend']],
      [{ minuend: 1, subtrahend: null }, ['subtrahend']],
      [[1, 2, 3], []],
      [{ minuend: 1, other: 1 }, []],
      [undefined, ['minuend']],
    ]) {
      client.send(request(1, 'subtract', params));
      const { error: fault } = (await client.next()) as unknown as {
        error: { code: number; data: { path: string[]; reason: string } };
      };
      assert.deepEqual([fault.code, fault.data.path], [-32602, path]);
      assert.notEqual(fault.data.reason, '');
    }
    client.socket.close();
  });

  it('says what is no request', async () => {
    const client = await converse(host.port, 'json-rpc');
    for (const [sent, id, code] of [
      ['{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]', null, -32700],
      ['{"jsonrpc": "2.0", "method": 1, "params": "bar"}', null, -32600],
      ['{"jsonrpc": "2.0", "method": "note", "params": "bar", "id": 5}', 5, -32600],
      ['{"method": "note", "id": "x"}', 'x', -32600],
      ['{"jsonrpc": "2.0", "id": 1}', 1, -32600],
      ['{"jsonrpc": "2.0", "id": [], "method": "note"}', null, -32600],
      ['1', null, -32600],
      ['[]', null, -32600],
    ] as const) {
      client.send(sent);
      const received = await client.next();
      const { code: given } = received['error'] as { code: number };
      assert.deepEqual([received['id'], given], [id, code], sent);
    }
    client.socket.close();
  });

  it('never answers a notification', async () => {
    seen.length = 0;
    const client = await converse(host.port, 'json-rpc');
    client.send({ jsonrpc: '2.0', method: 'note', params: ['heard'] });
    for (const name of ['nothing', 'fail', 'refuse', 'subtract', 'rpc.discover']) {
      client.send({ jsonrpc: '2.0', method: name });
    }
    client.send([{ jsonrpc: '2.0', method: 'note', params: ['in a batch'] }]);
    client.send(request('last', 'subtract', [1]));
    assert.deepEqual(await client.next(), result('last', 0));
    assert.deepEqual(seen, ['heard', 'in a batch']);
    client.socket.close();
  });

  it('answers a batch in one message, and refuses one that is too large', async () => {
    const client = await converse(host.port, 'json-rpc');
    client.send([
      request(1, 'subtract', [3]),
      { jsonrpc: '2.0', method: 'note', params: ['x'] },
      { foo: 'bar' },
      request(2, 'refuse'),
    ]);
    const answers = (await client.next()) as unknown as Record<string, unknown>[];
    assert.deepEqual(
      answers.map(({ id, error }) => [id, (error as { code: number } | undefined)?.code]),
      [
        [1, undefined],
        [null, INVALID.code],
        [2, 7],
      ],
    );
    client.send(Array.from({ length: 10_000 }, () => 1));
    const refused = await client.next();
    assert.deepEqual([refused['id'], (refused['error'] as typeof INVALID).code], [null, -32600]);
    client.socket.close();
  });

  it('goes on with other calls meanwhile, up to a number', async () => {
    const client = await converse(host.port, 'json-rpc');
    client.send(request(1, 'ask', ['first']));
    await client.next();
    const { id } = await client.next();
    client.send(request(2, 'wait'));
    client.send(request(3, 'subtract', [1]));
    const busy = 'Too many calls in progress';
    assert.deepEqual(await client.next(), error(3, -32000, busy, { limit: 2 }));
    client.send(result(id, 'yes'));
    assert.deepEqual(await client.next(), result(1, 'yes'));
    client.send(request(4, 'subtract', [1]));
    assert.deepEqual(await client.next(), result(4, 0));
    letGo();
    assert.deepEqual(await client.next(), result(2, 'done'));
    client.socket.close();
  });

  it('calls the client, and takes its answer, its error or none', async () => {
    seen.length = 0;
    const client = await converse(host.port, 'json-rpc');
    const ask = async (answer: (id: unknown) => object, timeoutMs?: number): Promise<unknown> => {
      client.send(request('a', 'ask', { name: 'name', timeoutMs }));
      const note = { jsonrpc: '2.0', method: 'asking', params: { name: 'name' } };
      assert.deepEqual(await client.next(), note);
      const call = await client.next();
      assert.deepEqual({ ...call, id: 0 }, request(0, 'name', [1]));
      client.send(result('unknown', 'ignored'));
      client.send(answer(call['id']));
      return (await client.next())['result'];
    };
    assert.equal(await ask((id) => result(id, 'Ada')), 'Ada');
    assert.equal(await ask((id) => error(id, 5, 'busy')), 'RpcError: busy');
    assert.match(String(await ask((id) => result(id, 7))), /another result/);
    assert.match(String(await ask(() => result(-1, 'late'), 20)), /not answered within 20 ms/);
    assert.deepEqual(
      seen.map((one) => one instanceof CallFailed),
      [false, true, true],
    );
    client.socket.close();
  });

  it('cuts off calls in both directions when the connection ends', async () => {
    seen.length = 0;
    const client = await converse(host.port, 'json-rpc');
    client.send(request(1, 'wait'));
    client.send(request(2, 'ask', ['name']));
    await client.next();
    await client.next();
    client.socket.terminate();
    while (seen.length < 2) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(seen.map(String), ['aborted', 'CallFailed: the connection has ended']);
  });

  it('closes over invalid messages without end', async () => {
    const client = await converse(host.port, 'json-rpc');
    for (let sent = 0; sent < 30; sent += 1) client.send('x');
    assert.equal(await client.closed, 1008);
  });

  it('keeps the names of the specification for itself', async () => {
    const { note } = METHODS;
    await assert.rejects(startServer({}, { methods: { 'rpc.note': note as never } }), /reserved/);
  });
  // #if auth

  /** Opens a connection without a token. */
  async function open(): Promise<TestClient> {
    const socket = new WebSocket(`ws://localhost:${String(host.port)}/`, 'json-rpc');
    await once(socket, 'open');
    return new TestClient(socket);
  }

  it('calls no method before it knows who calls', async () => {
    const client = await open();
    client.send(request(1, 'subtract', [1]));
    assert.equal(((await client.next())['error'] as { code: number }).code, -32001);
    client.send(request(2, 'rpc.authenticate', { token: 5 }));
    assert.equal(((await client.next())['error'] as { code: number }).code, -32602);
    client.send(request(3, 'rpc.authenticate', [await tokenFor('bob')]));
    client.send(request(4, 'subtract', [1]));
    assert.equal(((await client.next())['result'] as { user: string }).user, 'bob');
    assert.deepEqual(await client.next(), result(4, 0));
    client.send(request(5, 'rpc.authenticate', { token: 'nonsense' }));
    assert.equal(((await client.next())['error'] as { code: number }).code, -32002);
    client.send(request(6, 'subtract', [1]));
    assert.deepEqual(await client.next(), result(6, 0));
    client.socket.close();
    const stranger = await open();
    stranger.send(request(1, 'rpc.authenticate', { token: 'nonsense' }));
    assert.equal(((await stranger.next())['error'] as { code: number }).code, -32002);
    assert.equal(await stranger.closed, 4501);
  });

  it('takes the entries of a batch in their order, of which one may say who it is', async () => {
    const codes = async (client: TestClient): Promise<unknown[]> => {
      const answers = (await client.next()) as unknown as Record<string, unknown>[];
      return answers.map(({ id, error }) => [id, (error as { code: number } | undefined)?.code]);
    };
    const token = [await tokenFor('ada')];
    const enter = request('enter', 'rpc.authenticate', token);
    const client = await open();
    client.send([request(1, 'subtract', [1]), enter, request(2, 'subtract', [1])]);
    assert.deepEqual(await codes(client), [
      [1, -32001],
      ['enter', undefined],
      [2, undefined],
    ]);
    client.socket.close();
    const stranger = await open();
    stranger.send([request('enter', 'rpc.authenticate', ['nonsense']), request(1, 'subtract')]);
    assert.deepEqual(await codes(stranger), [
      ['enter', -32002],
      [1, -32001],
    ]);
    assert.equal(await stranger.closed, 4501);
  });
  // #endif
});
