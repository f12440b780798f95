import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { constants, inflateRawSync } from 'node:zlib';
import type { Client } from '../src/client.ts';
import { broadcastOf, payloadOf } from '../src/frame.ts';
import type { Frame } from '../src/frame.ts';
import { Room } from '../src/room.ts';
import { connect, startServer } from './support.ts';

/** A member that keeps what it gets. */
function member(): { client: Client; got: Frame[]; texts: () => string[] } {
  const got: Frame[] = [];
  const client = { deliver: (frame: Frame) => got.push(frame) } as unknown as Client;
  const parts = () => got.flatMap((frame) => frame.parts ?? [frame]);
  const textOf = (frame: Frame): string =>
    (JSON.parse(payloadOf(frame).toString()) as { text: string }).text;
  return { client, got, texts: () => parts().map(textOf) };
}

const entry = (offset: number, text = String(offset)) => ({
  offset,
  data: JSON.stringify({ type: 'message', text }),
});

describe('a room', () => {
  it('writes the messages of one turn at once, and encodes each once', async () => {
    const room = new Room('one');
    const [ada, bob] = [member(), member()];
    for (const { client } of [ada, bob]) room.members.add(client);
    for (const offset of [1, 2, 3]) room.onEntry(entry(offset));
    await turn();
    for (const { got, texts } of [ada, bob]) {
      assert.equal(got.length, 1);
      assert.deepEqual(texts(), ['1', '2', '3']);
    }
    assert.equal(ada.got[0], bob.got[0]);
    const [frame] = ada.got;
    assert.deepEqual(frame?.bytes, Buffer.concat(frame?.parts?.map(({ bytes }) => bytes) ?? []));
  });

  it('keeps the order when a message is too large for that', async () => {
    const room = new Room('one');
    const ada = member();
    room.members.add(ada.client);
    const large = 'x'.repeat(2000);
    for (const text of ['a', 'b', large, 'c']) room.onEntry(entry(1, text));
    await turn();
    assert.deepEqual(ada.texts(), ['a', 'b', large, 'c']);
    assert.equal(ada.got.length, 3);
  });

  it('gives who comes and goes each message once', async () => {
    const room = new Room('one');
    const [ada, bob] = [member(), member()];
    room.hold(ada.client);
    room.onEntry(entry(1));
    room.onEntry(entry(2));
    // It was told of the first.
    room.admit(ada.client, 1);
    room.onEntry(entry(3));
    room.hold(bob.client);
    room.admit(bob.client, 3);
    room.onEntry(entry(4));
    room.exit(ada.client);
    room.onEntry(entry(5));
    await turn();
    assert.deepEqual(ada.texts(), ['2', '3', '4']);
    assert.deepEqual(bob.texts(), ['4', '5']);
  });

  it('compresses a message once for all windows that are the same', () => {
    const text = JSON.stringify({ type: 'message', text: 'again and '.repeat(300) });
    const frame = broadcastOf(text);
    const small = frame.deflated?.(9);
    const usual = frame.deflated?.(11) ?? Buffer.alloc(0);
    assert.equal(frame.deflated?.(9), small);
    assert.equal(frame.deflated?.(11), usual);
    assert.notEqual(small, usual);
    // A text message that is whole and compressed, in less than 126 bytes.
    assert.equal(usual[0], 0xc1);
    assert.equal(usual[1], usual.length - 2);
    const options = { windowBits: 11, finishFlush: constants.Z_SYNC_FLUSH };
    assert.equal(inflateRawSync(usual.subarray(2), options).toString(), text);
  });

  it('sends what is compressed to clients of any window, and to those without', async () => {
    const host = await startServer({ COMPRESSION: 'permessage-deflate' });
    const clients = [
      await connect(host.port, 'ada'),
      await connect(host.port, 'bob', { perMessageDeflate: { serverMaxWindowBits: 9 } }),
      await connect(host.port, 'eve', { perMessageDeflate: false }),
    ];
    for (const client of clients) await client.request({ type: 'join', room: 'one' });
    const texts = ['first', 'long '.repeat(500), 'last'];
    for (const text of texts) clients[0]?.send({ type: 'message', room: 'one', text });
    for (const client of clients) {
      for (const text of texts) assert.equal((await client.nextOf('message'))['text'], text);
      const closed = once(client.socket, 'close');
      client.socket.close();
      await closed;
    }
    await host.stop();
  });
});
