import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { connect, startServer } from './support.ts';
import type { Received, TestServer } from './support.ts';

describe('history', () => {
  let host: TestServer;
  before(async () => {
    host = await startServer({ HISTORY_MESSAGES: '3' });
  });
  after(() => host.stop());

  it('shows who joins what was said of late, numbered', async () => {
    const ada = await connect(host.port, 'ada');
    await ada.request({ type: 'join', room: 'zero' });
    for (const text of ['1', '2', '3', '4']) {
      const ack = await ada.request({ type: 'message', room: 'zero', text });
      assert.equal(ack['offset'], Number(text));
    }
    const bob = await connect(host.port, 'bob');
    const joined = await bob.request({ type: 'join', room: 'zero' });
    assert.deepEqual(numbered(joined), ['2: 2', '3: 3', '4: 4']);
    ada.socket.terminate();
    bob.socket.terminate();
  });

  it('gives way to messages under way', async () => {
    const small = await startServer({
      MEMORY_BUDGET: '131072',
      MAX_ROOMS: '4',
      // #if pubsub
      MAX_STREAMS: '4',
      // #endif
      // #if live
      MAX_DOCUMENTS: '4',
      // #endif
    });
    const client = await connect(small.port);
    const rooms = ['a', 'b', 'c', 'd'];
    for (const room of rooms) {
      await client.request({ type: 'join', room });
      for (let count = 0; count < 10; count += 1) {
        await client.request({ type: 'message', room, text: 'x'.repeat(1000) });
      }
    }
    const kept = async (room: string): Promise<number> =>
      numbered(await client.request({ type: 'join', room })).length;
    assert.deepEqual([await kept('a'), await kept('d')], [10, 10]);
    client.socket.send(' '.repeat(60_000), { fin: false });
    client.socket.ping();
    await once(client.socket, 'pong');
    client.socket.send('{"type":"ping"}');
    await client.nextOf('pong');
    assert.deepEqual([await kept('a'), await kept('d')], [0, 10]);
    client.socket.terminate();
    await small.stop();
  });
});

function numbered(joined: Received): string[] {
  const messages = joined['messages'] as { offset: number; text: string }[];
  return messages.map(({ offset, text }) => `${String(offset)}: ${text}`);
}
