import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { Outbox } from '../src/outbox.ts';
import type { OutboxOptions, QueueLimits } from '../src/outbox.ts';
import { failure, settle, soon } from './support.ts';

const open = new Set<Outbox>();
afterEach(() => {
  for (const outbox of open) outbox.close();
  open.clear();
});

/** An outbox before a connection that the test makes. */
function outboxWith(options: OutboxOptions = {}): {
  outbox: Outbox;
  wire: { isClosed: boolean; isReady: boolean; buffered: number };
  sent: string[];
} {
  const wire = { isClosed: false, isReady: true, buffered: 0 };
  const sent: string[] = [];
  const outbox = new Outbox(options, {
    isClosed: () => wire.isClosed,
    isReady: () => wire.isReady,
    buffered: () => wire.buffered,
    send: (text) => {
      sent.push((JSON.parse(text) as { id: string }).id);
      return true;
    },
  });
  open.add(outbox);
  return { outbox, wire, sent };
}

function add(outbox: Outbox, id: string, more: object = {}): Promise<unknown> {
  const promise = outbox.add('lobby', { type: 'message', ...more }, { id });
  promise.catch(() => undefined);
  return promise;
}

describe('the outbox', () => {
  it('settles with the answer of the server', async () => {
    const { outbox } = outboxWith();
    const promise = add(outbox, 'a');
    assert.equal(outbox.answer('a', { offset: 7, duplicate: false }), true);
    assert.deepEqual(await promise, { offset: 7, duplicate: false });
    assert.equal(outbox.answer('a', { offset: 8, duplicate: false }), false);
  });

  it('takes no answer for what was not sent', () => {
    const { outbox, wire } = outboxWith();
    wire.isReady = false;
    void add(outbox, 'a');
    assert.equal(outbox.answer('a', { duplicate: false }), false);
  });

  it('chooses ids that nobody else chooses', () => {
    const { outbox, sent } = outboxWith();
    for (let at = 0; at < 100; at++) outbox.add('lobby', {}).catch(() => undefined);
    assert.equal(new Set(sent).size, 100);
    assert.match(sent[0] ?? '', /^\d+(?:-\d+){3}$/);
  });

  it('refuses an id that is under way', async () => {
    const { outbox } = outboxWith();
    void add(outbox, 'a');
    assert.equal((await failure(add(outbox, 'a'))).code, 'bad_message');
  });

  it('sends in order as soon as it can', () => {
    const { outbox, wire, sent } = outboxWith();
    wire.isReady = false;
    for (const id of ['a', 'b', 'c']) void add(outbox, id);
    assert.deepEqual(sent, []);
    wire.isReady = true;
    outbox.flush();
    assert.deepEqual(sent, ['a', 'b', 'c']);
  });

  it('sends again what has no answer, before what is newer', () => {
    const { outbox, wire, sent } = outboxWith();
    void add(outbox, 'a');
    void add(outbox, 'b');
    outbox.answer('a', { duplicate: false });
    wire.isReady = false;
    outbox.lost(true);
    void add(outbox, 'c');
    wire.isReady = true;
    outbox.flush();
    assert.deepEqual(sent, ['a', 'b', 'b', 'c']);
  });

  it('says that an outcome is unknown where the server cannot know a message again', async () => {
    const { outbox, wire, sent } = outboxWith();
    const promise = add(outbox, 'a');
    wire.isReady = false;
    outbox.lost(false);
    assert.equal((await failure(promise)).code, 'unknown_outcome');
    assert.deepEqual(sent, ['a']);
  });

  it('does not send again what the server may have forgotten', async () => {
    const { outbox, wire } = outboxWith({ resendWithinMs: 1 });
    const promise = add(outbox, 'a');
    wire.isReady = false;
    outbox.lost(true);
    assert.equal((await failure(promise)).code, 'unknown_outcome');
  });

  it('does not send again to a server that lost its memory', async () => {
    const { outbox, wire, sent } = outboxWith();
    const old = add(outbox, 'a');
    wire.isReady = false;
    outbox.lost(true);
    void add(outbox, 'b');
    outbox.forget('lobby');
    wire.isReady = true;
    outbox.flush();
    assert.equal((await failure(old)).code, 'unknown_outcome');
    assert.deepEqual(sent, ['a', 'b']);
  });

  it('gives up after the time for an answer', async () => {
    const { outbox } = outboxWith({ ackTimeoutMs: 1 });
    assert.equal((await failure(add(outbox, 'a'))).code, 'timeout');
  });

  it('gives up what waits for too long', async () => {
    const { outbox, wire } = outboxWith({ queue: { maxAgeMs: 1 } });
    wire.isReady = false;
    assert.equal((await failure(add(outbox, 'a'))).code, 'expired');
  });

  it('refuses what the server would close the connection for', async () => {
    const { outbox, sent } = outboxWith();
    const promise = add(outbox, 'a', { text: 'é'.repeat(40_000) });
    assert.equal((await failure(promise)).code, 'too_big');
    assert.deepEqual(sent, []);
  });

  it('takes only numbers from 0 as limits', () => {
    assert.throws(() => outboxWith({ queue: { maxMessages: -1 } }), TypeError('maxMessages'));
    assert.throws(() => outboxWith({ highWaterMark: NaN }), TypeError('highWaterMark'));
    for (const whenFull of ['drop', 'constructor'] as string[] as 'reject'[]) {
      assert.throws(() => outboxWith({ queue: { whenFull } }), TypeError('whenFull'));
    }
  });

  it('ends with the client', async () => {
    const { outbox, wire } = outboxWith();
    const sent = add(outbox, 'a');
    wire.isReady = false;
    const unsent = add(outbox, 'b');
    outbox.close();
    assert.equal((await failure(sent)).code, 'unknown_outcome');
    assert.equal((await failure(unsent)).code, 'closed');
  });

  it('takes nothing while the client is closed', async () => {
    const { outbox, wire, sent } = outboxWith();
    wire.isClosed = true;
    assert.equal((await failure(add(outbox, 'a'))).code, 'closed');
    wire.isClosed = false;
    void add(outbox, 'b');
    assert.deepEqual(sent, ['b']);
  });
});

describe('a full queue', () => {
  const fill = async (
    queue: QueueLimits,
    ids: readonly string[],
  ): Promise<{ refused: Record<string, unknown>; kept: string[] }> => {
    const { outbox, wire, sent } = outboxWith({ queue });
    wire.isReady = false;
    const refused: Record<string, unknown> = {};
    for (const id of ids) {
      add(outbox, id).catch((error: unknown) => {
        refused[id] = (error as { code: string }).code;
      });
    }
    await settle();
    wire.isReady = true;
    outbox.flush();
    return { refused, kept: sent };
  };

  it('drops the oldest', async () => {
    const { refused, kept } = await fill({ maxMessages: 2 }, ['a', 'b', 'c', 'd']);
    assert.deepEqual(refused, { a: 'dropped', b: 'dropped' });
    assert.deepEqual(kept, ['c', 'd']);
  });

  it('drops the new', async () => {
    const queue = { maxMessages: 2, whenFull: 'drop-new' } as const;
    const { refused, kept } = await fill(queue, ['a', 'b', 'c']);
    assert.deepEqual(refused, { c: 'dropped' });
    assert.deepEqual(kept, ['a', 'b']);
  });

  it('rejects', async () => {
    const queue = { maxMessages: 1, whenFull: 'reject' } as const;
    const { refused, kept } = await fill(queue, ['a', 'b']);
    assert.deepEqual(refused, { b: 'queue_full' });
    assert.deepEqual(kept, ['a']);
  });

  it('counts bytes', async () => {
    // {"type":"message","id":"a"} has 27.
    const { refused, kept } = await fill({ maxBytes: 60 }, ['a', 'b', 'c']);
    assert.deepEqual(refused, { a: 'dropped' });
    assert.deepEqual(kept, ['b', 'c']);
  });

  it('keeps the others when one alone is too large', async () => {
    const { refused, kept } = await fill({ maxBytes: 30 }, ['a', 'b'.repeat(20)]);
    assert.deepEqual(Object.values(refused), ['queue_full']);
    assert.deepEqual(kept, ['a']);
  });

  it('drops what was sent before as an unknown outcome', async () => {
    const { outbox, wire } = outboxWith({ queue: { maxMessages: 1 } });
    const first = add(outbox, 'a');
    wire.isReady = false;
    outbox.lost(true);
    void add(outbox, 'b');
    assert.equal((await failure(first)).code, 'unknown_outcome');
  });
});

describe('backpressure', () => {
  it('holds messages while the socket has too much, and sends them afterwards', async () => {
    const { outbox, wire, sent } = outboxWith({ highWaterMark: 10 });
    wire.buffered = 10;
    void add(outbox, 'a');
    assert.deepEqual(sent, []);
    wire.buffered = 9;
    while (sent.length === 0) await soon(new Promise((done) => setTimeout(done, 5)), 'a timer');
    assert.deepEqual(sent, ['a']);
  });
});

describe('an abort signal', () => {
  it('takes back what was not sent', async () => {
    const { outbox, wire, sent } = outboxWith();
    wire.isReady = false;
    const controller = new AbortController();
    const promise = outbox.add('lobby', {}, { signal: controller.signal });
    controller.abort(new Error('why'));
    assert.equal((await failure(promise)).code, 'aborted');
    wire.isReady = true;
    outbox.flush();
    assert.deepEqual(sent, []);
  });

  it('that was aborted before sends nothing', async () => {
    const { outbox, sent } = outboxWith();
    const promise = outbox.add('lobby', {}, { signal: AbortSignal.abort() });
    assert.equal((await failure(promise)).code, 'aborted');
    assert.deepEqual(sent, []);
  });
});
