import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { readConfig } from '../src/config.ts';
import { MemoryStore, storeLimits } from '../src/store.ts';
import type { Position, Recovery } from '../src/store.ts';
import { connect, startServer } from './support.ts';
import type { Received, TestServer } from './support.ts';

describe('resume', () => {
  let host: TestServer;
  before(async () => {
    host = await startServer({ HISTORY_MESSAGES: '3' });
  });
  after(() => host.stop());

  it('closes the gap of a client that comes back', async () => {
    const ada = await connect(host.port, 'ada');
    const { position } = await ada.request({ type: 'join', room: 'one' });
    const bob = await connect(host.port, 'bob');
    await bob.request({ type: 'join', room: 'one' });
    ada.socket.terminate();
    for (const text of ['1', '2']) await bob.request({ type: 'message', room: 'one', text });
    const again = await connect(host.port, 'ada');
    const joined = await again.request({ type: 'join', room: 'one', since: position });
    assert.equal(joined['recovered'], true);
    assert.deepEqual(texts(joined), ['1', '2']);
    again.socket.terminate();
    bob.socket.terminate();
  });

  it('says so when the gap is too large or the position is of another time', async () => {
    const client = await connect(host.port);
    const first = await client.request({ type: 'join', room: 'two' });
    const position = first['position'] as Position;
    for (const text of ['1', '2', '3', '4']) {
      await client.request({ type: 'message', room: 'two', text });
    }
    const wrong = [position, { offset: 4, epoch: 'another' }, { ...position, offset: 5 }];
    for (const since of wrong) {
      const joined = await client.request({ type: 'join', room: 'two', since });
      assert.equal(joined['recovered'], false, JSON.stringify(since));
      assert.deepEqual(texts(joined), ['2', '3', '4']);
    }
    client.socket.terminate();
  });

  it('publishes a message once, however often it is sent', async () => {
    const ada = await connect(host.port, 'ada');
    await ada.request({ type: 'join', room: 'three' });
    const message = { type: 'message', room: 'three', text: 'hello' };
    for (const expected of [undefined, true]) {
      ada.send({ ...message, id: 'same' });
      const ack = await ada.nextOf('ack');
      assert.deepEqual([ack['offset'], ack['duplicate']], [1, expected]);
    }
    // The id of somebody else is another one.
    const bob = await connect(host.port, 'bob');
    await bob.request({ type: 'join', room: 'three' });
    assert.equal((await bob.request({ ...message }, 'same'))['offset'], 2);
    const joined = await ada.request({ type: 'join', room: 'three' });
    assert.deepEqual(texts(joined), ['hello', 'hello']);
    ada.socket.terminate();
    bob.socket.terminate();
  });

  it('brings what is said during a recovery after it, in order and once', async (t) => {
    /** A store that answers late, as one in another process does. */
    class LateStore extends MemoryStore {
      override async recover(channel: string, since?: Position): Promise<Recovery> {
        await delay(10);
        const recovery = await super.recover(channel, since);
        await delay(10);
        return recovery;
      }
    }
    const store = new LateStore(storeLimits(readConfig({})));
    const late = await startServer({ RATE_LIMIT: '10000', RATE_BURST: '10000' }, { store });
    t.after(() => late.stop());
    const writer = await connect(late.port, 'writer');
    const { position } = await writer.request({ type: 'join', room: 'busy' });
    const state = { isWriting: true };
    const writing = (async () => {
      while (state.isWriting) await writer.request({ type: 'message', room: 'busy', text: 'x' });
    })();
    const reader = await connect(late.port, 'reader');
    let since = position as Position;
    for (let round = 0; round < 3; round += 1) {
      // Joining again is a recovery, too.
      const joined = await reader.request({ type: 'join', room: 'busy', since });
      if (round === 0) assert.equal(joined['recovered'], true);
      const missed = joined['messages'] as { offset: number }[];
      const seen = missed.map(({ offset }) => offset);
      while (seen.length < missed.length + 5) {
        seen.push((await reader.nextOf('message'))['offset'] as number);
      }
      const expected = seen.map((_, index) => (seen[0] ?? 0) + index);
      assert.deepEqual(seen, expected);
      since = { ...since, offset: seen.at(-1) ?? 0 };
    }
    state.isWriting = false;
    await writing;
    writer.socket.terminate();
    reader.socket.terminate();
  });
});

function texts(joined: Received): unknown[] {
  return (joined['messages'] as { text: string }[]).map((message) => message.text);
}
