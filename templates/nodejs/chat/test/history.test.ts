import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { History } from '../src/history.ts';
import type { ChatMessage } from '../src/messages.ts';
import { connect, startServer } from './support.ts';
import type { Received, TestServer } from './support.ts';

describe('history', () => {
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
    const { position } = await client.request({ type: 'join', room: 'two' });
    for (const text of ['1', '2', '3', '4']) {
      await client.request({ type: 'message', room: 'two', text });
    }
    const tooOld = await client.request({ type: 'join', room: 'two', since: position });
    assert.equal(tooOld['recovered'], false);
    assert.deepEqual(texts(tooOld), ['2', '3', '4']);
    const since = { offset: 4, epoch: 'another' };
    const foreign = await client.request({ type: 'join', room: 'two', since });
    assert.equal(foreign['recovered'], false);
    client.socket.terminate();
  });

  it('is bounded in messages and in bytes', () => {
    const history = new History(3, 100);
    const append = (bytes: number): void => {
      const offset = history.nextOffset;
      history.append({ offset } as ChatMessage, bytes);
    };
    for (let count = 0; count < 5; count += 1) append(10);
    assert.deepEqual(offsets(history), [3, 4, 5]);
    append(95);
    assert.deepEqual(offsets(history), [6]);
    append(101);
    assert.deepEqual(offsets(history), []);
  });

  it('recovers exactly what came after the position', () => {
    const history = new History(3, 1000);
    const { epoch } = history.recover(undefined).position;
    for (let count = 0; count < 5; count += 1) {
      history.append({ offset: history.nextOffset } as ChatMessage, 1);
    }
    const recovery = (offset: number): unknown => {
      const { recovered, messages } = history.recover({ offset, epoch });
      return [recovered, messages.map((message) => message.offset)];
    };
    assert.deepEqual(recovery(1), [false, [3, 4, 5]]);
    assert.deepEqual(recovery(2), [true, [3, 4, 5]]);
    assert.deepEqual(recovery(4), [true, [5]]);
    assert.deepEqual(recovery(5), [true, []]);
    assert.deepEqual(recovery(6), [false, [3, 4, 5]]);
  });
});

function texts(joined: Received): unknown[] {
  return (joined['messages'] as ChatMessage[]).map((message) => message.text);
}

function offsets(history: History): number[] {
  return history.recover(undefined).messages.map((message) => message.offset);
}
