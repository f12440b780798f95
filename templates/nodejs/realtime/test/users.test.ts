import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
// #if auth
import { WebSocket } from 'ws';
// #endif
import { readConfig } from '../src/config.ts';
// #if redis
import { RedisDown } from '../src/redis-link.ts';
import type { RedisLink } from '../src/redis-link.ts';
// #endif
import { Users } from '../src/users.ts';
import { connect, startServer } from './support.ts';
// #if auth
import { PATH, PROTOCOLS, refusalStatus, TestClient, tokenFor } from './support.ts';
// #endif
import type { Received, TestServer } from './support.ts';

describe('users', () => {
  let host: TestServer;
  before(async () => {
    const env = { USER_RATE_LIMIT: '1', USER_RATE_BURST: '5', MAX_CONNECTIONS_PER_USER: '2' };
    host = await startServer(env);
  });
  after(() => host.stop());

  it('have one rate of commands over all connections, and nothing of more is done', async () => {
    const clients = [await connect(host.port, 'ada'), await connect(host.port, 'ada')];
    const answers: Received[] = [];
    for (let n = 0; n < 5; n++) {
      for (const client of clients) answers.push(await client.request({ type: 'ping' }));
    }
    const refused = answers.filter(({ code }) => code === 'rate_limited');
    assert.ok(refused.length >= 3, String(refused.length));
    for (const { retryAfterMs } of refused) assert.ok(Number(retryAfterMs) > 0);
    const other = await connect(host.port, 'bob');
    assert.equal((await other.request({ type: 'ping' })).type, 'pong');
    for (const { socket } of [...clients, other]) socket.terminate();
  });

  it('have so many connections, and one that ends makes space', async () => {
    const clients = [await connect(host.port, 'eve'), await connect(host.port, 'eve')];
    // #if auth
    const headers = { Authorization: `Bearer ${await tokenFor('eve')}` };
    assert.equal(await refusalStatus(host.port, { headers }), 429);
    const late = new TestClient(
      new WebSocket(`ws://localhost:${String(host.port)}${PATH}`, PROTOCOLS),
    );
    await late.nextOf('auth-required');
    late.send({ type: 'auth', token: await tokenFor('eve') });
    assert.equal(await late.closed, 4429);
    // #else
    //~ await assert.rejects(connect(host.port, 'eve'));
    // #endif
    clients[0]?.socket.close();
    await clients[0]?.closed;
    // The server, too, has to have seen it.
    while (host.server.connections > 1) await new Promise((resolve) => setTimeout(resolve, 5));
    clients.push(await connect(host.port, 'eve'));
    for (const { socket } of clients) socket.terminate();
  });

  it('are forgotten when they have left and owe nothing', () => {
    const users = new Users(readConfig({ USER_RATE_LIMIT: '1', USER_RATE_BURST: '5' }));
    const [ada, bob] = [users.enter('ada'), users.enter('bob')];
    assert.ok(ada !== undefined && bob !== undefined);
    bob.commands.take();
    users.sweep();
    assert.equal(users.size, 2);
    users.leave(ada);
    users.leave(bob);
    users.sweep();
    assert.equal(users.size, 1);
  });
});
// #if redis

/** Answers when it may: that there are two connections elsewhere, or that Redis is away. */
class SlowLink {
  readonly prefix = 'tests';
  readonly taken: number[] = [];
  isDown = false;
  answer = (): void => undefined;
  readonly #mayAnswer = new Promise<void>((resolve) => (this.answer = resolve));

  async run(_script: unknown, _keys: unknown, args: readonly unknown[]): Promise<unknown> {
    this.taken.push(Number(args[5]) - Number(args[4]));
    await this.#mayAnswer;
    if (this.isDown) throw new RedisDown('');
    return [2, '10'];
  }
}

describe('users of several servers', () => {
  const limits = { USER_RATE_LIMIT: '1', USER_RATE_BURST: '10', MAX_CONNECTIONS_PER_USER: '2' };

  it('are known until they are let in', async () => {
    const link = new SlowLink();
    const users = new Users(readConfig(limits), link as unknown as RedisLink);
    const learned = users.learn('ada');
    users.sweep();
    link.answer();
    await learned;
    assert.equal(users.isFull('ada'), true);
    users.sweep();
    assert.equal(users.size, 0);
  });

  it('owe what they take without Redis', async () => {
    const link = new SlowLink();
    const users = new Users(readConfig(limits), link as unknown as RedisLink);
    link.isDown = true;
    link.answer();
    const ada = users.enter('ada');
    for (let n = 0; n < 5; n++) ada?.commands.take();
    for (let n = 0; n < 2; n++) {
      await new Promise(setImmediate);
      users.sweep();
    }
    assert.deepEqual(link.taken, [0, 5, 5]);
  });

  it('are said by one, however long Redis takes', async () => {
    const link = new SlowLink();
    const users = new Users(readConfig(limits), link as unknown as RedisLink);
    const ada = users.enter('ada');
    for (let n = 0; n < 5; n++) {
      ada?.commands.take();
      users.sweep();
      await new Promise(setImmediate);
    }
    assert.deepEqual(link.taken, [0]);
    const learned = users.learn('ada');
    link.answer();
    await learned;
    assert.deepEqual(link.taken, [0, 5]);
    assert.equal(ada?.saidTaken, 5);
  });
});
// #endif
