import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ConfigError, readConfig } from '../src/config.ts';
import { connect as connectAny, startServer } from './support.ts';
import type { Received, TestClient, TestServer } from './support.ts';

const PROTOCOL = 'pubsub.v1';
const TOKEN = 'a-token-that-nobody-guesses-4711';
const SETTINGS = { SUBPROTOCOLS: PROTOCOL, PUBLISH_TOKEN: TOKEN };

async function connect(port: number, user = 'ada', headers = {}): Promise<TestClient> {
  return await connectAny(port, user, { protocols: [PROTOCOL], headers });
}

describe('pubsub', () => {
  let host: TestServer;
  before(async () => {
    host = await startServer({ ...SETTINGS, RATE_LIMIT: '10000', RATE_BURST: '10000' });
  });
  after(() => host.stop());

  const post = async (
    body: unknown,
    { token = TOKEN, headers = {} }: { token?: string; headers?: Record<string, string> } = {},
  ): Promise<{ status: number; body: Record<string, unknown> }> => {
    const response = await fetch(`http://localhost:${String(host.port)}/publish`, {
      method: 'POST',
      headers: { ...(token !== '' && { Authorization: `Bearer ${token}` }), ...headers },
      body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };

  it('sends an event once to each connection that has a matching pattern', async () => {
    const ada = await connect(host.port, 'ada');
    const bob = await connect(host.port, 'bob');
    for (const topic of ['news.#', 'news.*', 'news.sport']) {
      assert.equal((await ada.request({ type: 'subscribe', topic })).type, 'subscribed');
    }
    await bob.request({ type: 'subscribe', topic: 'news.politics' });
    const data = { score: [1, 2], nothing: null };
    const ack = await bob.request({ type: 'publish', topic: 'news.sport', data });
    assert.equal(ack.type, 'ack');
    const event = await ada.next();
    assert.deepEqual(
      [event.type, event['topic'], event['data'], event['from']],
      ['event', 'news.sport', data, 'bob'],
    );
    assert.equal((await ada.request({ type: 'ping' })).type, 'pong');
    assert.equal((await bob.request({ type: 'ping' })).type, 'pong');
    await end(ada, bob);
  });

  it('sends nothing after the end of a subscription', async () => {
    const ada = await connect(host.port);
    await ada.request({ type: 'subscribe', topic: 'ends.*' });
    assert.equal(
      (await ada.request({ type: 'unsubscribe', topic: 'ends.*' })).type,
      'unsubscribed',
    );
    await ada.request({ type: 'publish', topic: 'ends.now', data: 1 });
    assert.equal((await ada.request({ type: 'ping' })).type, 'pong');
    const error = await ada.request({ type: 'unsubscribe', topic: 'ends.*' });
    assert.equal(error['code'], 'not_subscribed');
    await end(ada);
  });

  it('refuses patterns that would match everything, and what is none', async () => {
    const client = await connect(host.port);
    for (const topic of ['#', '*', '*.sport', '*.#']) {
      const error = await client.request({ type: 'subscribe', topic });
      assert.equal(error['code'], 'pattern_too_broad', topic);
    }
    const deep = Array.from({ length: 65 }).reduce<unknown>((inner) => [inner], 0);
    for (const wrong of [
      { type: 'subscribe', topic: 'a.#.b' },
      { type: 'subscribe', topic: 'x'.repeat(256) },
      { type: 'publish', topic: 'a.*', data: 1 },
      { type: 'publish', topic: 'a' },
      { type: 'publish', topic: 'a', data: deep },
      { type: 'publish', topic: 'a', data: 1, more: 1 },
    ]) {
      const error = await client.request(wrong);
      assert.equal(error['code'], 'bad_message', JSON.stringify(wrong).slice(0, 60));
    }
    client.send('{"type":"publish","id":"big","topic":"a","data":[1e400]}');
    const { id, code, message } = await client.nextOf('error');
    const expected = 'data: expected numbers that a double can hold';
    assert.deepEqual([id, code, message], ['big', 'bad_message', expected]);
    await end(client);
  });

  it('asks who may subscribe and publish', async (t) => {
    const server = await startServer(SETTINGS, {
      authorize: ({ action, name, identity }) =>
        !name.startsWith('private-') || (identity.user === 'ada' && action === 'subscribe'),
    });
    t.after(() => server.stop());
    const ada = await connect(server.port, 'ada');
    const bob = await connect(server.port, 'bob');
    const subscribe = { type: 'subscribe', topic: 'private-ada.#' };
    assert.equal((await ada.request(subscribe)).type, 'subscribed');
    assert.equal((await bob.request(subscribe))['code'], 'forbidden');
    const publish = { type: 'publish', topic: 'private-ada.x', data: 1 };
    assert.equal((await ada.request(publish))['code'], 'forbidden');
    await end(ada, bob);
  });

  it('lets clients publish unless CLIENT_PUBLISH is false', async (t) => {
    const server = await startServer({ ...SETTINGS, CLIENT_PUBLISH: 'false' });
    t.after(() => server.stop());
    const client = await connect(server.port);
    const error = await client.request({ type: 'publish', topic: 'a', data: 1 });
    assert.equal(error['code'], 'forbidden');
    await end(client);
  });

  it('limits the subscriptions of a client, an address and the server', async (t) => {
    const server = await startServer({
      ...SETTINGS,
      TRUST_PROXY: '1',
      MAX_SUBSCRIPTIONS_PER_CLIENT: '3',
      MAX_SUBSCRIPTIONS_PER_IP: '4',
      MAX_SUBSCRIPTIONS: '7',
    });
    t.after(() => server.stop());
    const from = (address: string) => connect(server.port, 'ada', { 'X-Forwarded-For': address });
    const count = async (client: TestClient, topics: string[]) => {
      const replies: Received[] = [];
      for (const topic of topics) replies.push(await client.request({ type: 'subscribe', topic }));
      return replies.map((reply) => (reply.type === 'error' ? reply['code'] : reply.type));
    };
    const [yes, no] = ['subscribed', 'too_many_subscriptions'];
    const first = await from('192.0.2.1');
    assert.deepEqual(await count(first, ['a', 'a.b', 'a.c', 'a.d']), [yes, yes, yes, no]);
    // The same again is no other one.
    assert.deepEqual(await count(first, ['a.b']), [yes]);
    const neighbour = await from('192.0.2.1');
    assert.deepEqual(await count(neighbour, ['a', 'b']), [yes, no]);
    const crowded = await from('192.0.2.1');
    assert.deepEqual(await count(crowded, ['a', 'b']), [yes, no]);
    const other = await from('192.0.2.2');
    assert.deepEqual(await count(other, ['a', 'b', 'c']), [yes, yes, no]);
    first.socket.terminate();
    await first.closed;
    assert.equal((await other.request({ type: 'ping' })).type, 'pong');
    assert.deepEqual(await count(other, ['c']), [yes]);
    await end(neighbour, crowded, other);
  });

  it('limits the streams of an address, and passes them on only within shares', async (t) => {
    const server = await startServer({
      ...SETTINGS,
      TRUST_PROXY: '1',
      MAX_STREAMS: '4',
      MAX_STREAMS_PER_IP: '2',
    });
    t.after(() => server.stop());
    const from = (address: string) => connect(server.port, 'ada', { 'X-Forwarded-For': address });
    const subscribe = async (client: TestClient, ...topics: string[]) => {
      const types = [];
      for (const topic of topics)
        types.push((await client.request({ type: 'subscribe', topic })).type);
      return types;
    };
    const opener = await from('192.0.2.1');
    const keeper = await from('192.0.2.2');
    assert.deepEqual(await subscribe(opener, 'a', 'b', 'c'), ['subscribed', 'subscribed', 'error']);
    assert.deepEqual(await subscribe(keeper, 'a', 'b', 'c'), Array(3).fill('subscribed'));
    for (const topic of ['a', 'b']) await opener.request({ type: 'unsubscribe', topic });
    // One of the two has become the keeper's, whose share is full with it.
    assert.deepEqual(await subscribe(opener, 'd', 'e'), ['subscribed', 'error']);
    const third = await from('192.0.2.3');
    assert.deepEqual(await subscribe(third, 'a', 'f'), ['subscribed', 'error']);
    await end(opener, keeper, third);
  });

  describe('POST /publish', () => {
    it('publishes for who has the token', async () => {
      const client = await connect(host.port);
      await client.request({ type: 'subscribe', topic: 'http.#' });
      const { status, body } = await post({ topic: 'http.x', data: { a: 1 } });
      assert.deepEqual([status, body['subscribers']], [200, 1]);
      const event = await client.nextOf('event');
      assert.deepEqual([event['data'], 'from' in event], [{ a: 1 }, false]);
      // #if history
      assert.deepEqual([body['offset'], typeof body['epoch']], [event['offset'], 'string']);
      // #endif
      await end(client);
    });

    it('refuses other tokens, pages of other sites and bodies that are none', async () => {
      const fine = { topic: 'http.y', data: 1 };
      for (const token of ['', `${TOKEN}x`, TOKEN.slice(1)]) {
        assert.equal((await post(fine, { token })).status, 401);
      }
      const headers = { Origin: 'https://evil.example' };
      assert.equal((await post(fine, { headers })).status, 403);
      const own = { Origin: `http://localhost:${String(host.port)}` };
      assert.equal((await post(fine, { headers: own })).status, 200);
      for (const wrong of [
        'no json',
        '',
        new Uint8Array([34, 255, 34]),
        [],
        { topic: 'a.*', data: 1 },
        { topic: 'a' },
        { ...fine, more: 1 },
        { ...fine, id: '' },
        `{"topic":"a","data":${'['.repeat(30_000)}${']'.repeat(30_000)}}`,
        `{"topic":"a","data":1,"__proto__":{}}`,
        `{"topic":"a","data":{"a":-1e400}}`,
      ]) {
        const { status, body } = await post(wrong);
        assert.deepEqual(
          [status, typeof body['error']],
          [400, 'string'],
          JSON.stringify(wrong).slice(0, 40),
        );
      }
      assert.equal((await post({ topic: 'a', data: 'x'.repeat(65_536) })).status, 413);
    });

    it('does not exist without PUBLISH_TOKEN, which has to be long', async (t) => {
      const server = await startServer({ SUBPROTOCOLS: PROTOCOL });
      t.after(() => server.stop());
      const url = `http://localhost:${String(server.port)}/publish`;
      const response = await fetch(url, { method: 'POST', body: '{"topic":"a","data":1}' });
      assert.equal(response.status, 404);
      const short = 'x'.repeat(31);
      assert.throws(
        () => readConfig({ PUBLISH_TOKEN: short }),
        (error) => error instanceof ConfigError && !error.message.includes(short),
      );
    });
  });
  // #if history

  it('keeps the events of a stream for those who come later', async () => {
    const client = await connect(host.port);
    for (const topic of ['kept.a', 'kept.b', 'kept.a']) {
      await client.request({ type: 'publish', topic, data: topic });
    }
    const reply = await client.request({ type: 'subscribe', topic: 'kept.a' });
    assert.deepEqual(offsets(reply), [1, 3]);
    await end(client);
  });
  // #endif
  // #if resume

  it('resumes a stream from a position', async () => {
    const ada = await connect(host.port, 'ada');
    const { position } = await ada.request({ type: 'subscribe', topic: 'resumed.a' });
    const bob = await connect(host.port, 'bob');
    await end(ada);
    for (const topic of ['resumed.a', 'resumed.b', 'resumed.a']) {
      await bob.request({ type: 'publish', topic, data: 1 });
    }
    const again = await connect(host.port, 'ada');
    const topic = 'resumed.#';
    const reply = await again.request({ type: 'subscribe', topic, since: position });
    assert.deepEqual([reply['recovered'], offsets(reply)], [true, [1, 2, 3]]);
    for (const since of [
      { offset: 4, epoch: (position as { epoch: string }).epoch },
      { offset: 0, epoch: 'x' },
    ]) {
      const other = await again.request({ type: 'subscribe', topic, since });
      assert.equal(other['recovered'], false);
    }
    await end(again, bob);
  });

  it('publishes an id once for a user and topic', async () => {
    const ada = await connect(host.port, 'ada');
    await ada.request({ type: 'subscribe', topic: 'once.#' });
    const publish = { type: 'publish', topic: 'once.a', data: 1 };
    assert.equal((await ada.request(publish, 'one'))['offset'], 1);
    const again = await ada.request(publish, 'one');
    assert.deepEqual([again['offset'], again['duplicate']], [1, true]);
    assert.equal((await ada.request({ ...publish, topic: 'once.b' }, 'one'))['offset'], 2);
    const first = await post({ topic: 'once.a', data: 1, id: 'one' });
    assert.deepEqual([first.body['offset'], 'duplicate' in first.body], [3, false]);
    const second = await post({ topic: 'once.a', data: 1, id: 'one' });
    assert.deepEqual([second.body['offset'], second.body['duplicate']], [3, true]);
    await end(ada);
  });

  it('lets the offsets of a stream rise while a pattern more is recovered', async () => {
    const writer = await connect(host.port, 'writer');
    const reader = await connect(host.port, 'reader');
    await reader.request({ type: 'subscribe', topic: 'busy.a' });
    for (let index = 0; index < 50; index += 1) {
      writer.send({ type: 'publish', topic: index % 2 === 0 ? 'busy.a' : 'busy.b', data: index });
    }
    reader.send({ type: 'subscribe', id: 'more', topic: 'busy.#' });
    await writer.request({ type: 'publish', topic: 'busy.b', data: 'last' });
    let last = 0;
    for (;;) {
      const message = await reader.next();
      const offset = message['offset'] as number | undefined;
      if (offset === undefined) {
        const { offset: top } = message['position'] as { offset: number };
        assert.ok(top >= last);
        last = top;
        if (last === 51) break;
        continue;
      }
      assert.ok(offset > last, `${String(offset)} after ${String(last)}`);
      last = offset;
      if (last === 51) break;
    }
    await end(writer, reader);
  });
  // #endif
});
// #if history

function offsets(reply: Received): number[] {
  return (reply['messages'] as { offset: number }[]).map(({ offset }) => offset);
}
// #endif

async function end(...clients: TestClient[]): Promise<void> {
  for (const client of clients) {
    client.socket.terminate();
    await client.closed;
  }
}
