import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
// #if auth
import { WebSocket } from 'ws';
// #endif
import { readConfig } from '../src/config.ts';
import { RedisLink } from '../src/redis-link.ts';
// #if auth
import { RedisDown } from '../src/redis-link.ts';
import { SharedRevocations } from '../src/redis-shared.ts';
import { Revocations } from '../src/revocations.ts';
// #endif
import type { Position } from '../src/store.ts';
import { NO_REDIS, TestRedis } from './redis-server.ts';
import { connect, startServer } from './support.ts';
import type { Received, TestClient, TestServer } from './support.ts';
// #if auth
import { SECRET } from './support.ts';
// #endif
// #if auth || rate-limit
import { refusalStatus } from './support.ts';
// #endif
// #if auth
import { TestClient as Client, tokenFor } from './support.ts';
// #endif

// What a room of chat is, and a stream of pubsub.
// #if chat
/** Enters a room. */
async function join(client: TestClient, room: string, since?: unknown): Promise<Received> {
  return await client.request({ type: 'join', room, since });
}

function say(room: string, text: string): object {
  return { type: 'message', room, text };
}

/** The next message, with its offset. */
async function heard(client: TestClient): Promise<[text: unknown, offset: unknown]> {
  const { text, offset } = await client.nextOf('message');
  return [text, offset];
}

function textsIn({ messages }: Received): unknown[] {
  return (messages as { text: string }[]).map(({ text }) => text);
}
// #else
//~ /** Subscribes to a stream. */
//~ async function join(client: TestClient, room: string, since?: unknown): Promise<Received> {
//~   return await client.request({ type: 'subscribe', topic: `${room}.#`, since });
//~ }
//~
//~ function say(room: string, text: string): object {
//~   return { type: 'publish', topic: `${room}.a`, data: text };
//~ }
//~
//~ /** The next event, with its offset. */
//~ async function heard(client: TestClient): Promise<[text: unknown, offset: unknown]> {
//~   const { data, offset } = await client.nextOf('event');
//~   return [data, offset];
//~ }
//~
//~ function textsIn({ messages }: Received): unknown[] {
//~   return (messages as { data: string }[]).map(({ data }) => data);
//~ }
// #endif

/** Says `text` and waits for the reply. */
async function ask(client: TestClient, room: string, text: string, id?: string): Promise<Received> {
  return await client.request(say(room, text), id);
}

async function readiness({
  port,
}: TestServer): Promise<{ code: number; status: string; reason?: string }> {
  const response = await fetch(`http://localhost:${String(port)}/readyz`);
  const body = (await response.json()) as { status: string; reason?: string };
  return { code: response.status, ...body };
}

/** Asks again and again until `isTrue`: a test that waits for ever fails by its time limit. */
async function until(isTrue: () => Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await new Promise((resolve) => setTimeout(resolve, 10));
}

async function isReady(node: TestServer): Promise<boolean> {
  return (await readiness(node)).status === 'serving';
}

/** Adds what the first entry of a room holds as its entry `offset`, as if its message had been lost. */
async function addUnheard(redis: TestRedis, room: string, offset: number): Promise<void> {
  const key = (kind: string): string => `tests:{${room}}:${kind}`;
  const entries = await redis.command('XRANGE', key('stream'), '-', '+');
  const data = (entries as [string, string[]][])[0]?.[1][1] ?? '';
  await redis.command('XADD', key('stream'), `${String(offset)}-0`, 'd', data);
  await redis.command('HSET', key('meta'), 'offset', String(offset));
}
// #if metrics

/** What `/metrics` says of Redis: values by name, without `ws_redis_`. */
async function figuresOf({ port }: TestServer): Promise<Record<string, number>> {
  const text = await (await fetch(`http://127.0.0.1:${String(port)}/metrics`)).text();
  const lines = text.matchAll(/^ws_redis_(\S+) (\d+)$/gm);
  const named = [...lines].map(([, name = '', value]) => [name, Number(value)] as const);
  return Object.fromEntries(named);
}
// #endif

const spawned = new Set<ChildProcess>();
after(() => {
  for (const child of spawned) child.kill('SIGKILL');
});

/** A server in a process of its own. */
interface Spawned {
  readonly port: number;
  readonly kill: () => Promise<void>;
}

/** Starts a server in a process whose clock is `aheadMs` ahead. */
async function spawnServer(env: Record<string, string>, aheadMs = 0): Promise<Spawned> {
  const clock = `const Real = Date;
    globalThis.Date = class extends Real {
      constructor(...parts) { super(...(parts.length === 0 ? [Date.now()] : parts)); }
      static now() { return Real.now() + ${String(aheadMs)}; }
    };`;
  const main = new URL('../src/main.js', import.meta.url).pathname;
  const args = ['--import', `data:text/javascript,${encodeURIComponent(clock)}`, main];
  const child = spawn(process.execPath, args, {
    env: {
      ...process.env,
      PORT: '0',
      // #if auth
      AUTH_SECRET: SECRET,
      // #endif
      ...env,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  spawned.add(child);
  const exited = once(child, 'exit');
  const port = await new Promise<number>((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const { event, port: own } = JSON.parse(line) as { event: string; port: number };
      if (event === 'listening') resolve(own);
    });
  });
  const kill = async (): Promise<void> => {
    spawned.delete(child);
    child.kill('SIGKILL');
    await exited;
  };
  return { port, kill };
}

/** Short waits, as nothing in these tests takes long. */
const QUICK = { REDIS_TIMEOUT: '300', POSITION_CHECK: '50', REDIS_PREFIX: 'tests' };

describe('servers that share a Redis', { skip: NO_REDIS }, () => {
  let redis: TestRedis;
  let nodes: [TestServer, TestServer];
  before(async () => {
    redis = await TestRedis.start();
    const env = { ...QUICK, REDIS_TIMEOUT: '5000', REDIS_URL: redis.url, HISTORY_MESSAGES: '5' };
    nodes = [await startServer(env), await startServer(env)];
  });
  after(async () => {
    for (const node of nodes) await node.stop();
  });

  it('pass on what clients of the others say, in one order', async () => {
    const [ada, bob] = [await connect(nodes[0].port), await connect(nodes[1].port, 'bob')];
    await join(ada, 'order');
    await join(bob, 'order');
    const said = ['1', '2', '3', '4', '5', '6'];
    for (const [index, text] of said.entries()) (index % 2 ? ada : bob).send(say('order', text));
    const seen = async (client: TestClient): Promise<unknown[]> => {
      const all: unknown[] = [];
      while (all.length < said.length) all.push(await heard(client));
      return all;
    };
    const [one, other] = await Promise.all([seen(ada), seen(bob)]);
    assert.deepEqual(one, other);
    assert.deepEqual(
      one.map((entry) => (entry as unknown[])[1]),
      [1, 2, 3, 4, 5, 6],
    );
  });

  it('know what a client has missed, and what it has said, wherever it comes back', async () => {
    const ada = await connect(nodes[0].port);
    const bob = await connect(nodes[1].port, 'bob');
    const { position } = await join(ada, 'resume');
    ada.socket.terminate();
    const first = await ask(bob, 'resume-not-joined', 'x');
    // #if chat
    assert.equal(first['code'], 'not_in_room');
    // #else
    //~ assert.equal(first.type, 'ack');
    // #endif
    await join(bob, 'resume');
    await ask(bob, 'resume', 'missed', 'same');
    const back = await connect(nodes[1].port);
    const joined = await join(back, 'resume', position);
    assert.equal(joined['recovered'], true);
    assert.deepEqual(textsIn(joined), ['missed']);
    const again = await connect(nodes[0].port, 'bob');
    await join(again, 'resume');
    const { offset, duplicate } = await ask(again, 'resume', 'missed', 'same');
    assert.deepEqual([offset, duplicate], [1, true]);
  });

  it('tell a client that was away too long', async () => {
    const ada = await connect(nodes[0].port);
    const { position } = await join(ada, 'trimmed');
    for (const text of ['1', '2', '3', '4', '5', '6']) await ask(ada, 'trimmed', text);
    const bob = await connect(nodes[1].port, 'bob');
    const joined = await join(bob, 'trimmed', position);
    assert.equal(joined['recovered'], false);
    assert.deepEqual(textsIn(joined), ['2', '3', '4', '5', '6']);
    assert.equal((joined['position'] as Position).offset, 6);
  });

  it('find what was published without being heard', async () => {
    const ada = await connect(nodes[0].port);
    await join(ada, 'lost');
    await ask(ada, 'lost', '1');
    await addUnheard(redis, 'lost', 2);
    assert.deepEqual([(await heard(ada))[1], (await heard(ada))[1]], [1, 2]);
    await ask(ada, 'lost', '3');
    assert.deepEqual(await heard(ada), ['3', 3]);
  });

  it('tell who listens that entries are gone', async () => {
    const ada = await connect(nodes[0].port);
    const { position } = await join(ada, 'gone');
    await redis.command('DEL', 'tests:{gone}:meta');
    assert.equal(await ada.closed, 4409);
    const back = await connect(nodes[0].port);
    assert.equal((await join(back, 'gone', position))['recovered'], false);
  });

  it('go on when something else has the name of a room', async () => {
    await redis.command('SET', 'tests:{taken}:meta', 'x');
    const ada = await connect(nodes[0].port);
    await assert.rejects(join(ada, 'taken'));
    assert.equal(await ada.closed, 1011);
    await redis.command('DEL', 'tests:{taken}:meta');
    const back = await connect(nodes[0].port);
    assert.equal(((await join(back, 'taken'))['position'] as Position).offset, 0);
  });

  it('leave those with another prefix alone', async () => {
    const other = await startServer({ ...QUICK, REDIS_URL: redis.url, REDIS_PREFIX: 'other' });
    const ada = await connect(nodes[0].port);
    const bob = await connect(other.port, 'bob');
    await join(ada, 'prefix');
    await ask(ada, 'prefix', '1');
    const joined = await join(bob, 'prefix');
    assert.deepEqual(textsIn(joined), []);
    await other.stop();
  });
  // #if rate-limit

  it('count what a user has and uses together', async () => {
    const env = {
      ...{ ...QUICK, REDIS_URL: redis.url, REDIS_TIMEOUT: '5000', MESSAGE_TIMEOUT: '200' },
      ...{ USER_RATE_LIMIT: '1', USER_RATE_BURST: '10', MAX_CONNECTIONS_PER_USER: '2' },
    };
    const [one, other] = [await startServer(env), await startServer(env)];
    const first = await connect(one.port, 'carol');
    const second = await connect(other.port, 'carol');
    // #if auth
    const headers = { Authorization: `Bearer ${await tokenFor('carol')}` };
    assert.equal(await refusalStatus(one.port, { headers }), 429);
    // #else
    //~ assert.equal(await refusalStatus(one.port, { path: '/?user=carol' }), 429);
    // #endif
    for (let count = 0; count < 10; count += 1) await first.request({ type: 'ping' });
    await until(async () => (await second.request({ type: 'ping' })).type === 'error');
    first.socket.terminate();
    await until(async () => {
      const third = await connect(other.port, 'carol').catch(() => undefined);
      return third !== undefined;
    });
    // A Redis that has taken over may have a clock that is behind.
    const later = String(Date.now() + 600_000);
    await redis.command('HSET', 'tests:user:dora', 'left', '10', 'seen', later);
    const dora = await connect(one.port, 'dora');
    assert.equal((await dora.request({ type: 'ping' })).type, 'pong');
    await one.stop();
    await other.stop();
  });
  // #endif
  // #if auth

  it('take tickets of each other, once', async () => {
    const headers = { Authorization: `Bearer ${await tokenFor('dave')}` };
    const url = `http://localhost:${String(nodes[0].port)}/ticket`;
    const response = await fetch(url, { method: 'POST', headers });
    const { ticket } = (await response.json()) as { ticket: string };
    const path = `/?ticket=${ticket}`;
    const socket = new WebSocket(`ws://localhost:${String(nodes[1].port)}${path}`);
    const dave = new Client(socket);
    assert.equal((await dave.nextOf('welcome'))['user'], 'dave');
    assert.equal(await refusalStatus(nodes[0].port, { path }), 401);
    assert.equal(await refusalStatus(nodes[1].port, { path }), 401);
    const names = (await redis.command('KEYS', '*')) as string[];
    assert.equal(names.join().includes(ticket), false);
  });

  it('refuse what one of them has revoked, also those that come later', async () => {
    const env = { ...QUICK, REDIS_URL: redis.url, ADMIN_TOKEN: 'token-of-the-admin' };
    const [one, other] = [await startServer(env), await startServer(env)];
    const eve = await connect(other.port, 'eve');
    const response = await fetch(`http://localhost:${String(one.port)}/revoke`, {
      method: 'POST',
      headers: { Authorization: 'Bearer token-of-the-admin' },
      body: '{"user":"eve"}',
    });
    assert.equal(response.status, 204);
    assert.equal(await eve.closed, 4502);
    const late = await startServer(env);
    for (const { port } of [one, other, late]) {
      const headers = { Authorization: `Bearer ${await tokenFor('eve', { iat: 1 })}` };
      assert.equal(await refusalStatus(port, { headers }), 401);
    }
    for (const node of [one, other, late]) await node.stop();
  });
  // #endif
  // #if presence

  it('know who is there, on whatever server', async () => {
    const ada = await connect(nodes[0].port);
    const bob = await connect(nodes[1].port, 'bob');
    const bobToo = await connect(nodes[0].port, 'bob');
    await join(ada, 'presence');
    const joined = await join(bob, 'presence');
    assert.deepEqual(joined['members'], ['ada', 'bob']);
    assert.equal((await ada.nextOf('member-joined'))['user'], 'bob');
    await join(bobToo, 'presence');
    await bob.request({ type: 'leave', room: 'presence' });
    await bobToo.request({ type: 'leave', room: 'presence' });
    assert.equal((await ada.next()).type, 'member-left');
    assert.deepEqual((await ada.request({ type: 'members', room: 'presence' }))['members'], [
      'ada',
    ]);
  });

  it('say who is there though one of the rooms cannot be checked', async () => {
    const ada = await connect(nodes[0].port);
    for (const room of ['checked', 'unchecked']) await join(ada, room);
    await redis.command('SET', 'tests:{unchecked}:meta', 'x');
    const ends = async (): Promise<unknown> =>
      await redis.command('ZRANGE', 'tests:{checked}:ends', '0', '-1', 'WITHSCORES');
    // One check may have been under way.
    for (let check = 0; check < 2; check += 1) {
      const before = JSON.stringify(await ends());
      await until(async () => JSON.stringify(await ends()) !== before);
    }
    await redis.command('DEL', 'tests:{unchecked}:meta');
    assert.equal(await ada.closed, 4409);
  });

  it('say once that the users of a killed server have left', async () => {
    const env = { REDIS_URL: redis.url, PRESENCE_TTL: '400', POSITION_CHECK: '50' };
    const watchers = await Promise.all([startServer(env), startServer(env)]);
    const victim = await spawnServer(env);
    const clients = await Promise.all(watchers.map((node) => connect(node.port, 'ada')));
    for (const client of clients) await join(client, 'killed');
    const bob = await connect(victim.port, 'bob');
    await join(bob, 'killed');
    await victim.kill();
    for (const client of clients) {
      assert.equal((await client.nextOf('member-left'))['user'], 'bob');
    }
    // All servers have looked again.
    await new Promise((resolve) => setTimeout(resolve, 200));
    for (const client of clients) {
      client.send({ type: 'members', room: 'killed' });
      const { type, members } = await client.next();
      assert.deepEqual([type, members], ['members', ['ada']]);
    }
    for (const node of watchers) await node.stop();
  });
  // #endif
});

// #if auth
describe('a revocation', () => {
  it('that failed is said again though an earlier one did not', async () => {
    let said = 0;
    let answerFirst = (): void => undefined;
    const first = new Promise<void>((resolve) => (answerFirst = resolve));
    let up = (): Promise<void> => Promise.resolve();
    const link = {
      prefix: 'tests',
      onUp: (action: () => Promise<void>): void => void (up = action),
      run: async (): Promise<void> => {
        said += 1;
        if (said === 1) await first;
        if (said === 3) throw new RedisDown('');
      },
      subscribe: (): Promise<void> => Promise.resolve(),
      command: (): Promise<readonly never[]> => Promise.resolve([]),
    };
    const like = link as unknown as RedisLink;
    const shared = new SharedRevocations(like, new Revocations(10), () => undefined);
    const slow = shared.say('user:ada');
    await shared.say('user:ada');
    await shared.say('user:ada');
    answerFirst();
    await slow;
    await up();
    await up();
    assert.equal(said, 4);
  });
});

// #endif
describe('servers whose clocks are minutes apart', { skip: NO_REDIS }, () => {
  let redis: TestRedis;
  let ahead: Spawned;
  let behind: Spawned;
  before(async () => {
    redis = await TestRedis.start();
    const env = {
      ...{ ...QUICK, REDIS_TIMEOUT: '5000', REDIS_URL: redis.url },
      // #if auth
      ...{ ADMIN_TOKEN: 'token-of-the-admin', AUTH_CLOCK_TOLERANCE: '0' },
      // #endif
      // #if rate-limit
      ...{ USER_RATE_LIMIT: '1', USER_RATE_BURST: '10', MAX_CONNECTIONS_PER_USER: '2' },
      // #endif
      // #if presence
      PRESENCE_TTL: '400',
      // #endif
    };
    [ahead, behind] = await Promise.all([
      spawnServer(env, 20 * 60_000),
      spawnServer(env, -20 * 60_000),
    ]);
  });
  after(async () => {
    await ahead.kill();
    await behind.kill();
  });

  it('know what a client has missed, and what it has said before', async () => {
    const ada = await connect(ahead.port);
    const { position } = await join(ada, 'missed');
    ada.socket.terminate();
    const bob = await connect(behind.port, 'bob');
    await join(bob, 'missed');
    await ask(bob, 'missed', 'hello', 'same');
    bob.socket.terminate();
    const back = await connect(behind.port);
    const joined = await join(back, 'missed', position);
    assert.deepEqual([joined['recovered'], textsIn(joined)], [true, ['hello']]);
    await ask(back, 'missed', 'me too');
    const again = await connect(ahead.port, 'bob');
    await join(again, 'missed');
    assert.equal((await ask(again, 'missed', 'hello', 'same'))['duplicate'], true);
    await ask(again, 'missed', 'and me');
    const { messages } = await join(await connect(ahead.port, 'carl'), 'missed');
    const times = (messages as { at: string }[]).map(({ at }) => Date.parse(at));
    assert.equal(times.length, 3);
    for (const time of times) assert.ok(Math.abs(time - Date.now()) < 600_000, String(time));
    for (const client of [back, again]) client.socket.terminate();
  });
  // #if auth

  it('take tokens and tickets of each other', async () => {
    for (const [one, other] of [
      [ahead, behind],
      [behind, ahead],
    ] as const) {
      const headers = { Authorization: `Bearer ${await tokenFor('dave')}` };
      const url = `http://localhost:${String(one.port)}/ticket`;
      const response = await fetch(url, { method: 'POST', headers });
      const { ticket } = (await response.json()) as { ticket: string };
      const socket = new WebSocket(`ws://localhost:${String(other.port)}/?ticket=${ticket}`);
      const dave = new Client(socket);
      assert.equal((await dave.nextOf('welcome'))['user'], 'dave');
      // An old token is one for both.
      const old = `Bearer ${await tokenFor('dave', { exp: Math.floor(Date.now() / 1000) - 60 })}`;
      assert.equal(await refusalStatus(one.port, { headers: { Authorization: old } }), 401);
      socket.terminate();
    }
  });

  it('refuse what one of them has revoked, and nothing newer', async () => {
    for (const [index, one] of [ahead, behind].entries()) {
      const user = `eve-${String(index)}`;
      const clients = await Promise.all([ahead, behind].map(({ port }) => connect(port, user)));
      const token = await tokenFor(user);
      const response = await fetch(`http://localhost:${String(one.port)}/revoke`, {
        method: 'POST',
        headers: { Authorization: 'Bearer token-of-the-admin' },
        body: JSON.stringify({ user }),
      });
      assert.equal(response.status, 204);
      for (const client of clients) assert.equal(await client.closed, 4502);
      for (const { port } of [ahead, behind]) {
        const headers = { Authorization: `Bearer ${token}` };
        assert.equal(await refusalStatus(port, { headers }), 401);
        // One of the next second is newer.
        await until(async () => {
          const client = await connect(port, user).catch(() => undefined);
          client?.socket.terminate();
          return client !== undefined;
        });
      }
    }
  });
  // #endif
  // #if rate-limit

  it('count what a user does together', async () => {
    const first = await connect(ahead.port, 'carol');
    const second = await connect(behind.port, 'carol');
    for (const [one, other] of [
      [first, second],
      [second, first],
    ] as const) {
      await until(async () => (await one.request({ type: 'ping' })).type === 'error');
      await until(async () => (await other.request({ type: 'ping' })).type === 'error');
      // It is one second for both, not many minutes.
      for (const client of [one, other]) {
        await until(async () => (await client.request({ type: 'ping' })).type === 'pong');
      }
    }
    for (const client of [first, second]) client.socket.terminate();
  });
  // #endif
  // #if presence

  it('know who is there, and who is not any more', async () => {
    const ada = await connect(ahead.port);
    const bob = await connect(behind.port, 'bob');
    await join(ada, 'here');
    await join(bob, 'here');
    const ends = async (): Promise<unknown> =>
      await redis.command('ZRANGE', 'tests:{here}:ends', '0', '-1', 'WITHSCORES');
    for (let check = 0; check < 20; check += 1) {
      const before = JSON.stringify(await ends());
      await until(async () => JSON.stringify(await ends()) !== before);
    }
    for (const client of [ada, bob]) {
      const { members } = await client.request({ type: 'members', room: 'here' });
      assert.deepEqual(members, ['ada', 'bob']);
    }
    await ahead.kill();
    assert.equal((await bob.nextOf('member-left'))['user'], 'ada');
  });
  // #endif
});

describe('a server without its Redis', { skip: NO_REDIS }, () => {
  it('serves its own clients until Redis is there', async () => {
    const redis = await TestRedis.create();
    const node = await startServer({ ...QUICK, REDIS_URL: redis.url });
    const { code, status } = await readiness(node);
    assert.deepEqual([code, status], [200, 'degraded']);
    const ada = await connect(node.port);
    const { position } = await join(ada, 'a');
    await ask(ada, 'a', '1');
    assert.deepEqual(await heard(ada), ['1', 1]);
    await redis.start();
    assert.equal(await ada.closed, 4409);
    await until(() => isReady(node));
    const back = await connect(node.port);
    const joined = await join(back, 'a', position);
    assert.equal(joined['recovered'], false);
    await ask(back, 'a', '2');
    assert.deepEqual(await heard(back), ['2', 1]);
    await node.stop();
  });

  it('goes on when Redis is killed, and tells clients when it is back', async () => {
    const redis = await TestRedis.start();
    const node = await startServer({ ...QUICK, REDIS_URL: redis.url });
    const ada = await connect(node.port);
    const { position } = await join(ada, 'a');
    await ask(ada, 'a', '1');
    await redis.kill();
    // Its client sends again what was not acknowledged.
    ada.send({ ...say('a', '2'), id: 'two' });
    assert.equal(await ada.closed, 4409);
    const back = await connect(node.port);
    assert.equal((await join(back, 'a', position))['recovered'], false);
    assert.equal((await ask(back, 'a', '2', 'two'))['duplicate'], true);
    await redis.start();
    assert.equal(await back.closed, 4409);
    await until(() => isReady(node));
    const third = await connect(node.port);
    assert.equal((await join(third, 'a', position))['recovered'], false);
    assert.equal((await ask(third, 'a', '3')).type, 'ack');
    await node.stop();
  });

  it('tells clients whose messages a restarted Redis may have lost', async () => {
    const redis = await TestRedis.start();
    const env = { ...QUICK, REDIS_TIMEOUT: '5000', REDIS_URL: redis.url };
    const nodes = [await startServer(env), await startServer(env)] as const;
    const clients = await Promise.all(nodes.map(({ port }) => connect(port)));
    for (const client of clients) await join(client, 'a');
    await redis.kill();
    await redis.start();
    for (const client of clients) assert.equal(await client.closed, 4409);
    for (const node of nodes) await node.stop();
  });

  it('waits for one that is paused for a moment, and no longer', async () => {
    const redis = await TestRedis.start();
    const node = await startServer({ ...QUICK, REDIS_TIMEOUT: '1000', REDIS_URL: redis.url });
    const ada = await connect(node.port);
    await join(ada, 'a');
    await redis.command('CLIENT', 'PAUSE', '300', 'ALL');
    assert.equal((await ask(ada, 'a', '1'))['offset'], 1);
    await redis.command('CLIENT', 'PAUSE', '60000', 'WRITE');
    ada.send({ ...say('a', '2'), id: 'two' });
    assert.equal(await ada.closed, 4409);
    const back = await connect(node.port);
    await join(back, 'a');
    assert.equal((await ask(back, 'a', '3')).type, 'ack');
    await redis.command('CLIENT', 'UNPAUSE');
    assert.equal(await back.closed, 4409);
    await node.stop();
  });

  it('waits for no other connection when one has been silent for so long', async (test) => {
    const redis = await TestRedis.start();
    const link = new RedisLink(readConfig({ ...QUICK, REDIS_URL: redis.url }));
    test.after(() => link.close());
    await link.start();
    await redis.command('CLIENT', 'PAUSE', '60000', 'ALL');
    const first = link.command('GET', 'a').catch(String);
    while (link.trouble === undefined) await new Promise((resolve) => setImmediate(resolve));
    const next = link.command('GET', 'a').catch(String);
    const later = new Promise((resolve) => setImmediate(resolve, 'it waits'));
    for (const asked of [first, next]) {
      assert.match(String(await Promise.race([asked, later])), /no answer for 300 ms/);
    }
  });

  it('refuses what a full one does not take', async () => {
    const redis = await TestRedis.start('--maxmemory-policy', 'noeviction');
    const node = await startServer({ ...QUICK, REDIS_TIMEOUT: '5000', REDIS_URL: redis.url });
    const ada = await connect(node.port);
    await join(ada, 'a');
    await redis.command('CONFIG', 'SET', 'maxmemory', '1');
    const { code, retryAfterMs } = await ask(ada, 'a', '1');
    assert.deepEqual([code, typeof retryAfterMs], ['rate_limited', 'number']);
    assert.ok(await isReady(node));
    await redis.command('CONFIG', 'SET', 'maxmemory', '0');
    assert.equal((await ask(ada, 'a', '2'))['offset'], 1);
    await node.stop();
  });

  // #if metrics
  it('counts what goes wrong', async () => {
    const alone = await startServer();
    const none = { degraded: 0, connects_total: 0, missed_total: 0, lost_positions_total: 0 };
    assert.deepEqual(await figuresOf(alone), none);
    await alone.stop();
    const redis = await TestRedis.start('--maxmemory-policy', 'noeviction');
    const node = await startServer({ ...QUICK, REDIS_TIMEOUT: '1000', REDIS_URL: redis.url });
    const [ada, bob] = [await connect(node.port), await connect(node.port, 'bob')];
    await join(ada, 'a');
    await join(bob, 'b');
    await ask(ada, 'a', '1');
    assert.deepEqual(await figuresOf(node), { ...none, connects_total: 1 });
    // One that the next message shows, or the next check.
    await addUnheard(redis, 'a', 2);
    await ask(ada, 'a', '3');
    await redis.command('CONFIG', 'SET', 'maxmemory', '1');
    await ask(ada, 'a', '4');
    const errors = 'errors_total{why="full"}';
    assert.deepEqual(await figuresOf(node), {
      ...{ ...none, connects_total: 1, missed_total: 1, [errors]: 1 },
    });
    await redis.kill();
    await until(async () => (await figuresOf(node))['degraded'] === 1);
    ada.send(say('a', '5'));
    assert.equal(await ada.closed, 4409);
    const down = await figuresOf(node);
    assert.equal(down['lost_positions_total'], 1);
    // Checks fail, too.
    assert.ok(Number(down['errors_total{why="down"}']) >= 1);
    await redis.start();
    assert.equal(await bob.closed, 4409);
    const again = await figuresOf(node);
    assert.deepEqual([again['degraded'], again['connects_total']], [0, 2]);
    await node.stop();
  });
  // #endif

  it('is not connected any more when it cannot listen', async () => {
    const redis = await TestRedis.start();
    const env = { ...QUICK, REDIS_URL: redis.url };
    const node = await startServer(env);
    await assert.rejects(startServer({ ...env, PORT: String(node.port) }), /EADDRINUSE/);
    await until(async () => {
      const connections = String(await redis.command('CLIENT', 'LIST'))
        .trim()
        .split('\n');
      // The first server and who asks.
      return connections.length === 2;
    });
    await node.stop();
  });

  it('ends at once though Redis does not answer', async () => {
    const sockets: Socket[] = [];
    const silent = createTcpServer((socket) => sockets.push(socket));
    const asked = once(silent, 'connection');
    const url = `redis://127.0.0.1:${String(await listen(silent))}`;
    const link = new RedisLink(readConfig({ REDIS_URL: url, REDIS_TIMEOUT: '60000' }));
    const started = link.start();
    await asked;
    const isClosed = Promise.all([link.close(), started]).then(() => true);
    const isLate = new Promise<boolean>((resolve) => {
      setTimeout(resolve, 30_000, false).unref();
    });
    assert.ok(await Promise.race([isClosed, isLate]));
    for (const socket of sockets) socket.destroy();
  });

  it('says what is wrong with it', async () => {
    const says = async (url: string, expected: RegExp): Promise<void> => {
      const node = await startServer({ ...QUICK, REDIS_URL: url });
      await until(async () => expected.test((await readiness(node)).reason ?? ''));
      await node.stop();
    };
    const locked = await TestRedis.start('--requirepass', 'hidden');
    await says(locked.url, /needs a password/);
    await says(locked.url.replace('//', '//:guess@'), /password in REDIS_URL is wrong/);
    const primary = await TestRedis.start();
    const replica = await TestRedis.start('--replicaof', '127.0.0.1', String(primary.port));
    await says(replica.url, /read-only replica/);
    const web = await listen(createServer((_, response) => response.end('hello')));
    await says(`redis://127.0.0.1:${String(web)}`, /no Redis/);
    const old = await listen(
      createTcpServer((socket) => {
        socket.on('error', () => undefined);
        socket.on('data', (data) => {
          socket.write(
            /HELLO/.test(data.toString()) ? "-ERR unknown command 'HELLO'\r\n" : '+OK\r\n',
          );
        });
      }),
    );
    await says(`redis://127.0.0.1:${String(old)}`, /Redis 7 or newer/);
    const silent = await listen(createTcpServer(() => undefined));
    await says(`redis://127.0.0.1:${String(silent)}`, /no answer for 300 ms/);
  });

  it('refuses to start with a URL that cannot be one', () => {
    for (const url of ['localhost:6379', 'http://localhost', 'redis://:secret@', 'redis://a/x']) {
      assert.throws(
        () => readConfig({ REDIS_URL: url }),
        (error: Error) => /^REDIS_URL is wrong: expected redis:/.test(error.message),
      );
    }
  });
});

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1').unref();
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}
