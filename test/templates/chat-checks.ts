import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import type { ServerProcess } from '../support/server-process.ts';
import { openClient } from '../support/test-client.ts';
import type { TestClient } from '../support/test-client.ts';
import type { Check } from './check.ts';

/** A room for servers that have rooms; the minimal chat ignores which one is meant. */
const ROOM = 'lobby';

/** A user who is in the room, or just connected where there are no rooms. */
class Guest {
  readonly client: TestClient;
  readonly #where: { readonly room?: string };

  constructor(client: TestClient, hasRooms: boolean) {
    this.client = client;
    this.#where = hasRooms ? { room: ROOM } : {};
  }

  async say(text: string): Promise<void> {
    const reply = await this.client.request({ type: 'message', ...this.#where, text });
    expect(reply['type']).toBe('ack');
  }

  leave(): void {
    this.client.socket.terminate();
  }
}

async function enter(server: ServerProcess, user: string): Promise<Guest> {
  const client = await openClient(server.port, { path: `/?user=${user}` });
  await client.match({ type: 'welcome', user });
  const reply = await client.request({ type: 'join', room: ROOM });
  return new Guest(client, reply['type'] === 'joined');
}

/** What every chat server does besides what every server does, with rooms or without. */
export const CHAT_CHECKS = {
  'brings a message to everybody, its sender included': async ({ boot, soon }) => {
    await using server = await boot();
    const ada = await enter(server, 'ada');
    const bob = await enter(server, 'bob');
    const cid = await enter(server, 'cid');
    await ada.say('hello');
    for (const { client } of [ada, bob, cid]) {
      const message = await soon(client.match({ type: 'message' }), 'the message');
      expect(message).toMatchObject({ from: 'ada', text: 'hello' });
    }
    for (const guest of [ada, bob, cid]) guest.leave();
  },

  'refuses messages that break the schema and passes none of them on': async ({ boot, soon }) => {
    await using server = await boot();
    const ada = await enter(server, 'ada');
    const cases = [
      { code: 'bad_json', text: '{"type":' },
      { code: 'bad_message', text: '[]' },
      { code: 'bad_message', text: 'null' },
      { code: 'bad_message', text: '{"type":"__proto__"}' },
      { code: 'bad_message', text: '{"type":"ping","__proto__":{"isAdmin":true}}' },
      { code: 'bad_message', text: '{"type":"ping","isAdmin":true}' },
      { code: 'bad_message', text: `{"type":"message","room":"${ROOM}","text":7}` },
      { code: 'bad_message', text: `{"type":"message","room":"${ROOM}","text":""}` },
      { code: 'bad_message', text: `{"type":"message","text":"${'x'.repeat(4097)}"}` },
    ];
    for (const { code, text } of cases) {
      ada.client.send(text);
      const error = await soon(ada.client.match({ type: 'error' }), `an error for ${text}`);
      expect(error['code'], text.slice(0, 80)).toBe(code);
    }
    ada.client.send({ type: 'nonsense', id: 'mine' });
    expect(await ada.client.match({ type: 'error' })).toMatchObject({
      id: 'mine',
      code: 'bad_message',
    });
    ada.leave();
  },

  'closes with 1008 when invalid messages do not end': async ({ boot, soon }) => {
    await using server = await boot();
    const { socket, closed } = await openClient(server.port);
    for (let sent = 0; sent < 50; sent += 1) socket.send('nonsense');
    expect(await soon(closed, 'close 1008')).toBe(1008);
  },

  'reads slower from who sends too much, says so once and loses nothing': async ({
    boot,
    soon,
  }) => {
    await using server = await boot({ RATE_LIMIT: '50', RATE_BURST: '20' });
    const client = await openClient(server.port);
    for (let sent = 0; sent < 60; sent += 1) client.send({ type: 'ping' });
    const answer = client.request({ type: 'ping' });
    expect(await soon(answer, 'the last answer')).toMatchObject({ type: 'pong' });
    const throttled = server.log.filter((line) => line.event === 'throttled');
    expect(throttled).toMatchObject([{ limit: 'RATE_LIMIT' }]);
    const large = await openClient(server.port);
    large.send(JSON.stringify({ type: 'ping', id: 'x'.repeat(65_536) }));
    expect(await soon(large.closed, 'close 1009')).toBe(1009);
  },

  'closes with 1003 over a binary message': async ({ boot, soon }) => {
    await using server = await boot();
    const { socket, closed } = await openClient(server.port);
    socket.send(Buffer.from('{"type":"ping"}'));
    expect(await soon(closed, 'close 1003')).toBe(1003);
  },

  'closes with 4408 who does not read, and goes on for the others': async ({ boot, soon }) => {
    await using server = await boot({
      MAX_BUFFERED: '65536',
      RATE_LIMIT: '1000000',
      RATE_BURST: '1000000',
      COMPRESSION: 'none',
    });
    const ada = await enter(server, 'ada');
    const slow = await enter(server, 'slow');
    slow.client.socket.pause();
    // 16 MiB: more than the socket buffers of any system hold on the way.
    const text = '€'.repeat(4096);
    const isTooSlow = (): boolean => server.log.some(({ event }) => event === 'slow-consumer');
    for (let sent = 0; sent < 1366 && !isTooSlow(); sent += 1) {
      await ada.say(text);
      await ada.client.match({ type: 'message' });
    }
    slow.client.socket.resume();
    expect(await soon(slow.client.closed, 'close 4408')).toBe(4408);
    ada.leave();
  },
} as const satisfies Readonly<Record<string, Check>>;

/** What the chat server with all its features does besides. */
export const ROOM_CHECKS = {
  'keeps rooms for other addresses, however many sockets one has': async ({ boot }) => {
    await using server = await boot({ MAX_ROOMS: '6', MAX_ROOMS_PER_IP: '4', TRUST_PROXY: '1' });
    const from = (address: string) =>
      openClient(server.port, { headers: { 'X-Forwarded-For': address } });
    const greedy = [await from('192.0.2.1'), await from('::ffff:192.0.2.1')];
    const join = async (client: TestClient, room: string) =>
      (await client.request({ type: 'join', room }))['type'];
    const answers: unknown[] = [];
    for (let count = 0; count < 6; count += 1) {
      answers.push(await join(greedy[count % 2] as TestClient, `room${count}`));
    }
    expect(answers).toEqual([...Array<string>(4).fill('joined'), 'error', 'error']);
    const other = await from('192.0.2.2');
    expect(await join(other, 'lobby')).toBe('joined');
    // Rooms of others are open to it, and its share comes back.
    expect(await join(greedy[0] as TestClient, 'lobby')).toBe('joined');
    await (greedy[0] as TestClient).request({ type: 'leave', room: 'room0' });
    expect(await join(greedy[1] as TestClient, 'room9')).toBe('joined');
    for (const client of [...greedy, other]) client.socket.terminate();
  },

  'lets a client that comes back join all its rooms at once': async ({ boot, soon }) => {
    await using server = await boot({
      COMPRESSION: 'permessage-deflate',
      RATE_LIMIT: '100000',
      RATE_BURST: '100000',
      MAX_BUFFERED: '262144',
    });
    const rooms = Array.from({ length: 40 }, (_, index) => `room${index}`);
    const writer = await openClient(server.port);
    // 40 histories of up to 64 KiB: ten times what may wait for one client.
    for (const room of rooms) {
      await writer.request({ type: 'join', room });
      for (let count = 0; count < 20; count += 1) {
        await writer.request({ type: 'message', room, text: randomText(3000) });
      }
    }
    const reader = await openClient(server.port);
    for (const room of rooms) reader.send({ type: 'join', room, id: room });
    for (const id of rooms) {
      const { messages } = await soon(reader.match({ type: 'joined', id }), id);
      expect(messages).toHaveLength(20);
    }
    writer.socket.terminate();
    reader.socket.terminate();
  },

  'keeps rooms apart, shows who is there and closes the gap of who comes back': async ({
    boot,
  }) => {
    await using server = await boot({ PRESENCE_GRACE: '100' });
    const ada = await enter(server, 'ada');
    const bob = await openClient(server.port, { path: '/?user=bob' });
    const joined = await bob.request({ type: 'join', room: ROOM });
    expect(joined).toMatchObject({ type: 'joined', members: ['ada', 'bob'], recovered: false });
    expect(await ada.client.match({ type: 'member-joined' })).toMatchObject({
      room: ROOM,
      user: 'bob',
    });

    await bob.request({ type: 'join', room: 'elsewhere' });
    await bob.request({ type: 'message', room: 'elsewhere', text: 'not for ada' });
    bob.socket.terminate();
    expect(await ada.client.match({ type: 'member-left' })).toMatchObject({ user: 'bob' });
    await ada.say('one');
    await ada.say('two');

    const again = await openClient(server.port, { path: '/?user=bob' });
    const since = joined['position'];
    const back = await again.request({ type: 'join', room: ROOM, since });
    expect(back).toMatchObject({ recovered: true, position: { offset: 2 } });
    expect(back['messages']).toMatchObject([{ text: 'one' }, { text: 'two' }]);
    for (const text of ['one', 'two']) {
      expect(await ada.client.match({ type: 'message' })).toMatchObject({ text });
    }
    ada.leave();
    again.socket.terminate();
  },

  'does not claim to recover what a restart has lost': async ({ boot }) => {
    let since: unknown;
    {
      await using server = await boot();
      const ada = await enter(server, 'ada');
      await ada.say('lost');
      since = (await ada.client.request({ type: 'join', room: ROOM }))['position'];
      expect(since).toMatchObject({ offset: 1 });
      ada.leave();
    }
    await using server = await boot();
    const ada = await enter(server, 'ada');
    const back = await ada.client.request({ type: 'join', room: ROOM, since });
    expect(back).toMatchObject({ type: 'joined', recovered: false, messages: [] });
    ada.leave();
  },

  'loses and repeats nothing for a client that comes and goes while others write': async ({
    boot,
  }) => {
    await using server = await boot({ RATE_LIMIT: '100000', RATE_BURST: '100000' });
    const writer = await enter(server, 'writer');
    const seen: number[] = [];
    let since = (await writer.client.request({ type: 'join', room: ROOM }))['position'] as Position;
    const writing = (async () => {
      for (let count = 1; count <= 500; count += 1) await writer.say(String(count));
    })();
    while (seen.length < 500) {
      const reader = await openClient(server.port, { path: '/?user=reader' });
      const joined = await reader.request({ type: 'join', room: ROOM, since });
      expect(joined['recovered']).toBe(true);
      const missed = joined['messages'] as { offset: number }[];
      const live: { offset: number }[] = [];
      while (live.length < 20 && seen.length + missed.length + live.length < 500) {
        live.push((await reader.match({ type: 'message' })) as unknown as { offset: number });
      }
      seen.push(...missed.map(({ offset }) => offset), ...live.map(({ offset }) => offset));
      since = { ...since, offset: seen.at(-1) ?? 0 };
      reader.socket.terminate();
    }
    await writing;
    expect(seen).toEqual(Array.from({ length: 500 }, (_, index) => index + 1));
    writer.leave();
  },
} as const satisfies Readonly<Record<string, Check>>;

/** Text that does not get smaller by compression, not much at least. */
function randomText(length: number): string {
  return randomBytes(length).toString('base64').slice(0, length);
}

interface Position {
  readonly offset: number;
  readonly epoch: string;
}
