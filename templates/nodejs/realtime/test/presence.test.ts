import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { readConfig } from '../src/config.ts';
import { MemoryStore, storeLimits } from '../src/store.ts';
import { connect, startServer } from './support.ts';
import type { TestServer } from './support.ts';

describe('presence', () => {
  let host: TestServer;
  before(async () => {
    host = await startServer({ PRESENCE_GRACE: '100' });
  });
  after(() => host.stop());

  it('sends who is there on joining, and every change after that', async () => {
    const ada = await connect(host.port, 'ada');
    const first = await ada.request({ type: 'join', room: 'one' });
    assert.deepEqual(first['members'], ['ada']);
    const bob = await connect(host.port, 'bob');
    const second = await bob.request({ type: 'join', room: 'one' });
    assert.deepEqual(second['members'], ['ada', 'bob']);
    assert.equal((await ada.nextOf('member-joined'))['user'], 'bob');
    bob.socket.terminate();
    assert.equal((await ada.nextOf('member-left'))['user'], 'bob');
    const members = await ada.request({ type: 'members', room: 'one' });
    assert.deepEqual(members['members'], ['ada']);
    ada.socket.terminate();
  });

  it('ends for who is closed while a slow store lets him in', async () => {
    const store = new MemoryStore(storeLimits(readConfig({})));
    const events = new EventEmitter();
    const isReady = once(events, 'ready');
    const calls: string[] = [];
    const subscribe = store.subscribe.bind(store);
    store.subscribe = async (...channel) => {
      if (events.emit('asked')) await isReady;
      return await subscribe(...channel);
    };
    for (const name of ['enter', 'exit'] as const) {
      store[name] = async () => {
        await Promise.resolve(calls.push(name));
      };
    }
    const own = await startServer({}, { store });
    const ada = await connect(own.port, 'ada');
    const isAsked = once(events, 'asked');
    ada.send({ type: 'join', room: 'one' });
    await isAsked;
    await own.stop();
    events.emit('ready');
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(calls, ['enter', 'exit']);
  });
});
