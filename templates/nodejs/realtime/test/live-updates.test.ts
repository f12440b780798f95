import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { readConfig } from '../src/config.ts';
import { Documents } from '../src/documents.ts';
import { MemoryStore, storeLimits } from '../src/store.ts';
import { connect as connectAny, startServer } from './support.ts';
import type { Received, TestClient, TestServer } from './support.ts';

const PROTOCOL = 'live-updates.v1';
const TOKEN = 'a-token-that-nobody-guesses-4711';
const SETTINGS = { SUBPROTOCOLS: PROTOCOL, PUBLISH_TOKEN: TOKEN, HANDSHAKE_RATE: '10000' };

async function connect(port: number, user = 'ada'): Promise<TestClient> {
  return await connectAny(port, user, { protocols: [PROTOCOL], perMessageDeflate: false });
}

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly etag: string | null;
}

interface Position {
  readonly offset: number;
  readonly epoch: string;
}

/** Calls `/documents/<name>`. */
async function call(
  server: TestServer,
  method: string,
  name: string,
  { body, token = TOKEN, headers = {} }: { body?: unknown; token?: string; headers?: object } = {},
): Promise<Answer> {
  const type = method === 'PATCH' ? 'application/json-patch+json' : 'application/json';
  const response = await fetch(`http://localhost:${String(server.port)}/documents/${name}`, {
    method,
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': type, ...headers },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const etag = response.headers.get('etag');
  return { status: response.status, body: (await response.json()) as Answer['body'], etag };
}

describe('live updates', () => {
  let host: TestServer;
  before(async () => {
    host = await startServer({ ...SETTINGS, HISTORY_MESSAGES: '5', MAX_WATCHES_PER_CLIENT: '2' });
  });
  after(() => host.stop());

  it('sends a document and then its changes, numbered', async () => {
    await call(host, 'PUT', 'one', { body: { a: 1, text: 'x'.repeat(100) } });
    const client = await connect(host.port);
    const watching = await client.request({ type: 'watch', document: 'one' });
    const { offset } = watching['position'] as Position;
    assert.deepEqual(
      [watching['recovered'], watching['data'], 'patches' in watching],
      [false, { a: 1, text: 'x'.repeat(100) }, false],
    );
    await call(host, 'PUT', 'one', { body: { a: 2, text: 'x'.repeat(100) } });
    const patch = [{ op: 'add', path: '/b', value: [] }];
    const changed = await call(host, 'PATCH', 'one', { body: patch });
    assert.deepEqual(await client.next(), {
      type: 'patch',
      document: 'one',
      offset: offset + 1,
      patch: [{ op: 'replace', path: '/a', value: 2 }],
    });
    assert.deepEqual(await client.next(), {
      type: 'patch',
      document: 'one',
      offset: offset + 2,
      patch,
    });
    assert.equal((changed.body['position'] as Position).offset, offset + 2);
    // What changes nothing is no change.
    await call(host, 'PUT', 'one', { body: { b: [], text: 'x'.repeat(100), a: 2 } });
    assert.equal((await client.request({ type: 'unwatch', document: 'one' })).type, 'unwatched');
    await call(host, 'PUT', 'one', { body: 1 });
    const error = await client.request({ type: 'unwatch', document: 'one' });
    assert.equal(error['code'], 'not_watching');
    await end(client);
  });

  it('resumes by number, and sends the document where that does not go', async () => {
    const put = async (n: number) =>
      await call(host, 'PUT', 'two', { body: { n, text: 'x'.repeat(50) } });
    const { position } = (await put(0)).body as { position: Position };
    for (const n of [1, 2, 3]) await put(n);
    const client = await connect(host.port);
    const watch = { type: 'watch', document: 'two' };
    const resumed = await client.request({ ...watch, since: position });
    assert.equal(resumed['recovered'], true);
    assert.deepEqual(
      (resumed['patches'] as { offset: number; patch: { value: number }[] }[]).map(
        ({ offset, patch }) => [offset, patch[0]?.value],
      ),
      [1, 2, 3].map((n) => [position.offset + n, n]),
    );
    for (const n of [4, 5, 6]) await put(n);
    for (const since of [
      position,
      { ...position, offset: position.offset + 99 },
      { ...position, epoch: 'x' },
    ]) {
      const again = await client.request({ ...watch, since });
      assert.deepEqual(
        [again['recovered'], (again['data'] as { n: number }).n],
        [false, 6],
        JSON.stringify(since),
      );
    }
    await end(client);
  });

  it('says so when there is no such document, or when it is removed', async () => {
    const client = await connect(host.port);
    const watch = { type: 'watch', document: 'three' };
    assert.equal((await client.request(watch))['code'], 'no_such_document');
    await call(host, 'PUT', 'three', { body: null });
    assert.equal((await client.request(watch)).type, 'watching');
    assert.equal((await call(host, 'DELETE', 'three')).status, 200);
    assert.deepEqual(await client.next(), { type: 'removed', document: 'three' });
    assert.equal((await call(host, 'DELETE', 'three')).status, 404);
    assert.equal((await call(host, 'GET', 'three')).status, 404);
    await end(client);
  });

  it('keeps nothing that its caller changes later', async () => {
    const config = readConfig({});
    const documents = new Documents(config, new MemoryStore(storeLimits(config)));
    await documents.put('list', {});
    const items = [1];
    await documents.patch('list', [{ op: 'add', path: '/items', value: items }]);
    items.push(2);
    const { offset } = await documents.put('list', { items });
    assert.equal(offset, 3);
    assert.equal(documents.get('list')?.text, '{"items":[1,2]}');
  });

  it('limits the documents that a client watches', async () => {
    const client = await connect(host.port);
    const types = [];
    for (const document of ['four', 'five', 'six']) {
      await call(host, 'PUT', document, { body: 1 });
      types.push((await client.request({ type: 'watch', document })).type);
    }
    assert.deepEqual(types, ['watching', 'watching', 'error']);
    assert.equal((await client.request({ type: 'watch', document: 'five' })).type, 'watching');
    await end(client);
  });

  it('asks who may watch', async (t) => {
    const authorize = ({ action, name }: { action: string; name: string }) =>
      action === 'watch' && name !== 'private-one';
    const server = await startServer(SETTINGS, { authorize });
    t.after(() => server.stop());
    const client = await connect(server.port);
    const refused = await client.request({ type: 'watch', document: 'private-one' });
    assert.equal(refused['code'], 'forbidden');
    assert.equal((await client.request({ type: 'watch', document: 'status' })).type, 'watching');
    await end(client);
  });

  it('changes documents over HTTP only as they were expected', async () => {
    const body = { a: 1 };
    const made = await call(host, 'PUT', 'http', { body });
    const got = await call(host, 'GET', 'http');
    assert.deepEqual([got.status, got.body['data'], got.etag], [200, body, made.etag]);
    const patch = [{ op: 'replace', path: '/a', value: 2 }];
    const wrong = { headers: { 'If-Match': '"other:1"' }, body: patch };
    assert.equal((await call(host, 'PATCH', 'http', wrong)).status, 412);
    const right = { headers: { 'If-Match': made.etag ?? '' }, body: patch };
    assert.equal((await call(host, 'PATCH', 'http', right)).status, 200);
    assert.equal((await call(host, 'PATCH', 'http', right)).status, 412);
    const any = { headers: { 'If-Match': '*' } };
    assert.equal((await call(host, 'PUT', 'no-http', { ...any, body: {} })).status, 412);
    assert.equal((await call(host, 'GET', 'no-http')).status, 404);
    const { data } = (await call(host, 'GET', 'http')).body;
    assert.equal((await call(host, 'PUT', 'http', { ...any, body: data })).status, 200);
    const failing = [
      { op: 'add', path: '/b', value: 1 },
      { op: 'test', path: '/a', value: 1 },
    ];
    assert.equal((await call(host, 'PATCH', 'http', { body: failing })).status, 409);
    assert.deepEqual((await call(host, 'GET', 'http')).body['data'], { a: 2 });
  });

  it('refuses what is no patch, no document, or too much', async () => {
    await call(host, 'PUT', 'bad', { body: {} });
    const add = { op: 'add', path: '/a', value: 1 };
    for (const [status, method, name, options] of [
      [401, 'PUT', 'bad', { body: {}, token: 'x' }],
      [401, 'GET', 'bad', { token: 'x' }],
      [403, 'PUT', 'bad', { body: {}, headers: { Origin: 'https://evil.example' } }],
      [400, 'PUT', 'bad', { body: '{' }],
      [400, 'PUT', 'b%20d', { body: {} }],
      [400, 'PUT', 'bad', { body: '['.repeat(30_000) + ']'.repeat(30_000) }],
      [400, 'PUT', 'bad', { body: '{"__proto__":{}}' }],
      [400, 'PUT', 'bad', { body: '{"a":1e400}' }],
      [400, 'PATCH', 'bad', { body: '[{"op":"add","path":"/a","value":[1e400]}]' }],
      [400, 'PATCH', 'bad', { body: {} }],
      [404, 'PATCH', 'none', { body: [add] }],
      [413, 'PATCH', 'bad', { body: Array(1001).fill(add) }],
      [413, 'PUT', 'bad', { body: { text: 'x'.repeat(65_536) } }],
      [415, 'PATCH', 'bad', { body: [add], headers: { 'Content-Type': 'application/json' } }],
    ] as const) {
      const answer = await call(host, method, name, options);
      assert.equal(answer.status, status, JSON.stringify([method, name, options]).slice(0, 80));
    }
    const { body } = await call(host, 'GET', 'bad');
    assert.deepEqual(body['data'], {});
  });

  it('limits the bytes and the number of documents', async (t) => {
    const limits = { MAX_DOCUMENT_BYTES: '1024', MAX_DOCUMENTS: '2', HISTORY_BYTES: '1024' };
    const server = await startServer({ ...SETTINGS, ...limits });
    t.after(() => server.stop());
    // The example of src/handlers/documents.ts may be one.
    await call(server, 'DELETE', 'status');
    assert.equal((await call(server, 'PUT', 'one', { body: ['x'.repeat(1100)] })).status, 413);
    assert.equal((await call(server, 'PUT', 'one', { body: ['x'.repeat(1000)] })).status, 200);
    assert.equal((await call(server, 'PUT', 'two', { body: 2 })).status, 200);
    assert.equal((await call(server, 'PUT', 'three', { body: 3 })).status, 413);
  });

  it('limits what all documents take together', async (t) => {
    const server = await startServer({
      ...SETTINGS,
      MEMORY_BUDGET: '262144',
      MAX_BUFFERED: '65536',
      MAX_PAYLOAD: '65536',
    });
    t.after(() => server.stop());
    const statuses = [];
    for (const name of ['one', 'two', 'three']) {
      statuses.push((await call(server, 'PUT', name, { body: ['x'.repeat(15_000)] })).status);
    }
    assert.deepEqual(statuses, [200, 200, 413]);
    assert.equal((await call(server, 'DELETE', 'one')).status, 200);
    assert.equal((await call(server, 'PUT', 'three', { body: ['x'.repeat(15_000)] })).status, 200);
    await end();
  });

  it('sends one snapshot to who reads too slowly, and patches again', async () => {
    const slow = await connect(host.port, 'slow');
    const fast = await connect(host.port, 'fast');
    await call(host, 'PUT', 'large', { body: { pad: 'x'.repeat(60_000) } });
    for (const client of [slow, fast]) await client.request({ type: 'watch', document: 'large' });
    slow.socket.pause();
    // More than the buffers of the system take.
    const rounds = 400;
    for (let n = 1; n <= rounds; n += 1) {
      const value = String(n).padStart(50_000, ' ');
      await call(host, 'PATCH', 'large', { body: [{ op: 'add', path: '/n', value }] });
      await fast.next();
    }
    assert.equal((await fast.request({ type: 'ping' })).type, 'pong');
    slow.socket.resume();
    const seen: Received[] = [];
    do seen.push(await slow.next());
    while (offsetOf(seen.at(-1)) < rounds + 1);
    const snapshots = seen.filter(({ type }) => type === 'snapshot');
    assert.ok(snapshots.length >= 1 && seen.length < rounds, String(seen.length));
    const offsets = seen.map(offsetOf);
    assert.deepEqual(
      offsets,
      [...offsets].sort((a, b) => a - b),
    );
    assert.equal(slow.socket.readyState, slow.socket.OPEN);
    await call(host, 'PATCH', 'large', { body: [{ op: 'add', path: '/m', value: 1 }] });
    assert.equal((await slow.next())['offset'], rounds + 2);
    await end(slow, fast);
  });
});

function offsetOf(message: Received | undefined): number {
  const position = message?.['position'] as Position | undefined;
  return position?.offset ?? Number(message?.['offset']);
}

async function end(...clients: TestClient[]): Promise<void> {
  for (const client of clients) {
    client.socket.terminate();
    await client.closed;
  }
}
