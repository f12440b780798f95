import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { readConfig } from '../src/config.ts';
import { Documents } from '../src/documents.ts';
import type { Listener, Position, Store } from '../src/store.ts';
import { NO_REDIS, TestRedis } from './redis-server.ts';
import { connect as connectAny, startServer } from './support.ts';
import type { Received, TestClient, TestServer } from './support.ts';

const TOKEN = 'a-token-that-nobody-guesses-4711';
const SETTINGS = {
  SUBPROTOCOLS: 'live-updates.v1',
  PUBLISH_TOKEN: TOKEN,
  REDIS_PREFIX: 'documents',
  POSITION_CHECK: '50',
};

async function connect({ port }: TestServer, user = 'ada'): Promise<TestClient> {
  return await connectAny(port, user, { protocols: ['live-updates.v1'] });
}

async function watch(client: TestClient, document: string, since?: unknown): Promise<Received> {
  return await client.request({ type: 'watch', document, since });
}

/** Calls `/documents/<name>`. */
async function call(
  { port }: TestServer,
  method: string,
  name: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<{ status: number; position: Position; data: unknown }> {
  const type = method === 'PATCH' ? 'application/json-patch+json' : 'application/json';
  const response = await fetch(`http://localhost:${String(port)}/documents/${name}`, {
    method,
    headers: { Authorization: `Bearer ${TOKEN}`, 'Content-Type': type, ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const answer = (await response.json()) as { position: Position; data: unknown };
  return { status: response.status, ...answer };
}

describe('documents of servers that share a Redis', { skip: NO_REDIS }, () => {
  let redis: TestRedis;
  let nodes: [TestServer, TestServer];
  before(async () => {
    redis = await TestRedis.start();
    const env = { ...SETTINGS, REDIS_URL: redis.url, REDIS_TIMEOUT: '5000' };
    nodes = [await startServer(env), await startServer(env)];
  });
  after(async () => {
    for (const node of nodes) await node.stop();
  });

  it('are the same everywhere, with all patches', async () => {
    const [one, other] = nodes;
    // Larger than its patches, which are sent then.
    const text = 'x'.repeat(200);
    await call(one, 'PUT', 'shared', { n: 1, text });
    const client = await connect(other);
    const watching = await watch(client, 'shared');
    assert.deepEqual(watching['data'], { n: 1, text });
    await call(one, 'PATCH', 'shared', [{ op: 'replace', path: '/n', value: 2 }]);
    assert.deepEqual((await client.nextOf('patch'))['patch'], [
      { op: 'replace', path: '/n', value: 2 },
    ]);
    await call(other, 'PATCH', 'shared', [{ op: 'replace', path: '/n', value: 3 }]);
    await client.nextOf('patch');
    assert.deepEqual((await call(one, 'GET', 'shared')).data, { n: 3, text });
    const late = await connect(one, 'bob');
    const again = await watch(late, 'shared', watching['position']);
    assert.equal(again['recovered'], true);
    assert.equal((again['patches'] as unknown[]).length, 2);
  });

  it('lose no change that two servers make at the same time', async () => {
    await call(nodes[0], 'PUT', 'busy', { list: [] });
    const changes = Array.from({ length: 40 }, (_, n) =>
      call(nodes[n % 2 === 0 ? 0 : 1], 'PATCH', 'busy', [{ op: 'add', path: '/list/-', value: n }]),
    );
    for (const { status } of await Promise.all(changes)) assert.equal(status, 200);
    const lists = await Promise.all(nodes.map((node) => call(node, 'GET', 'busy')));
    const [list, other] = lists.map(({ data }) => (data as { list: number[] }).list);
    assert.deepEqual(list, other);
    assert.deepEqual(
      [...(list ?? [])].sort((a, b) => a - b),
      Array.from({ length: 40 }, (_, n) => n),
    );
  });

  it('are changed at one position once', async () => {
    const { position } = await call(nodes[0], 'PUT', 'once', { n: 0 });
    const headers = { 'If-Match': `"${position.epoch}:${String(position.offset)}"` };
    const answers = await Promise.all(
      nodes.map((node, n) => call(node, 'PUT', 'once', { n: n + 1 }, headers)),
    );
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 412]);
  });

  it('are removed everywhere', async () => {
    await call(nodes[0], 'PUT', 'removed', 1);
    const client = await connect(nodes[1]);
    await watch(client, 'removed');
    assert.equal((await call(nodes[0], 'DELETE', 'removed')).status, 200);
    assert.equal((await client.nextOf('removed'))['document'], 'removed');
    assert.equal((await call(nodes[1], 'GET', 'removed')).status, 404);
    await call(nodes[1], 'PUT', 'removed', 2);
    assert.deepEqual((await call(nodes[0], 'GET', 'removed')).data, 2);
  });

  it('are sent anew to who watches them when Redis has lost their position', async () => {
    await call(nodes[0], 'PUT', 'lost', { n: 1 });
    const client = await connect(nodes[1]);
    const { position } = await watch(client, 'lost');
    await redis.command('DEL', 'documents:{lost}:meta');
    const snapshot = await client.nextOf('snapshot');
    assert.deepEqual(snapshot['data'], { n: 1 });
    assert.notEqual((snapshot['position'] as Position).epoch, (position as Position).epoch);
  });
});

describe('documents of a server without its Redis', { skip: NO_REDIS }, () => {
  it('can be watched as they were, and changed when it is back', async () => {
    const redis = await TestRedis.start();
    const node = await startServer({ ...SETTINGS, REDIS_URL: redis.url, REDIS_TIMEOUT: '1000' });
    await call(node, 'PUT', 'a', { n: 1 });
    const client = await connect(node);
    await watch(client, 'a');
    await redis.kill();
    assert.equal((await call(node, 'PUT', 'a', { n: 2 })).status, 503);
    for (const method of ['GET', 'DELETE']) {
      assert.equal((await call(node, method, 'unknown')).status, 503);
    }
    const bob = await connect(node, 'bob');
    assert.deepEqual((await watch(bob, 'a'))['data'], { n: 1 });
    const { code, retryAfterMs } = await watch(bob, 'unknown');
    assert.deepEqual([code, retryAfterMs], ['unavailable', 2000]);
    await redis.start();
    let { status } = await call(node, 'PUT', 'a', { n: 3 });
    while (status === 503) ({ status } = await call(node, 'PUT', 'a', { n: 3 }));
    assert.equal(status, 200);
    // Nobody waits for what could not be had.
    assert.deepEqual(await redis.command('PUBSUB', 'SHARDCHANNELS', '*{unknown}*'), []);
    const other = await startServer({ ...SETTINGS, REDIS_URL: redis.url });
    assert.deepEqual((await call(other, 'GET', 'a')).data, { n: 3 });
    await other.stop();
    await node.stop();
  });

  it('are created when a full one has space', async () => {
    const redis = await TestRedis.start('--maxmemory', '1', '--maxmemory-policy', 'noeviction');
    const node = await startServer({ ...SETTINGS, REDIS_URL: redis.url });
    assert.equal((await call(node, 'GET', 'status')).status, 404);
    await redis.command('CONFIG', 'SET', 'maxmemory', '0');
    while ((await call(node, 'GET', 'status')).status === 404);
    await node.stop();
  });
});

describe('a document that is read from a store', () => {
  it('is gone if another server removes it meanwhile', async () => {
    let listener: Listener | undefined;
    let isGone = false;
    const load = async (): Promise<unknown> => {
      if (isGone) return undefined;
      isGone = true;
      listener?.onRemoved?.();
      return await Promise.resolve({ position: { offset: 1, epoch: 'e' }, text: '{}' });
    };
    const subscribe = async (_channel: string, given: Listener): Promise<() => void> => {
      listener = given;
      return await Promise.resolve(() => undefined);
    };
    const store = { documents: { load }, subscribe } as unknown as Store;
    assert.equal(await new Documents(readConfig({}), store).open('a'), undefined);
  });
});
