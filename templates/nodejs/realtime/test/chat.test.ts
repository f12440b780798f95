import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { openLog } from '../src/log.ts';
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
    const tooSlow = new AbortController();
    openLog(
      new Writable({
        write(line: Buffer, _, done) {
          if (line.includes('"slow-consumer"')) tooSlow.abort();
          done();
        },
      }),
    );
    const text = '€'.repeat(4096);
    // More than the socket buffers of any system hold on the way.
    for (let sent = 0; sent < 1366 && !tooSlow.signal.aborted; sent += 1) {
      assert.equal((await ada.request({ type: 'message', ...WHERE, text })).type, 'ack');
    }
    assert.equal((await ada.request({ type: 'ping' })).type, 'pong');
    ada.socket.terminate();
    slow.socket.resume();
    assert.equal(await slow.closed, 4408);
  });
});
