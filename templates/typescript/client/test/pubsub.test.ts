import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { matches, PubsubClient } from '../src/pubsub.ts';
import { FAST, Inbox, reach, startServer, take } from './support.ts';
import type { Message, Peer, TestServer } from './support.ts';

interface Topics {
  'news.de': { title: string };
  'news.en': { title: string };
}

const running = new Set<{ close: () => void }>();
afterEach(() => {
  for (const client of running) client.close();
  running.clear();
});

interface Session {
  readonly server: TestServer;
  readonly client: PubsubClient<Topics>;
  /** By pattern: offsets, and `recovered: …`. */
  readonly seen: Map<string, Inbox<unknown>>;
}

async function session(...patterns: string[]): Promise<Session> {
  const server = await startServer();
  const client = new PubsubClient<Topics>({ url: server.url, ...FAST });
  running.add(client);
  const seen = new Map<string, Inbox<unknown>>();
  for (const pattern of patterns) {
    const subscription = client.subscribe(pattern);
    const inbox = new Inbox<unknown>();
    subscription.on('event', ({ offset }) => inbox.put(offset));
    subscription.on('recovered', ({ recovered }) => inbox.put(`recovered: ${recovered}`));
    seen.set(pattern, inbox);
  }
  client.connect().catch(() => undefined);
  return { server, client, seen };
}

function event(topic: string, offset: number): Message {
  return { type: 'event', topic, data: { title: 't' }, at: '2026-01-01T00:00:00Z', offset };
}

async function admit(peer: Peer, topic: string, more: Message): Promise<Message> {
  const command = await peer.next('subscribe');
  assert.equal(command['topic'], topic);
  peer.send({ type: 'subscribed', id: command['id'], topic, ...more });
  return command;
}

function at(offset: number): Message {
  return { position: { offset, epoch: 'e1' }, recovered: false, messages: [] };
}

describe('a pattern', () => {
  for (const [pattern, topic, isMatch] of [
    ['a.b', 'a.b', true],
    ['a.b', 'a.c', false],
    ['a.b', 'a.b.c', false],
    ['a.*', 'a.b', true],
    ['a.*', 'a', false],
    ['a.*', 'a.b.c', false],
    ['a.*.c', 'a.b.c', true],
    ['a.#', 'a', true],
    ['a.#', 'a.b.c', true],
    ['a.#', 'b', false],
    ['a.*.#', 'a.b', true],
    ['a.*.#', 'a', false],
  ] as const) {
    it(`${pattern} ${isMatch ? 'matches' : 'does not match'} ${topic}`, () => {
      assert.equal(matches(pattern, topic), isMatch);
    });
  }
});

describe('a subscription', () => {
  it('gets what matches, each once, however many match', async () => {
    const { server, seen } = await session('news.de', 'news.#');
    const peer = await server.accept();
    peer.welcome(['history', 'resume']);
    await admit(peer, 'news.de', at(0));
    await admit(peer, 'news.#', at(0));
    peer.send(event('news.de', 1), event('news.en', 2), event('news.de', 2), event('news.de', 3));
    assert.deepEqual(await take(seen.get('news.#'), 3), [1, 2, 3]);
    assert.deepEqual(await take(seen.get('news.de'), 2), [1, 3]);
  });

  it('continues after what other subscriptions of the sequence got', async () => {
    const { server, client, seen } = await session('news.de', 'news.en');
    const first = await server.accept();
    first.welcome(['history', 'resume']);
    await admit(first, 'news.de', at(0));
    await admit(first, 'news.en', at(0));
    first.send(event('news.de', 1), event('news.de', 2));
    await take(seen.get('news.de'), 2);
    first.socket.terminate();
    const second = await server.accept();
    second.welcome(['history', 'resume']);
    const reply = { position: { offset: 4, epoch: 'e1' }, recovered: true };
    await admit(second, 'news.de', { ...reply, messages: [event('news.de', 4)] });
    const command = await admit(second, 'news.en', { ...reply, messages: [event('news.en', 3)] });
    assert.deepEqual(command['since'], { offset: 2, epoch: 'e1' });
    assert.deepEqual(await take(seen.get('news.de'), 2), ['recovered: true', 4]);
    assert.deepEqual(await take(seen.get('news.en'), 2), ['recovered: true', 3]);
    await reach(client, 'open');
  });

  it('to a whole sequence notices a gap', async () => {
    const { server, seen } = await session('news.#');
    const peer = await server.accept();
    peer.welcome(['history', 'resume']);
    await admit(peer, 'news.#', at(1));
    peer.send(event('news.de', 3));
    const messages = [event('news.de', 2), event('news.de', 3)];
    const command = await admit(peer, 'news.#', { ...at(3), recovered: true, messages });
    assert.deepEqual(command['since'], { offset: 1, epoch: 'e1' });
    assert.deepEqual(await take(seen.get('news.#'), 3), ['recovered: true', 2, 3]);
  });

  it('to a part of a sequence takes what is missing for what does not match', async () => {
    const { server, seen } = await session('news.de');
    const peer = await server.accept();
    peer.welcome(['history', 'resume']);
    await admit(peer, 'news.de', at(1));
    peer.send(event('news.de', 3), event('news.de', 7));
    assert.deepEqual(await take(seen.get('news.de'), 2), [3, 7]);
  });
});

describe('publish', () => {
  it('needs no subscription', async () => {
    const { server, client } = await session();
    const published = client.publish('news.de', { title: 'x' });
    const peer = await server.accept();
    peer.welcome(['history', 'resume']);
    const { id, topic, data } = await peer.next('publish');
    assert.deepEqual([topic, data], ['news.de', { title: 'x' }]);
    peer.send({ type: 'ack', id, offset: 5 });
    assert.deepEqual(await published, { offset: 5, duplicate: false });
  });
});
