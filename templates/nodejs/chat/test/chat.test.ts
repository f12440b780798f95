import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { connect, startServer } from './support.ts';
import type { TestServer } from './support.ts';

// #if rooms
const WHERE = { room: 'lobby' };
// #else
//~ const WHERE = {};
// #endif

describe('chat', () => {
  let host: TestServer;
  before(async () => {
    host = await startServer({
      MAX_BUFFERED: '65536',
      // A client that does not read answers no pings either.
      PING_INTERVAL: '60000',
      RATE_LIMIT: '100000',
      RATE_BURST: '100000',
      // Compressed, the messages of one letter below would never fill a buffer.
      COMPRESSION: 'none',
    });
  });
  after(() => host.stop());

  it('sends a message to everybody, its sender included, and acknowledges it', async () => {
    const ada = await connect(host.port, 'ada');
    const bob = await connect(host.port, 'bob');
    const cid = await connect(host.port, 'cid');
    // #if rooms
    for (const client of [ada, bob, cid]) await client.request({ type: 'join', ...WHERE });
    // #endif
    const ack = await ada.request({ type: 'message', ...WHERE, text: 'hello' });
    assert.equal(ack.type, 'ack');
    for (const client of [ada, bob, cid]) {
      const message = await client.nextOf('message');
      assert.equal(message['from'], 'ada');
      assert.equal(message['text'], 'hello');
    }
    for (const client of [ada, bob, cid]) client.socket.terminate();
  });

  it('closes who does not read with 4408 and goes on for the others', async () => {
    const ada = await connect(host.port, 'ada');
    const slow = await connect(host.port, 'slow');
    // #if rooms
    for (const client of [ada, slow]) await client.request({ type: 'join', ...WHERE });
    // #endif
    slow.socket.pause();
    // More than the socket buffers of any system hold on the way.
    const text = 'x'.repeat(4096);
    for (let sent = 0; sent < 4000; sent += 1) ada.send({ type: 'message', ...WHERE, text });
    assert.equal((await ada.request({ type: 'message', ...WHERE, text }, 'last')).type, 'ack');
    ada.socket.terminate();
    slow.socket.resume();
    assert.equal(await slow.closed, 4408);
  });
});
