import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import * as Y from 'yjs';
import { readConfig } from '../src/config.ts';
import { payloadOf } from '../src/frame.ts';
import type { RedisLink } from '../src/redis-link.ts';
import { RedisPersistence } from '../src/redis-persistence.ts';
import { DocumentBroken, SharedDocument } from '../src/shared-document.ts';
import { awarenessOf, readMessage, stepOne, updateOf } from '../src/yjs-messages.ts';
import { NO_REDIS, TestRedis } from './redis-server.ts';
import { connect, startServer } from './support.ts';
import type { TestClient, TestServer } from './support.ts';

/** A document and its connection to one of the servers. */
class Editor {
  readonly content = new Y.Doc();
  readonly text = this.content.getText('text');
  states = '';
  readonly client: TestClient;
  #onChange: () => void = () => undefined;

  constructor(client: TestClient) {
    this.client = client;
    client.onBinary = (bytes) => {
      const message = readMessage(bytes);
      if ('update' in message) Y.applyUpdate(this.content, message.update, 'server');
      if (message.type === 'awareness') this.states += JSON.stringify(message.states);
      this.#onChange();
    };
    this.content.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin !== 'server') client.socket.send(payloadOf(updateOf(update)));
    });
    client.socket.send(payloadOf(stepOne(Y.encodeStateVector(this.content))));
    // What the server says at once may have come before.
    client.socket.send(Buffer.of(3));
  }

  static async open({ port }: TestServer, name: string, user = 'ada'): Promise<Editor> {
    const path = `/collab/${name}`;
    return new Editor(await connect(port, user, { path }));
  }

  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      await new Promise<void>((resolve) => {
        this.#onChange = resolve;
      });
    }
  }

  async reads(text: string): Promise<void> {
    await this.until(() => this.text.toJSON() === text);
  }
}

/** Two servers on one Redis. */
async function nodes(
  test: TestContext,
  redis: TestRedis,
  env: Record<string, string> = {},
): Promise<[TestServer, TestServer]> {
  const serve = (): Promise<TestServer> =>
    startServer({
      REDIS_URL: redis.url,
      REDIS_TIMEOUT: '300',
      POSITION_CHECK: '200',
      SUBPROTOCOLS: 'collab.v1',
      DRAIN_TIMEOUT: '300',
      ...env,
    });
  const servers = [await serve(), await serve()] as [TestServer, TestServer];
  test.after(() => Promise.all(servers.map((server) => server.stop())));
  return servers;
}

/** A document whose persistence counts what replaces it; loading it merges `updates`. */
async function merged(
  ...updates: readonly Uint8Array[]
): Promise<{ document: SharedDocument; replaced: { count: number } }> {
  const replaced = { count: 0 };
  const document: SharedDocument = new SharedDocument('notes', {
    config: readConfig({}),
    space: { limit: 1e9, bytes: 0 },
    persistence: {
      load: () => {
        for (const update of updates) document.merge(update);
        return Promise.resolve([]);
      },
      append: () => Promise.resolve(),
      replace: () => {
        replaced.count += 1;
        return Promise.resolve();
      },
      release: () => Promise.resolve(),
    },
  });
  await document.load();
  return { document, replaced };
}

/** Asks until the server says that. */
async function untilReady({ port }: TestServer, status: string): Promise<void> {
  for (;;) {
    const response = await fetch(`http://localhost:${String(port)}/readyz`);
    if (((await response.json()) as { status: string }).status === status) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('documents of several servers', { skip: NO_REDIS, timeout: 60_000 }, () => {
  it('are the same on all, with who is there, and stay when all have gone', async (test) => {
    const redis = await TestRedis.start();
    test.after(() => redis.remove());
    const [one, two] = await nodes(test, redis);
    const [first, second] = [
      await Editor.open(one, 'notes'),
      await Editor.open(two, 'notes', 'bob'),
    ];
    first.text.insert(0, 'Hello');
    await second.reads('Hello');
    second.text.insert(5, ' world');
    await first.reads('Hello world');
    const mine = awarenessOf([{ id: 7, clock: 1, json: '{"name":"Ada"}' }]);
    first.client.socket.send(payloadOf(mine));
    await second.until(() => second.states.includes('Ada'));
    const third = await Editor.open(two, 'notes', 'eve');
    await third.until(() => third.states.includes('Ada'));
    first.client.socket.terminate();
    await second.until(() => second.states.includes('"json":"null"'));
    await one.stop();
    await two.stop();
    const [again] = await nodes(test, redis);
    const later = await Editor.open(again, 'notes');
    await later.reads('Hello world');
  });

  it('go on while Redis is away, and become one when it is back, though it has lost all', async (test) => {
    const redis = await TestRedis.start();
    test.after(() => redis.remove());
    const [one, two] = await nodes(test, redis);
    const [first, second] = [await Editor.open(one, 'notes'), await Editor.open(two, 'notes')];
    first.text.insert(0, 'base');
    await second.reads('base');
    await redis.kill();
    await untilReady(one, 'degraded');
    await untilReady(two, 'degraded');
    const beside = await Editor.open(one, 'notes');
    first.text.insert(0, 'one ');
    await beside.reads('one base');
    second.text.insert(4, ' two');
    const [here, there] = [await Editor.open(one, 'new'), await Editor.open(two, 'new')];
    here.text.insert(0, 'a');
    await redis.start();
    await first.reads('one base two');
    await second.reads('one base two');
    await there.reads('a');
    const third = await nodes(test, redis);
    await (await Editor.open(third[0], 'notes')).reads('one base two');
  });

  it('are compacted in Redis', async (test) => {
    const redis = await TestRedis.start();
    test.after(() => redis.remove());
    const [one, two] = await nodes(test, redis, { REDIS_PREFIX: 'test' });
    const [first, second] = [await Editor.open(one, 'notes'), await Editor.open(two, 'notes')];
    for (let count = 0; count < 60; count += 1) {
      first.text.delete(0, first.text.length);
      first.text.insert(0, `${String(count)}${'x'.repeat(4000)}`);
      await second.reads(`${String(count)}${'x'.repeat(4000)}`);
    }
    first.text.insert(0, 'end ');
    await second.reads(`end 59${'x'.repeat(4000)}`);
    const length = Number(await redis.command('XLEN', 'test:collab:notes:updates'));
    assert.ok(length < 45, String(length));
    await (await Editor.open(two, 'notes')).reads(`end 59${'x'.repeat(4000)}`);
    const [again] = await nodes(test, redis, { REDIS_PREFIX: 'test' });
    await (await Editor.open(again, 'notes')).reads(`end 59${'x'.repeat(4000)}`);
  });

  it('are compacted though they were opened since most was written', async () => {
    const source = new Y.Doc();
    const updates: Uint8Array[] = [];
    source.on('update', (update: Uint8Array) => updates.push(update));
    const text = source.getText('text');
    text.insert(0, 'x'.repeat(100_000));
    text.delete(0, 100_000);
    text.insert(0, 'end');
    const { document, replaced } = await merged(...updates.slice(0, 2));
    document.apply(updates[2] ?? new Uint8Array());
    await document.flush();
    assert.equal(replaced.count, 1);
  });

  it('are not kept as a whole when an update of another server broke them', async () => {
    const source = new Y.Doc();
    source.getText('text').insert(0, 'a');
    const { document, replaced } = await merged(Y.encodeStateAsUpdate(source));
    const other = new Y.Doc();
    other.clientID = 1;
    other.getText('text').insert(0, 'abc');
    other.getText('text').insert(1, 'x');
    const update = Y.encodeStateAsUpdate(other);
    update[4] = 1;
    assert.throws(() => document.merge(update), DocumentBroken);
    document.keepWhole();
    await document.flush();
    assert.equal(replaced.count, 0);
  });

  it('are let go when Redis refuses to read them', async (test) => {
    const redis = await TestRedis.start();
    test.after(() => redis.remove());
    const [{ port }] = await nodes(test, redis, { REDIS_PREFIX: 'test' });
    const channel = 'test:collab:notes';
    await redis.command('SET', `${channel}:meta`, 'no hash');
    const client = await connect(port, 'ada', { path: '/collab/notes' });
    assert.equal(await client.closed, 1011);
    assert.deepEqual(await redis.command('PUBSUB', 'SHARDNUMSUB', channel), [channel, 0]);
  });

  it('keep their connection to Redis, whatever another server says of who is there', async (test) => {
    const redis = await TestRedis.start();
    test.after(() => redis.remove());
    const [one, two] = await nodes(test, redis, { REDIS_PREFIX: 'test' });
    const [first, second] = [await Editor.open(one, 'notes'), await Editor.open(two, 'notes')];
    first.text.insert(0, 'Hello');
    await second.reads('Hello');
    const connections = async (): Promise<string[]> => {
      const list = String(await redis.command('CLIENT', 'LIST', 'TYPE', 'pubsub'));
      return [...list.matchAll(/^id=(\d+)/gm)].map(([, id = '']) => id);
    };
    const before = await connections();
    assert.equal(before.length, 2);
    await redis.command('SPUBLISH', 'test:collab:notes', 'a other AQ==');
    second.text.insert(5, ' world');
    await first.reads('Hello world');
    assert.deepEqual(await connections(), before);
  });
});

describe('a document that nothing was kept of', () => {
  it('knows its epoch although Redis was asked for it before', async () => {
    let hear: (message: string) => void = () => undefined;
    const asked: unknown[] = [];
    const link = {
      prefix: 'test',
      onUp: () => undefined,
      command: async () => await Promise.resolve(0),
      subscribe: async (_channel: string, onMessage: typeof hear) => {
        hear = onMessage;
        await Promise.resolve();
      },
      run: async (_script: unknown, _keys: unknown, args: readonly unknown[]) => {
        asked.push(args[1]);
        // While the reply to the second is on its way.
        if (asked.length === 2) hear('u other first 1 AAA=');
        return await Promise.resolve(['', 0]);
      },
    } as unknown as RedisLink;
    const persistence = new RedisPersistence(readConfig({}), link);
    for (let times = 0; times < 3; times += 1) await persistence.load('a');
    assert.deepEqual(asked, ['', '', 'first']);
  });
});
