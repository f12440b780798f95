import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { ChatClient } from '../src/chat.ts';
import type { Room } from '../src/chat.ts';
import type { ClientOptions } from '../src/client.ts';
import { FAST, Inbox, failure, reach, settle, startServer, take } from './support.ts';
import type { Message, Peer, TestServer } from './support.ts';

const running = new Set<ChatClient>();
afterEach(() => {
  for (const client of running) client.close();
  running.clear();
});

interface Session {
  readonly server: TestServer;
  readonly client: ChatClient;
  readonly room: Room;
  /** Texts of messages, and `recovered: …`. */
  readonly seen: Inbox<string>;
}

async function session(options: Partial<ClientOptions> = {}, name = 'lobby'): Promise<Session> {
  const server = await startServer();
  const client = new ChatClient({ url: server.url, ...FAST, ...options });
  running.add(client);
  const room = client.join(name);
  const seen = new Inbox<string>();
  room.on('message', ({ text }) => seen.put(text));
  room.on('recovered', ({ recovered }) => seen.put(`recovered: ${recovered}`));
  client.connect().catch(() => undefined);
  return { server, client, room, seen };
}

function message(offset: number): Message {
  const at = '2026-01-01T00:00:00.000Z';
  return { type: 'message', room: 'lobby', from: 'bob', text: `m${offset}`, at, offset };
}

function messages(from: number, to: number): Message[] {
  return Array.from({ length: to - from + 1 }, (_, at) => message(from + at));
}

/** Answers the client's next join. */
async function admit(peer: Peer, more: Message): Promise<Message> {
  const join = await peer.next('join');
  peer.send({ type: 'joined', id: join['id'], room: 'lobby', ...more });
  return join;
}

function at(offset: number, epoch = 'e1'): Message {
  return { position: { offset, epoch } };
}

/** A room that has given messages 1 to 3, and a new connection after the old one was cut. */
async function resumed(): Promise<Session & { peer: Peer }> {
  const made = await session();
  const first = await made.server.accept();
  first.welcome();
  await admit(first, { ...at(2), recovered: false, messages: messages(1, 2) });
  first.send(message(3));
  assert.deepEqual(await take(made.seen, 3), ['m1', 'm2', 'm3']);
  first.socket.terminate();
  const peer = await made.server.accept();
  peer.welcome();
  return { ...made, peer };
}

describe('a room', () => {
  it('gives what was kept and what comes, once and in order', async () => {
    const { server, client, seen } = await session();
    const peer = await server.accept();
    peer.welcome();
    const join = await admit(peer, { ...at(2), recovered: false, messages: messages(1, 2) });
    assert.equal('since' in join, false);
    peer.send(message(3), message(3), message(2), message(4));
    assert.deepEqual(await take(seen, 4), ['m1', 'm2', 'm3', 'm4']);
    await reach(client, 'open');
  });

  it('continues after a lost connection where it was', async () => {
    const { client, peer, seen } = await resumed();
    assert.equal(client.state.name === 'open', false);
    const join = await admit(peer, { ...at(5), recovered: true, messages: messages(4, 5) });
    assert.deepEqual(join['since'], { offset: 3, epoch: 'e1' });
    peer.send(message(6));
    assert.deepEqual(await take(seen, 4), ['recovered: true', 'm4', 'm5', 'm6']);
    await reach(client, 'open');
  });

  it('drops what it had, when the server sends it again', async () => {
    const { peer, seen } = await resumed();
    await admit(peer, { ...at(4), recovered: true, messages: messages(2, 4) });
    peer.send(message(5));
    assert.deepEqual(await take(seen, 3), ['recovered: true', 'm4', 'm5']);
  });

  for (const [name, reply] of [
    ['the server says so', { ...at(9), recovered: false, messages: messages(8, 9) }],
    ['the epoch is another', { ...at(9, 'e2'), recovered: true, messages: messages(8, 9) }],
    ['messages are missing', { ...at(9), recovered: true, messages: messages(8, 9) }],
  ] as const) {
    it(`says that there is a gap when ${name}`, async () => {
      const { peer, seen } = await resumed();
      await admit(peer, reply);
      peer.send(message(10));
      assert.deepEqual(await take(seen, 4), ['recovered: false', 'm8', 'm9', 'm10']);
    });
  }

  it('says that there is a gap when the last messages are missing', async () => {
    const { peer, seen } = await resumed();
    await admit(peer, { ...at(5), recovered: true, messages: messages(4, 4) });
    assert.deepEqual(await take(seen, 2), ['recovered: false', 'm4']);
  });

  it('starts anew with another epoch, whose offsets are lower', async () => {
    const { peer, seen } = await resumed();
    await admit(peer, { ...at(1, 'e2'), recovered: false, messages: messages(1, 1) });
    peer.send(message(2));
    assert.deepEqual(await take(seen, 3), ['recovered: false', 'm1', 'm2']);
  });

  it('fills a gap between two messages', async () => {
    const { server, seen } = await session();
    const peer = await server.accept();
    peer.welcome();
    await admit(peer, { ...at(1), recovered: false, messages: messages(1, 1) });
    peer.send(message(4));
    const join = await admit(peer, { ...at(4), recovered: true, messages: messages(2, 4) });
    assert.deepEqual(join['since'], { offset: 1, epoch: 'e1' });
    peer.send(message(5));
    assert.deepEqual(await take(seen, 6), ['m1', 'recovered: true', 'm2', 'm3', 'm4', 'm5']);
  });

  it('holds what comes before the answer', async () => {
    const { peer, seen } = await resumed();
    const join = await peer.next('join');
    peer.send(message(5), message(6));
    const reply = { ...at(5), recovered: true, messages: messages(4, 5) };
    peer.send({ type: 'joined', id: join['id'], room: 'lobby', ...reply });
    assert.deepEqual(await take(seen, 4), ['recovered: true', 'm4', 'm5', 'm6']);
  });

  it('takes an answer once, and none with an id that it did not choose', async () => {
    const { peer, seen } = await resumed();
    const reply = { type: 'joined', room: 'lobby', ...at(9), recovered: false, messages: [] };
    peer.send({ ...reply, id: 'other' });
    const join = await admit(peer, { ...at(4), recovered: true, messages: messages(4, 4) });
    peer.send({ ...reply, id: join['id'] }, message(5));
    assert.deepEqual(await take(seen, 3), ['recovered: true', 'm4', 'm5']);
  });

  it('connects again when nobody answers', async () => {
    const { server } = await session({ joinTimeoutMs: 10 });
    (await server.accept()).welcome();
    (await server.accept()).welcome();
  });

  it('connects again after a position that is none', async () => {
    const { server } = await session();
    const peer = await server.accept();
    peer.welcome();
    await admit(peer, { position: { offset: -1, epoch: 'e1' }, recovered: false });
    await server.accept();
  });

  it('says that there may be a gap where the server cannot resume', async () => {
    const { server, seen } = await session();
    for (const part of [1, 2]) {
      const peer = await server.accept();
      peer.welcome(['rooms', 'history']);
      const join = await admit(peer, { messages: messages(1, part) });
      assert.equal('since' in join, false);
      if (part === 1) {
        assert.deepEqual(await take(seen, 1), ['m1']);
        peer.socket.terminate();
      }
    }
    assert.deepEqual(await take(seen, 3), ['recovered: false', 'm1', 'm2']);
  });

  it('is told why it may not enter, and the client is open all the same', async () => {
    const { server, client, room } = await session();
    const errors = new Inbox<{ code: string }>();
    room.on('error', (error) => errors.put(error));
    const peer = await server.accept();
    peer.welcome();
    const { id } = await peer.next('join');
    peer.send({ type: 'error', id, code: 'forbidden', message: 'no' });
    assert.equal((await errors.take('an error')).code, 'forbidden');
    await reach(client, 'open');
  });

  it('says that the server has put it out', async () => {
    const { server, room } = await session();
    const errors = new Inbox<Error & { code?: string }>();
    room.on('error', (error) => errors.put(error));
    const peer = await server.accept();
    peer.welcome();
    await admit(peer, { ...at(0), recovered: false, messages: [] });
    peer.send({ type: 'left', room: 'lobby', code: 'forbidden' });
    assert.equal((await errors.take('an error')).code, 'forbidden');
    assert.equal(room.status, 'refused');
  });

  it('asks again when it was asked to wait', async () => {
    const { server } = await session();
    const peer = await server.accept();
    peer.welcome();
    for (const code of ['rate_limited', 'unavailable', 'of_a_newer_server']) {
      const { id } = await peer.next('join');
      peer.send({ type: 'error', id, code, message: 'no', retryAfterMs: 0.5 });
    }
    await peer.next('join');
  });

  it('is left when the last part of the program leaves it', async () => {
    const { server, client, room } = await session();
    assert.equal(client.join('lobby'), room);
    const peer = await server.accept();
    peer.welcome();
    await admit(peer, { ...at(0), recovered: false, messages: [] });
    await reach(client, 'open');
    room.leave();
    room.leave();
    assert.equal((await peer.next('leave'))['room'], 'lobby');
    assert.notEqual(client.join('lobby'), room);
    assert.equal('since' in (await peer.next('join')), false);
  });

  it('can be joined while the client is open', async () => {
    const { server, client } = await session();
    const peer = await server.accept();
    peer.welcome();
    await admit(peer, { ...at(0), recovered: false, messages: [] });
    await reach(client, 'open');
    const sent = client.join('other').send('hi');
    const { id } = await peer.next('join');
    peer.send({ type: 'joined', id, room: 'other', ...at(0), recovered: false });
    const { id: sentId } = await peer.next('message');
    peer.send({ type: 'ack', id: sentId, offset: 1 });
    assert.deepEqual(await sent, { offset: 1, duplicate: false });
  });

  it('has no name on a server without rooms', async () => {
    const { server, room, seen } = await session({}, '');
    const peer = await server.accept();
    peer.welcome([]);
    peer.send({ type: 'message', from: 'bob', text: 'm1', at: '2026-01-01T00:00:00.000Z' });
    assert.deepEqual(await take(seen, 1), ['m1']);
    const sent = room.send('hi');
    const { id, room: named } = await peer.next('message');
    assert.equal(named, undefined);
    peer.send({ type: 'ack', id });
    assert.deepEqual(await sent, { duplicate: false });
    peer.socket.terminate();
    (await server.accept()).welcome([]);
    assert.deepEqual(await take(seen, 1), ['recovered: false']);
  });

  it('survives a handler that throws', async (t) => {
    const { server, room, seen } = await session();
    const thrown = new Inbox<unknown>();
    const listeners = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.once('uncaughtException', (error) => thrown.put(error));
    t.after(() => listeners.forEach((one) => process.on('uncaughtException', one)));
    room.on('message', ({ text }) => {
      if (text === 'm1') throw new Error('mine');
    });
    const peer = await server.accept();
    peer.welcome();
    await admit(peer, { ...at(1), recovered: false, messages: messages(1, 1) });
    peer.send(message(2));
    assert.deepEqual(await take(seen, 2), ['m1', 'm2']);
    assert.match(String(await thrown.take('the error')), /mine/);
  });
});

// #if presence
describe('members', () => {
  it('are those of the answer, and change with those who come and go', async () => {
    const { server, room } = await session();
    const changes = new Inbox<readonly string[]>();
    room.on('members', (members) => changes.put(members));
    const peer = await server.accept();
    peer.welcome(['rooms', 'presence']);
    await admit(peer, { members: ['bob', 'ada'] });
    peer.send({ type: 'member-joined', room: 'lobby', user: 'cyd' });
    peer.send({ type: 'member-joined', room: 'lobby', user: 'cyd' });
    peer.send({ type: 'member-left', room: 'lobby', user: 'bob' });
    assert.deepEqual(await changes.take('members'), ['ada', 'bob']);
    assert.deepEqual(await changes.take('members'), ['ada', 'bob', 'cyd']);
    assert.deepEqual(await changes.take('members'), ['ada', 'bob', 'cyd']);
    assert.deepEqual(await changes.take('members'), ['ada', 'cyd']);
    assert.deepEqual(room.members, ['ada', 'cyd']);
  });
});

// #endif
describe('what is sent', () => {
  it('while there is no connection goes out after the room was entered', async () => {
    const { server, room } = await session();
    const sent = room.send('hi');
    const peer = await server.accept();
    peer.welcome();
    await admit(peer, { ...at(0), recovered: false, messages: [] });
    const { id, text } = await peer.next('message');
    assert.equal(text, 'hi');
    peer.send({ type: 'ack', id, offset: 1 });
    assert.deepEqual(await sent, { offset: 1, duplicate: false });
  });

  it('and has no answer goes out again with the same id, after everything missed has come', async () => {
    const { server, client, room } = await session();
    const first = await server.accept();
    first.welcome();
    await admit(first, { ...at(0), recovered: false, messages: [] });
    const sent = room.send('hi');
    const { id } = await first.next('message');
    first.socket.terminate();
    const second = await server.accept();
    second.welcome();
    const join = await second.next('join');
    await settle();
    assert.deepEqual(second.messages.rest, []);
    const own = { ...message(1), id };
    const reply = { ...at(1), recovered: true, messages: [own] };
    second.send({ type: 'joined', id: join['id'], room: 'lobby', ...reply });
    assert.equal((await second.next('message'))['id'], id);
    second.send({ type: 'ack', id, offset: 1, duplicate: true });
    assert.deepEqual(await sent, { offset: 1, duplicate: true });
    await reach(client, 'open');
  });

  it('is not sent again to a server that cannot resume', async () => {
    const { server, room } = await session();
    const first = await server.accept();
    first.welcome(['rooms']);
    await admit(first, {});
    const sent = room.send('hi');
    await first.next('message');
    first.socket.terminate();
    assert.equal((await failure(sent)).code, 'unknown_outcome');
  });

  it('is not sent again to a server that is another one', async () => {
    const { server, room } = await session();
    const first = await server.accept();
    first.welcome();
    await admit(first, { ...at(0), recovered: false, messages: [] });
    const sent = room.send('hi');
    await first.next('message');
    first.socket.terminate();
    const second = await server.accept();
    second.welcome();
    await admit(second, { ...at(0, 'e2'), recovered: false, messages: [] });
    assert.equal((await failure(sent)).code, 'unknown_outcome');
  });

  it('fails with the reason of the server', async () => {
    const { server, room } = await session();
    const peer = await server.accept();
    peer.welcome();
    await admit(peer, { ...at(0), recovered: false, messages: [] });
    const sent = room.send('hi');
    const { id } = await peer.next('message');
    peer.send({ type: 'error', id, code: 'rate_limited', message: 'slowly', retryAfterMs: 50 });
    const error = (await failure(sent)) as { code: string; retryAfterMs: number };
    assert.deepEqual([error.code, error.retryAfterMs], ['rate_limited', 50]);
  });

  it('fails when the connection is closed for good', async () => {
    const { server, room } = await session();
    const sent = room.send('hi');
    (await server.accept()).socket.close(4502);
    assert.equal((await failure(sent)).code, 'closed');
  });

  it('fails at once after close, and is not sent by a later connection', async () => {
    const { server, client, room } = await session();
    (await server.accept()).welcome();
    client.close();
    assert.equal((await failure(room.send('lost'))).code, 'closed');
    client.connect().catch(() => undefined);
    room.send('hi').catch(() => undefined);
    const peer = await server.accept();
    peer.welcome();
    await admit(peer, at(0));
    assert.equal((await peer.next('message'))['text'], 'hi');
  });
});

describe('connect', () => {
  it('settles when the client is open, and fails when it is closed for good', async () => {
    const server = await startServer();
    const client = new ChatClient({ url: server.url, ...FAST });
    running.add(client);
    const opened = client.connect();
    (await server.accept()).welcome();
    await opened;
    await client.connect();
    client.close();
    const failed = failure(client.connect());
    (await server.accept()).socket.close(4502);
    assert.equal((await failed).code, 'closed');
  });
});
